package io.aisio.upcie;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * The registers behind one base address register: little-endian, naturally aligned, each access one load or store of
 * exactly its width.
 *
 * <p>A store is a release: what this thread stored to memory before is visible to an observer that sees the register's
 * new value. A load is an acquire.
 */
public final class Bar {
    private static final VarHandle INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    private static final VarHandle LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    private final MemorySegment registers;

    /** @param registers the mapped registers; every access is checked against its bounds */
    public Bar(MemorySegment registers) {
        this.registers = registers;
    }

    /** Size in bytes. */
    public long size() {
        return registers.byteSize();
    }

    /** The mapped registers themselves, for the doorbells that a queue pair rings. */
    public MemorySegment segment() {
        return registers;
    }

    /** Loads the 32-bit register at {@code offset}. */
    public int read32(long offset) {
        return (int) INT.getAcquire(registers, offset);
    }

    /** Loads the 64-bit register at {@code offset}. */
    public long read64(long offset) {
        return (long) LONG.getAcquire(registers, offset);
    }

    /** Stores to the 32-bit register at {@code offset}. */
    public void write32(long offset, int value) {
        INT.setRelease(registers, offset, value);
    }

    /** Stores to the 64-bit register at {@code offset}. */
    public void write64(long offset, long value) {
        LONG.setRelease(registers, offset, value);
    }
}
