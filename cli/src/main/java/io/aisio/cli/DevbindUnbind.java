package io.aisio.cli;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code devbind unbind}: takes devices from their driver. */
@Command(
        name = "unbind",
        header = "Takes devices from their driver, and leaves them without.",
        description = {
            "%nThe same devices are refused as by 'devbind bind', and 'devbind restore' gives back what they had."
        },
        footer = {"  sudo ./aisio devbind unbind 0000:82:00.0", "  ./aisio devbind unbind --dry-run 0000:82:00.0"})
final class DevbindUnbind implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init")
    private DevbindChange change;

    @Parameters(arity = "1..*", paramLabel = "ADDRESS", description = "Such as 0000:82:00.0 or 82:00.0.")
    @SuppressWarnings("NullAway.Init")
    private List<String> typed;

    @Override
    public Integer call() throws IOException {
        return change.change(
                change.addresses(typed), address -> change.binding().unbind(address));
    }
}
