package io.aisio.cli;

import io.aisio.homi.HomiControl;
import io.aisio.homi.daemon.FileSystemStatus;
import io.aisio.homi.daemon.Metered;
import io.aisio.homi.daemon.Status;
import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code homi status}: all that the daemon tells of itself. */
@Command(
        name = "status",
        header = "Tells how the daemon is: devices, clients, queues and what went through them.",
        description = {
            "%nThe exit code is the daemon's health: 0 if every device works and nothing is being drained or ended, 1 if"
                    + " not, or if no daemon answers."
        },
        footer = {"  ./aisio homi status", "  ./aisio homi status --output json --socket /run/homi/homi.sock"})
final class HomiStatus implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private HomiOptions options;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private OutputFormat output;

    @Override
    public Integer call() throws IOException {
        Status status;
        List<FileSystemStatus> fileSystems;
        try (HomiControl control = options.open("status")) {
            status = control.status();
            fileSystems = control.fileSystems();
        }
        if (output.human()) {
            try (StandardOutput out = new StandardOutput()) {
                print(status, fileSystems, out);
            }
        } else {
            XnvmeReport.of("homi", "status")
                    .putAll(status)
                    .put("file_systems", fileSystems)
                    .print(output.format());
        }
        return status.ready() ? Exit.DONE : Exit.FAILED;
    }

    private static void print(Status status, List<FileSystemStatus> fileSystems, StandardOutput out)
            throws IOException {
        out.line("homid is " + status.state() + ": process " + status.pid() + ", on " + status.socket() + ", for "
                + ago(status.started()));
        out.line("");
        HomiList.table(status.devices()).print(out);
        out.line("");
        if (status.clients().isEmpty()) {
            out.line("No client.");
        } else {
            TextTable clients =
                    new TextTable("CLIENT", "NAME", "PROCESS", "UID", "LEASES", "QUEUES", "MEMORY", "SINCE");
            for (Status.ClientStatus client : status.clients()) {
                clients.add(
                        Long.toString(client.id()),
                        client.owner().name(),
                        Integer.toString(client.owner().pid()),
                        Integer.toString(client.owner().uid()),
                        Integer.toString(client.leases()),
                        Integer.toString(client.queues()),
                        ByteSize.format(client.memoryBytes()),
                        ago(client.since()));
            }
            clients.print(out);
        }
        out.line("");
        rows(status.rows(), out);
        if (!fileSystems.isEmpty()) {
            out.line("");
            HomiExtentsCommand.table(fileSystems).print(out);
        }
    }

    private static void rows(List<Metered.Row> rows, StandardOutput out) throws IOException {
        if (rows.isEmpty()) {
            out.line("No queue is leased, nothing is exported.");
            return;
        }
        TextTable table = new TextTable(
                "QUEUES", "PATH", "DEVICE", "OWNER", "ACCESS", "DEPTH", "READS", "WRITES", "FAILED", "MEAN", "STATE");
        for (Metered.Row row : rows) {
            Metered.Counters counters = row.counters();
            long all = counters.reads() + counters.writes() + counters.flushes();
            String detail = row.detail();
            table.add(
                    detail == null ? row.id() : detail,
                    row.path().name().toLowerCase(Locale.ROOT),
                    row.nsid() == 0 ? row.device() : row.device() + "/" + row.nsid(),
                    row.owner().name() + ", process " + row.owner().pid(),
                    row.readOnly() ? "read" : "write",
                    (row.queues() == 1 ? "" : row.queues() + " queues" + (row.depth() == 0 ? "" : ", "))
                            + (row.depth() == 0 ? "" : row.depth()),
                    Long.toString(counters.reads()),
                    Long.toString(counters.writes()),
                    Long.toString(counters.failed()),
                    all == 0 || counters.latencyNanos() < 0
                            ? ""
                            : String.format(Locale.ROOT, "%.1f us", counters.latencyNanos() / 1e3 / all),
                    row.state());
        }
        table.print(out);
    }

    /** How long ago, in words. */
    static String ago(Instant then) {
        Duration since = Duration.between(then, Instant.now());
        if (since.toSeconds() < 120) {
            return Math.max(0, since.toSeconds()) + " s";
        }
        if (since.toMinutes() < 120) {
            return since.toMinutes() + " min";
        }
        return since.toHours() < 48 ? since.toHours() + " h" : since.toDays() + " d";
    }
}
