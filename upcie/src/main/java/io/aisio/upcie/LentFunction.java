package io.aisio.upcie;

import io.aisio.linux.Iommufd;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.linux.VfioDevice;
import java.io.IOException;

/**
 * A function that another process drives, by two descriptors that are passed to it: mostly a virtual function, which the IOMMU
 * keeps to that process's memory. This side opens it, into an address space of its own, and takes it back.
 *
 * <p>The other process gets {@link #device()}, {@link #space()} and {@link #spaceId()}, and opens the function by
 * {@link PciFunction#passed}. As long as it has the descriptors, it has the function: what takes it back from a process that
 * lives is the physical function alone ({@code nvme.Virtualization.offline}).
 */
public final class LentFunction implements AutoCloseable {
    private final String name;
    private final FunctionClaim claim;
    private final Iommufd space;
    private final VfioDevice device;
    private boolean closed;

    private LentFunction(String name, FunctionClaim claim, Iommufd space, VfioDevice device) {
        this.name = name;
        this.claim = claim;
        this.space = space;
        this.device = device;
    }

    /**
     * Opens a function of this machine that is bound to {@code vfio-pci}, and puts it into an empty address space.
     *
     * @throws IOException if there is none, it is bound to another driver, some process still has it, or the kernel has no
     *     iommufd; the message says the next step
     */
    public static LentFunction open(PciAddress address) throws IOException {
        PciBus bus = new PciBus();
        Access access =
                Access.of(bus, bus.device(address), new FunctionOptions(Access.IOMMUFD, false, Mapping.HUGE_PAGE_SIZE));
        assert access == Access.IOMMUFD;
        FunctionClaim claim = FunctionClaim.of(address, bus.folder(address));
        try {
            VfioFunction.OpenedByIommufd opened = VfioFunction.openByIommufd(bus, bus.device(address));
            return new LentFunction(address.toString(), claim, opened.space(), opened.device());
        } catch (IOException | RuntimeException e) {
            claim.close();
            throw e;
        }
    }

    /** Its bus address. */
    public String name() {
        return name;
    }

    /** The device, to be passed; it is this object's. */
    public OpenFile device() {
        return device.file();
    }

    /** What its address space is in, to be passed with the device; it is this object's. */
    public OpenFile space() {
        return space.file();
    }

    /** The number of its address space. */
    public int spaceId() {
        return space.id();
    }

    /**
     * Takes it back: resets it, so that it does nothing any more, and closes this side's descriptors. Closing again does
     * nothing.
     */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            if (device.canReset()) {
                device.reset();
            }
        } catch (LinuxException e) {
            // It was taken away, as is this: the kernel resets it with its last descriptor.
        } catch (IOException e) {
            throw new IllegalStateException(name + " is no function to VFIO any more", e);
        } finally {
            device.close();
            space.close();
            claim.close();
        }
    }
}
