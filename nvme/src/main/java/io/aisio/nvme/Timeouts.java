package io.aisio.nvme;

import io.aisio.nvme.spec.Opcode;
import java.time.Duration;

/**
 * How long the driver waits before it does something about a command ({@code Abort} first, at last a reset). Enabling and disabling are not here: the controller tells that itself (CAP.TO).
 *
 * @param admin an admin command
 * @param io an I/O command
 * @param format Format NVM, which may overwrite the whole device, and other admin commands that take long: Sanitize,
 *     Namespace Management, Firmware Commit
 * @param shutdown an orderly shutdown, unless the controller asks for longer (RTD3E)
 */
public record Timeouts(Duration admin, Duration io, Duration format, Duration shutdown) {
    private static final int NAMESPACE_MANAGEMENT = 0x0D;
    private static final int FIRMWARE_COMMIT = 0x10;
    private static final int SANITIZE = 0x84;

    /** As Linux's driver has them: 60 s for admin commands, 30 s for I/O; 10 minutes to format, 10 s to shut down. */
    public static final Timeouts DEFAULT = new Timeouts(
            Duration.ofSeconds(60), Duration.ofSeconds(30), Duration.ofMinutes(10), Duration.ofSeconds(10));

    /** How long an admin command may take. */
    Duration of(Command command) {
        return switch (command.opcode()) {
            case Opcode.FORMAT_NVM, SANITIZE, NAMESPACE_MANAGEMENT, FIRMWARE_COMMIT -> format;
            default -> admin;
        };
    }
}
