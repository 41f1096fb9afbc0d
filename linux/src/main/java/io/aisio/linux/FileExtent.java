package io.aisio.linux;

/**
 * A run of a file's blocks as the kernel's file system tells it ({@code struct fiemap_extent}, {@code linux/fiemap.h}).
 *
 * @param offset in the file, in bytes
 * @param position on the file system's device, in bytes
 * @param length in bytes
 * @param flags {@code FIEMAP_EXTENT_*}, without that of the last extent
 */
public record FileExtent(long offset, long position, long length, int flags) {}
