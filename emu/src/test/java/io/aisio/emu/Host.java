package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.PciFunction;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.function.BooleanSupplier;

/** The host's side of a controller, by hand: registers, doorbells, entries. Steps the controller inline. */
final class Host implements AutoCloseable {
    static final int ADMIN_ENTRIES = 32;
    static final long GIVE_UP_NANOS = 20_000_000_000L;
    /** Steps after which everything that the controller looks at only now and then has been looked at. */
    private static final int SETTLE = 300;

    final EmuController controller;
    final PciFunction function;
    final Bar bar;
    final int stride;
    final DmaMemory data;
    Ring admin;
    private final boolean inline;

    Host(EmuConfiguration configuration) throws IOException {
        this(configuration, true);
    }

    Host(EmuConfiguration configuration, boolean inline) throws IOException {
        this.inline = inline;
        controller = EmuController.open("emu:test", configuration);
        function = controller.function();
        bar = function.bar(0);
        stride = Registers.doorbellStride(bar.read64(Registers.CAP));
        data = function.allocate(4 << 20);
        if (!inline) {
            controller.start();
        }
    }

    /** A controller that is ready, with its admin queue. */
    static Host ready(EmuConfiguration configuration) throws IOException {
        Host host = new Host(configuration);
        host.enable();
        return host;
    }

    /** One queue pair, as the host sees it. */
    final class Ring {
        final int id;
        final int sqEntries;
        final int cqEntries;
        final DmaMemory sq;
        final DmaMemory cq;
        int tail;
        int head;
        int phase = 1;

        Ring(int id, int sqEntries, int cqEntries) throws IOException {
            this.id = id;
            this.sqEntries = sqEntries;
            this.cqEntries = cqEntries;
            sq = function.allocate((long) sqEntries * Sqe.BYTES);
            cq = function.allocate((long) cqEntries * Cqe.BYTES);
        }

        /** Writes an entry; {@link #ring} tells the controller. */
        void put(Entry e, int cid) {
            long at = (long) tail * Sqe.BYTES;
            MemorySegment s = sq.segment();
            Wire.i64(s, at + Sqe.DW0, e.word0 | (long) cid << Sqe.CID_SHIFT);
            Wire.i64(s, at + Sqe.CDW2, 0);
            Wire.i64(s, at + Sqe.MPTR, 0);
            Wire.i64(s, at + Sqe.PRP1, e.prp1);
            Wire.i64(s, at + Sqe.PRP2, e.prp2);
            Wire.i64(s, at + Sqe.CDW10, e.cdw10);
            Wire.i64(s, at + Sqe.CDW12, e.cdw12);
            Wire.i64(s, at + Sqe.CDW14, e.cdw14);
            tail = tail + 1 == sqEntries ? 0 : tail + 1;
        }

        void ring() {
            bar.write32(Registers.sqTailDoorbell(id, stride), tail);
        }

        /** Whether a completion is there. */
        boolean ready() {
            return Cqe.phase(word1()) == phase;
        }

        long word1() {
            return Wire.i64(cq.segment(), (long) head * Cqe.BYTES + Cqe.WORD1);
        }

        /** Takes a completion, which must be there. */
        Done take() {
            assertThat(ready()).as("a completion in queue %d at %d", id, head).isTrue();
            long word1 = word1();
            int result = Wire.i32(cq.segment(), (long) head * Cqe.BYTES + Cqe.RESULT);
            if (++head == cqEntries) {
                head = 0;
                phase ^= 1;
            }
            return new Done(Cqe.cid(word1), new Status(Cqe.status(word1)), result, Cqe.sqid(word1), Cqe.sqHead(word1));
        }

        void release() {
            bar.write32(Registers.cqHeadDoorbell(id, stride), head);
        }

        /** One command, from entry to completion. */
        Done run(Entry e) {
            put(e, 7);
            ring();
            await(this::ready);
            Done done = take();
            release();
            assertThat(done.cid).isEqualTo(7);
            assertThat(done.sqid).isEqualTo(id);
            return done;
        }

        int status(Entry e) {
            return run(e).status.code();
        }
    }

    /** A submission queue entry without its CID. */
    record Entry(long word0, long prp1, long prp2, long cdw10, long cdw12, long cdw14) {
        static Entry of(int opcode, int nsid) {
            return new Entry(Sqe.word0(opcode, nsid), 0, 0, 0, 0, 0);
        }

        Entry prps(long one, long two) {
            return new Entry(word0, one, two, cdw10, cdw12, cdw14);
        }

        /** Command dwords 10 and 11. */
        Entry dwords(int dword10, int dword11) {
            return new Entry(word0, prp1, prp2, dword10 & 0xFFFF_FFFFL | (long) dword11 << 32, cdw12, cdw14);
        }

        Entry cdw12(long value) {
            return new Entry(word0, prp1, prp2, cdw10, value, cdw14);
        }

        Entry flags(int bits) {
            return new Entry(word0 | bits, prp1, prp2, cdw10, cdw12, cdw14);
        }

        /** A command on {@code blocks} blocks from {@code lba} on. */
        Entry blocks(long lba, int blocks) {
            return new Entry(word0, prp1, prp2, lba, cdw12 & ~0xFFFFL | (blocks - 1) & 0xFFFF, cdw14);
        }
    }

    /** A completion. */
    record Done(int cid, Status status, int result, int sqid, int sqHead) {}

    void enable() throws IOException {
        admin = new Ring(0, ADMIN_ENTRIES, ADMIN_ENTRIES);
        bar.write32(Registers.AQA, Registers.adminQueueAttributes(ADMIN_ENTRIES));
        bar.write64(Registers.ASQ, admin.sq.iova(0));
        bar.write64(Registers.ACQ, admin.cq.iova(0));
        bar.write32(Registers.CC, Registers.configuration(4096) | Registers.CC_EN);
        await(() -> (csts() & Registers.CSTS_RDY) != 0);
    }

    void disable() {
        bar.write32(Registers.CC, bar.read32(Registers.CC) & ~Registers.CC_EN);
        await(() -> (csts() & Registers.CSTS_RDY) == 0);
    }

    int csts() {
        return bar.read32(Registers.CSTS);
    }

    /** Creates an I/O queue pair. */
    Ring createQueue(int id, int entries) throws IOException {
        return createQueue(id, entries, entries);
    }

    Ring createQueue(int id, int sqEntries, int cqEntries) throws IOException {
        Ring ring = new Ring(id, sqEntries, cqEntries);
        assertThat(admin.run(Entry.of(Opcode.CREATE_IO_CQ, 0)
                                .prps(ring.cq.iova(0), 0)
                                .dwords((cqEntries - 1) << 16 | id, 1))
                        .status
                        .isSuccess())
                .isTrue();
        assertThat(admin.run(Entry.of(Opcode.CREATE_IO_SQ, 0)
                                .prps(ring.sq.iova(0), 0)
                                .dwords((sqEntries - 1) << 16 | id, id << 16 | 1))
                        .status
                        .isSuccess())
                .isTrue();
        return ring;
    }

    /** A Read or another command with data at the start of {@link #data}, contiguous. */
    Entry io(int opcode, long lba, int blocks) {
        return Entry.of(opcode, 1).blocks(lba, blocks).prps(data.iova(0), data.iova(4096));
    }

    void await(BooleanSupplier condition) {
        long end = System.nanoTime() + GIVE_UP_NANOS;
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("the deadline").isLessThan(end);
            step();
        }
    }

    void step() {
        if (inline) {
            controller.step();
        } else {
            Thread.onSpinWait();
        }
    }

    /** Steps until the controller has looked at everything. */
    void settle() {
        for (int i = 0; i < SETTLE; i++) {
            controller.step();
        }
    }

    @Override
    public void close() {
        controller.close();
    }
}
