package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * What {@code statx(2)} tells of a file ({@code struct statx}, {@code linux/stat.h}).
 *
 * @param attributes {@code STATX_ATTR_*} of {@code linux/stat.h} that are set; 0 where the file system does not tell
 * @param mode type and permissions, as {@code st_mode}
 * @param links how many names it has
 * @param owner user ID
 * @param group group ID
 * @param inode its number
 * @param size in bytes
 * @param allocated bytes that its blocks take
 * @param accessed when its content was last read, as far as that is recorded
 * @param modified when its content last changed
 * @param changed when anything of it last changed
 * @param created when it was made; null if the file system does not record it
 * @param device that its file system lies on
 * @param represents the device that a device file stands for; 0:0 for others
 * @param mount the number of its mount, as {@code /proc/self/mountinfo} has it; 0 if the kernel does not tell
 */
public record FileStatus(
        long attributes,
        int mode,
        long links,
        long owner,
        long group,
        long inode,
        long size,
        long allocated,
        Instant accessed,
        Instant modified,
        Instant changed,
        @Nullable Instant created,
        Device device,
        Device represents,
        long mount) {

    /** {@code sizeof(struct statx)}. */
    static final int BYTES = 256;

    /** STATX_BASIC_STATS. */
    private static final int BASIC = 0x7FF;
    /** STATX_BTIME. */
    private static final int CREATED = 0x800;
    /** STATX_MNT_ID. */
    private static final int MOUNT = 0x1000;

    /** What is asked for. */
    static final int WANTED = BASIC | CREATED | MOUNT;

    /** STATX_ATTR_ENCRYPTED. */
    private static final long ENCRYPTED = 0x800;

    private static final int SECTOR_BYTES = 512;

    /** The type in {@link #mode}, and that of a regular file. */
    private static final int TYPE = 0xF000;

    private static final int REGULAR = 0x8000;
    private static final int BLOCK_DEVICE = 0x6000;

    /**
     * A device by its numbers.
     *
     * @param major the driver
     * @param minor which of its devices
     */
    public record Device(int major, int minor) {
        /** From a {@code dev_t}, as Java's attribute {@code unix:rdev}: glibc's {@code gnu_dev_major}, {@code …_minor}. */
        public static Device of(long number) {
            return new Device((int) ((number >>> 8 & 0xfff) | (number >>> 32 & 0xfffff000L)), (int)
                    ((number & 0xff) | (number >>> 12 & 0xffffff00L)));
        }

        /** The two numbers as sysfs writes them: {@code 259:1}. */
        @Override
        public String toString() {
            return major + ":" + minor;
        }
    }

    /** Whether it is a regular file. */
    public boolean isRegular() {
        return (mode & TYPE) == REGULAR;
    }

    /** Whether it is a block device. */
    public boolean isBlockDevice() {
        return (mode & TYPE) == BLOCK_DEVICE;
    }

    /** Whether the device holds its content encrypted ({@code fscrypt}), whatever its map says. */
    public boolean isEncrypted() {
        return (attributes & ENCRYPTED) != 0;
    }

    /** Whether both are of one file. */
    public boolean isSameFile(FileStatus other) {
        return device.equals(other.device) && inode == other.inode;
    }

    /** The user as whom this process opens files. */
    public static long effectiveUser() {
        return Libc.geteuid() & 0xFFFF_FFFFL;
    }

    /**
     * The status of an open file.
     *
     * @param shown how messages name it
     */
    static FileStatus of(int fd, String shown) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment status = arena.allocate(BYTES, 8);
            if (Libc.statx(fd, arena.allocateFrom(""), Libc.AT_EMPTY_PATH, WANTED, status) != 0) {
                throw new LinuxException("statx", shown, Libc.errno());
            }
            return of(status);
        }
    }

    static FileStatus of(MemorySegment statx) {
        int mask = statx.get(JAVA_INT_UNALIGNED, 0);
        return new FileStatus(
                statx.get(JAVA_LONG_UNALIGNED, 8),
                statx.get(JAVA_SHORT_UNALIGNED, 28) & 0xFFFF,
                statx.get(JAVA_INT_UNALIGNED, 16) & 0xFFFF_FFFFL,
                statx.get(JAVA_INT_UNALIGNED, 20) & 0xFFFF_FFFFL,
                statx.get(JAVA_INT_UNALIGNED, 24) & 0xFFFF_FFFFL,
                statx.get(JAVA_LONG_UNALIGNED, 32),
                statx.get(JAVA_LONG_UNALIGNED, 40),
                statx.get(JAVA_LONG_UNALIGNED, 48) * SECTOR_BYTES,
                time(statx, 64),
                time(statx, 112),
                time(statx, 96),
                (mask & CREATED) != 0 ? time(statx, 80) : null,
                device(statx, 136),
                device(statx, 128),
                (mask & MOUNT) != 0 ? statx.get(JAVA_LONG_UNALIGNED, 144) : 0);
    }

    /** {@code struct statx_timestamp}. */
    private static Instant time(MemorySegment statx, long offset) {
        return Instant.ofEpochSecond(
                statx.get(JAVA_LONG_UNALIGNED, offset), statx.get(JAVA_INT_UNALIGNED, offset + 8) & 0xFFFF_FFFFL);
    }

    private static Device device(MemorySegment statx, long offset) {
        return new Device(statx.get(JAVA_INT_UNALIGNED, offset), statx.get(JAVA_INT_UNALIGNED, offset + 4));
    }
}
