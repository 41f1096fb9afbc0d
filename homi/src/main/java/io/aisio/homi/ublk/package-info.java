/**
 * A namespace as a block device of the kernel ({@code /dev/ublkbN}), served from this process.
 *
 * <pre>
 *   file systems ─ block layer ─ ublk_drv ══ io_uring, a ring a queue ══ ExportedQueue ══ nvme.QueuePair ═▶ the controller
 *                                  copies data to and from memory that the controller reaches
 * </pre>
 *
 * Each queue has a thread, a ring and a queue pair of its own, and memory for the data of every request it can have. When
 * this process dies, the device stays, requests wait, and the next process that serves the same namespace takes it over.
 */
@NullMarked
package io.aisio.homi.ublk;

import org.jspecify.annotations.NullMarked;
