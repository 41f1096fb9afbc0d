/**
 * The NVMe driver: a controller brought up, its queue pairs, commands.
 *
 * <pre>
 *    PciFunction ──▶ NvmeController ── createQueuePair ──▶ QueuePair
 *                       │  registers, admin queue            │  one thread, no lock, no allocation
 *                       ▼                                    ▼
 *                    identify, features                   bind once, then submit and poll
 * </pre>
 *
 * The driver knows registers and DMA memory ({@link io.aisio.upcie}), not how they were got.
 */
@NullMarked
package io.aisio.nvme;

import org.jspecify.annotations.NullMarked;
