package io.aisio.xal;

/**
 * A name in a directory.
 *
 * <p>Names on disk are bytes. They are decoded as UTF-8; a byte that is not part of UTF-8 becomes the lone surrogate
 * {@code U+DC00} plus the byte, so that every name has a string of its own and {@link Xal#lookup} finds it again.
 *
 * @param path from the root of the file system, beginning with {@code /}
 * @param name the last part of the path; empty for the root
 * @param type what it names
 * @param inode the number of the inode that it names
 */
public record Entry(String path, String name, FileType type, long inode) {}
