package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** What a mounted btrfs tells of its devices and of the chunks that they hold ({@code linux/btrfs.h}, {@code btrfs_tree.h}). */
public final class Btrfs {
    /** {@code _IOR(0x94, 31, struct btrfs_ioctl_fs_info_args)}. */
    static final long BTRFS_IOC_FS_INFO = 0x8400_941FL;

    static final int FS_INFO = 1024;
    static final int FS_INFO_UUID = 16;
    private static final int FS_INFO_DEVICES = 8;
    /** {@code _IOWR(0x94, 30, struct btrfs_ioctl_dev_info_args)}. */
    private static final long BTRFS_IOC_DEV_INFO = 0xD000_941EL;

    private static final int DEV_INFO = 4096;
    private static final int DEV_INFO_PATH = 3072;
    private static final int DEV_INFO_PATH_BYTES = 1024;
    /** {@code _IOR(0x94, 57, struct btrfs_ioctl_feature_flags)}. */
    private static final long BTRFS_IOC_GET_FEATURES = 0x8018_9439L;

    private static final int FEATURES = 24;
    private static final int FEATURES_INCOMPAT = 16;
    /** {@code _IOWR(0x94, 17, struct btrfs_ioctl_search_args_v2)}. */
    private static final long BTRFS_IOC_TREE_SEARCH_V2 = 0xC070_9411L;
    /** {@code struct btrfs_ioctl_search_args_v2} before its buffer, and {@code struct btrfs_ioctl_search_header}. */
    private static final int SEARCH = 112;

    private static final int SEARCH_HEADER = 32;
    /** Bytes of answers taken at once: chosen to hold some hundred chunks. */
    private static final int ANSWERS = 64 << 10;

    /** BTRFS_CHUNK_TREE_OBJECTID, BTRFS_FIRST_CHUNK_TREE_OBJECTID, BTRFS_CHUNK_ITEM_KEY. */
    private static final long CHUNK_TREE = 3;

    private static final long FIRST_CHUNK_TREE = 256;
    private static final int CHUNK_ITEM = 228;
    /** {@code struct btrfs_chunk} before its stripes, and {@code struct btrfs_stripe}. */
    private static final int CHUNK = 48;

    private static final int STRIPE = 32;

    private Btrfs() {}

    /**
     * A range of the addresses in which btrfs counts, and where its devices hold it.
     *
     * @param logical its first address
     * @param length in bytes
     * @param type what it holds and how it is spread, {@code BTRFS_BLOCK_GROUP_*}
     * @param stripes the parts of it, or its copies
     */
    public record Chunk(long logical, long length, long type, List<Stripe> stripes) {}

    /**
     * A part of a chunk.
     *
     * @param device by its number in the file system
     * @param position on that device, in bytes
     */
    public record Stripe(long device, long position) {}

    /** How many devices the file system of a file has. */
    public static long devices(Beneath file) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(FS_INFO, 8);
            ask(file, BTRFS_IOC_FS_INFO, "BTRFS_IOC_FS_INFO", info);
            return info.get(JAVA_LONG_UNALIGNED, FS_INFO_DEVICES);
        }
    }

    /** Its features that whoever reads it must know, {@code BTRFS_FEATURE_INCOMPAT_*}. */
    public static long features(Beneath file) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment features = arena.allocate(FEATURES, 8);
            ask(file, BTRFS_IOC_GET_FEATURES, "BTRFS_IOC_GET_FEATURES", features);
            return features.get(JAVA_LONG_UNALIGNED, FEATURES_INCOMPAT);
        }
    }

    /** The path that a device had when it was made known to the kernel. */
    public static String devicePath(Beneath file, long device) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(DEV_INFO, 8);
            info.set(JAVA_LONG_UNALIGNED, 0, device);
            ask(file, BTRFS_IOC_DEV_INFO, "BTRFS_IOC_DEV_INFO", info);
            int length = 0;
            while (length < DEV_INFO_PATH_BYTES && info.get(JAVA_BYTE, DEV_INFO_PATH + length) != 0) {
                length++;
            }
            return new String(info.asSlice(DEV_INFO_PATH, length).toArray(JAVA_BYTE), StandardCharsets.UTF_8);
        }
    }

    /**
     * All chunks, in the order of their addresses.
     *
     * @throws LinuxException {@code EPERM} if this process may not ask (CAP_SYS_ADMIN), {@code EIO} if the answer is none
     */
    public static List<Chunk> chunks(Beneath file) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment search = arena.allocate(SEARCH + ANSWERS, 8);
            List<Chunk> chunks = new ArrayList<>();
            long from = 0;
            while (true) {
                search.asSlice(0, SEARCH).fill((byte) 0);
                search.set(JAVA_LONG_UNALIGNED, 0, CHUNK_TREE);
                search.set(JAVA_LONG_UNALIGNED, 8, FIRST_CHUNK_TREE);
                search.set(JAVA_LONG_UNALIGNED, 16, FIRST_CHUNK_TREE);
                search.set(JAVA_LONG_UNALIGNED, 24, from);
                search.set(JAVA_LONG_UNALIGNED, 32, -1);
                search.set(JAVA_LONG_UNALIGNED, 48, -1);
                search.set(JAVA_INT_UNALIGNED, 56, CHUNK_ITEM);
                search.set(JAVA_INT_UNALIGNED, 60, CHUNK_ITEM);
                search.set(JAVA_INT_UNALIGNED, 64, -1);
                search.set(JAVA_LONG_UNALIGNED, 104, ANSWERS);
                ask(file, BTRFS_IOC_TREE_SEARCH_V2, "BTRFS_IOC_TREE_SEARCH_V2", search);
                int items = search.get(JAVA_INT_UNALIGNED, 64);
                if (items == 0) {
                    return chunks;
                }
                long at = SEARCH;
                for (int i = 0; i < items; i++) {
                    long length = at + SEARCH_HEADER > search.byteSize()
                            ? -1
                            : search.get(JAVA_INT_UNALIGNED, at + 28) & 0xFFFF_FFFFL;
                    if (length < CHUNK || at + SEARCH_HEADER + length > search.byteSize()) {
                        throw new LinuxException("ioctl BTRFS_IOC_TREE_SEARCH_V2", file.name(), Errno.EIO);
                    }
                    long logical = search.get(JAVA_LONG_UNALIGNED, at + 16);
                    chunks.add(chunk(file, logical, search.asSlice(at + SEARCH_HEADER, length)));
                    from = logical + 1;
                    at += SEARCH_HEADER + length;
                }
            }
        }
    }

    private static Chunk chunk(Beneath file, long logical, MemorySegment item) throws LinuxException {
        int count = item.get(JAVA_SHORT_UNALIGNED, 44) & 0xFFFF;
        if (count == 0 || CHUNK + (long) count * STRIPE > item.byteSize()) {
            throw new LinuxException("ioctl BTRFS_IOC_TREE_SEARCH_V2", file.name(), Errno.EIO);
        }
        List<Stripe> stripes = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            long at = CHUNK + (long) i * STRIPE;
            stripes.add(new Stripe(item.get(JAVA_LONG_UNALIGNED, at), item.get(JAVA_LONG_UNALIGNED, at + 8)));
        }
        return new Chunk(
                logical, item.get(JAVA_LONG_UNALIGNED, 0), item.get(JAVA_LONG_UNALIGNED, 24), List.copyOf(stripes));
    }

    private static void ask(Beneath file, long request, String shown, MemorySegment argument) throws LinuxException {
        if (Libc.ioctl(file.fd(), request, argument) != 0) {
            throw new LinuxException("ioctl " + shown, file.name(), Libc.errno());
        }
    }
}
