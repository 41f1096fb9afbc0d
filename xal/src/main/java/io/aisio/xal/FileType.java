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
    SOCKET
}
