package io.aisio.linux;

/**
 * What {@code statfs(2)} tells of a file system, and what its driver tells of its name.
 *
 * @param magic its kind, {@code linux/magic.h}
 * @param blockBytes size of a block in bytes
 * @param blocks of all of it
 * @param freeBlocks that nothing takes
 * @param inodes that it has or could have
 * @param freeInodes of them, those that are not in use
 * @param uuid in the usual form; empty if it is not told
 * @param label given by its owner; empty if there is none, or it is not told
 */
public record FileSystemStatus(
        long magic,
        int blockBytes,
        long blocks,
        long freeBlocks,
        long inodes,
        long freeInodes,
        String uuid,
        String label) {}
