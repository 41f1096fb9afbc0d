package io.aisio.upcie;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Registers that are mapped into this process, so that an access is one instruction.
 *
 * <p>Where the kernel has taken them away, because the device is gone or being reset, a load gives all ones, as on a bus
 * without the device, and a store is lost.
 */
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
        try {
            return (int) INT.getAcquire(registers, offset);
        } catch (InternalError e) {
            return -1;
        }
    }

    @Override
    public long read64(long offset) {
        try {
            return (long) LONG.getAcquire(registers, offset);
        } catch (InternalError e) {
            return -1;
        }
    }

    @Override
    public void write32(long offset, int value) {
        try {
            INT.setRelease(registers, offset, value);
        } catch (InternalError e) {
            // Lost, as the class says: whoever looks at a register next sees all ones.
        }
    }

    @Override
    public void write64(long offset, long value) {
        try {
            LONG.setRelease(registers, offset, value);
        } catch (InternalError e) {
            // Lost, as the class says: whoever looks at a register next sees all ones.
        }
    }
}
