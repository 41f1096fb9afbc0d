package io.aisio.xnvme.spi;

import io.aisio.nvme.LentQueuePair;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Timeouts;
import io.aisio.upcie.DmaDomain;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.DoorbellPages;
import io.aisio.upcie.MappedBar;
import io.aisio.upcie.PciFunction;
import io.aisio.xnvme.Geometry;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A namespace behind the user-space driver: what every backend that has a {@link PciFunction} returns. */
public final class NvmeDevice extends NamespaceDevice {
    private final PciFunction function;
    private final NvmeController controller;

    private NvmeDevice(
            String name, String path, PciFunction function, NvmeController controller, int nsid, boolean sleeping)
            throws NvmeException {
        super(name, path, controller, nsid, sleeping);
        this.function = function;
        this.controller = controller;
    }

    /**
     * Brings the controller behind a function up and opens a namespace.
     *
     * @param function becomes the device's: it is closed with it, and if opening fails
     * @param nsid the namespace
     * @param name the device's name as the user gave it
     * @param path which way the data takes, for people
     * @throws IOException if the controller does not come up, or has no such namespace
     */
    public static NvmeDevice open(PciFunction function, int nsid, String name, String path) throws IOException {
        return open(function, nsid, name, path, false);
    }

    /**
     * The same, with a say in how threads wait.
     *
     * @param sleeping whether {@link Queue#await} sleeps until the controller interrupts, rather than polls; a synchronous
     *     call polls
     */
    public static NvmeDevice open(PciFunction function, int nsid, String name, String path, boolean sleeping)
            throws IOException {
        return open(function, nsid, name, path, sleeping, Timeouts.DEFAULT);
    }

    /** The same, with timeouts of the caller's. */
    public static NvmeDevice open(
            PciFunction function, int nsid, String name, String path, boolean sleeping, Timeouts timeouts)
            throws IOException {
        NvmeController controller = null;
        try {
            controller = NvmeController.open(function, timeouts);
            return new NvmeDevice(name, path, function, controller, nsid, sleeping);
        } catch (IOException | RuntimeException e) {
            try {
                if (controller != null) {
                    controller.close();
                }
            } catch (IOException onClose) {
                e.addSuppressed(onClose);
            } finally {
                function.close();
            }
            throw e;
        }
    }

    /** The controller, for admin commands. */
    public NvmeController controller() {
        return controller;
    }

    /** The doorbells and all other registers, if they are mapped; null if every access is a call. */
    public @Nullable MappedBar doorbells() {
        return controller.doorbells();
    }

    /**
     * Creates a queue pair whose rings are elsewhere, and that somebody else drives: {@link NvmeController#lendQueuePair}. It
     * is one of those that {@link Geometry#maxQueues()} counts, and is closed before the device.
     */
    public LentQueuePair lendQueuePair(DmaMemory submission, DmaMemory completion, int depth) throws IOException {
        requireBlocks();
        return controller.lendQueuePair(submission, completion, depth);
    }

    /** The same with both rings in one memory: {@link NvmeController#lendQueuePair(DmaMemory, int)}. */
    public LentQueuePair lendQueuePair(DmaMemory rings, int depth) throws IOException {
        requireBlocks();
        return controller.lendQueuePair(rings, depth);
    }

    /** Opens a domain for the memory of one user of this device: {@link NvmeController#openDomain}. */
    public DmaDomain openDomain(boolean readOnly, int nsid) throws IOException {
        return controller.openDomain(readOnly, nsid);
    }

    /** Where the user of a lent queue pair maps its doorbells: {@link NvmeController#doorbellPages}. */
    public DoorbellPages doorbellPages(LentQueuePair pair) throws IOException {
        return controller.doorbellPages(pair);
    }

    @Override
    public void close() throws IOException {
        try {
            super.close();
        } finally {
            // Not while queues are open: their rings are the function's memory.
            if (controller.isClosed()) {
                function.close();
            }
        }
    }
}
