package io.aisio.emu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** What a command has just delivered to the driver's memory, for faults that change it. */
final class Delivered {
    private final PrpWalk prps;

    Delivered(PrpWalk prps) {
        this.prps = prps;
    }

    long bytes() {
        long bytes = 0;
        for (int i = 0; i < prps.runs(); i++) {
            bytes += prps.length(i);
        }
        return bytes;
    }

    /** Flips the lowest bit of a byte; does nothing beyond the end. */
    void flip(long position) {
        change(position, position + 1, null);
    }

    /** Zeroes from a byte on. */
    void zero(long position) {
        long at = 0;
        for (int i = 0; i < prps.runs(); i++) {
            long from = Math.clamp(position - at, 0, prps.length(i));
            memory(i).asSlice(from).fill((byte) 0);
            at += prps.length(i);
        }
    }

    /** Fills everything with noise. */
    void noise(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        byte[] noise = new byte[Math.toIntExact(bytes())];
        random.nextBytes(noise);
        put(0, noise);
    }

    /** Puts bytes at a place, as far as it has room for them. */
    void put(long position, byte[] bytes) {
        change(position, position + bytes.length, bytes);
    }

    private void change(long start, long end, byte @Nullable [] bytes) {
        long at = 0;
        for (int i = 0; i < prps.runs(); i++) {
            long from = Math.max(start, at);
            long to = Math.min(end, at + prps.length(i));
            MemorySegment memory = memory(i);
            if (from < to && bytes == null) {
                byte value = memory.get(ValueLayout.JAVA_BYTE, from - at);
                memory.set(ValueLayout.JAVA_BYTE, from - at, (byte) (value ^ 1));
            } else if (from < to && bytes != null) {
                MemorySegment.copy(
                        bytes, (int) (from - start), memory, ValueLayout.JAVA_BYTE, from - at, (int) (to - from));
            }
            at += prps.length(i);
        }
    }

    private MemorySegment memory(int i) {
        return prps.memory(i).asSlice(prps.offset(i), prps.length(i));
    }
}
