package io.aisio.nvme;

import java.time.Duration;

/**
 * How long the driver waits. Enabling and disabling are not here: the controller tells that itself (CAP.TO).
 *
 * @param admin an admin command
 * @param io an I/O command
 * @param format Format NVM, which may overwrite the whole device
 * @param shutdown an orderly shutdown, unless the controller asks for longer (RTD3E)
 */
public record Timeouts(Duration admin, Duration io, Duration format, Duration shutdown) {
    /** As Linux's driver has them: 60 s for admin commands, 30 s for I/O; 10 minutes to format, 10 s to shut down. */
    public static final Timeouts DEFAULT = new Timeouts(
            Duration.ofSeconds(60), Duration.ofSeconds(30), Duration.ofMinutes(10), Duration.ofSeconds(10));
}
