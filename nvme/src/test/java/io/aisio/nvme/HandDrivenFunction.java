package io.aisio.nvme;

import io.aisio.linux.Mapping;
import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Feature;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.IdentifyNamespace;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.MappedBar;
import io.aisio.upcie.PciFunction;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;

/**
 * A function whose I/O queues a test serves by hand, entry by entry, so that it can break every rule. A thread of its own
 * does only what bring-up needs: CC.EN and CC.SHN, and the admin commands; fields say how it misbehaves.
 */
final class HandDrivenFunction implements PciFunction {
    /** An I/O queue pair as the host created it. */
    record Rings(int qid, int entries, MemorySegment sq, MemorySegment cq) {}

    private static final long IOVA_BASE = 0x10_0000_0000L;

    volatile long cap = 1023L | 1L << 16 | 1L << 24 | 1L << 37;
    volatile boolean neverReady;
    volatile boolean fatalOnEnable;
    volatile boolean neverShutsDown;
    volatile boolean staysReady;
    /** Whether {@link #stopDma} works. */
    volatile boolean canBeCutOff;
    /** Whether the driver reaches the registers only by calls, as through a socket. */
    volatile boolean unmapped;

    /** What the driver wants to be called when the device is removed. */
    volatile Runnable removal = () -> {};

    volatile int grantedQueuePairs = 8;
    volatile int entrySizes = 0x4466;
    volatile int mdts = 5;
    volatile int lbaFormat = IdentifyNamespace.lbaFormat(9, 0);
    volatile long blocks = 1 << 20;
    volatile int[] activeNamespaces = {1};
    /** A namespace that is listed and not described, -1 for none. */
    volatile int undescribed = -1;
    /** Opcode that is answered with a status, -1 for none. */
    volatile int failingOpcode = -1;

    /** Another one, with the same status. */
    volatile int alsoFailingOpcode = -1;

    volatile int failingStatus;
    /** How many allocations succeed. */
    volatile int allocations = Integer.MAX_VALUE;
    /** Opcode that is never answered, -1 for none. */
    volatile int stalledOpcode = -1;

    /** KAS, and CRDT 1, in 100 ms. */
    volatile int keepAliveUnits;

    volatile int retryDelay;

    /** Command dword 10 of the last Abort: CID and submission queue. */
    volatile int lastAborted;

    /** In their order, but for the requests for events, which the driver makes by itself at any time. */
    final List<Integer> adminOpcodes = new ArrayList<>();

    final Map<Integer, Rings> queues = new ConcurrentHashMap<>();
    final List<Mapping> live = new ArrayList<>();

    private final Mapping registers;
    private final Bar bar;
    private final Map<Long, MemorySegment> memory = new ConcurrentHashMap<>();
    private final Thread thread;
    private long nextIova = IOVA_BASE;
    private volatile boolean stopped;
    private volatile boolean gone;
    private int adminHead;
    private int adminTail;
    private int adminPhase = 1;
    private boolean enabled;
    private final Map<Integer, Long> completionQueues = new ConcurrentHashMap<>();

    HandDrivenFunction() throws IOException {
        registers = Mapping.anonymous(16384);
        bar = new MappedBar(registers.segment());
        thread = Thread.ofPlatform().daemon().name("hand-driven").unstarted(this::serve);
    }

    HandDrivenFunction start() {
        bar.write64(Registers.CAP, cap);
        thread.start();
        return this;
    }

    /** The device is pulled: every register reads all ones. */
    void vanish() {
        gone = true;
        registers.segment().fill((byte) 0xFF);
    }

    /** Sets CSTS.CFS. */
    void failFatally() {
        bar.write32(Registers.CSTS, bar.read32(Registers.CSTS) | Registers.CSTS_CFS);
    }

    int sqTail(int qid) {
        return bar.read32(Registers.sqTailDoorbell(qid, Registers.doorbellStride(cap)));
    }

    int cqHead(int qid) {
        return bar.read32(Registers.cqHeadDoorbell(qid, Registers.doorbellStride(cap)));
    }

    long sqeWord(int qid, int index, long offset) {
        return Wire.i64(queues.get(qid).sq, (long) index * Sqe.BYTES + offset);
    }

    /** Posts a completion into slot {@code index} of a queue's completion ring. */
    void post(int qid, int index, int phase, int sqHead, int sqid, int cid, int status) {
        MemorySegment cq = queues.get(qid).cq;
        Wire.i64(cq, (long) index * Cqe.BYTES, 0);
        Wire.i64(cq, (long) index * Cqe.BYTES + Cqe.WORD1, Cqe.word1(sqHead, sqid, cid, phase, status));
    }

    private void serve() {
        while (!stopped) {
            if (!gone) {
                step();
            }
            LockSupport.parkNanos(10_000);
        }
    }

    private void step() {
        int cc = bar.read32(Registers.CC);
        boolean enable = (cc & Registers.CC_EN) != 0;
        if (enable && !enabled) {
            enabled = true;
            adminHead = 0;
            adminTail = 0;
            adminPhase = 1;
            bar.write32(Registers.CSTS, fatalOnEnable ? Registers.CSTS_CFS : neverReady ? 0 : Registers.CSTS_RDY);
        } else if (!enable && enabled) {
            enabled = false;
            queues.clear();
            registers.segment().asSlice(Registers.DOORBELLS).fill((byte) 0);
            if (!staysReady) {
                bar.write32(Registers.CSTS, 0);
            }
        } else if (enable && (cc & Registers.CC_SHN_MASK) != 0 && !neverShutsDown) {
            bar.write32(Registers.CSTS, Registers.CSTS_RDY | Registers.CSTS_SHST_COMPLETE);
        }
        if (enabled && (bar.read32(Registers.CSTS) & Registers.CSTS_RDY) != 0) {
            admin();
        }
    }

    private void admin() {
        int entries = (bar.read32(Registers.AQA) & 0xFFF) + 1;
        while (adminHead != sqTail(0) && !gone) {
            MemorySegment sqe = at(bar.read64(Registers.ASQ) + (long) adminHead * Sqe.BYTES, Sqe.BYTES);
            long word0 = Wire.i64(sqe, Sqe.DW0);
            adminHead = (adminHead + 1) % entries;
            int opcode = Sqe.opcode(word0);
            if (opcode != Opcode.ASYNC_EVENT_REQUEST) {
                synchronized (adminOpcodes) {
                    adminOpcodes.add(opcode);
                }
            }
            if (opcode == stalledOpcode || opcode == Opcode.ASYNC_EVENT_REQUEST) {
                continue;
            }
            int status = opcode == failingOpcode || opcode == alsoFailingOpcode ? failingStatus : 0;
            if (opcode == Opcode.IDENTIFY
                    && Sqe.nsid(word0) == undescribed
                    && (Wire.i64(sqe, Sqe.CDW10) & 0xFF) == Identify.CNS_NAMESPACE) {
                status = Status.INVALID_NAMESPACE_OR_FORMAT;
            }
            int result = status == 0 ? execute(opcode, sqe) : 0;
            MemorySegment cqe = at(bar.read64(Registers.ACQ) + (long) adminTail * Cqe.BYTES, Cqe.BYTES);
            Wire.i64(cqe, Cqe.RESULT, result & 0xFFFF_FFFFL);
            new MappedBar(cqe).write64(Cqe.WORD1, Cqe.word1(adminHead, 0, Sqe.cid(word0), adminPhase, status));
            if (++adminTail == entries) {
                adminTail = 0;
                adminPhase ^= 1;
            }
        }
    }

    private int execute(int opcode, MemorySegment sqe) {
        int nsid = Sqe.nsid(Wire.i64(sqe, Sqe.DW0));
        long cdw10 = Wire.i64(sqe, Sqe.CDW10);
        int qid = (int) cdw10 & 0xFFFF;
        int entries = (int) (cdw10 >>> 16 & 0xFFFF) + 1;
        long prp1 = Wire.i64(sqe, Sqe.PRP1);
        switch (opcode) {
            case Opcode.IDENTIFY -> identify(nsid, (int) cdw10 & 0xFF, at(prp1, Identify.BYTES));
            case Opcode.SET_FEATURES -> {
                if (((int) cdw10 & 0xFF) == Feature.NUMBER_OF_QUEUES) {
                    return (grantedQueuePairs - 1) << 16 | (grantedQueuePairs - 1);
                }
            }
            case Opcode.ABORT -> lastAborted = (int) cdw10;
            case Opcode.CREATE_IO_CQ -> completionQueues.put(qid, prp1);
            case Opcode.CREATE_IO_SQ ->
                queues.put(
                        qid,
                        new Rings(
                                qid,
                                entries,
                                at(prp1, (long) entries * Sqe.BYTES),
                                at(completionQueues.get(qid), (long) entries * Cqe.BYTES)));
            default -> {}
        }
        return 0;
    }

    private void identify(int nsid, int cns, MemorySegment data) {
        data.fill((byte) 0);
        if (cns == Identify.CNS_CONTROLLER) {
            Wire.ascii(data, IdentifyController.SN, IdentifyController.SN_BYTES, "BY-HAND");
            Wire.ascii(data, IdentifyController.MN, IdentifyController.MN_BYTES, "served by a test");
            Wire.u8(data, IdentifyController.MDTS, mdts);
            Wire.u16(data, IdentifyController.SQES, entrySizes);
            Wire.i32(data, IdentifyController.NN, 64);
            Wire.u16(data, IdentifyController.KAS, keepAliveUnits);
            Wire.u16(data, IdentifyController.CRDT1, retryDelay);
        } else if (cns == Identify.CNS_NAMESPACE) {
            Wire.i64(data, IdentifyNamespace.NSZE, blocks);
            Wire.i32(data, IdentifyNamespace.LBAF, lbaFormat);
        } else if (cns == Identify.CNS_ACTIVE_NAMESPACES) {
            int i = 0;
            for (int active : activeNamespaces) {
                if (Integer.compareUnsigned(active, nsid) > 0 || active <= 0) {
                    Wire.i32(data, 4L * i++, active);
                }
            }
        }
    }

    private MemorySegment at(long iova, long bytes) {
        for (var region : memory.entrySet()) {
            long offset = iova - region.getKey();
            if (offset >= 0 && offset + bytes <= region.getValue().byteSize()) {
                return region.getValue().asSlice(offset, bytes);
            }
        }
        throw new AssertionError("the driver posted 0x%x, which is no memory of this device's".formatted(iova));
    }

    @Override
    public String name() {
        return "by-hand";
    }

    @Override
    public Bar bar(int index) {
        return unmapped ? new CalledBar(bar) : bar;
    }

    @Override
    public void stopDma() throws IOException {
        if (!canBeCutOff) {
            throw new IOException("bus mastering stays on");
        }
    }

    @Override
    public void onRemoval(Runnable listener) {
        removal = listener;
    }

    /** Registers that are not mapped. */
    private record CalledBar(Bar registers) implements Bar {
        @Override
        public long size() {
            return registers.size();
        }

        @Override
        public int read32(long offset) {
            return registers.read32(offset);
        }

        @Override
        public long read64(long offset) {
            return registers.read64(offset);
        }

        @Override
        public void write32(long offset, int value) {
            registers.write32(offset, value);
        }

        @Override
        public void write64(long offset, long value) {
            registers.write64(offset, value);
        }
    }

    @Override
    public synchronized DmaMemory allocate(long bytes) throws IOException {
        if (allocations-- == 0) {
            throw new IOException("no memory left");
        }
        Mapping mapping = Mapping.anonymous(bytes);
        long iova = nextIova;
        nextIova += mapping.segment().byteSize() + 4096;
        memory.put(iova, mapping.segment());
        synchronized (live) {
            live.add(mapping);
        }
        return new DmaMemory() {
            @Override
            public MemorySegment segment() {
                return mapping.segment();
            }

            @Override
            public long iova(long offset) {
                return iova + offset;
            }

            @Override
            public void close() {
                memory.remove(iova);
                synchronized (live) {
                    live.remove(mapping);
                }
                mapping.close();
            }
        };
    }

    @Override
    public void close() {
        stopped = true;
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        registers.close();
    }
}
