package io.aisio.upcie;

import io.aisio.linux.Iommufd;
import io.aisio.linux.OpenFile;
import io.aisio.linux.VfioDevice;
import java.io.IOException;
import java.util.List;

/**
 * One PCI function, held by this process: its registers, and memory that it may access.
 *
 * <p>Who opened the function closes it, after every {@link DmaMemory} that came from it.
 */
public interface PciFunction extends AutoCloseable {
    /**
     * Opens a function of this machine that is bound to {@code vfio-pci} or {@code uio_pci_generic}. It is reset, if it can
     * be, and may not access memory yet.
     *
     * @throws IOException if there is none, it is bound to no such driver, another process has it, or the kernel refuses;
     *     the message says the next step
     */
    static PciFunction open(PciAddress address, FunctionOptions options) throws IOException {
        PciBus bus = new PciBus();
        PciDevice device = bus.device(address);
        if (System.getProperty("os.arch", "").equals("aarch64")) {
            throw new IOException(
                    address + ": no device on a bus can be driven on aarch64 yet: its doorbells need a barrier"
                            + " that Java does not have");
        }
        Access access = Access.of(bus, device, options);
        return access == Access.UIO
                ? UioFunction.open(bus, device, options.hugePageBytes())
                : VfioFunction.open(bus, device, access, options.hugePageBytes());
    }

    /**
     * Opens a function that another process has opened and lends ({@link LentFunction}), by the descriptors that it passed. It
     * is reset, if it can be, and reaches no memory yet. It is given back when it is closed, or this process ends.
     *
     * @param name how messages name it
     * @param device its descriptor; it becomes the function's, also if this fails
     * @param space that of the iommufd that it is in; the same
     * @param spaceId the number of its address space there
     * @param hugePageBytes size of the huge pages that its memory comes from, 2 MiB or 1 GiB
     * @param atEnd what is done once it has been closed: to tell the process that lends it. Not if this fails
     * @throws IOException if they are not what they should be, or the kernel refuses
     */
    static PciFunction passed(
            String name, OpenFile device, OpenFile space, int spaceId, long hugePageBytes, Runnable atEnd)
            throws IOException {
        return VfioFunction.passed(
                name, VfioDevice.passed(device), Iommufd.passed(space, spaceId), hugePageBytes, atEnd);
    }

    /** The way by which it was got, for people: {@code VFIO with iommufd}. */
    default String description() {
        return "PCI function";
    }

    /** How messages name it: a bus address such as {@code 0000:82:00.0}, or what stands for one. */
    String name();

    /**
     * The registers behind a base address register.
     *
     * @param index 0 to 5
     * @throws IllegalArgumentException if the function has no memory BAR of that index
     */
    Bar bar(int index);

    /**
     * Allocates zeroed memory that the function can read and write, aligned to the page size (4096 bytes).
     *
     * @param bytes at least 1; rounded up to whole pages
     * @throws IOException if the memory or the device's address space for it is exhausted
     */
    DmaMemory allocate(long bytes) throws IOException;

    /**
     * Lets the function reach another device's memory, without a copy through the host's.
     *
     * @param memory stays the caller's: it is freed after the result is closed
     * @return the memory as the function finds it; its segment has no bytes, as no processor reaches them
     * @throws UnsupportedOperationException if the function cannot be let to it; the message is one sentence
     * @throws IllegalStateException if the memory has been freed
     * @throws IOException if the system refuses; the message says the next step
     */
    default DmaMemory map(PeerMemory memory) throws IOException {
        throw new UnsupportedOperationException(name() + " reaches no memory of other devices");
    }

    /**
     * Opens a domain: the memory of one user, another process for example, that this function is to reach.
     *
     * @param readOnly whether that user's commands are to write nothing to the media; the device sees to it only where the
     *     domain is {@linkplain DmaDomain#isProtected() protected}
     * @param nsid the one namespace that the commands are to be about, at least 1; the device sees to it where the domain is
     *     protected
     * @throws UnsupportedOperationException if the function's memory cannot be another process's too; the message is one
     *     sentence with the next step
     * @throws IllegalStateException if the function is closed
     * @throws IOException if the system refuses
     */
    default DmaDomain openDomain(boolean readOnly, int nsid) throws IOException {
        throw new UnsupportedOperationException(name()
                + " has no memory that another process could have too; next: use emu:…?shared, or a device that is bound to"
                + " vfio-pci or uio_pci_generic");
    }

    /**
     * Where a queue pair's user maps its doorbells.
     *
     * @param tail where in BAR 0 the tail doorbell is, in bytes
     * @param head where in BAR 0 the head doorbell is, in bytes
     * @throws UnsupportedOperationException if the doorbells cannot be mapped by another process; the message is one sentence
     *     with the next step
     * @throws IllegalArgumentException if BAR 0 has no such doorbells
     * @throws IOException if the system refuses
     */
    default DoorbellPages doorbellPages(long tail, long head) throws IOException {
        throw new UnsupportedOperationException(name()
                + " has no doorbells that another process could map; next: use emu:…?shared, or a device that is bound to"
                + " vfio-pci or uio_pci_generic");
    }

    /**
     * Takes a pair's doorbells back from whoever was told of them: its queues have been deleted, and the next pair of that
     * identifier is another's. Where doorbells are pages of the device itself, nothing can be done, and this does nothing.
     *
     * @param tail as {@link #doorbellPages} was asked for
     * @param head the same
     * @throws IOException if the system refuses; the next pair would share its doorbells
     */
    default void takeDoorbellsBack(long tail, long head) throws IOException {}

    /**
     * Whether the pages of doorbells are replaced when pairs are lent and taken back ({@link #doorbellPages}), so that who has
     * registered them, as a GPU does, may be left with others.
     */
    default boolean movesDoorbells() {
        return false;
    }

    /** How many interrupt vectors it has that can be enabled; 0 where it can only be polled. */
    default int interruptVectors() {
        return 0;
    }

    /**
     * Enables the first interrupt vectors, once for as long as the function is held.
     *
     * @param count how many, 1 to {@link #interruptVectors()}
     * @return the vectors from 0 on, in this order, {@code count} or as many as the system has left for it; they end with
     *     the function
     * @throws UnsupportedOperationException if it can only be polled
     * @throws IllegalStateException if they have been enabled before
     * @throws IOException if the system refuses
     */
    default List<? extends Interrupt> enableInterrupts(int count) throws IOException {
        throw new UnsupportedOperationException(name() + " has no interrupts that can be awaited, only polling");
    }

    /**
     * Lets the function access memory (bus mastering). To be called once it is known to do nothing: a function that could
     * not be reset may still have its last driver's addresses.
     *
     * @throws IOException if the system refuses
     */
    default void startDma() throws IOException {}

    /**
     * Cuts the function off memory, whatever it is doing: for one that cannot be stopped otherwise. Once this has
     * returned, it neither reads nor writes any {@link DmaMemory}, until it is opened again.
     *
     * @throws UnsupportedOperationException if that cannot be done; its memory must then be left alone
     * @throws IOException if the system refuses; its memory must then be left alone
     */
    default void stopDma() throws IOException {
        throw new UnsupportedOperationException(name() + " cannot be cut off memory");
    }

    /**
     * Names whom to tell that the device is asked back, or is gone, instead of whom was named before. Where nobody ever
     * learns of that, this does nothing.
     *
     * @param listener called at most once, from any thread, at any time until the function is closed; it should take no
     *     longer than it takes to stop using the device
     * @throws IOException if the system refuses
     */
    default void onRemoval(Runnable listener) throws IOException {}

    /** Gives the function back. Closing again does nothing. */
    @Override
    void close();
}
