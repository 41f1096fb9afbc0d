package io.aisio.nvme;

import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Single commands through this driver: admin commands by the controller's admin queue, I/O commands by a queue pair of its
 * own, which is created with the first of them. Who opens it closes it, before the source.
 */
public final class DriverPassthrough implements Passthrough, AutoCloseable {
    /** Polls before the wait sleeps between two of them. */
    private static final int SPINS = 1000;
    /** How long it then sleeps. */
    private static final long SLEEP_NANOS = 20_000;
    /** The least memory that is kept for data: what most commands need. */
    private static final long LEAST_BYTES = 64 << 10;

    private final QueueSource source;
    private final int nsid;
    private @Nullable QueuePair pair;
    private @Nullable DmaMemory memory;
    private boolean closed;

    /**
     * Over a controller, or a lease of one, which stays the caller's.
     *
     * @param nsid the namespace that I/O commands go to unless they name another
     */
    public DriverPassthrough(QueueSource source, int nsid) {
        this.source = source;
        this.nsid = nsid;
    }

    @Override
    public String name() {
        return source.name();
    }

    @Override
    public int nsid() {
        return nsid;
    }

    /** @throws IllegalStateException if it formats while queue pairs other than its own are open */
    @Override
    public synchronized Completion execute(Command command, MemorySegment data) throws IOException {
        requireOpen();
        if (command.opcode() == Opcode.FORMAT_NVM) {
            closeQueue();
        }
        return source.execute(command, data);
    }

    @Override
    public synchronized Completion executeIo(Command command, MemorySegment data, MemorySegment metadata)
            throws IOException {
        requireOpen();
        long metadataAt = data.byteSize() + Prp.PAGE - 1 & -Prp.PAGE;
        if (data.byteSize() > source.maxTransferBytes()) {
            throw new IllegalArgumentException("%s: %s with %d bytes of data; at most %d are possible"
                    .formatted(name(), Opcode.nvmName(command.opcode()), data.byteSize(), source.maxTransferBytes()));
        }
        if (data.byteSize() == 0 && metadata.byteSize() != 0) {
            throw new IllegalArgumentException(name() + ": metadata without data");
        }
        QueuePair queue = pair;
        if (queue == null) {
            queue = source.createQueuePair(1);
            pair = queue;
        }
        Command named = command.nsid() == 0 ? command.withNamespace(nsid) : command;
        if (data.byteSize() == 0) {
            queue.bind(0, named);
            return complete(queue, named);
        }
        DmaMemory buffer = memory(metadataAt + metadata.byteSize());
        requireContiguous(buffer, metadataAt, metadata.byteSize());
        MemorySegment forData = buffer.segment().asSlice(0, data.byteSize());
        MemorySegment forMetadata = buffer.segment().asSlice(metadataAt, metadata.byteSize());
        forData.copyFrom(data);
        forMetadata.copyFrom(metadata);
        queue.bind(
                0,
                named,
                buffer,
                0,
                Math.toIntExact(data.byteSize()),
                metadata.byteSize() == 0 ? 0 : buffer.iova(metadataAt));
        Completion completion = complete(queue, named);
        if ((command.opcode() & 2) != 0) {
            data.copyFrom(forData);
            metadata.copyFrom(forMetadata);
        }
        return completion;
    }

    private static Completion complete(QueuePair queue, Command command) throws NvmeException {
        int[] completed = new int[1];
        try {
            queue.submit(new int[] {0}, new long[] {command.cdw10()}, 1);
            for (int spins = 0; queue.poll(completed) == 0; spins++) {
                if (spins > SPINS) {
                    LockSupport.parkNanos(SLEEP_NANOS);
                }
            }
            if (completed[0] < 0) {
                throw queue.failure(0);
            }
            long result = queue.lastResult();
            return new Completion(new Status(Status.SUCCESS), (int) result, (int) (result >>> 32));
        } finally {
            queue.handOver();
        }
    }

    private DmaMemory memory(long bytes) throws IOException {
        DmaMemory there = memory;
        if (there != null && there.size() >= bytes) {
            return there;
        }
        DmaMemory larger = source.allocate(Math.max(LEAST_BYTES, Long.highestOneBit(bytes - 1) << 1));
        memory = larger;
        free(there);
        return larger;
    }

    /** The metadata pointer names one piece. */
    private void requireContiguous(DmaMemory buffer, long from, long bytes) throws NvmeException {
        for (long at = from; at < from + bytes; at += Prp.PAGE) {
            if (buffer.iova(at) != buffer.iova(from) + at - from) {
                throw new NvmeException(
                        "%s: %d bytes for metadata are not contiguous for the device".formatted(name(), bytes));
            }
        }
    }

    private void free(@Nullable DmaMemory buffer) {
        if (buffer != null && !source.mayStillAccessMemory()) {
            buffer.close();
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException(name() + ": the passthrough is closed");
        }
    }

    private void closeQueue() throws IOException {
        QueuePair queue = pair;
        if (queue != null) {
            pair = null;
            queue.close();
        }
    }

    /** Deletes its queue pair and frees its memory. Closing again does nothing. */
    @Override
    public synchronized void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        try {
            closeQueue();
        } finally {
            free(memory);
            memory = null;
        }
    }
}
