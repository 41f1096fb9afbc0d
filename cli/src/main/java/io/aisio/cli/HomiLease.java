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

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private HomiQueueOptions what;

    @Parameters(index = "1..*", paramLabel = "COMMAND", description = "What to run meanwhile, behind --.")
    private List<String> command = List.of();

    @Override
    public Integer call() throws IOException {
        try (HomiControl control = options.open("lease")) {
            ObjectNode lease =
                    control.ask("device.open", what.request().put("access", what.readOnly() ? "read" : "write"));
            for (int i = 0; i < what.queues(); i++) {
                ObjectNode queue =
                        HomiControl.params().put("lease", lease.path("lease").longValue(0));
                ObjectNode _ = control.ask("queue.create", queue.put("depth", what.depth()));
            }
            System.err.println(Printable.of("note: " + what + (what.queues() == 1 ? " is" : " are") + " held"
                    + (command.isEmpty() ? " until Ctrl-C" : "")));
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
        Process process;
        try {
            process = builder.start();
        } catch (IOException e) {
            throw new IOException(
                    "'" + command.getFirst() + "' cannot be run; next: name a program that is there, and executable",
                    e);
        }
        try {
            return process.waitFor();
        } catch (InterruptedException e) {
            process.destroy();
            throw (IOException) new InterruptedIOException("interrupted").initCause(e);
        }
    }
}
