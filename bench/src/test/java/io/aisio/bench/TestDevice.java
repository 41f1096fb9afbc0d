package io.aisio.bench;

import io.aisio.upcie.DmaMemory;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Capabilities;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Geometry;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongPredicate;

/**
 * A device in memory that completes out of order, keeps only blocks that were written, and misbehaves on request. Faults
 * are set before queues are opened.
 */
final class TestDevice implements Device {
    /** What becomes of a block that is read or written. */
    interface Fault {
        /** May change what is stored, by returning another block, or {@code null} to store nothing. */
        default byte[] onWrite(long lba, int nth, byte[] block, byte[] before) {
            return block;
        }

        /** Where a write really goes. */
        default long destination(long lba) {
            return lba;
        }

        /** May change what is read, or return {@code null} to transfer nothing. */
        default byte[] onRead(long lba, byte[] block) {
            return block;
        }
    }

    final Geometry geometry;
    final AtomicInteger openBuffers = new AtomicInteger();
    final AtomicInteger openQueues = new AtomicInteger();
    volatile boolean closed;

    Fault fault = new Fault() {};
    LongPredicate fails = lba -> false;
    int queuesGranted = Integer.MAX_VALUE;
    /** After so many submissions a queue takes no more. */
    long submissionsUntilDeath = Long.MAX_VALUE;
    /** Moves no data and keeps none: allocates nothing. */
    boolean nullMedia;
    /** Whether commands are lost: they never complete. */
    LongPredicate lost = lba -> false;

    private final String name;
    private final Map<Long, byte[]> blocks = new HashMap<>();
    private final Map<Long, Integer> writes = new HashMap<>();

    TestDevice(String name, Geometry geometry) {
        this.name = name;
        this.geometry = geometry;
    }

    static TestDevice ofBlocks(long lbaCount) {
        return new TestDevice("emu:test", new Geometry(512, lbaCount, 128 * 1024, 1023, 64));
    }

    static TestDevice ofNullMedia(long lbaCount) {
        TestDevice device = ofBlocks(lbaCount);
        device.nullMedia = true;
        return device;
    }

    /** Blocks that hold something. */
    synchronized Map<Long, byte[]> written() {
        return Map.copyOf(blocks);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String path() {
        return "a test's memory";
    }

    @Override
    public Capabilities capabilities() {
        return Capabilities.of(Capabilities.Queues.USER_SPACE, Capabilities.Trait.WRITES);
    }

    @Override
    public Geometry geometry() {
        return geometry;
    }

    @Override
    public Buffer allocate(long bytes) {
        openBuffers.incrementAndGet();
        Arena arena = Arena.ofShared();
        MemorySegment segment = arena.allocate(bytes + 4095 & -4096, 4096);
        return new Buffer(new DmaMemory() {
            @Override
            public MemorySegment segment() {
                return segment;
            }

            @Override
            public long iova(long offset) {
                return segment.address() + offset;
            }

            @Override
            public void close() {
                if (arena.scope().isAlive()) {
                    openBuffers.decrementAndGet();
                    arena.close();
                }
            }
        });
    }

    @Override
    public synchronized Queue openQueue(int depth) throws IOException {
        if (openQueues.get() >= queuesGranted) {
            throw new IOException("Create I/O Completion Queue: Invalid Queue Identifier");
        }
        openQueues.incrementAndGet();
        return new TestQueue(depth);
    }

    @Override
    public void read(long lba, Buffer buffer, long offset, long bytes) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void write(long lba, Buffer buffer, long offset, long bytes) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void flush() {}

    @Override
    public void close() {
        closed = true;
    }

    private synchronized void transfer(boolean write, long lba, MemorySegment memory) {
        for (long at = 0; at < memory.byteSize(); at += geometry.lbaBytes(), lba++) {
            MemorySegment part = memory.asSlice(at, geometry.lbaBytes());
            if (write) {
                int nth = writes.merge(lba, 1, Integer::sum);
                byte[] kept = fault.onWrite(lba, nth, part.toArray(ValueLayout.JAVA_BYTE), blocks.get(lba));
                if (kept != null) {
                    blocks.put(fault.destination(lba), kept);
                }
            } else {
                byte[] stored = blocks.getOrDefault(lba, new byte[geometry.lbaBytes()]);
                byte[] seen = fault.onRead(lba, stored.clone());
                if (seen != null) {
                    part.copyFrom(MemorySegment.ofArray(seen));
                }
            }
        }
    }

    private final class TestQueue implements Queue {
        private final int depth;
        private final boolean[] bound;
        private final boolean[] write;
        private final MemorySegment[] memory;
        private final int[] bytes;
        private final long[] lbas;
        private final boolean[] inFlight;
        private final boolean[] failed;
        private final int[] pending;
        private int pendingCount;
        private int lostCount;
        private int from;
        private boolean open = true;
        private long submissions;

        TestQueue(int depth) {
            this.depth = depth;
            bound = new boolean[depth];
            write = new boolean[depth];
            memory = new MemorySegment[depth];
            bytes = new int[depth];
            lbas = new long[depth];
            inFlight = new boolean[depth];
            failed = new boolean[depth];
            pending = new int[depth];
        }

        @Override
        public int depth() {
            return depth;
        }

        @Override
        public int outstanding() {
            return pendingCount + lostCount;
        }

        @Override
        public void bindRead(int slot, Buffer buffer, long offset, int length) {
            bind(slot, buffer, offset, length, false);
        }

        @Override
        public void bindWrite(int slot, Buffer buffer, long offset, int length) {
            bind(slot, buffer, offset, length, true);
        }

        private void bind(int slot, Buffer buffer, long offset, int length, boolean writes) {
            if (inFlight[slot]) {
                throw new IllegalStateException("slot " + slot + " is in flight");
            }
            bound[slot] = true;
            write[slot] = writes;
            bytes[slot] = length;
            if (!nullMedia) {
                memory[slot] = buffer.segment().asSlice(offset, length);
            }
        }

        @Override
        public void submit(int[] slots, long[] firstLbas, int n) throws IOException {
            if (!open) {
                throw new IllegalStateException("closed");
            }
            if (++submissions > submissionsUntilDeath) {
                throw new IOException("controller gone");
            }
            for (int i = 0; i < n; i++) {
                int slot = slots[i];
                if (!bound[slot] || inFlight[slot]) {
                    throw new IllegalStateException("slot " + slot + " is not bound, or in flight");
                }
                long end = firstLbas[i] + bytes[slot] / geometry.lbaBytes();
                if (firstLbas[i] < 0 || end > geometry.lbaCount()) {
                    throw new AssertionError("LBA " + firstLbas[i] + " is beyond the device");
                }
                inFlight[slot] = true;
                lbas[slot] = firstLbas[i];
                if (lost.test(firstLbas[i])) {
                    lostCount++;
                } else {
                    pending[pendingCount++] = slot;
                }
            }
        }

        /** About half of what is pending, from a place that moves, so never in order. */
        @Override
        public int poll(int[] completed) {
            int n = Math.min((pendingCount + 1) / 2, completed.length);
            for (int i = 0; i < n; i++) {
                from = (from + 7) % pendingCount;
                int slot = pending[from];
                pending[from] = pending[--pendingCount];
                inFlight[slot] = false;
                failed[slot] = fails.test(lbas[slot]);
                if (!failed[slot] && !nullMedia) {
                    transfer(write[slot], lbas[slot], memory[slot]);
                }
                completed[i] = failed[slot] ? ~slot : slot;
            }
            return n;
        }

        @Override
        public IOException failure(int slot) {
            if (!failed[slot]) {
                throw new IllegalStateException("slot " + slot + " did not fail");
            }
            return new IOException(
                    name + ": " + (write[slot] ? "Write" : "Read") + " of LBA " + lbas[slot] + ": Unrecovered Error");
        }

        @Override
        public void close() {
            if (open) {
                open = false;
                openQueues.decrementAndGet();
            }
        }
    }
}
