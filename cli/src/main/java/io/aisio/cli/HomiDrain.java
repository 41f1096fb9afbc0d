package io.aisio.cli;

import io.aisio.homi.HomiControl;
import io.aisio.homi.daemon.Status;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ObjectNode;

/** {@code homi drain}: leases nothing more. */
@Command(
        name = "drain",
        header = "Leases nothing more of a device, or of all; who has queue pairs keeps them until he leaves.",
        description = {"%nFrom then on homi status is not ready. There is no way back but to start the daemon anew."},
        parameterListHeading = "%nWhat:%n",
        footer = {"  ./aisio homi drain --wait && ./aisio homi shutdown", "  ./aisio homi drain nvme0"})
final class HomiDrain implements Callable<Integer> {
    private static final long LOOK_MILLIS = 200;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private HomiOptions options;

    @Option(names = "--wait", description = "Return when nothing is leased any more.")
    private boolean wait;

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "DEVICE",
            description = "The device, as ./aisio homi list names it (all).")
    private @Nullable String device;

    @Override
    public Integer call() throws IOException {
        try (HomiControl control = options.open("drain")) {
            ObjectNode asked = HomiControl.params();
            long leases = control.ask("drain", device == null ? asked : asked.put("device", device))
                    .path("leases")
                    .longValue(0);
            System.out.println((device == null ? "the daemon" : device) + " is being drained; " + leases
                    + (leases == 1 ? " lease is left" : " leases are left"));
            for (CountDownLatch never = new CountDownLatch(1); wait && leases > 0; ) {
                boolean _ = never.await(LOOK_MILLIS, TimeUnit.MILLISECONDS);
                leases = control.status().devices().stream()
                        .filter(one -> device == null || one.name().equals(device))
                        .mapToInt(Status.DeviceStatus::leases)
                        .sum();
            }
        } catch (InterruptedException e) {
            // Ctrl-C, which the exit code tells: the drain goes on.
        }
        return Exit.DONE;
    }
}
