/**
 * Block devices as sysfs shows them, what uses each, and what its blocks say of themselves.
 *
 * <pre>
 *   BlockDevices ── BlockDevice ──┬── BlockUses ── DeviceUse   mounted, swapped to, held, open, of the system's disk
 *     sysfs                       └── Signature                what its first and last bytes say
 * </pre>
 *
 * Nothing is written, and nobody is refused: whoever is about to take a device away from the kernel decides by what is
 * told here.
 */
@NullMarked
package io.aisio.linux.block;

import org.jspecify.annotations.NullMarked;
