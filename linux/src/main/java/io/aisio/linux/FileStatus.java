package io.aisio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;

/**
 * What statx(2) says of a file.
 *
 * @param device that holds it, major number in the upper half
 * @param inode its number there
 * @param mode type and permissions
 * @param links how many names it has; 0 once it was removed
 * @param user who owns it
 * @param size in bytes
 * @param allocated bytes of space that it takes
 */
public record FileStatus(long device, long inode, int mode, long links, int user, long size, long allocated) {
    /** {@code struct statx} of {@code linux/stat.h}. */
    private static final int STATX_BYTES = 256;

    private static final long STX_NLINK = 16;
    private static final long STX_UID = 20;
    private static final long STX_MODE = 28;
    private static final long STX_INO = 32;
    private static final long STX_SIZE = 40;
    private static final long STX_BLOCKS = 48;
    private static final long STX_DEV_MAJOR = 136;
    private static final long STX_DEV_MINOR = 140;

    /** The unit of {@code stx_blocks}. */
    private static final int BLOCK_BYTES = 512;

    /** The type in {@link #mode}, and that of a regular file. */
    private static final int TYPE = 0xF000;

    private static final int REGULAR = 0x8000;

    /** Whether it is a regular file. */
    public boolean isRegular() {
        return (mode & TYPE) == REGULAR;
    }

    /** Whether both are of one file. */
    public boolean isSameFile(FileStatus other) {
        return device == other.device && inode == other.inode;
    }

    /** The user as whom this process opens files. */
    public static int effectiveUser() {
        return Libc.geteuid();
    }

    static FileStatus of(int fd, Path path) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment status = arena.allocate(STATX_BYTES, 8);
            if (Libc.statx(fd, arena.allocateFrom(""), Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS, status) != 0) {
                throw new LinuxException("statx", path.toString(), Libc.errno());
            }
            return new FileStatus(
                    number(status, STX_DEV_MAJOR) << 32 | number(status, STX_DEV_MINOR),
                    status.get(ValueLayout.JAVA_LONG, STX_INO),
                    status.get(ValueLayout.JAVA_SHORT, STX_MODE) & 0xFFFF,
                    number(status, STX_NLINK),
                    (int) number(status, STX_UID),
                    status.get(ValueLayout.JAVA_LONG, STX_SIZE),
                    status.get(ValueLayout.JAVA_LONG, STX_BLOCKS) * BLOCK_BYTES);
        }
    }

    private static long number(MemorySegment status, long at) {
        return status.get(ValueLayout.JAVA_INT, at) & 0xFFFF_FFFFL;
    }
}
