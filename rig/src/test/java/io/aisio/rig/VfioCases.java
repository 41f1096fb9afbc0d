package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.aisio.fil.DeviceBlocks;
import io.aisio.fil.DirectFile;
import io.aisio.rig.Machine.BoundFunction;
import io.aisio.upcie.Access;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** The driver over VFIO, with an IOMMU between controller and memory. */
final class VfioCases {
    private static final Path HUGE_PAGES = Path.of("/proc/sys/vm/nr_hugepages");

    private VfioCases() {}

    static void exchangesDataWithTheHostByType1() throws IOException {
        Driven.exchangesDataWithTheHost(Access.TYPE1);
    }

    static void exchangesDataWithTheHostByIommufd() throws IOException {
        Driven.exchangesDataWithTheHost(Access.IOMMUFD);
    }

    static void readsWhatItWritesByType1() throws IOException {
        Driven.readsWhatItWrites(Access.TYPE1, "", 1, 4);
    }

    static void readsWhatItWritesByIommufd() throws IOException {
        Driven.readsWhatItWrites(Access.IOMMUFD, "", 2, 4);
    }

    static void lendsQueuePairsThatFilesAloneDriveByType1() throws IOException {
        Leased.movesDataByFilesAlone(Access.TYPE1);
    }

    static void lendsQueuePairsThatFilesAloneDriveByIommufd() throws IOException {
        Leased.movesDataByFilesAlone(Access.IOMMUFD);
    }

    static void sleepsUntilItIsInterrupted() throws IOException {
        Driven.readsWhatItWrites(Access.IOMMUFD, "&interrupts", 3, 2);
        try (BoundFunction function = Driven.bound(Access.TYPE1);
                Device device = Device.open(Driven.name(Access.TYPE1, 1) + "&interrupts");
                Queue queue = device.openQueue(4);
                Buffer buffer = device.allocate(4096)) {
            assertThat(queue.sleeps()).as(function.address()).isTrue();
            queue.bindRead(0, buffer, 0, 512);
            long began = System.nanoTime();
            for (int i = 0; i < 40; i++) {
                queue.submit(new int[] {0}, new long[1], 1);
                assertThat(queue.await(new int[4])).isEqualTo(1);
            }
            // A queue that is not woken looks after 100 ms by itself.
            assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(4));
        }
    }

    static void opensAndClosesFiftyTimesByType1() throws IOException {
        Driven.opensAndCloses(Access.TYPE1, 50);
    }

    static void opensAndClosesFiftyTimesByIommufd() throws IOException {
        Driven.opensAndCloses(Access.IOMMUFD, 50);
    }

    static void survivesAKilledProcess() throws IOException, InterruptedException {
        Driven.survivesAKilledProcess(Access.TYPE1);
    }

    static void tellsASecondProcessWhoHasTheController() throws IOException, InterruptedException {
        Driven.tellsASecondProcessWhoHasTheController(Access.IOMMUFD);
    }

    static void worksWithoutHugePages() throws IOException {
        String before = Machine.read(HUGE_PAGES);
        Machine.write(HUGE_PAGES, "0");
        try {
            Driven.readsWhatItWrites(Access.TYPE1, "", 4, 1);
        } finally {
            Machine.write(HUGE_PAGES, before);
        }
    }

    static void explainsALimitOfLockedMemoryThatIsTooSmall() {
        try (BoundFunction function = Driven.bound(Access.TYPE1)) {
            // Root is not held to the limit as long as it has CAP_IPC_LOCK; huge pages are pinned and counted too.
            Process process = Machine.start(
                    "prlimit",
                    "--memlock=65536:65536",
                    "setpriv",
                    "--bounding-set=-ipc_lock",
                    "--inh-caps=-ipc_lock",
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-Xint",
                    "-XX:+UseSerialGC",
                    "--enable-native-access=ALL-UNNAMED",
                    "-cp",
                    System.getProperty("java.class.path"),
                    Driven.Busy.class.getName(),
                    Driven.name(Access.TYPE1, 1));
            String said = Machine.output(process);
            assertThat(said)
                    .contains(function.address() + ": 2097152 bytes of memory for the device cannot be pinned")
                    .contains("RLIMIT_MEMLOCK, 65536 bytes")
                    .contains("next: raise the limit (ulimit -l");
        }
    }

    static void givesTheDeviceBackWhenTheKernelAsksForIt() throws Exception {
        String driver = Driven.driverFor(Access.TYPE1);
        try (BoundFunction function = Machine.bind(Driven.CONTROLLER, driver)) {
            Thread unbinding;
            try (Device device = Device.open(Driven.name(Access.TYPE1, 1));
                    Queue queue = device.openQueue(8);
                    Buffer buffer = device.allocate(4096)) {
                queue.bindRead(0, buffer, 0, 512);
                unbinding = Thread.ofPlatform()
                        .start(() -> Machine.write(
                                Machine.function(function.address()).resolve("driver/unbind"), function.address()));
                IOException failure = failureOf(queue);
                assertThat(failure.getMessage() + failure.getCause()).contains("asked back");
            }
            // The kernel had waited for the device to be closed.
            assertThat(unbinding.join(Duration.ofSeconds(30))).isTrue();
            assertThat(Machine.driverOf(function.address())).isEmpty();
        }
        Machine.awaitNamespacesAt(Driven.CONTROLLER, 2);
    }

    /** Reads block 0 over and over, until that fails. */
    static IOException failureOf(Queue queue) throws InterruptedException {
        long end = System.nanoTime() + 30_000_000_000L;
        int[] completed = new int[8];
        while (System.nanoTime() < end) {
            try {
                queue.submit(new int[] {0}, new long[1], 1);
                int n = queue.await(completed);
                if (n > 0 && completed[0] < 0) {
                    return queue.failure(~completed[0]);
                }
            } catch (IOException e) {
                return e;
            }
        }
        throw new AssertionError("reads went on for 30 s");
    }

    static void readsAnXfsThatTheKernelMadeThroughItsOwnQueues() throws IOException {
        Map<String, byte[]> files = new LinkedHashMap<>();
        Random random = new Random(11);
        Path mount = Path.of("/mnt");
        String block = "/dev/"
                + Machine.awaitNamespacesAt(Driven.CONTROLLER, 2)
                        .getFirst()
                        .block()
                        .getFileName();
        Machine.load("xfs");
        Machine.run("mkfs.xfs", "-q", "-f", "--unsupported", block);
        Machine.run("mount", block, mount.toString());
        try {
            for (int i = 0; i < 40; i++) {
                byte[] content = new byte[random.nextInt(200_000)];
                random.nextBytes(content);
                Path file = mount.resolve("d" + i % 3).resolve("file" + i);
                Files.createDirectories(file.getParent());
                Files.write(file, content);
                files.put("/d" + i % 3 + "/file" + i, content);
            }
        } finally {
            Machine.run("umount", mount.toString());
        }
        try (BoundFunction function = Driven.bound(Access.IOMMUFD);
                Device device = Device.open(Driven.name(Access.IOMMUFD, 1))) {
            assertThat(function.address()).isEqualTo(Driven.CONTROLLER);
            requireSame(contents(device, List.copyOf(files.keySet()), false), files);
        }
        Machine.awaitNamespacesAt(Driven.CONTROLLER, 2);
        Machine.run("wipefs", "-q", "-a", block);
    }

    /** Whole files by path, through the device's queues. */
    static Map<String, byte[]> contents(Device device, List<String> paths, boolean unrecovered) throws IOException {
        Map<String, byte[]> contents = new LinkedHashMap<>();
        try (DeviceBlocks blocks = DeviceBlocks.open(device);
                Xal xal = unrecovered ? Xal.openUnrecovered(blocks) : Xal.open(blocks);
                Buffer buffer = device.allocate(4 << 20)) {
            for (String path : paths) {
                try (DirectFile file = DirectFile.open(device, xal, path, buffer)) {
                    long n = file.read(0, 0, file.size());
                    contents.put(path, buffer.segment().asSlice(0, n).toArray(ValueLayout.JAVA_BYTE));
                }
            }
        }
        return contents;
    }

    static void requireSame(Map<String, byte[]> read, Map<String, byte[]> written) {
        assertThat(read.keySet()).isEqualTo(written.keySet());
        written.forEach((path, content) -> assertThat(Arrays.mismatch(read.get(path), content))
                .as("first differing byte of %s, of %d", path, content.length)
                .isEqualTo(-1));
    }

    static void refusesUioBehindTheIommu() {
        try (BoundFunction function = Driven.bound(Access.UIO)) {
            assertThat(catchThrowable(() -> Device.open(function.address())))
                    .hasMessageContaining(function.address() + ": the IOMMU translates for it");
        }
    }

    static void refusesAControllerThatBelongsToTheKernel() {
        assertThatThrownBy(() -> Device.open(Driven.CONTROLLER))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("bound to the kernel's driver nvme")
                .hasMessageContaining("devbind bind --driver vfio-pci");
        assertThat(catchThrowable(() -> Device.open("0000:7f:1f.7"))).hasMessageContaining("no such PCI function");
    }
}
