/**
 * Where a file's bytes lie on its device.
 *
 * <pre>
 *   /set/cat.jpg ── Xal.lookup ──► Inode ── Xal.pieces ──► [0, 8192)      DATA at byte 1,048,576 of the device
 *                                                          [8192, 12288)  HOLE
 *                                                          [12288, 13000) UNWRITTEN
 *        ▲                           ▲
 *        └──── directory blocks ─────┴─── inodes, extent B-trees ──── read from a BlockSource: an image, a device,
 *                                                                     a queue of a user-space driver
 * </pre>
 *
 * Nothing is mounted and the kernel's file system is not asked. The bytes that are read are hostile until they are
 * checked: whatever is wrong with them is an {@link io.aisio.xal.XfsException} that names the structure, its place and
 * the field.
 *
 * @see io.aisio.xal.Xal
 */
@NullMarked
package io.aisio.xal;

import org.jspecify.annotations.NullMarked;
