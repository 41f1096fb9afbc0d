/**
 * The vfio-user protocol (version 0.1, as of its text 0.9.2): VFIO's requests as messages over a Unix socket, between a
 * client that drives a PCI function and a server that is one.
 *
 * <pre>
 *    client                                   server
 *      VERSION ───────────────────────────────▶            what each side can
 *      DEVICE_GET_INFO, GET_REGION_INFO ──────▶            ◀── a file: the doorbells, mapped by both
 *      DMA_MAP, with a file ──────────────────▶            memory, mapped by both
 *      REGION_READ, REGION_WRITE ─────────────▶            registers, configuration space
 * </pre>
 *
 * {@link io.aisio.upcie.vfiouser.VfioUser} has the numbers and offsets, {@link io.aisio.upcie.vfiouser.MessageStream} the
 * framing, for either end.
 */
@NullMarked
package io.aisio.upcie.vfiouser;

import org.jspecify.annotations.NullMarked;
