package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.homi.daemon.Configuration;
import io.aisio.homi.daemon.Export;
import io.aisio.homi.daemon.Metered;
import io.aisio.homi.daemon.Status;
import io.aisio.rig.Machine.BoundFunction;
import io.aisio.upcie.Access;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;

/** One controller, which a daemon owns, and every path to it at once. */
final class CoexistenceCases {
    private static final String BLOCK = "/dev/ublkb0";

    private CoexistenceCases() {}

    /**
     * The kernel has a file system mounted, through a block device that the daemon makes, and somebody writes to it; a process
     * reads the same files through a queue pair that it leases. The daemon's status counts both.
     */
    static void theKernelAndAProcessShareAFileSystem() throws Exception {
        Machine.load("ublk_drv", "xfs");
        Path mount = Files.createTempDirectory("shared");
        try (BoundFunction function = Driven.bound(Access.IOMMUFD);
                Homid homid = Homid.start(
                        List.of(new Configuration.Device("card", function.address(), true)),
                        List.of(new Export.Request("data", "card", 1, "ublk", 2, 32, false, -1)),
                        List.of(new Configuration.FileSystem(mount.toString(), "card", 1)),
                        List.of())) {
            Machine.run("mkfs.xfs", "-q", "-f", BLOCK);
            Machine.run("mount", "-t", "xfs", BLOCK, mount.toString());
            try {
                Metered.Counters before = kernels(homid);
                SharedFiles.writeAndReadAtOnce(
                        homid,
                        mount,
                        "homi:card?access=read&socket=" + homid.socket(),
                        (reader, bytes) -> requireCounted(homid, before, reader.pid(), bytes));
            } finally {
                Machine.unmount(mount);
            }
            Machine.run("xfs_repair", "-n", BLOCK);
        }
        assertThat(Path.of(BLOCK)).doesNotExist();
    }

    /** Both paths have moved what was written and read, and the daemon knows of both. */
    private static void requireCounted(Homid homid, Metered.Counters before, long reader, long bytes) {
        Status status = homid.status();
        assertThat(status.ready()).isTrue();
        assertThat(status.devices()).singleElement().satisfies(card -> {
            assertThat(card.queuesUsed())
                    .as("two of the export, one of the reader")
                    .isEqualTo(3);
            assertThat(card.leases()).as("the reader's, and that of its pins").isEqualTo(2);
        });
        Metered.Counters kernel = kernels(homid);
        assertThat(kernel.bytesWritten() - before.bytesWritten())
                .as("what the kernel wrote, which is more than was read of it")
                .isGreaterThan(bytes);
        assertThat(kernel.writes()).isGreaterThan(before.writes());
        assertThat(kernel.flushes()).isGreaterThan(before.flushes());
        assertThat(kernel.failed()).isZero();
        assertThat(kernel.told()).isFalse();
        Predicate<Metered.Row> readers =
                row -> row.path() == Metered.Path.PROCESS && row.owner().pid() == reader;
        // It tells once a second.
        Machine.await(
                "the reader has told what it read",
                () -> counters(homid, readers).bytesRead() >= bytes);
        Metered.Counters process = counters(homid, readers);
        assertThat(process.told()).isTrue();
        assertThat(process.writes()).isZero();
        assertThat(process.failed()).isZero();
    }

    private static Metered.Counters kernels(Homid homid) {
        return counters(homid, row -> row.path() == Metered.Path.KERNEL);
    }

    private static Metered.Counters counters(Homid homid, Predicate<Metered.Row> which) {
        List<Metered.Row> rows = homid.status().rows().stream().filter(which).toList();
        assertThat(rows).hasSize(1);
        return rows.getFirst().counters();
    }
}
