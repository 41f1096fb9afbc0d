package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.aisio.homi.daemon.Events;
import io.aisio.homi.daemon.Export;
import io.aisio.homi.daemon.Metered;
import io.aisio.homi.ublk.UblkExports;
import io.aisio.rig.Machine.BoundFunction;
import io.aisio.upcie.Access;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;

/**
 * Namespaces as block devices of the kernel: file systems on them, a server that is killed under load, and one that is
 * stopped.
 */
final class UblkCases {
    private static final int QUEUES = 2;
    private static final int DEPTH = 32;
    private static final String DEVICE = Driven.name(Access.IOMMUFD, 1);
    private static final String BLOCK = "/dev/ublkb0";

    private UblkCases() {}

    /** A namespace that this process serves. */
    private record Served(Device device, Export export, Events events) implements AutoCloseable {
        static Served start(boolean readOnly) throws IOException {
            Device device = Device.open(DEVICE);
            try {
                Events events = new Events();
                UblkExports exports = new UblkExports();
                Export.Request request =
                        new Export.Request("x", DEVICE, 1, exports.kind(), QUEUES, DEPTH, readOnly, -1);
                return new Served(device, exports.start(request, (NvmeDevice) device, events), events);
            } catch (IOException | RuntimeException e) {
                device.close();
                throw e;
            }
        }

        List<String> kinds() {
            return events.since(0, Events.KEPT).stream().map(Events.Event::kind).toList();
        }

        @Override
        public void close() throws IOException {
            export.close();
            device.close();
        }
    }

    private static void needs(String... programs) {
        for (String program : programs) {
            if (!Files.exists(Path.of("/usr/bin", program)) && !Files.exists(Path.of("/usr/sbin", program))) {
                throw new NeedsException("needs " + program);
            }
        }
    }

    private static BoundFunction bound() {
        Machine.load("ublk_drv");
        return Driven.bound(Access.IOMMUFD);
    }

    /** A folder with the block device mounted. */
    private static Path mounted(String fileSystem) throws IOException {
        Machine.load(fileSystem);
        Path folder = Files.createTempDirectory("ublk");
        Machine.run("mount", "-t", fileSystem, BLOCK, folder.toString());
        return folder;
    }

    private static byte[] content(int seed, int bytes) {
        byte[] content = new byte[bytes];
        new Random(seed).nextBytes(content);
        return content;
    }

    private static void writeFiles(Path folder, int seed) throws IOException {
        for (int i = 0; i < 16; i++) {
            Files.write(folder.resolve("file" + i), content(seed + i, 1 << (8 + i % 10)));
        }
        Machine.run("sync", "-f", folder.toString());
    }

    private static void requireFiles(Path folder, int seed) throws IOException {
        Machine.write(Path.of("/proc/sys/vm/drop_caches"), "3");
        for (int i = 0; i < 16; i++) {
            assertThat(Files.readAllBytes(folder.resolve("file" + i)))
                    .as("file %d", i)
                    .isEqualTo(content(seed + i, 1 << (8 + i % 10)));
        }
    }

    private static String[] fio(String mode, String target, String... more) {
        String[] fixed = {
            "fio",
            "--name=load",
            target,
            "--rw=" + mode,
            "--bs=4k",
            "--iodepth=16",
            "--ioengine=io_uring",
            "--direct=1",
            "--verify=crc32c",
            "--verify_fatal=1"
        };
        String[] all = java.util.Arrays.copyOf(fixed, fixed.length + more.length);
        System.arraycopy(more, 0, all, fixed.length, more.length);
        return all;
    }

    /** Killed while fio writes to a mounted XFS: fio and the file system go on with the next server, and all data is there. */
    static void aFileSystemOutlivesAServerThatIsKilledUnderLoad() throws Exception {
        needs("fio", "mkfs.xfs");
        try (BoundFunction function = bound()) {
            assertThat(function.address()).isEqualTo(Driven.CONTROLLER);
            Process server = Machine.startJava(UblkServer.class, DEVICE, "1", "" + QUEUES, "" + DEPTH);
            Process load = null;
            Path folder;
            try (BufferedReader said = server.inputReader()) {
                assertThat(said.readLine()).isEqualTo("serving: " + BLOCK);
                Machine.run("mkfs.xfs", "-q", "-f", BLOCK);
                folder = mounted("xfs");
                writeFiles(folder, 100);
                load = Machine.start(fio("randwrite", "--directory=" + folder, "--size=8M", "--do_verify=0"));
                long before = written();
                Machine.await("fio writes", () -> written() - before > 500);
            } finally {
                server.destroyForcibly();
            }
            assertThat(server.waitFor()).isEqualTo(128 + 9);
            assertThat(load.isAlive()).as("fio still writes").isTrue();

            try (Served served = Served.start(false)) {
                assertThat(served.export).hasToString(BLOCK);
                assertThat(served.kinds()).containsExactly("recovered");
                assertThat(Machine.output(load)).doesNotContain("error");
                assertThat(load.exitValue()).isZero();
                Machine.run(fio("randwrite", "--directory=" + folder, "--size=8M", "--verify_only"));
                requireFiles(folder, 100);
                assertThat(catchThrowable(served.export::stop))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining(BLOCK + " is in use");
                assertThat(UblkExports.list())
                        .containsExactly(new UblkExports.Found(
                                0, "live", (int) ProcessHandle.current().pid(), false, true));
            }
            // It was in use, so it was left: another server takes it over, with the file system still mounted.
            assertThat(UblkExports.list())
                    .singleElement()
                    .extracting(UblkExports.Found::orphaned, UblkExports.Found::used)
                    .containsExactly(true, true);
            assertThat(catchThrowable(() -> new UblkExports().clean())).hasMessageContaining(BLOCK + " was left");
            try (Served served = Served.start(false)) {
                requireFiles(folder, 100);
                Machine.run("umount", folder.toString());
                Machine.run("xfs_repair", "-n", BLOCK);
                served.export.stop();
                assertThat(served.kinds()).containsExactly("recovered");
            }
            assertThat(Path.of(BLOCK)).doesNotExist();
            assertThat(UblkExports.list()).isEmpty();
        }
    }

    private static long written() {
        return Long.parseLong(Machine.read(Path.of("/sys/block/ublkb0/stat")).split("\\s+")[4]);
    }

    /** What is written is there, for the kernel's own driver too; what is discarded or made zero was commanded so. */
    static void theKernelsDriverFindsWhatWasWritten() throws IOException {
        needs("fio", "mkfs.ext4", "blkdiscard");
        try (BoundFunction function = bound()) {
            assertThat(function.address()).isEqualTo(Driven.CONTROLLER);
            try (Served served = Served.start(false)) {
                Path queue = Path.of("/sys/block/ublkb0/queue");
                assertThat(Machine.read(queue.resolve("write_cache"))).isEqualTo("write back");
                assertThat(Machine.read(queue.resolve("logical_block_size"))).isEqualTo("512");
                Machine.run(fio("randwrite", "--filename=" + BLOCK, "--size=4M", "--fsync=64"));
                assertThat(counted(served).flushes()).isPositive();

                long writes = counted(served).writes();
                Machine.run("blkdiscard", "-o", "1M", "-l", "1M", BLOCK);
                assertThat(counted(served).writes()).as("after a discard").isGreaterThan(writes);
                long written = counted(served).bytesWritten();
                Machine.run("blkdiscard", "-z", "-l", "1M", BLOCK);
                assertThat(counted(served).bytesWritten())
                        .as("bytes of data written, after blocks were made zero")
                        .isEqualTo(written);
                assertThat(Machine.run("sh", "-c", "head -c 1M " + BLOCK + " | tr -d '\\0' | wc -c"))
                        .isEqualTo("0");

                Machine.run("mkfs.ext4", "-q", "-F", BLOCK);
                Path folder = mounted("ext4");
                writeFiles(folder, 200);
                requireFiles(folder, 200);
                Machine.run("umount", folder.toString());
                Machine.run("e2fsck", "-f", "-n", BLOCK);
                assertThat(counted(served).failed()).isZero();
                assertThat(counted(served).latencyNanos()).isPositive();
            }
            assertThat(Path.of(BLOCK)).doesNotExist();
        }
        Machine.awaitNamespacesAt(Driven.CONTROLLER, 2);
        Path folder = Files.createTempDirectory("kernel");
        Machine.run("mount", "-r", "-t", "ext4", Driven.block(1), folder.toString());
        requireFiles(folder, 200);
        Machine.run("umount", folder.toString());
    }

    private static Metered.Counters counted(Served served) {
        return served.export.row().counters();
    }

    /** fio has it open and reads; it is stopped all the same, since nobody has it for himself, and nothing stays. */
    static void itIsStoppedUnderLoad() throws IOException {
        needs("fio");
        try (BoundFunction function = bound()) {
            assertThat(function.address()).isEqualTo(Driven.CONTROLLER);
            Process load;
            try (Served served = Served.start(true)) {
                assertThat(served.export.row().readOnly()).isTrue();
                assertThat(Machine.read(Path.of("/sys/block/ublkb0/ro"))).isEqualTo("1");
                load = Machine.start(
                        "fio",
                        "--name=load",
                        "--filename=" + BLOCK,
                        "--rw=randread",
                        "--iodepth=16",
                        "--ioengine=io_uring",
                        "--direct=1",
                        "--time_based",
                        "--runtime=60");
                Machine.await("fio reads", () -> counted(served).reads() > 500);
                Throwable slow = catchThrowable(served.export::stop);
                if (slow != null) {
                    // On a busy machine fio takes its time to end; it is stopped nevertheless.
                    assertThat(slow).hasMessageContaining("goes when who has opened it meanwhile lets go of it");
                }
                assertThat(served.export.row().state()).isEqualTo("stopped");
            }
            assertThat(Path.of(BLOCK)).doesNotExist();
            assertThat(Machine.output(load)).contains("error");
            Machine.await("nothing stays", () -> Files.notExists(Path.of("/dev/ublkc0")));
        }
    }
}
