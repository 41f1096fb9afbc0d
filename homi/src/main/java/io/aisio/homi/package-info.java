/**
 * A device that a daemon owns, used by its clients through queue pairs of their own.
 *
 * <pre>
 *   a client ── HomiClient ── socket ──▶ daemon.Daemon ── NvmeController        to get a lease, and when something happens
 *      │
 *      └─────── QueuePair ── rings and doorbells, mapped ─────────▶ the controller    each command
 * </pre>
 *
 * The daemon stands aside once it has created the queues: what a command costs is what it costs who owns the device.
 */
@NullMarked
package io.aisio.homi;

import org.jspecify.annotations.NullMarked;
