package io.aisio.nvme.command;

/**
 * Logical blocks that follow one another.
 *
 * @param lba the first one
 * @param blocks how many, at least 1
 */
public record LbaRange(long lba, long blocks) {
    /** Checks that it makes sense. */
    public LbaRange {
        if (lba < 0 || blocks < 1 || lba > Long.MAX_VALUE - blocks) {
            throw new IllegalArgumentException(blocks + " blocks from " + lba + " on");
        }
    }
}
