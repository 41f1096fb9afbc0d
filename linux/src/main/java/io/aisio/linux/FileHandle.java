package io.aisio.linux;

/**
 * What tells a file from all others that its file system ever had, of {@code name_to_handle_at(2)}.
 *
 * @param inode its number
 * @param generation changes when the number is given to another file
 */
public record FileHandle(long inode, int generation) {}
