/**
 * An NVMe controller in software, down to its registers: a driver that holds its {@link io.aisio.upcie.PciFunction}
 * cannot tell it from a card in a slot.
 *
 * <pre>
 *   the driver's side                        the controller's side
 *
 *   PciFunction ── bar(0) ──▶ RegisterFile ──▶ EmuController.step()   looks at CC and the doorbells,
 *        │                    plain memory        │                   fetches, executes, completes
 *        │                                        ├── AdminCommands   queues, Identify, features, logs, format
 *        │                                        └── NvmCommands     reads, writes, …  on Namespace ── Media
 *        │                                               │
 *        └── allocate ──────▶ IovaSpace ◀── PrpWalk ─────┘            every address that the driver posts is
 *                             IOVA to memory                          looked up, none is trusted
 * </pre>
 *
 * The controller sees registers, doorbells and the memory that the driver posts, and nothing else. Whatever is in them
 * gives the status that the specification names, or CSTS.CFS; it never throws, and never leaves the memory that was
 * allocated for it. One thread runs a controller: its own ({@link io.aisio.emu.EmuController#start}), or the caller's,
 * step by step ({@link io.aisio.emu.EmuController#step}).
 */
@NullMarked
package io.aisio.emu;

import org.jspecify.annotations.NullMarked;
