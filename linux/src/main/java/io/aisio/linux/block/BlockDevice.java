package io.aisio.linux.block;

import io.aisio.linux.FileStatus;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A block device as sysfs shows it.
 *
 * @param name the kernel's, such as {@code nvme0n1p1}
 * @param folder in sysfs, without links
 * @param numbers of its node; null if it has none, as a path of a multipath namespace
 * @param bytes its size; 0 if there is no medium, or the kernel does not tell
 * @param partition its number; 0 if it is a whole device
 */
public record BlockDevice(String name, Path folder, FileStatus.@Nullable Device numbers, long bytes, int partition) {
    /** Its node's name below {@code /dev}: where sysfs writes an exclamation mark, a slash is meant. */
    public String node() {
        return name.replace('!', '/');
    }
}
