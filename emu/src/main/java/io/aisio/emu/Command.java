package io.aisio.emu;

import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Sgl;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;

/**
 * The command being executed: a copy of its submission queue entry. Reused for the next one.
 */
final class Command {
    /** Words in a submission queue entry. */
    static final int WORDS = Sqe.BYTES / Long.BYTES;

    private static final int COSTLY_BLOCKS_SHIFT = 3;

    /** The queue that it came from. */
    int queue;
    /** Dword 0 of its completion, 0 unless the command sets it. */
    int result;
    /** Dword 1 of its completion, 0 unless the command sets it. */
    int upper;

    /** Command dwords 2 and 3. */
    long cdw2;
    /** The metadata pointer. */
    long mptr;

    long prp1;
    long prp2;
    /** Command dwords 10 and 11. */
    long cdw10;
    /** Command dwords 12 and 13. */
    long cdw12;
    /** Command dwords 14 and 15. */
    long cdw14;

    private final boolean sgls;
    private long word0;

    Command() {
        this(false);
    }

    /** @param sgls whether SGLs may describe the data of I/O commands */
    Command(boolean sgls) {
        this.sgls = sgls;
    }

    /** Copies the entry, once: what the driver does to the slot from now on changes nothing. */
    void load(int queue, MemorySegment ring, long offset) {
        this.queue = queue;
        result = 0;
        upper = 0;
        word0 = Wire.i64(ring, offset + Sqe.DW0);
        cdw2 = Wire.i64(ring, offset + Sqe.CDW2);
        mptr = Wire.i64(ring, offset + Sqe.MPTR);
        prp1 = Wire.i64(ring, offset + Sqe.PRP1);
        prp2 = Wire.i64(ring, offset + Sqe.PRP2);
        cdw10 = Wire.i64(ring, offset + Sqe.CDW10);
        cdw12 = Wire.i64(ring, offset + Sqe.CDW12);
        cdw14 = Wire.i64(ring, offset + Sqe.CDW14);
    }

    /** Copies it to {@link #WORDS} words of an array. */
    void save(long[] words, int at) {
        words[at] = word0;
        words[at + 1] = cdw2;
        words[at + 2] = mptr;
        words[at + 3] = prp1;
        words[at + 4] = prp2;
        words[at + 5] = cdw10;
        words[at + 6] = cdw12;
        words[at + 7] = cdw14;
    }

    /** Copies back what {@link #save} kept. */
    void restore(int queue, long[] words, int at) {
        this.queue = queue;
        result = 0;
        upper = 0;
        word0 = words[at];
        cdw2 = words[at + 1];
        mptr = words[at + 2];
        prp1 = words[at + 3];
        prp2 = words[at + 4];
        cdw10 = words[at + 5];
        cdw12 = words[at + 6];
        cdw14 = words[at + 7];
    }

    int opcode() {
        return Sqe.opcode(word0);
    }

    int cid() {
        return Sqe.cid(word0);
    }

    int nsid() {
        return Sqe.nsid(word0);
    }

    /** PSDT: 0 where PRPs describe the data. */
    int psdt() {
        return Sqe.psdt(word0);
    }

    /** Whether it asks for fused execution, or for SGLs where the controller has none: admin commands have PRPs. */
    boolean fusedOrSgl() {
        return Sqe.fuse(word0) != 0 || (psdt() != 0 && (!sgls || queue == 0 || psdt() != Sgl.PSDT));
    }

    /**
     * What it takes of the controller's time, roughly: 1 for a read or write of 8 blocks or less, more for a longer one, and
     * {@link Dispatcher#STEP} for what may take as long as it likes.
     */
    int cost() {
        int opcode = opcode();
        return opcode == Opcode.READ || opcode == Opcode.WRITE
                ? 1 + ((int) (cdw12 & 0xFFFF) >>> COSTLY_BLOCKS_SHIFT)
                : Dispatcher.STEP;
    }

    /** Dwords 0 and 1 of its completion. */
    long completion() {
        return (result & 0xFFFF_FFFFL) | (long) upper << 32;
    }

    int dword10() {
        return (int) cdw10;
    }

    int dword11() {
        return (int) (cdw10 >>> 32);
    }

    int dword12() {
        return (int) cdw12;
    }
}
