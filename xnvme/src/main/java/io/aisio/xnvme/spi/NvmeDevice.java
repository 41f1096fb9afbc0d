package io.aisio.xnvme.spi;

import io.aisio.nvme.Command;
import io.aisio.nvme.DriverPassthrough;
import io.aisio.nvme.LentQueuePair;
import io.aisio.nvme.Namespace;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.Timeouts;
import io.aisio.nvme.spec.Opcode;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.MappedBar;
import io.aisio.upcie.PciFunction;
import io.aisio.upcie.PeerMemory;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Capabilities;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Geometry;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A namespace behind the user-space driver: what every backend that has a {@link PciFunction} returns. */
public final class NvmeDevice implements Device {
    /** Commands that a synchronous call keeps in flight, if the controller's queues hold as many. */
    private static final int SYNC_DEPTH = 8;

    private final String name;
    private final String path;
    private final PciFunction function;
    private final NvmeController controller;
    private final Namespace namespace;
    private final Geometry geometry;

    private final Object syncLock = new Object();
    private @Nullable SyncCommands sync;

    private final boolean sleeping;
    private final DriverPassthrough passthrough;

    private NvmeDevice(
            String name, String path, PciFunction function, NvmeController controller, int nsid, boolean sleeping)
            throws NvmeException {
        this.name = name;
        this.path = path;
        this.function = function;
        this.controller = controller;
        this.sleeping = sleeping;
        passthrough = new DriverPassthrough(controller, nsid);
        namespace = controller.namespace(nsid);
        int lba = namespace.lbaBytes();
        int transfer = transferBytes(controller.maxTransferBytes(), lba);
        if (transfer == 0) {
            throw new NvmeException("%s: transfers of at most %d bytes, less than a block of %d"
                    .formatted(name, controller.maxTransferBytes(), lba));
        }
        geometry = new Geometry(lba, namespace.lbaCount(), transfer, controller.maxDepth(), controller.maxQueuePairs());
    }

    /** The most whole blocks in one command: what the controller moves, and the 65536 that a command counts. */
    static int transferBytes(int controllerBytes, int lbaBytes) {
        // In 64 bits: 65536 blocks of 32 KiB do not fit 32.
        return (int) Math.min(controllerBytes, 0x1_0000L * lbaBytes) / lbaBytes * lbaBytes;
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

    @Override
    public String name() {
        return name;
    }

    @Override
    public String path() {
        return path;
    }

    @Override
    public Capabilities capabilities() {
        return Capabilities.of(
                        Capabilities.Queues.USER_SPACE, Capabilities.Trait.ZERO_COPY, Capabilities.Trait.NVME_COMMANDS)
                .with(Capabilities.Trait.WRITES, !namespace.writeProtected())
                .with(Capabilities.Trait.SLEEPS, sleeping);
    }

    @Override
    public Geometry geometry() {
        return geometry;
    }

    /** The controller, for admin commands. */
    public NvmeController controller() {
        return controller;
    }

    @Override
    public Passthrough passthrough() {
        return passthrough;
    }

    /** The blocks must be what they were when the device was opened, and nothing but data. */
    private void requireBlocks() throws NvmeException {
        Namespace now = controller.namespace(namespace.nsid());
        if (!now.equals(namespace)) {
            throw new NvmeException(
                    "%s: namespace %d was formatted anew meanwhile; open it again".formatted(name, namespace.nsid()));
        }
        if (now.metadataBytes() != 0) {
            throw new NvmeException(
                    "%s: namespace %d is formatted with %d bytes of metadata a block, which only single commands carry;"
                                    .formatted(name, namespace.nsid(), namespace.metadataBytes())
                            + " format it without");
        }
    }

    @Override
    public Buffer allocate(long bytes) throws IOException {
        return new Buffer(function.allocate(bytes));
    }

    @Override
    public Buffer map(PeerMemory memory) throws IOException {
        return new Buffer(function.map(memory));
    }

    /** The namespace's identifier, for who writes commands himself. */
    public int nsid() {
        return namespace.nsid();
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

    @Override
    public Queue openQueue(int depth) throws IOException {
        requireBlocks();
        return open(sleeping ? controller.createSleepingQueuePair(depth) : controller.createQueuePair(depth));
    }

    private NvmeQueue open(QueuePair pair) {
        return new NvmeQueue(pair, namespace.nsid(), geometry);
    }

    @Override
    public void read(long lba, Buffer buffer, long offset, long bytes) throws IOException {
        transfer(Opcode.READ, lba, buffer, offset, bytes);
    }

    @Override
    public void write(long lba, Buffer buffer, long offset, long bytes) throws IOException {
        transfer(Opcode.WRITE, lba, buffer, offset, bytes);
    }

    @Override
    public void flush() throws IOException {
        synchronized (syncLock) {
            SyncCommands commands = begin();
            try {
                int slot = commands.freeSlot();
                commands.queue().bind(slot, Command.of(Opcode.FLUSH, namespace.nsid(), 0));
                commands.start(slot, 0);
                commands.finish();
            } finally {
                release(commands);
            }
        }
    }

    private void transfer(int opcode, long lba, Buffer buffer, long offset, long bytes) throws IOException {
        if (bytes % geometry.lbaBytes() != 0) {
            throw new IllegalArgumentException(
                    bytes + " bytes are no multiple of the logical block size, " + geometry.lbaBytes());
        }
        if (offset < 0 || bytes < 0 || offset > buffer.size() - bytes) {
            throw new IllegalArgumentException(
                    bytes + " bytes at offset " + offset + " of a buffer of " + buffer.size() + " bytes");
        }
        requireBlocks();
        synchronized (syncLock) {
            SyncCommands commands = begin();
            try {
                transfer(commands, opcode, lba, buffer, offset, bytes);
            } finally {
                // Even after an error: nothing may be in flight into the caller's buffer when this returns.
                try {
                    commands.finish();
                } finally {
                    release(commands);
                }
            }
        }
    }

    private void transfer(SyncCommands commands, int opcode, long lba, Buffer buffer, long offset, long bytes)
            throws IOException {
        for (long done = 0; done < bytes; ) {
            int slot = commands.freeSlot();
            if (slot < 0) {
                return;
            }
            int part = (int) Math.min(bytes - done, geometry.maxTransferBytes());
            commands.queue().bindTransfer(slot, opcode, buffer, offset + done, part);
            commands.start(slot, lba + done / geometry.lbaBytes());
            done += part;
        }
    }

    /** Leaves the queue to the next call, unless it no longer tells of what is in flight: closed, nothing is. */
    private void release(SyncCommands commands) throws IOException {
        if (!commands.end()) {
            sync = null;
            commands.close();
        }
    }

    private SyncCommands begin() throws IOException {
        SyncCommands commands = sync;
        if (commands == null) {
            // It polls in any case: interrupts, of which there may be few, are for queues that somebody asked for.
            commands =
                    new SyncCommands(open(controller.createQueuePair(Math.min(SYNC_DEPTH, geometry.maxQueueDepth()))));
            sync = commands;
        }
        commands.begin();
        return commands;
    }

    @Override
    public void close() throws IOException {
        synchronized (syncLock) {
            try {
                SyncCommands commands = sync;
                if (commands != null) {
                    // Should the controller stay open, because other queues are, then the next call opens a new one.
                    sync = null;
                    commands.close();
                }
            } finally {
                closePassthrough();
            }
        }
    }

    private void closePassthrough() throws IOException {
        try {
            passthrough.close();
        } finally {
            closeController();
        }
    }

    private void closeController() throws IOException {
        try {
            controller.close();
        } finally {
            // Not while queues are open: their rings are the function's memory.
            if (controller.isClosed()) {
                function.close();
            }
        }
    }

    @Override
    public String toString() {
        return name;
    }
}
