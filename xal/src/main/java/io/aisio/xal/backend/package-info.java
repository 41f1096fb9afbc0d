/**
 * What a file system must be able to tell, whichever way it is read.
 *
 * <pre>
 *   Xal ──► Backend ── xfs.XfsVolume      from the blocks of a device
 *                   └─ mount.MountedTree  from the kernel that has it mounted
 * </pre>
 */
@NullMarked
package io.aisio.xal.backend;

import org.jspecify.annotations.NullMarked;
