package io.aisio.xnvme.spi;

import io.aisio.nvme.Command;
import io.aisio.nvme.DriverPassthrough;
import io.aisio.nvme.Namespace;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.QueueSource;
import io.aisio.nvme.spec.Opcode;
import io.aisio.upcie.PeerMemory;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Capabilities;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Geometry;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A namespace whose queue pairs are driven from here, whoever has the controller. */
abstract sealed class NamespaceDevice implements Device permits NvmeDevice, LeasedDevice {
    /** Commands that a synchronous call keeps in flight, if the controller's queues hold as many. */
    private static final int SYNC_DEPTH = 8;

    private final String name;
    private final String path;
    private final QueueSource source;
    private final Namespace namespace;
    private final Geometry geometry;

    private final Object syncLock = new Object();
    private @Nullable SyncCommands sync;

    private final boolean sleeping;
    private final DriverPassthrough passthrough;

    NamespaceDevice(String name, String path, QueueSource source, int nsid, boolean sleeping) throws NvmeException {
        this.name = name;
        this.path = path;
        this.source = source;
        this.sleeping = sleeping;
        passthrough = new DriverPassthrough(source, nsid);
        namespace = source.namespace(nsid);
        int lba = namespace.lbaBytes();
        int transfer = transferBytes(source.maxTransferBytes(), lba);
        if (transfer == 0) {
            throw new NvmeException("%s: transfers of at most %d bytes, less than a block of %d"
                    .formatted(name, source.maxTransferBytes(), lba));
        }
        geometry = new Geometry(lba, namespace.lbaCount(), transfer, source.maxDepth(), source.maxQueuePairs());
    }

    /** The most whole blocks in one command: what the controller moves, and the 65536 that a command counts. */
    static int transferBytes(int controllerBytes, int lbaBytes) {
        // In 64 bits: 65536 blocks of 32 KiB do not fit 32.
        return (int) Math.min(controllerBytes, 0x1_0000L * lbaBytes) / lbaBytes * lbaBytes;
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

    @Override
    public Passthrough passthrough() {
        return passthrough;
    }

    /** The blocks must be what they were when the device was opened, and nothing but data. */
    final void requireBlocks() throws NvmeException {
        Namespace now = source.namespace(namespace.nsid());
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
        return new Buffer(source.allocate(bytes));
    }

    @Override
    public Buffer map(PeerMemory memory) throws IOException {
        return new Buffer(source.map(memory));
    }

    /** The namespace's identifier, for who writes commands himself. */
    public int nsid() {
        return namespace.nsid();
    }

    @Override
    public Queue openQueue(int depth) throws IOException {
        requireBlocks();
        return open(sleeping ? source.createSleepingQueuePair(depth) : source.createQueuePair(depth));
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
            commands = new SyncCommands(open(source.createQueuePair(Math.min(SYNC_DEPTH, geometry.maxQueueDepth()))));
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
            source.close();
        }
    }

    @Override
    public String toString() {
        return name;
    }
}
