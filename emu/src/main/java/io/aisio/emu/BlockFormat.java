package io.aisio.emu;

/**
 * An LBA format.
 *
 * @param shift data of a block as a power of two of bytes
 * @param metadata metadata of a block in bytes, 0 for none
 */
record BlockFormat(int shift, int metadata) {
    /** Those that a namespace on any medium has. */
    static final BlockFormat[] WITHOUT_METADATA = {new BlockFormat(9, 0), new BlockFormat(12, 0)};

    /** Those that a namespace in memory has: only there is a place for metadata. */
    static final BlockFormat[] ALL = {
        new BlockFormat(9, 0),
        new BlockFormat(12, 0),
        new BlockFormat(9, 8),
        new BlockFormat(12, 8),
        new BlockFormat(9, 16),
        new BlockFormat(12, 16),
        new BlockFormat(9, 64),
        new BlockFormat(12, 64)
    };
}
