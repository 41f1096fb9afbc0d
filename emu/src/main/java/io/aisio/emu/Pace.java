package io.aisio.emu;

import io.aisio.nvme.link.PcieLink;
import org.jspecify.annotations.Nullable;

/** When commands are due: not before the latency has passed, and no faster than the rates and links allow. */
final class Pace {
    private static final double NANOS = 1e9;

    private final long latencyNanos;
    private final double nanosPerCommand;
    private final double nanosPerByte;
    private final @Nullable LinkTime link;
    private final @Nullable LinkTime uplink;

    private final long start = System.nanoTime();
    /** When the rates let the next command begin, in nanoseconds since {@link #start}. */
    private double free;

    /**
     * @param latencyNanos the least that a command takes, 0 or more
     * @param iops commands a second, 0 for no limit
     * @param bytesPerSecond data moved a second, 0 for no limit
     * @param link the controller's own link, null for none
     * @param uplink a link that its data crosses too, null for none
     */
    Pace(long latencyNanos, long iops, long bytesPerSecond, @Nullable PcieLink link, @Nullable SharedLink uplink) {
        this.latencyNanos = latencyNanos;
        nanosPerCommand = iops == 0 ? 0 : NANOS / iops;
        nanosPerByte = bytesPerSecond == 0 ? 0 : NANOS / bytesPerSecond;
        this.link = link == null ? null : new LinkTime(link, true);
        this.uplink = uplink == null ? null : uplink.time();
    }

    /**
     * When a command is due that came at {@code now} ({@link System#nanoTime}).
     *
     * @param write whether it moves data to the controller, else from it
     * @param bytes of data that it moves
     */
    long due(long now, boolean write, long bytes) {
        free = Math.max(free, (double) (now - start)) + nanosPerCommand + bytes * nanosPerByte;
        long due = Math.max(now + latencyNanos, start + (long) free);
        // The links are crossed at once, packet by packet: whichever is done last decides.
        if (link != null) {
            due = Math.max(due, link.pass(now, write, bytes));
        }
        if (uplink != null) {
            due = Math.max(due, uplink.pass(now, write, bytes));
        }
        return due;
    }
}
