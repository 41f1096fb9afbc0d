package io.aisio.cli;

import io.aisio.homi.HomiControl;
import java.io.IOException;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** {@code homi export}: a namespace as a block device. */
@Command(
        name = "export",
        header = "Makes a namespace a block device of the kernel (ublk), to be mounted like any other.",
        description = {
            "%nThe daemon serves it by queue pairs of its own, beside those that it leases. It stays until it is unexported;"
                    + " if the daemon is killed and started again, it goes on. It takes a kernel with ublk (modprobe"
                    + " ublk_drv), and root, the daemon's user, or a user whom the configuration gives control. Whoever"
                    + " leases queue pairs of the same namespace and writes to it destroys what is mounted."
        },
        parameterListHeading = "%nWhat:%n",
        footer = {
            "  sudo ./aisio homi export nvme0",
            "  sudo ./aisio homi export nvme0 --name scratch --queues 4 --depth 64 --id 7"
        })
final class HomiExport implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private HomiOptions options;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private HomiQueueOptions what;

    @Option(names = "--name", paramLabel = "NAME", description = "By which it is unexported (the device's).")
    private @Nullable String name;

    @Option(
            names = "--id",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "-1",
            paramLabel = "N",
            description = "The N of /dev/ublkbN (any).")
    private int id;

    @Override
    public Integer call() throws IOException {
        ObjectNode asked = what.request()
                .put("name", name == null ? what.device() : name)
                .put("queues", what.queues())
                .put("depth", what.depth())
                .put("readOnly", what.readOnly())
                .put("id", id);
        try (HomiControl control = options.open("export")) {
            ObjectNode answer = control.ask("export.add", asked);
            System.out.println(Printable.of(answer.path("export").path("detail").stringValue("exported")));
        }
        return Exit.DONE;
    }
}
