/**
 * What applications program against: a device by name, its geometry, buffers, and queues.
 *
 * <pre>
 *   Device.open("emu:1GiB") ── allocate ──▶ Buffer
 *          │
 *          ├── read, write, flush           one call, one command, waits
 *          │
 *          └── openQueue ──▶ Queue          bind slots once, then only numbers move
 *                             └── RetryingQueue     what may succeed the next time is tried again
 * </pre>
 *
 * The name decides the path ({@link io.aisio.xnvme.DeviceUri}); {@link io.aisio.xnvme.Device#path()} says which one was
 * taken. The application's code is the same on all of them.
 */
@NullMarked
package io.aisio.xnvme;

import org.jspecify.annotations.NullMarked;
