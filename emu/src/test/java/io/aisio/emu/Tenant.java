package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.linux.Mapping;
import io.aisio.nvme.LentQueuePair;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.DmaDomain;
import io.aisio.upcie.DoorbellPages;
import io.aisio.upcie.MappedBar;
import io.aisio.upcie.SharedMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** One user of a shared controller, by hand: his domain, and a queue pair that he reaches by the files alone. */
final class Tenant implements AutoCloseable {
    static final int DEPTH = 15;

    private final NvmeController controller;
    final DmaDomain domain;
    final SharedMemory rings;
    final SharedMemory data;
    final LentQueuePair pair;
    final DoorbellPages pages;
    private final Mapping mappedRings;
    private final Mapping mappedDoorbells;
    final MappedBar doorbells;
    private int tail;
    private int head;
    private int phase = 1;

    /** How a domain comes to the memory of its rings. */
    interface Rings {
        SharedMemory in(DmaDomain domain, long bytes) throws IOException;
    }

    Tenant(NvmeController controller, boolean readOnly) throws IOException {
        this(controller, readOnly, DmaDomain::allocate);
    }

    Tenant(NvmeController controller, boolean readOnly, Rings where) throws IOException {
        this.controller = controller;
        domain = controller.openDomain(readOnly, 1);
        rings = where.in(domain, QueuePair.bytesOfRings(DEPTH));
        data = domain.allocate(64 << 10);
        pair = controller.lendQueuePair(rings, DEPTH);
        pages = controller.doorbellPages(pair);
        mappedRings = Mapping.of(rings.file(), rings.size());
        mappedDoorbells = Mapping.of(pages.file(), pages.offset(), pages.bytes(), true);
        doorbells = new MappedBar(mappedDoorbells.segment());
    }

    /** A submission queue entry. */
    record Entry(int opcode, int psdt, long mptr, long prp1, long prp2, long cdw10, int cdw12, int cdw13) {
        static Entry of(int opcode, long lba, int blocks) {
            return new Entry(opcode, 0, 0, 0, 0, lba, blocks - 1, 0);
        }

        Entry prps(long one, long two) {
            return new Entry(opcode, psdt, mptr, one, two, cdw10, cdw12, cdw13);
        }

        Entry sgl(long address, long word1) {
            return new Entry(opcode, 1, mptr, address, word1, cdw10, cdw12, cdw13);
        }

        Entry metadata(long address) {
            return new Entry(opcode, psdt, address, prp1, prp2, cdw10, cdw12, cdw13);
        }

        Entry dwords(long cdw10, int cdw12, int cdw13) {
            return new Entry(opcode, psdt, mptr, prp1, prp2, cdw10, cdw12, cdw13);
        }
    }

    void put(Entry e, int cid) {
        put(e, cid, 1);
    }

    void put(Entry e, int cid, int nsid) {
        MemorySegment ring = mappedRings.segment();
        long at = (long) tail * Sqe.BYTES;
        Wire.i64(ring, at + Sqe.DW0, Sqe.withPsdt(Sqe.word0(e.opcode, nsid), e.psdt) | (long) cid << Sqe.CID_SHIFT);
        Wire.i64(ring, at + Sqe.MPTR, e.mptr);
        Wire.i64(ring, at + Sqe.PRP1, e.prp1);
        Wire.i64(ring, at + Sqe.PRP2, e.prp2);
        Wire.i64(ring, at + Sqe.CDW10, e.cdw10);
        Wire.i64(ring, at + Sqe.CDW12, e.cdw12 & 0xFFFF_FFFFL | (long) e.cdw13 << 32);
        tail = tail + 1 == pair.entries() ? 0 : tail + 1;
    }

    void ring() {
        doorbells.write32(pages.tail(), tail);
    }

    Status take(int cid) {
        long completion = rings.segment().byteSize() - Mapping.PAGE_SIZE;
        long at = completion + (long) head * Cqe.BYTES + Cqe.WORD1;
        long end = System.nanoTime() + Host.GIVE_UP_NANOS;
        while (Cqe.phase(Wire.i64(mappedRings.segment(), at)) != phase) {
            assertThat(System.nanoTime()).as("the deadline of CID %d", cid).isLessThan(end);
            Thread.yield();
        }
        long word = Wire.i64(mappedRings.segment(), at);
        assertThat(Cqe.cid(word)).isEqualTo(cid);
        if (++head == pair.entries()) {
            head = 0;
            phase ^= 1;
        }
        doorbells.write32(pages.head(), head);
        return new Status(Cqe.status(word));
    }

    /** One command, from entry to completion; the code of its status. */
    int run(Entry e) {
        return run(e, 1);
    }

    /** The same of any namespace. */
    int run(Entry e, int nsid) {
        put(e, 7, nsid);
        ring();
        return take(7).code();
    }

    /** What a death is followed by: queues, then memory. */
    @Override
    public void close() throws IOException {
        if (!controller.isClosed()) {
            pair.close();
            domain.close();
        }
        mappedRings.close();
        mappedDoorbells.close();
    }
}
