/**
 * XFS version 5 as it lies on the device.
 *
 * <pre>
 *   Superblock ── Geometry                   what all arithmetic rests on, checked once
 *   AgFreeHeader, AgInodeHeader              one of each at the head of every allocation group
 *   InodeCore ── data fork ── ExtentRecord   in the inode
 *                          └─ BmapBlock ──► ExtentRecord
 *                          └─ ShortDirectory
 *   DirectoryBlock                           in a directory's extents, below its leaf offset
 * </pre>
 *
 * One class a structure: it names the offsets, and checks what it reads. The names of fields are those of the kernel's
 * {@code xfs_format.h} and {@code xfs_da_format.h} and of the book <i>XFS Algorithms and Data Structures</i>. All
 * integers are big-endian, except the checksums, which are CRC32C and little-endian.
 */
@NullMarked
package io.aisio.xal.xfs;

import org.jspecify.annotations.NullMarked;
