package io.aisio.cli;

import io.aisio.bench.DriverCost;
import io.aisio.bench.Quickstart;
import io.aisio.bench.QuickstartReport;
import io.aisio.bench.ReportJson;
import io.aisio.emu.EmuConfiguration;
import io.aisio.emu.EmuController;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code quickstart}: everything once, on this machine, in under a minute. */
@Command(
        name = "quickstart",
        header = "Reads a real file system's files through a user-space NVMe queue pair: no root, no hardware.",
        description = {
            "",
            "Makes files of a training set's shape in a temporary folder, puts them into a fresh XFS image,",
            "opens the image as a namespace of the software controller, reads every file by its extents and",
            "compares it with its source by SHA-256; then measures what the driver costs for an I/O."
        },
        footer = {"  ./aisio quickstart", "  ./aisio quickstart --keep --folder /data/tmp"})
final class QuickstartCommand implements Callable<Integer> {
    /** Depth and I/O size at which the driver's cost is stated. */
    private static final int DEPTH = 128;

    private static final int BYTES = 512;
    /** Windows of a millisecond each. */
    private static final int WINDOWS = 1000;

    @Option(names = "--keep", description = "Keep the image, and say where it is.")
    private boolean keep;

    @Option(
            names = "--folder",
            paramLabel = "DIR",
            description = "Work in a temporary folder below this one (the system's own).")
    private Path folder = Path.of(System.getProperty("java.io.tmpdir"));

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private Output output;

    @Override
    public Integer call() throws IOException {
        QuickstartReport report;
        DriverCost cost;
        Path image;
        try (Progress progress = Progress.onStandardError();
                Quickstart quickstart = Quickstart.in(folder, progress::show)) {
            report = quickstart.run();
            progress.show("measuring the driver");
            cost = driverCost();
            image = quickstart.image();
            if (keep) {
                quickstart.keepImage();
            }
        }
        if (output == Output.json) {
            System.out.println(ReportJson.of(report, cost));
        } else {
            tell(report, cost);
            suggest(image);
        }
        report.mismatches().forEach(line -> System.err.println("  MISMATCH " + line));
        return report.ok() ? Exit.DONE : Exit.FAILED;
    }

    private static void tell(QuickstartReport report, DriverCost cost) {
        if (report.shipped()) {
            System.out.println("mkfs.xfs was not found, so this is the small image that comes with the program;");
            System.out.println("for a larger one: apt-get install xfsprogs");
            System.out.println();
        }
        System.out.printf(
                Locale.ROOT, "%7s %9s %10s %10s %11s  %s%n", "Files", "MiB", "MiB/s", "IOPS", "Mismatches", "Path");
        System.out.printf(
                Locale.ROOT,
                "%7d %9.1f %10.1f %10.0f %11d  %s%n",
                report.files(),
                report.bytes() / 0x1p20,
                report.bytesPerSecond() / 0x1p20,
                report.iops(),
                report.mismatches().size(),
                report.path());
        System.out.println();
        System.out.printf(
                Locale.ROOT,
                "The driver costs %.1f ns for a read of %d bytes at depth %d: choose a block, submit, reap.%n",
                cost.nanosPerIo(),
                BYTES,
                DEPTH);
        System.out.printf(
                Locale.ROOT,
                "(null media, the controller stepped on the same thread; its own %.1f ns are not in it)%n",
                cost.modelNanosPerIo());
        System.out.println();
    }

    private void suggest(Path image) {
        System.out.println("Try next:");
        if (keep) {
            System.out.println("  ./aisio xal find " + image);
            System.out.println("  ./aisio xal bmap " + image + " /class000/class000_00000000.bin");
        }
        System.out.println(
                "  ./aisio xnvmeperf run --iopattern randread --qdepth 128 --iosize 512 --runtime 3 emu:null,1TiB");
        System.out.println("  ./aisio xnvmeperf verify --iosize 4096 --count 4096 emu:1GiB");
        if (!keep) {
            System.out.println("  ./aisio quickstart --keep");
        }
    }

    private static DriverCost driverCost() throws IOException {
        EmuController controller = EmuController.open("emu", EmuConfiguration.nothing(1L << 40));
        controller.start();
        try (NvmeDevice device = NvmeDevice.open(controller.function(), 1, "emu", "null media");
                Buffer buffer = device.allocate((long) DEPTH * BYTES);
                Queue queue = device.openQueue(DEPTH)) {
            for (int slot = 0; slot < DEPTH; slot++) {
                queue.bindRead(slot, buffer, (long) slot * BYTES, BYTES);
            }
            controller.stop();
            try {
                int lbas = BYTES / device.geometry().lbaBytes();
                return DriverCost.measure(queue, device.geometry().lbaCount() / lbas, lbas, controller::step, WINDOWS);
            } finally {
                controller.start();
            }
        }
    }
}
