package io.aisio.xal;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All that an inode says, as it was when it was read. What a file system does not record is null.
 *
 * @param inode number, generation, type, mode, links and size
 * @param owner user ID
 * @param group group ID
 * @param allocated bytes that its blocks take, those of its maps and attributes too
 * @param accessed when its content was last read, as far as that is recorded
 * @param modified when its content last changed
 * @param changed when anything of it last changed
 * @param created when it was made
 * @param device of a character or block device, which one
 * @param target of a symbolic link, where it leads; bytes outside of UTF-8 as in {@link Entry#path}
 * @param flags such as {@code immutable} or {@code realtime}, by the names of xfs_io(8) and chattr(1)
 */
public record Attributes(
        Inode inode,
        long owner,
        long group,
        long allocated,
        Instant accessed,
        Instant modified,
        Instant changed,
        @Nullable Instant created,
        @Nullable DeviceNumber device,
        @Nullable String target,
        List<String> flags) {

    /**
     * Which device a device file stands for.
     *
     * @param major the driver
     * @param minor which of its devices
     */
    public record DeviceNumber(int major, int minor) {}
}
