package io.aisio.homi.view;

import io.aisio.homi.daemon.Events;
import io.aisio.homi.daemon.FileSystemStatus;
import io.aisio.homi.daemon.Metered.Counters;
import io.aisio.homi.daemon.Metered.Owner;
import io.aisio.homi.daemon.Metered.Path;
import io.aisio.homi.daemon.Metered.Row;
import io.aisio.homi.daemon.Status;
import io.aisio.homi.daemon.Status.ClientStatus;
import io.aisio.homi.daemon.Status.DeviceStatus;
import io.aisio.homi.daemon.Status.NamespaceStatus;
import java.time.Instant;
import java.util.List;

/** A daemon that has much to do. */
final class Samples {
    private static final Instant STARTED = Instant.parse("2026-01-01T00:00:00Z");

    private Samples() {}

    /** After so many seconds of a load that goes up and down a little. */
    static Snapshot after(long seconds) {
        long reads = 0;
        for (long second = 1; second <= seconds; second++) {
            reads += 400_000 + 60_000 * (second % 5);
        }
        List<Row> rows = List.of(
                row(
                        "client 1, lease 1, queue 1",
                        Path.PROCESS,
                        new Owner(4711, 1000, "xnvmeperf"),
                        1,
                        128,
                        reads,
                        512,
                        210_000),
                row(
                        "client 2, lease 1, queue 1",
                        Path.PROCESS,
                        new Owner(4712, 1001, "<b>filperf</b>"),
                        2,
                        64,
                        reads / 9,
                        65536,
                        400_000),
                row(
                        "client 3, lease 1, queue 1",
                        Path.GPU,
                        new Owner(4713, 1000, "trainer"),
                        3,
                        1024,
                        reads * 3,
                        4096,
                        90_000),
                row("ublkb0", Path.KERNEL, new Owner(0, 0, "kernel"), 0, 128, reads / 20, 4096, 85_000));
        DeviceStatus device = new DeviceStatus(
                "nvme0",
                "emu:4GiB?shared",
                "software controller",
                "working",
                null,
                "AISIO0001",
                "AiSIO software controller",
                "1.0",
                List.of(new NamespaceStatus(1, 512, 4L << 30, false)),
                0,
                5,
                64,
                1024,
                3,
                1,
                true,
                "each client's commands reach its own memory alone",
                true);
        DeviceStatus failed = new DeviceStatus(
                "nvme1",
                "0000:82:00.0",
                "VFIO",
                "failed",
                "its registers read as all ones",
                "S1",
                "Some model",
                "F1",
                List.of(),
                0,
                0,
                0,
                0,
                0,
                4,
                true,
                "by nothing but trust",
                false);
        Status status = new Status(
                Status.VERSION,
                false,
                "degraded",
                4242,
                STARTED,
                "/run/homi/homi.sock",
                List.of(device, failed),
                List.of(new ClientStatus(1, new Owner(4711, 1000, "xnvmeperf"), STARTED, 1, 1, 1 << 20)),
                rows,
                0,
                3);
        return new Snapshot(
                STARTED.plusSeconds(100 + seconds),
                seconds * 1_000_000_000L,
                status,
                List.of(new FileSystemStatus(
                        "/mnt/data",
                        "nvme0",
                        1,
                        "current",
                        "",
                        "inotify and eBPF",
                        12_345,
                        67,
                        23_456,
                        9 << 20,
                        2,
                        1,
                        17)),
                List.of(
                        new Events.Event(1, STARTED, "started", null, "process 4242 listens"),
                        new Events.Event(2, STARTED.plusSeconds(60), "leased", "nvme0", "lease 1 to process 4711"),
                        new Events.Event(
                                3, STARTED.plusSeconds(90), "failed", "nvme1", "its registers read as all ones")));
    }

    private static Row row(
            String id, Path path, Owner owner, long lease, int depth, long reads, long bytes, long nanos) {
        boolean kernel = path == Path.KERNEL;
        Counters counters = new Counters(
                !kernel,
                reads,
                kernel ? reads / 2 : 0,
                kernel ? 7 : 0,
                0,
                reads * bytes,
                kernel ? reads / 2 * bytes : 0,
                reads * nanos);
        return new Row(
                id,
                "nvme0",
                1,
                path,
                owner,
                lease,
                (int) lease,
                depth,
                1,
                !kernel,
                STARTED.plusSeconds(30),
                "working",
                counters,
                kernel ? "/dev/ublkb0" : null);
    }
}
