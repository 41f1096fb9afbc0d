package io.aisio.emu;

import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.MappedBar;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;

/**
 * BAR 0 (section 3.1) on plain memory. Nothing tells the controller of a store: it compares what is there with what it
 * last presented. What is read only comes back as soon as the controller looks; of a register that takes single bits,
 * such as INTMS, a store of the value that it shows already cannot be seen.
 */
final class RegisterFile {
    /** The version that the controller implements: 1.4. */
    static final int VERSION = 0x0001_0400;

    /** What stands in a doorbell whose value was taken: no queue is as large. */
    static final int TAKEN = -1;

    /** Bytes of a pair's doorbells where each has a page for itself. */
    static final int DOORBELL_PAGES = 2 * Mapping.PAGE_SIZE;

    /** AQA: bits that are not reserved. */
    private static final int AQA_MASK = 0x0FFF_0FFF;
    /** CC: bits that are not reserved. */
    private static final int CC_MASK = 0x00FF_FFF1;
    /** ASQ and ACQ: bits that are not reserved. */
    private static final long BASE_MASK = -PrpWalk.PAGE;
    /** What comes after ACQ is optional, and reads as 0 here. */
    private static final long AFTER_ACQ = Registers.ACQ + Long.BYTES;

    private static final VarHandle INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    private static final VarHandle LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    private static final MemorySegment ZERO = Arena.global().allocate(Integer.BYTES);

    private final Mapping mapping;
    private final MemorySegment memory;
    private final MappedBar bar;
    private final long capabilities;
    /** The files that pairs' doorbells are in, by the offset of the first. */
    private final Map<Long, OpenFile> shared = new HashMap<>();

    private final int stride;
    private int status;
    private int interruptMask;
    private boolean invalidRegister;
    private boolean invalidValue;

    /**
     * @param capabilities the value of CAP
     * @param queues queue pairs that there are doorbells for, the admin queues among them
     * @throws LinuxException if there is no memory
     */
    RegisterFile(long capabilities, int queues) throws LinuxException {
        this(capabilities, Mapping.anonymous(bytes(queues, Registers.doorbellStride(capabilities))));
    }

    /**
     * @param capabilities the value of CAP
     * @param mapping where the registers are, of {@link #bytes}, zeroed; others may have it too
     */
    RegisterFile(long capabilities, Mapping mapping) {
        this.capabilities = capabilities;
        this.stride = Registers.doorbellStride(capabilities);
        this.mapping = mapping;
        memory = mapping.segment();
        bar = new MappedBar(memory);
        restore();
    }

    /** Bytes of the registers and of so many queue pairs' doorbells, in whole pages. */
    static long bytes(int queues, int stride) {
        return Registers.sqTailDoorbell(queues, stride) + Mapping.PAGE_SIZE - 1 & -Mapping.PAGE_SIZE;
    }

    MappedBar bar() {
        return bar;
    }

    /** CAP.DSTRD. */
    int stride() {
        return stride;
    }

    /** CC as the driver has left it, reserved bits taken out of it. */
    int configuration() {
        int cc = bar.read32(Registers.CC);
        if ((cc & ~CC_MASK) != 0) {
            // If the driver stores again meanwhile, the next look sees it.
            boolean ignored = INT.compareAndSet(memory, Registers.CC, cc, cc & CC_MASK);
        }
        return cc & CC_MASK;
    }

    /** CSTS. */
    int status() {
        return status;
    }

    /** Presents CSTS. */
    void status(int value) {
        status = value;
        bar.write32(Registers.CSTS, value);
    }

    /** Puts CSTS back if somebody wrote to it: cheap enough for each step. */
    void keepStatus() {
        if (bar.read32(Registers.CSTS) != status) {
            bar.write32(Registers.CSTS, status);
        }
    }

    int adminQueueAttributes() {
        return bar.read32(Registers.AQA) & AQA_MASK;
    }

    /** ASQ. */
    long adminSubmissionQueue() {
        return bar.read64(Registers.ASQ) & BASE_MASK;
    }

    /** ACQ. */
    long adminCompletionQueue() {
        return bar.read64(Registers.ACQ) & BASE_MASK;
    }

    /** Puts back every register that the driver must not change, and takes in the interrupt mask. */
    void restore() {
        restore(Registers.CAP, capabilities);
        restore32(Registers.VS, VERSION);
        restore32(Registers.CC + Integer.BYTES, 0);
        restore32(Registers.NSSR, 0);
        keepStatus();
        maskInterrupts();
        clearReserved32(Registers.AQA, AQA_MASK);
        clearReserved(Registers.ASQ, BASE_MASK);
        clearReserved(Registers.ACQ, BASE_MASK);
        for (long at = AFTER_ACQ; at < Registers.DOORBELLS; at += Long.BYTES) {
            restore(at, 0);
        }
    }

    /** A doorbell's value; release of the driver, acquire here: the entries are there before the tail is. */
    int doorbell(long offset) {
        return bar.read32(offset);
    }

    /**
     * Takes a doorbell's value, and leaves {@link #TAKEN} there, so that the same value is seen when it is written again.
     * What a doorbell reads as is not defined.
     */
    int takeDoorbell(long offset) {
        int value = bar.read32(offset);
        return value == TAKEN ? value : (int) INT.getAndSet(memory, offset, TAKEN);
    }

    /**
     * The pages of one pair's doorbells, as a file that others may map: it is made when it is asked for first.
     *
     * @param at of the first of the two, which are a page apart
     * @throws LinuxException if there is no memory
     */
    synchronized OpenFile shareDoorbells(long at) throws LinuxException {
        OpenFile there = shared.get(at);
        if (there != null) {
            return there;
        }
        OpenFile file = OpenFile.inMemory("aisio-doorbells", DOORBELL_PAGES);
        try {
            // What was rung before; nobody rings meanwhile, as the pair has not been given to anybody.
            file.write(memory.asSlice(at, DOORBELL_PAGES), 0);
            mapping.replace(at, DOORBELL_PAGES, file);
        } catch (LinuxException | RuntimeException e) {
            file.close();
            throw e;
        }
        shared.put(at, file);
        return file;
    }

    /** Fresh pages for a pair's doorbells, which whoever has mapped the old ones does not reach. */
    synchronized void unshareDoorbells(long at) throws LinuxException {
        OpenFile file = shared.get(at);
        if (file != null) {
            mapping.replace(at, DOORBELL_PAGES, null);
            shared.remove(at);
            file.close();
        }
    }

    /** Sets a doorbell to 0, as for a queue that is new or gone. */
    synchronized void clearDoorbell(long offset) {
        long in = (offset - Registers.DOORBELLS) % DOORBELL_PAGES;
        OpenFile file = shared.get(offset - in);
        if (file == null) {
            bar.write32(offset, 0);
        } else {
            clear(file, in);
        }
    }

    /** Sets all doorbells to 0. */
    synchronized void clearDoorbells() {
        if (shared.isEmpty()) {
            memory.asSlice(Registers.DOORBELLS).fill((byte) 0);
            return;
        }
        for (long at = Registers.DOORBELLS; at < size(); at += DOORBELL_PAGES) {
            OpenFile file = shared.get(at);
            if (file == null) {
                memory.asSlice(at, Math.min(DOORBELL_PAGES, size() - at)).fill((byte) 0);
            } else {
                clear(file, 0);
                clear(file, Mapping.PAGE_SIZE);
            }
        }
    }

    /** By the file: a store to a page that whoever has it too has taken away may find none to put in its place. */
    private static void clear(OpenFile file, long offset) {
        try {
            file.write(ZERO, offset);
        } catch (LinuxException e) {
            // There is no page then, and what is not there is zero.
        }
    }

    /** The end of the doorbells. */
    long size() {
        return memory.byteSize();
    }

    /** Somebody wrote a doorbell of a queue that does not exist. */
    void invalidDoorbellRegister() {
        invalidRegister = true;
    }

    /** Somebody wrote a doorbell a value that its queue does not have. */
    void invalidDoorbellValue() {
        invalidValue = true;
    }

    /** Whether there was a write to a doorbell of no queue since the last call. */
    boolean takeInvalidRegister() {
        boolean invalid = invalidRegister;
        invalidRegister = false;
        return invalid;
    }

    /** Whether there was a wrong doorbell value since the last call. */
    boolean takeInvalidValue() {
        boolean invalid = invalidValue;
        invalidValue = false;
        return invalid;
    }

    /** A controller reset: the interrupt mask and the doorbells go, the admin queue's registers stay. */
    void reset() {
        clearDoorbells();
        interruptMask = 0;
        bar.write32(Registers.INTMS, 0);
        bar.write32(Registers.INTMC, 0);
        invalidRegister = false;
        invalidValue = false;
    }

    /** A reset of the function: the admin queue's registers go too. */
    void resetFunction() {
        bar.write32(Registers.AQA, 0);
        bar.write64(Registers.ASQ, 0);
        bar.write64(Registers.ACQ, 0);
        reset();
        restore();
    }

    /** All registers read as all ones: what a load returns when the function has left the bus. */
    void vanish() {
        memory.fill((byte) 0xFF);
    }

    synchronized void close() {
        mapping.close();
        shared.values().forEach(OpenFile::close);
        shared.clear();
    }

    /** Either of INTMS and INTMC shows the mask; what differs from it was written. */
    private void maskInterrupts() {
        int set = bar.read32(Registers.INTMS);
        int clear = bar.read32(Registers.INTMC);
        if (set == interruptMask && clear == interruptMask) {
            return;
        }
        int presented = interruptMask;
        interruptMask = (presented | (set == presented ? 0 : set)) & ~(clear == presented ? 0 : clear);
        bar.write32(Registers.INTMS, interruptMask);
        bar.write32(Registers.INTMC, interruptMask);
    }

    private void restore(long offset, long value) {
        if (bar.read64(offset) != value) {
            bar.write64(offset, value);
        }
    }

    private void restore32(long offset, int value) {
        if (bar.read32(offset) != value) {
            bar.write32(offset, value);
        }
    }

    private void clearReserved(long offset, long mask) {
        long value = bar.read64(offset);
        if ((value & ~mask) != 0) {
            boolean ignored = LONG.compareAndSet(memory, offset, value, value & mask);
        }
    }

    private void clearReserved32(long offset, int mask) {
        int value = bar.read32(offset);
        if ((value & ~mask) != 0) {
            boolean ignored = INT.compareAndSet(memory, offset, value, value & mask);
        }
    }
}
