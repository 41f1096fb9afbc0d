package io.aisio.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Blocks that say who they are, as {@code aisio/blocks.cuh} has them: the first 8-byte word is the LBA, the others follow from seed,
 * generation, LBA and place. So a block that is missing, old, or another one is told from the right one.
 */
public final class BlockPattern {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private BlockPattern() {}

    /** The seed of a generation of writes, from that of all. */
    public static long generationSeed(long seed, long generation) {
        return seed ^ (generation + 1) * 0xD1342543DE82EF95L;
    }

    /** A word of a block. */
    public static long word(long seed, long lba, int index) {
        if (index == 0) {
            return lba;
        }
        long z = seed + (lba * 4096 + index) * GOLDEN;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    /** The index of the first word of a block that is not what it should be; -1 if all are. */
    public static int firstWrong(long seed, long lba, MemorySegment block) {
        for (int i = 0; i < block.byteSize() / Long.BYTES; i++) {
            if (block.getAtIndex(ValueLayout.JAVA_LONG_UNALIGNED, i) != word(seed, lba, i)) {
                return i;
            }
        }
        return -1;
    }
}
