package io.aisio.xal;

/**
 * What an inode says about its file, as it was when it was read.
 *
 * @param number the inode number
 * @param generation changes when the number is given to another file
 * @param type what it is
 * @param mode permission bits, set-user-ID, set-group-ID and sticky, as in {@code st_mode} without the type
 * @param links how many directory entries name it
 * @param size in bytes
 */
public record Inode(long number, int generation, FileType type, int mode, long links, long size) {}
