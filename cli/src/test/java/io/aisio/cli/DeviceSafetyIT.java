package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code devbind}, {@code hugepages} and {@code doctor}, as far as a machine without NVMe goes. */
@Tag("slow")
class DeviceSafetyIT {
    @TempDir
    private Path folder;

    private static Shell.Result aisio(String line) {
        return Shell.aisio(line.split(" ", -1)).run();
    }

    private static JsonNode json(String line) {
        return JsonMapper.shared().readTree(aisio(line).succeeds().out());
    }

    private static void assumeRoot() {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
    }

    /** A function that has a driver. */
    private static Path function() throws IOException {
        Path devices = Path.of("/sys/bus/pci/devices");
        assumeTrue(Files.isDirectory(devices), "needs PCI");
        try (Stream<Path> all = Files.list(devices)) {
            Path found = all.filter(one -> Files.exists(one.resolve("driver")))
                    .sorted()
                    .findFirst()
                    .orElse(null);
            assumeTrue(found != null, "needs a PCI function that has a driver");
            return found;
        }
    }

    @Test
    void listsWhatIsOnTheBus() {
        JsonNode list = json("devbind list --all --output json");
        assertThat(list.get("schema").asString()).isEqualTo("aisio.devbind.list/1");
        for (JsonNode device : list.get("devices")) {
            assertThat(device.get("address").asString()).matches("[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]");
            assertThat(device.get("class").asString()).matches("0x[0-9a-f]{6}");
        }
        aisio("devbind list --all").succeeds();
        aisio("devbind list").succeeds();
        aisio("devbind list --class 0x0604").succeeds();
    }

    @Test
    void saysWhatIsWrongWithACommandLine() {
        aisio("devbind list --class network").failsWith(Exit.USAGE, "'network' is no class; try nvme or 0x0108");
        aisio("devbind bind --driver vfio-pci 82:00").failsWith(Exit.USAGE, "'82:00' is no PCI address");
        aisio("devbind bind --driver ../x 82:00.0").failsWith(Exit.USAGE, "'../x' is no driver's name");
        aisio("devbind bind 82:00.0").failsWith(Exit.USAGE, "--driver");
        aisio("devbind unbind --force S 82:00.0 83:00.0").failsWith(Exit.USAGE, "--force takes one device at a time");
        aisio("devbind restore").failsWith(Exit.USAGE, "name the devices, or say --all");
        aisio("hugepages setup --count -1").failsWith(Exit.USAGE, "0 or more");
        aisio("doctor --path " + "/no/such").failsWith(Exit.FAILED, "/no/such: no such file");
    }

    @Test
    void refusesAFunctionThatIsNotThere() {
        aisio("devbind bind --dry-run --driver vfio-pci ffff:ff:1f.7")
                .failsWith(Exit.FAILED, "ffff:ff:1f.7: no such PCI function", "devbind list --all");
    }

    @Test
    void refusesADeviceThatTheSystemLiesOnOrThatItCannotGiveAway() throws IOException {
        assumeRoot();
        Path function = null;
        try (Stream<Path> blocks = Files.list(Path.of("/sys/class/block"))) {
            for (Path block : blocks.sorted().toList()) {
                Path real = block.toRealPath();
                boolean mounted =
                        Files.readString(Path.of("/proc/self/mountinfo")).contains("/dev/" + block.getFileName() + " ");
                for (Path up = real; mounted && function == null && up != null; up = up.getParent()) {
                    if (up.getFileName() != null
                            && up.getFileName().toString().matches("[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]")) {
                        function = up;
                    }
                }
            }
        }
        assumeTrue(function != null, "needs a mounted disk on PCI");
        Shell.Result result = aisio("devbind unbind --dry-run " + function.getFileName());
        // Of a disk behind virtio, the function's driver is the transport's.
        result.failsWith(Exit.FAILED, function.getFileName() + ": refused: ");
    }

    @Test
    void showsEachStepOfADryRun() throws IOException {
        assumeRoot();
        Path bridge = function();
        Shell.Result result = aisio("devbind unbind --dry-run " + bridge.getFileName());
        if (result.exit() == Exit.DONE) {
            result.prints("remember that " + bridge.getFileName(), "/driver/unbind");
        } else {
            result.failsWith(Exit.FAILED, "refused: ");
        }
        assertThat(bridge.resolve("driver")).exists();
    }

    @Test
    void tellsHugePages() {
        JsonNode info = json("hugepages info --output json");
        assertThat(info.get("schema").asString()).isEqualTo("aisio.hugepages.info/1");
        aisio("hugepages info").succeeds();
        assumeTrue(!info.get("pools").isEmpty(), "needs a kernel with huge pages");
        aisio("hugepages setup --count 3 --dry-run").succeeds().prints("echo 3 > /sys/kernel/mm/hugepages/");
        aisio("hugepages setup --count 1000000000 --dry-run").failsWith(Exit.FAILED, "do not fit", "room for");
        aisio("hugepages setup --size 4096 --count 3 --dry-run")
                .failsWith(Exit.FAILED, "huge pages of 4096 bytes: this machine has those of");
        aisio("hugepages setup --node 4711 --count 3 --dry-run").failsWith(Exit.FAILED, "NUMA node 4711");
    }

    @Test
    void setsHugePagesUpAndGivesThemBack() throws IOException {
        assumeRoot();
        Path attribute = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
        assumeTrue(Files.isWritable(attribute), "needs huge pages of 2 MiB");
        String before = Files.readString(attribute).strip();
        long wanted = Long.parseLong(before) + 1;
        try {
            aisio("hugepages setup --count " + wanted).succeeds().prints(wanted + " huge pages of 2 MiB");
        } finally {
            aisio("hugepages setup --count " + before).succeeds();
        }
    }

    @Test
    void mountsHugePagesOnce() {
        assumeRoot();
        assumeTrue(!json("hugepages info --output json").get("pools").isEmpty(), "needs a kernel with huge pages");
        Path point = folder.resolve("huge");
        aisio("hugepages mount --dry-run --mountpoint " + point)
                .succeeds()
                .prints("mkdir -p " + point, "mount -t hugetlbfs");
        assertThat(point).doesNotExist();
        Shell.Result mounted = aisio("hugepages mount --mountpoint " + point);
        assumeTrue(!mounted.err().contains("EPERM"), "needs to be allowed to mount");
        try {
            mounted.succeeds().prints(point + ": mounted, pages of 2M");
            aisio("hugepages mount --mountpoint " + point).succeeds().prints("mounted already");
            aisio("hugepages info").succeeds().prints("hugetlbfs is mounted at " + point);
        } finally {
            Shell.program("umount", point.toString()).run().succeeds();
        }
    }

    @Test
    void tellsWhatTheMachineCanDo() {
        JsonNode report = json("doctor --output json");
        assertThat(report.get("schema").asString()).isEqualTo("aisio.doctor/1");
        assertThat(report.get("modes")).hasSize(3);
        for (JsonNode capability : report.get("capabilities")) {
            assertThat(capability.get("reason").asString())
                    .as(capability.toString())
                    .isNotBlank();
        }
        aisio("doctor").succeeds().prints("CAPABILITY", "io_uring", "CPU-initiated P2P");
    }

    @Test
    void asksTheFileSystemThatIsNamed() throws IOException {
        try (LoopVolume volume = LoopVolume.make(folder, "xfs").mounted("loop")) {
            JsonNode report = json("doctor --output json --path " + volume.path());
            for (JsonNode capability : report.get("capabilities")) {
                if (capability.get("id").asString().equals("fiemap")) {
                    assertThat(capability.get("answer").asString()).isEqualTo("yes");
                    assertThat(capability.get("reason").asString()).startsWith("told 1 extent of " + volume.path());
                }
            }
            try (Stream<Path> left = Files.list(volume.path())) {
                assertThat(left).isEmpty();
            }
        }
    }

    @Test
    void doesNotWriteADeviceThatIsMounted() throws IOException {
        try (LoopVolume volume = LoopVolume.make(folder, "ext4").mounted("loop")) {
            String run = "xnvmeperf run --iopattern write --qdepth 1 --iosize 4096 --runtime 1 ";
            aisio(run + "--destroy-data " + volume.image()).failsWith(Exit.FAILED, "in use", "is attached to loop");
            volume.unmount();
            aisio(run + volume.image()).failsWith(Exit.FAILED, "carries ext4", "--destroy-data");
        }
    }
}
