package io.aisio.emu;

/** When commands are due: not before the latency has passed, and no faster than the rates allow. */
final class Pace {
    private static final double NANOS = 1e9;

    private final long latencyNanos;
    private final double nanosPerCommand;
    private final double nanosPerByte;

    private final long start = System.nanoTime();
    /** When the rates let the next command begin, in nanoseconds since {@link #start}. */
    private double free;

    /**
     * @param latencyNanos the least that a command takes, 0 or more
     * @param iops commands a second, 0 for no limit
     * @param bytesPerSecond data moved a second, 0 for no limit
     */
    Pace(long latencyNanos, long iops, long bytesPerSecond) {
        this.latencyNanos = latencyNanos;
        nanosPerCommand = iops == 0 ? 0 : NANOS / iops;
        nanosPerByte = bytesPerSecond == 0 ? 0 : NANOS / bytesPerSecond;
    }

    /** When a command that moves {@code bytes} and came at {@code now} ({@link System#nanoTime}) is due. */
    long due(long now, long bytes) {
        free = Math.max(free, (double) (now - start)) + nanosPerCommand + bytes * nanosPerByte;
        return Math.max(now + latencyNanos, start + (long) free);
    }
}
