package io.aisio.xnvme.spi;

import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Opcode;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Geometry;
import io.aisio.xnvme.Queue;
import java.io.IOException;

/** A queue pair as applications see it: blocks of one namespace. */
final class NvmeQueue implements Queue {
    private final QueuePair pair;
    private final int nsid;
    private final Geometry geometry;

    NvmeQueue(QueuePair pair, int nsid, Geometry geometry) {
        this.pair = pair;
        this.nsid = nsid;
        this.geometry = geometry;
    }

    @Override
    public int depth() {
        return pair.depth();
    }

    @Override
    public int outstanding() {
        return pair.outstanding();
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
        pair.bind(
                slot, Command.overBlocks(opcode, nsid, 0, bytes / geometry.lbaBytes()), buffer.memory(), offset, bytes);
    }

    void bind(int slot, Command command) {
        pair.bind(slot, command);
    }

    @Override
    public void submit(int[] slots, long[] lbas, int n) throws NvmeException {
        pair.submit(slots, lbas, n);
    }

    @Override
    public int poll(int[] completed) {
        return pair.poll(completed);
    }

    @Override
    public boolean sleeps() {
        return pair.sleeps();
    }

    @Override
    public int await(int[] completed) throws IOException {
        return pair.sleeps() ? pair.await(completed) : Queue.super.await(completed);
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
