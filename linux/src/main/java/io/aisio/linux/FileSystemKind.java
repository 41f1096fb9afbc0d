package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/**
 * Which file system a file lies on ({@code fstatfs(2)}).
 *
 * @param magic its kind, {@code linux/magic.h}
 * @param blockBytes of a block; of hugetlbfs, of a huge page, of which mappings are made
 */
public record FileSystemKind(long magic, long blockBytes) {
    /** {@code sizeof(struct statfs)}. */
    static final int STATFS_BYTES = 120;

    private static final long TMPFS = 0x0102_1994L;
    private static final long RAMFS = 0x8584_58F6L;
    private static final long HUGETLBFS = 0x9584_58F6L;
    private static final long EXT = 0xEF53L;
    private static final long XFS = 0x5846_5342L;
    private static final long BTRFS = 0x9123_683EL;

    static FileSystemKind of(MemorySegment statfs) {
        return new FileSystemKind(statfs.get(JAVA_LONG, 0), statfs.get(JAVA_LONG, 8));
    }

    /**
     * Whether the kernel alone fills the pages of its files, from memory or a local disk. An access to a page of another
     * (FUSE, NFS) may wait for a process or machine that never answers, and with it the whole JVM.
     */
    public boolean isLocal() {
        return magic == TMPFS || magic == HUGETLBFS || magic == EXT || magic == XFS || magic == BTRFS;
    }

    /** Whether its files are in memory alone, so that nothing is read past the kernel's cache: that is where they are. */
    public boolean isInMemory() {
        return magic == TMPFS || magic == RAMFS || magic == HUGETLBFS;
    }

    /** Whether its files are of huge pages, of {@link #blockBytes()} each. */
    public boolean hasHugePages() {
        return magic == HUGETLBFS;
    }
}
