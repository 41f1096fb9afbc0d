package io.aisio.cli;

import io.aisio.homi.HomiControl;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ObjectNode;

/** {@code homi unexport}: ends a block device. */
@Command(
        name = "unexport",
        header = "Ends a block device that the daemon exports.",
        description = {"%nOne that is mounted or open is left alone, and the message says so: unmount it first."},
        parameterListHeading = "%nWhat:%n",
        footer = {"  sudo ./aisio homi unexport nvme0", "  sudo ./aisio homi unexport scratch"})
final class HomiUnexport implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private HomiOptions options;

    @Parameters(index = "0", paramLabel = "NAME", description = "The export's name: the device's, unless it was given.")
    @SuppressWarnings("NullAway.Init")
    private String name;

    @Override
    public Integer call() throws IOException {
        try (HomiControl control = options.open("unexport")) {
            ObjectNode _ = control.ask("export.remove", HomiControl.params().put("name", name));
        }
        System.out.println(Printable.of(name + " is exported no more"));
        return Exit.DONE;
    }
}
