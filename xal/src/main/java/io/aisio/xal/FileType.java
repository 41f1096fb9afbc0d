package io.aisio.xal;

/** What an inode is. */
public enum FileType {
    /** A file with bytes of its own. */
    REGULAR,
    /** A directory. */
    DIRECTORY,
    /** A symbolic link; it is listed, never followed. */
    SYMLINK,
    /** A character device, or a whiteout of an overlay. */
    CHARACTER_DEVICE,
    /** A block device. */
    BLOCK_DEVICE,
    /** A named pipe. */
    FIFO,
    /** A socket. */
    SOCKET;

    private static final int MODE_SHIFT = 12;

    /**
     * The type in a mode, as {@code st_mode} and XFS inodes have it in bits 15:12.
     *
     * @throws IllegalArgumentException if no type has that number
     */
    public static FileType ofMode(int mode) {
        return switch (mode >>> MODE_SHIFT & 0xF) {
            case 1 -> FIFO;
            case 2 -> CHARACTER_DEVICE;
            case 4 -> DIRECTORY;
            case 6 -> BLOCK_DEVICE;
            case 8 -> REGULAR;
            case 10 -> SYMLINK;
            case 12 -> SOCKET;
            default -> throw new IllegalArgumentException("no file has the mode 0" + Integer.toOctalString(mode));
        };
    }
}
