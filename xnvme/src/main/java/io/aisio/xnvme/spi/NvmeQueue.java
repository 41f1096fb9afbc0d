package io.aisio.xnvme.spi;

import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Opcode;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Geometry;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.jspecify.annotations.Nullable;

/**
 * A queue pair as applications see it: blocks of one namespace.
 *
 * <p>A store to a doorbell whose page was taken away, as the kernel does when a function leaves the bus and as a vfio-user
 * server may do to its file, is an {@link InternalError}, which the JVM may tell late: it is a device that failed then too.
 * As nobody knows what was submitted by then, the queue tells of nothing more but that, and is to be closed.
 */
final class NvmeQueue implements Queue {
    /** Transfers of so many blocks at most have their commands kept. */
    private static final int MOST_KEPT = 4096;

    private final QueuePair pair;
    private final int nsid;
    private final Geometry geometry;

    // Commands by their number of blocks, each made when it is bound first: who binds anew for each transfer makes no
    // garbage.
    private final @Nullable Command[] reads;
    private final @Nullable Command[] writes;

    /** What told that the registers are gone, null as long as they are there. */
    private @Nullable InternalError gone;

    NvmeQueue(QueuePair pair, int nsid, Geometry geometry) {
        this.pair = pair;
        this.nsid = nsid;
        this.geometry = geometry;
        int kept = Math.min(MOST_KEPT, geometry.maxTransferBytes() / geometry.lbaBytes()) + 1;
        reads = new Command[kept];
        writes = new Command[kept];
    }

    @Override
    public int depth() {
        return pair.depth();
    }

    @Override
    public int outstanding() {
        // What is in flight when they go has still to be told, whether the pair has counted it or not.
        return gone == null ? pair.outstanding() : Math.max(1, pair.outstanding());
    }

    @Override
    public void bindRead(int slot, Buffer buffer, long offset, int bytes) {
        bindTransfer(slot, Opcode.READ, buffer, offset, bytes);
    }

    @Override
    public void bindWrite(int slot, Buffer buffer, long offset, int bytes) {
        bindTransfer(slot, Opcode.WRITE, buffer, offset, bytes);
    }

    void bindTransfer(int slot, int opcode, Buffer buffer, long offset, int bytes) {
        geometry.requireTransfer(bytes);
        if (!buffer.segment().scope().isAlive()) {
            // Its memory may be another buffer's by now, and the device would reach it.
            throw new IllegalStateException("slot " + slot + " cannot be bound: the buffer is closed");
        }
        pair.bind(slot, transfer(opcode, bytes / geometry.lbaBytes()), buffer.memory(), offset, bytes);
    }

    private Command transfer(int opcode, int blocks) {
        Command[] kept = opcode == Opcode.READ ? reads : writes;
        if (blocks >= kept.length) {
            return Command.overBlocks(opcode, nsid, 0, blocks);
        }
        Command command = kept[blocks];
        if (command == null) {
            command = Command.overBlocks(opcode, nsid, 0, blocks);
            kept[blocks] = command;
        }
        return command;
    }

    void bind(int slot, Command command) {
        pair.bind(slot, command);
    }

    @Override
    public void submit(int[] slots, long[] lbas, int n) throws NvmeException {
        if (gone != null) {
            throw takenAway(gone);
        }
        try {
            pair.submit(slots, lbas, n);
        } catch (InternalError e) {
            // Commands may be in flight already: that they failed is told by the next poll.
            gone = e;
        }
    }

    @Override
    public int poll(int[] completed) {
        if (gone != null) {
            throw new UncheckedIOException(takenAway(gone));
        }
        try {
            return pair.poll(completed);
        } catch (InternalError e) {
            gone = e;
            throw new UncheckedIOException(takenAway(e));
        }
    }

    private static NvmeException takenAway(InternalError e) {
        NvmeException failure = new NvmeException("the device's registers are gone: it was taken away");
        failure.initCause(e);
        return failure;
    }

    @Override
    public boolean sleeps() {
        return pair.sleeps();
    }

    @Override
    public int await(int[] completed) throws IOException {
        if (!pair.sleeps()) {
            try {
                return Queue.super.await(completed);
            } catch (UncheckedIOException e) {
                // A look cannot throw what a wait may.
                throw e.getCause();
            }
        }
        if (gone != null) {
            throw takenAway(gone);
        }
        try {
            return pair.await(completed);
        } catch (InternalError e) {
            gone = e;
            throw takenAway(e);
        }
    }

    @Override
    public IOException failure(int slot) {
        return pair.failure(slot);
    }

    @Override
    public void handOver() {
        pair.handOver();
    }

    @Override
    public void close() throws IOException {
        pair.close();
    }
}
