package io.aisio.cli;

import io.aisio.homi.HomiControl;
import io.aisio.homi.HomiSocket;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ObjectNode;

/** {@code homi lease}: holds queue pairs. */
@Command(
        name = "lease",
        header = "Holds queue pairs of a device while a command runs, or until Ctrl-C.",
        description = {
            "%nNothing goes through them: programs lease their own, by homi:NAME. It is good for keeping queue pairs from"
                    + " others, for a drain that is not to end before a command has, and for seeing quotas and reclaim"
                    + " at work: kill it, and the daemon takes back what it held. The command has the daemon's socket in"
                    + " AISIO_HOMI_SOCKET; its exit code is this one's."
        },
        parameterListHeading = "%nWhat:%n",
        footer = {
            "  ./aisio homi lease nvme0 --queues 4 --depth 64",
            "  ./aisio homi lease nvme0 -- ./aisio xnvme info homi:nvme0"
        })
final class HomiLease implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private HomiOptions options;

    @Option(
            names = "--queues",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "1",
            paramLabel = "N",
            description = "Queue pairs (1).")
    private int queues;

    @Option(
            names = "--depth",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "128",
            paramLabel = "N",
            description = "Commands in flight in each at most (128).")
    private int depth;

    @Option(names = "--nsid", defaultValue = "1", paramLabel = "N", description = "Namespace (1).")
    private long nsid;

    @Option(names = "--read-only", description = "Only to read.")
    private boolean readOnly;

    @Parameters(index = "0", paramLabel = "NAME", description = "The device, as ./aisio homi list names it.")
    @SuppressWarnings("NullAway.Init")
    private String device;

    @Parameters(index = "1..*", paramLabel = "COMMAND", description = "What to run meanwhile, behind --.")
    private List<String> command = List.of();

    @Override
    public Integer call() throws IOException {
        try (HomiControl control = options.open("lease")) {
            ObjectNode asked = HomiControl.params().put("device", device).put("nsid", nsid);
            ObjectNode lease = control.ask("device.open", asked.put("access", readOnly ? "read" : "write"));
            for (int i = 0; i < queues; i++) {
                ObjectNode queue =
                        HomiControl.params().put("lease", lease.path("lease").longValue(0));
                ObjectNode _ = control.ask("queue.create", queue.put("depth", depth));
            }
            System.err.println(Printable.of("note: " + queues + " queue pairs of depth " + depth + " of " + device
                    + " are held" + (command.isEmpty() ? " until Ctrl-C" : "")));
            return command.isEmpty() ? hold() : run();
        }
    }

    static Integer hold() {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException e) {
            // Ctrl-C, which the exit code tells: what is held is given back now.
        }
        return Exit.DONE;
    }

    private Integer run() throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).inheritIO();
        builder.environment()
                .put(HomiSocket.VARIABLE, options.socket().toAbsolutePath().toString());
        Process process = builder.start();
        try {
            return process.waitFor();
        } catch (InterruptedException e) {
            process.destroy();
            throw (IOException) new InterruptedIOException("interrupted").initCause(e);
        }
    }
}
