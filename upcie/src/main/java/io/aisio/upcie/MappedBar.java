package io.aisio.upcie;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Registers that are mapped into this process, so that an access is one instruction. */
public final class MappedBar implements Bar {
    private static final VarHandle INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    private static final VarHandle LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    private final MemorySegment registers;

    /** @param registers the mapped registers; every access is checked against its bounds */
    public MappedBar(MemorySegment registers) {
        this.registers = registers;
    }

    /** The mapped registers themselves, for the doorbells that a queue pair rings. */
    public MemorySegment segment() {
        return registers;
    }

    @Override
    public long size() {
        return registers.byteSize();
    }

    @Override
    public int read32(long offset) {
        return (int) INT.getAcquire(registers, offset);
    }

    @Override
    public long read64(long offset) {
        return (long) LONG.getAcquire(registers, offset);
    }

    @Override
    public void write32(long offset, int value) {
        INT.setRelease(registers, offset, value);
    }

    @Override
    public void write64(long offset, long value) {
        LONG.setRelease(registers, offset, value);
    }
}
