package io.aisio.xal;

import java.util.List;

/**
 * What a file system says of itself.
 *
 * @param type such as {@code xfs} or {@code ext4}
 * @param source what is read: an image, a device, or the directory where it is mounted
 * @param how which way its files are mapped: {@code on disk} or {@code FIEMAP}
 * @param uuid of the file system, in the usual form; empty if it does not tell
 * @param label given by its owner; empty if none
 * @param blockBytes size of a block in bytes; extents are multiples of it
 * @param blocks of the whole file system
 * @param freeBlocks those that nothing takes, as they were when it was opened; -1 if it does not tell
 * @param inodes how many inodes are in use; -1 if it does not tell
 * @param features by their usual names, such as {@code reflink}
 */
public record Volume(
        String type,
        String source,
        String how,
        String uuid,
        String label,
        int blockBytes,
        long blocks,
        long freeBlocks,
        long inodes,
        List<String> features) {}
