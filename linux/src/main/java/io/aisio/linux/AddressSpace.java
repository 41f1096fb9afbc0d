package io.aisio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * All of this process's memory as one segment, for the few places where a bounds check per access is too much: the rings
 * of a queue pair.
 *
 * <p>Nothing guards an access through it: an address that is not mapped ends the JVM. Whoever uses it owns the memory,
 * masks each address with {@link #MASK_8} or {@link #MASK_4} (which also tells the compiler that the access is in bounds
 * and aligned, so that no check remains), and has a switch that routes the same accesses through checked segments.
 */
public final class AddressSpace {
    /** Every address from 0 up. */
    public static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    /** Keeps an address of 8-byte alignment as it is: user space ends below 2^56 on x86-64 and aarch64. */
    public static final long MASK_8 = (1L << 56) - 8;

    /** Keeps an address of 4-byte alignment as it is. */
    public static final long MASK_4 = (1L << 56) - 4;

    private AddressSpace() {}

    /**
     * Memory that a library gave, for as long as an arena is open. Who asks vouches for it: nothing else is checked.
     *
     * @param bytes how much there is at the address
     */
    public static MemorySegment at(long address, long bytes, Arena arena) {
        return MemorySegment.ofAddress(address).reinterpret(bytes, arena, null);
    }

    /**
     * Stands for memory that no processor reaches, such as another device's: a segment without any bytes, so that no access
     * through it is possible.
     *
     * @param address as the memory's own device has it
     * @param arena how long it stands for that
     */
    public static MemorySegment elsewhere(long address, Arena arena) {
        return MemorySegment.ofAddress(address).reinterpret(0, arena, null);
    }
}
