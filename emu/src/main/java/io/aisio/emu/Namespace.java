package io.aisio.emu;

/** One namespace: a medium seen as logical blocks. */
final class Namespace {
    /** The LBA sizes that Format NVM chooses from, as powers of two, by the index of the format. */
    static final int[] LBA_SHIFTS = {9, 12};

    final int id;
    final Media media;
    final boolean readOnly;
    /** LBA size as a power of two. */
    int shift;
    /** Size in logical blocks. */
    long blocks;
    /** Whether it is there; one that was removed is kept, so that it can come back. */
    boolean active = true;

    Namespace(int id, Media media, boolean readOnly, int lbaBytes) {
        this.id = id;
        this.media = media;
        this.readOnly = readOnly;
        format(Integer.numberOfTrailingZeros(lbaBytes));
    }

    /** Takes a new LBA size; what does not fill a block at the end is out of reach. */
    void format(int lbaShift) {
        shift = lbaShift;
        blocks = media.bytes() >>> lbaShift;
    }

    /** Takes another size: at most what the medium holds. */
    void resize(long newBlocks) {
        blocks = Math.min(newBlocks, media.bytes() >>> shift);
    }

    /** The index of the LBA format in {@link #LBA_SHIFTS}. */
    int formatIndex() {
        return shift == LBA_SHIFTS[0] ? 0 : 1;
    }

    /** Whether the blocks exist, for any 64-bit start; {@code count} is positive. */
    boolean holds(long start, long count) {
        return start >= 0 && start <= blocks - count;
    }
}
