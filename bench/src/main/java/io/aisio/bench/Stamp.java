package io.aisio.bench;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import io.aisio.bench.VerifyReport.Kind;
import io.aisio.bench.VerifyReport.Mismatch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * What each logical block carries while it is verified: who it is, and a pattern that no other block, generation or run
 * has, in every word of it.
 *
 * <pre>
 *   0        8        16       24           32                        end of the block
 *   | magic  | LBA    | run    | generation | word 4, word 5, …           |
 *                                             each from seed, LBA, run, generation and its place
 * </pre>
 *
 * Words are little-endian. One thread's.
 */
final class Stamp {
    private static final ValueLayout.OfLong WORD = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** {@code AISIOVFY} in memory. */
    private static final long MAGIC = 0x5946564f49534941L;

    private static final long LBA = 8;
    private static final long RUN = 16;
    private static final long GENERATION = 24;
    private static final long PATTERN = 32;

    /** What a buffer holds before a read. Unlikely in data, and no stamp's word. */
    private static final byte POISON = (byte) 0xDB;

    private static final long POISON_WORD = 0xDBDBDBDBDBDBDBDBL;

    private final int lbaBytes;
    private final long seed;
    private final long run;
    private final MemorySegment expected;

    /**
     * @param lbaBytes size of a logical block
     * @param seed where the pattern starts
     * @param run tells this run's blocks from those that earlier ones left on the device
     */
    Stamp(int lbaBytes, long seed, long run) {
        this.lbaBytes = lbaBytes;
        this.seed = seed;
        this.run = run;
        expected = MemorySegment.ofArray(new long[lbaBytes / Long.BYTES]);
    }

    /** Stamps consecutive blocks. */
    void write(MemorySegment blocks, long lba, int generation) {
        for (long at = 0; at < blocks.byteSize(); at += lbaBytes) {
            write(blocks, at, lba++, run, generation);
        }
    }

    private void write(MemorySegment memory, long at, long lba, long run, long generation) {
        memory.set(WORD, at, MAGIC);
        memory.set(WORD, at + LBA, lba);
        memory.set(WORD, at + RUN, run);
        memory.set(WORD, at + GENERATION, generation);
        long state = SplitMix.mix(seed ^ SplitMix.mix(lba ^ SplitMix.mix(run ^ SplitMix.mix(generation))));
        for (long i = PATTERN; i < lbaBytes; i += Long.BYTES) {
            state += SplitMix.GAMMA;
            memory.set(WORD, at + i, SplitMix.mix(state));
        }
    }

    /** Fills memory with what no block holds, so that a read that transfers nothing is seen. */
    static void poison(MemorySegment memory) {
        memory.fill(POISON);
    }

    /** Whether a block is what was written. */
    boolean matches(MemorySegment block, long lba, int generation) {
        write(expected, 0, lba, run, generation);
        return block.mismatch(expected) < 0;
    }

    /** What a block that does not match looks like. */
    Mismatch explain(MemorySegment block, long lba, int generation) {
        long at = first(block, lba, run, generation);
        if (isAll(block, POISON_WORD)) {
            return new Mismatch(lba, generation, Kind.NOTHING_TRANSFERRED, "the read transferred nothing");
        }
        if (isAll(block, 0)) {
            return new Mismatch(lba, generation, Kind.ZEROS, "all zero, as if it was never written");
        }
        long sawLba = block.get(WORD, LBA);
        long sawRun = block.get(WORD, RUN);
        long sawGeneration = block.get(WORD, GENERATION);
        if (block.get(WORD, 0) == MAGIC && first(block, sawLba, sawRun, sawGeneration) < 0) {
            return whole(lba, generation, sawLba, sawRun, sawGeneration);
        }
        if (bits(block, lba, generation) == 1) {
            return new Mismatch(lba, generation, Kind.FLIPPED_BIT, "one bit flipped, " + difference(block, at));
        }
        for (long older = 1; older < generation; older++) {
            MemorySegment old = MemorySegment.ofArray(new long[lbaBytes / Long.BYTES]);
            write(old, 0, lba, run, older);
            if (isTornWith(block, old)) {
                return torn(block, lba, generation, old, "generation " + older);
            }
        }
        MemorySegment rest = MemorySegment.ofArray(new long[lbaBytes / Long.BYTES]);
        if (isTornWith(block, rest)) {
            return torn(block, lba, generation, rest, "zero");
        }
        poison(rest);
        if (isTornWith(block, rest)) {
            return torn(block, lba, generation, rest, "not transferred");
        }
        return new Mismatch(lba, generation, Kind.DIFFERENT, difference(block, at));
    }

    /** The block is, as a whole, what a stamp says that it is: just not the right one. */
    private Mismatch whole(long lba, int generation, long sawLba, long sawRun, long sawGeneration) {
        if (sawRun != run) {
            return new Mismatch(
                    lba,
                    generation,
                    Kind.OTHER_RUN,
                    "data of an earlier run, for LBA " + Long.toUnsignedString(sawLba));
        }
        if (sawLba != lba) {
            return new Mismatch(
                    lba,
                    generation,
                    Kind.MISPLACED,
                    "data of LBA " + Long.toUnsignedString(sawLba) + ", generation " + sawGeneration);
        }
        return new Mismatch(
                lba, generation, Kind.STALE, "stale: generation " + sawGeneration + ", so a later write was lost");
    }

    /** The first byte that differs from a stamp, -1 if none does; {@link #expected} then holds the stamp. */
    private long first(MemorySegment block, long lba, long run, long generation) {
        write(expected, 0, lba, run, generation);
        return block.mismatch(expected);
    }

    private static boolean isAll(MemorySegment block, long word) {
        for (long i = 0; i < block.byteSize(); i += Long.BYTES) {
            if (block.get(WORD, i) != word) {
                return false;
            }
        }
        return true;
    }

    /** How many bits differ; {@link #expected} then holds what was expected. */
    private long bits(MemorySegment block, long lba, int generation) {
        write(expected, 0, lba, run, generation);
        long bits = 0;
        for (long i = 0; i < lbaBytes; i += Long.BYTES) {
            bits += Long.bitCount(block.get(WORD, i) ^ expected.get(WORD, i));
        }
        return bits;
    }

    /** Whether each byte is either what was expected or the other's. */
    private boolean isTornWith(MemorySegment block, MemorySegment other) {
        for (long i = 0; i < lbaBytes; i++) {
            byte saw = block.get(JAVA_BYTE, i);
            if (saw != expected.get(JAVA_BYTE, i) && saw != other.get(JAVA_BYTE, i)) {
                return false;
            }
        }
        return true;
    }

    private Mismatch torn(MemorySegment block, long lba, int generation, MemorySegment other, String what) {
        long first = block.mismatch(expected);
        long last = lbaBytes - 1L;
        while (block.get(JAVA_BYTE, last) == expected.get(JAVA_BYTE, last)) {
            last--;
        }
        // Bytes that both have may lie at the edges: the tear is where they stop being the other's.
        while (first > 0 && block.get(JAVA_BYTE, first - 1) == other.get(JAVA_BYTE, first - 1)) {
            first--;
        }
        while (last < lbaBytes - 1L && block.get(JAVA_BYTE, last + 1) == other.get(JAVA_BYTE, last + 1)) {
            last++;
        }
        return new Mismatch(
                lba,
                generation,
                Kind.TORN,
                "torn: bytes " + first + " to " + last + " of " + lbaBytes + " are " + what);
    }

    private String difference(MemorySegment block, long at) {
        long differing = 0;
        for (long i = 0; i < lbaBytes; i++) {
            differing += block.get(JAVA_BYTE, i) == expected.get(JAVA_BYTE, i) ? 0 : 1;
        }
        return String.format(
                "byte %d: expected %02x, saw %02x (%d of %d bytes differ)",
                at, expected.get(JAVA_BYTE, at), block.get(JAVA_BYTE, at), differing, lbaBytes);
    }
}
