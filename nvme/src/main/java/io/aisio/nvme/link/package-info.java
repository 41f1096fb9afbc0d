/**
 * What PCI Express and NVMe cost: how many commands and bytes a second the links between SSDs, a switch and a GPU let
 * through at most, by arithmetic.
 *
 * <pre>
 *    PcieLink      generation, lanes, largest payload of a packet: bytes a second, and what a packet costs
 *    NvmeTraffic   one command on a link: packets and bytes, each way
 *    DataPath      SSDs ──▶ switch ──▶ GPU: for a size of I/O, the {@link io.aisio.nvme.link.Ceiling} and which link sets it
 * </pre>
 *
 * It knows nothing of latency and queue depth: a ceiling is what full queues reach when nothing else is in the way.
 * docs/link-model.md has the formulas, a worked example, and what is uncertain.
 */
@NullMarked
package io.aisio.nvme.link;

import org.jspecify.annotations.NullMarked;
