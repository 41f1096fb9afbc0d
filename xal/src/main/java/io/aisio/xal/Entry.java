package io.aisio.xal;

/**
 * A name in a directory and the inode that it names, as both were when they were read.
 *
 * <p>Names on disk are bytes. They are decoded as UTF-8; a byte that is not part of UTF-8 becomes the lone surrogate
 * {@code U+DC00} plus the byte, so that every name has a string of its own and {@link Xal#lookup} finds it again.
 *
 * @param path from the root of the file system, beginning with {@code /}; {@code /} is the root
 * @param inode what the name stands for
 */
public record Entry(String path, Inode inode) {
    /** The last part of the path; empty for the root. */
    public String name() {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    /** What it names. */
    public FileType type() {
        return inode.type();
    }
}
