package io.aisio.linux;

/**
 * What {@code statfs(2)} tells of a file system.
 *
 * @param magic its kind, {@code linux/magic.h}
 * @param blockBytes size of a block in bytes
 * @param blocks of all of it
 * @param freeBlocks that nothing takes
 * @param inodes that it has or could have
 * @param freeInodes of them, those that are not in use
 */
public record FileSystemStatus(
        long magic, int blockBytes, long blocks, long freeBlocks, long inodes, long freeInodes) {}
