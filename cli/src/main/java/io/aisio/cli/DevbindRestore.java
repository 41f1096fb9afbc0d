package io.aisio.cli;

import io.aisio.upcie.PciAddress;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code devbind restore}: gives devices back the drivers that they had. */
@Command(
        name = "restore",
        header = "Gives devices back the drivers that they had.",
        description = {
            "%nWhat they had before the first change is kept in /run/aisio until the machine is restarted. Of a device of"
                    + " which nothing is kept, any driver may bind again."
        },
        footer = {"  sudo ./aisio devbind restore 0000:82:00.0", "  sudo ./aisio devbind restore --all"})
final class DevbindRestore implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private DevbindChange change;

    @Option(names = "--all", description = "Restore every device of which something is kept.")
    private boolean all;

    @Parameters(arity = "0..*", paramLabel = "ADDRESS", description = "Such as 0000:82:00.0 or 82:00.0.")
    private @Nullable List<String> typed;

    @Override
    public Integer call() throws IOException {
        List<String> named = typed == null ? List.of() : typed;
        if (all != named.isEmpty()) {
            throw new ParameterException(spec.commandLine(), "name the devices, or say --all");
        }
        if (!all) {
            return change.change(
                    change.addresses(named), address -> change.binding().restore(address));
        }
        return everything(new ArrayList<>(change.before().all().keySet()));
    }

    /** One that cannot be restored does not keep the others from it. */
    private int everything(List<PciAddress> addresses) throws IOException {
        if (addresses.isEmpty()) {
            System.out.println("Nothing to restore: every device has the driver that it had.");
        }
        int exit = Exit.DONE;
        for (PciAddress address : addresses) {
            try {
                change.change(List.of(address), one -> change.binding().restore(one));
            } catch (IOException e) {
                XalOptions.stopIfInterrupted();
                System.err.println(Failures.line(Failures.message(e)));
                exit = Exit.FAILED;
            }
        }
        return exit;
    }
}
