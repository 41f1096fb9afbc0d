/**
 * A file system as the kernel that has it mounted tells it.
 *
 * <pre>
 *   MountedTree ── names, inodes ──► getdents64, statx, name_to_handle_at    beneath the directory, never out of it
 *               └─ extents ────────► FS_IOC_FIEMAP, again if the file changed meanwhile
 *                                      └─ btrfs: its addresses ──► BtrfsPlaces, by the chunk tree
 *   TreeScan ───── everything ──────► the same, on several threads, without what did not change
 *   XfsLog ─────── what of XFS is in place already ──► sysfs
 * </pre>
 */
@NullMarked
package io.aisio.xal.mount;

import org.jspecify.annotations.NullMarked;
