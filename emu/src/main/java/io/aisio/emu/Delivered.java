package io.aisio.emu;

import java.lang.foreign.Arena;
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
            prps.zero(i, Math.clamp(position - at, 0, prps.length(i)));
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
            if (from < to) {
                MemorySegment changed = Arena.ofAuto().allocate(to - from);
                if (bytes == null) {
                    prps.get(i, from - at, changed);
                    changed.set(ValueLayout.JAVA_BYTE, 0, (byte) (changed.get(ValueLayout.JAVA_BYTE, 0) ^ 1));
                } else {
                    MemorySegment.copy(
                            bytes, (int) (from - start), changed, ValueLayout.JAVA_BYTE, 0, (int) (to - from));
                }
                prps.put(i, from - at, changed);
            }
            at += prps.length(i);
        }
    }
}
