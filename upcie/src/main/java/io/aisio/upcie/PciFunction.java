package io.aisio.upcie;

import java.io.IOException;
import java.util.List;

/**
 * One PCI function, held by this process: its registers, and memory that it may access.
 *
 * <p>Who opened the function closes it, after every {@link DmaMemory} that came from it.
 */
public interface PciFunction extends AutoCloseable {
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

    /** How many interrupt vectors it has that can be enabled; 0 where it can only be polled. */
    default int interruptVectors() {
        return 0;
    }

    /**
     * Enables the first interrupt vectors, once for as long as the function is held.
     *
     * @param count how many, 1 to {@link #interruptVectors()}
     * @return the vectors 0 to {@code count - 1}, in this order; they end with the function
     * @throws UnsupportedOperationException if it can only be polled
     * @throws IllegalStateException if they have been enabled before
     * @throws IOException if the system refuses
     */
    default List<? extends Interrupt> enableInterrupts(int count) throws IOException {
        throw new UnsupportedOperationException(name() + " has no interrupts that can be awaited, only polling");
    }

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
     * Names whom to tell that the device is asked back, or is gone. Where nobody ever learns of that, this does nothing.
     *
     * @param listener called at most once, from any thread, at any time until the function is closed; it should take no
     *     longer than it takes to stop using the device
     */
    default void onRemoval(Runnable listener) {}

    /** Gives the function back. Closing again does nothing. */
    @Override
    void close();
}
