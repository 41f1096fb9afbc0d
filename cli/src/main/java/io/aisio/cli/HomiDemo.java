package io.aisio.cli;

import io.aisio.bench.Coexistence;
import io.aisio.bench.CoexistenceReport;
import io.aisio.bench.DataAtRisk;
import io.aisio.homi.daemon.Metered;
import io.aisio.homi.daemon.Status;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code homi demo}: every path at once, on this machine. */
@Command(
        name = "demo",
        header = "Shows every path at once, with checksums: on the software controller, or a device.",
        description = {
            "%nA daemon of its own has the software controller over an image with an XFS. Two processes (xnvmeperf at random,"
                    + " filperf comparing whole files) and this one (files by their extents, SHA-256) read through queue"
                    + " pairs of their own at once, and so does a GPU where there is one. As root, the kernel then mounts"
                    + " the same file system, through ublk where there is ublk_drv; a writer writes to it, and this process"
                    + " reads the same files by pinned extents. What each path moved is printed each second. All is gone"
                    + " afterwards. The exit code is 0 if all checksums agree.",
            "%nOn a device, which takes root and ublk_drv, the file system is made on its namespace 1, and stays."
        },
        footer = {
            "  ./aisio homi demo",
            "  sudo ./aisio homi demo --seconds 20",
            "  sudo ./aisio homi demo --destroy-data 0000:82:00.0"
        })
final class HomiDemo implements Callable<Integer> {
    private static final String MAIN = "io.aisio.cli/io.aisio.cli.Aisio";
    private static final int SHOWN_DIGITS = 16;

    @Option(
            names = "--seconds",
            converter = XnvmeperfOptions.Whole.class,
            defaultValue = "8",
            paramLabel = "N",
            description = "How long the load at random lasts (8).")
    private int seconds;

    @Option(
            names = "--folder",
            paramLabel = "DIR",
            description = "Work in a temporary folder below this one (the system's own).")
    private Path folder = Path.of(System.getProperty("java.io.tmpdir"));

    @Option(
            names = DataAtRisk.FLAG,
            description = "Make a file system on the device: all that it holds may be destroyed.")
    private boolean destroyData;

    @Parameters(arity = "0..1", paramLabel = "DEVICE", description = "A controller on the bus, or emu:SIZE?shared.")
    private @Nullable String device;

    private final Map<String, Metered.Counters> before = new HashMap<>();
    private long asked;

    @Override
    public Integer call() throws IOException {
        if (device != null) {
            DataAtRisk.check(List.of(device), destroyData);
        }
        CoexistenceReport report;
        try (Progress progress = Progress.onStandardError();
                Coexistence demo = Coexistence.in(folder, device, self(), seconds, progress::show, this::live)) {
            report = demo.run();
        }
        try (StandardOutput out = new StandardOutput()) {
            out.line("");
            TextTable table = new TextTable("WHO", "WAY", "FILES", "CHECKSUM", "RESULT");
            for (CoexistenceReport.Reader reader : report.readers()) {
                String sum = reader.checksum();
                table.add(
                        reader.who(),
                        reader.way(),
                        Long.toString(reader.files()),
                        sum.substring(0, Math.min(SHOWN_DIGITS, sum.length())),
                        reader.result());
            }
            table.print(out);
        }
        report.notes().forEach(note -> System.err.println(Printable.of("note: " + note)));
        report.mismatches().forEach(line -> System.err.println(Failures.line("MISMATCH " + line)));
        return report.ok() ? Exit.DONE : Exit.FAILED;
    }

    /** A line for each process, or block device, that moved something since the last. */
    private void live(Status status) {
        long now = System.nanoTime();
        double elapsed = (now - asked) / 1e9;
        Map<String, Moved> moved = new LinkedHashMap<>();
        for (Metered.Row row : status.rows()) {
            Metered.Counters counters = row.counters();
            Metered.Counters old = before.put(row.id(), counters);
            if (old != null) {
                moved.computeIfAbsent(who(row), _ -> new Moved()).add(old, counters);
            }
        }
        moved.forEach((who, sum) -> {
            if (sum.commands > 0) {
                System.out.println(Printable.of(String.format(
                        Locale.ROOT,
                        "%-42s %9.0f IOPS %8.1f MiB/s%s",
                        who,
                        sum.commands / elapsed,
                        sum.bytes / elapsed / 0x1p20,
                        sum.nanos <= 0
                                ? ""
                                : String.format(Locale.ROOT, " %8.1f us", sum.nanos / 1e3 / sum.commands))));
            }
        });
        asked = now;
    }

    private static String who(Metered.Row row) {
        return String.format(
                Locale.ROOT,
                "%-8s %s",
                row.path().name().toLowerCase(Locale.ROOT),
                row.path() == Metered.Path.KERNEL
                        ? Objects.requireNonNullElse(row.detail(), row.id())
                        : row.owner().name() + ", process " + row.owner().pid());
    }

    /** What went through all queues of somebody. */
    private static final class Moved {
        private long commands;
        private long bytes;
        private long nanos;

        void add(Metered.Counters from, Metered.Counters to) {
            commands += all(to) - all(from);
            bytes += to.bytesRead() + to.bytesWritten() - from.bytesRead() - from.bytesWritten();
            nanos += Math.max(0, to.latencyNanos()) - Math.max(0, from.latencyNanos());
        }
    }

    private static long all(Metered.Counters counters) {
        return counters.reads() + counters.writes() + counters.flushes();
    }

    /** How this process was started, up to where its arguments begin. */
    private static List<String> self() throws IOException {
        List<String> words = List.of(
                new String(Files.readAllBytes(Path.of("/proc/self/cmdline")), StandardCharsets.UTF_8).split("\0", -1));
        int main = words.indexOf(MAIN);
        if (main < 0) {
            throw new IOException("this program was not started as ./aisio starts it: " + words.getFirst());
        }
        return words.subList(0, main + 1);
    }
}
