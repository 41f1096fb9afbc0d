/**
 * The driver against QEMU's NVMe controllers, without a guest.
 *
 * <pre>
 *    test ── NvmeController ── QtestFunction ┬─ QtestBar ── QtestSocket ══ a line each way ══▶ registers ┐
 *                                           │                                                           │ QEMU
 *                                           └─ DmaMemory ═══════ one file, mapped by both ═══▶ "RAM" ────┘
 * </pre>
 *
 * QEMU's processor is halted. What it calls RAM is a file that this process maps too, so that data and completions take
 * the way of real DMA, at the speed of memory; registers and doorbells go through QEMU's test socket, some tens of
 * microseconds each.
 */
package io.aisio.rig.qtest;
