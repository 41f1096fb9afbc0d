package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xnvme.DeviceUri;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataAtRiskTest {
    /** A root whose {@code proc} and {@code sys} hold what a test wants. */
    @TempDir
    Path root;

    private Path disk;

    @BeforeEach
    void layOutADiskWithAPartition() throws IOException {
        disk = root.resolve("sys/devices/pci/block/nvme0n1");
        put(disk.resolve("dev"), "259:0\n");
        put(disk.resolve("nvme0n1p1/dev"), "259:1\n");
        put(disk.resolve("nvme0n1p1/partition"), "1\n");
        Files.createDirectories(disk.resolve("holders"));
        Files.createDirectories(disk.resolve("nvme0n1p1/holders"));
        put(root.resolve("proc/self/mountinfo"), "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n");
        put(root.resolve("proc/swaps"), "Filename Type Size Used Priority\n");
    }

    private static void put(Path file, String content) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, content);
    }

    private String use() throws IOException {
        return new DataAtRisk(root).useOfBlockDevice(disk);
    }

    @Test
    void findsADiskThatNothingUses() throws IOException {
        assertThat(use()).isNull();
    }

    @Test
    void findsAMountedPartition() throws IOException {
        put(root.resolve("proc/self/mountinfo"), "30 1 259:1 / /data rw shared:1 - xfs /dev/nvme0n1p1 rw\n");
        assertThat(use()).isEqualTo("nvme0n1p1 is mounted at /data");
    }

    @Test
    void findsADiskMountedByNameOnly() throws IOException {
        put(root.resolve("proc/self/mountinfo"), "30 1 0:42 / /data rw shared:1 - btrfs /dev/nvme0n1 rw\n");
        assertThat(use()).isEqualTo("nvme0n1 is mounted at /data");
    }

    @Test
    void findsAPartitionThatIsPartOfAVolume() throws IOException {
        Files.createDirectories(disk.resolve("nvme0n1p1/holders/dm-3"));
        assertThat(use()).isEqualTo("nvme0n1p1 is part of dm-3");
    }

    @Test
    void findsSwap() throws IOException {
        put(root.resolve("proc/swaps"), "Filename Type Size Used Priority\n/dev/nvme0n1p1 partition 1 0 -2\n");
        assertThat(use()).isEqualTo("nvme0n1p1 is swapped to");
    }

    @Test
    void findsAnImageBehindALoopDevice() throws IOException {
        Path image = Files.createFile(root.resolve("an image"));
        assertThat(new DataAtRisk(root).useOfFile(image)).isNull();
        put(root.resolve("sys/block/loop7/loop/backing_file"), image + "\n");
        assertThat(new DataAtRisk(root).useOfFile(image)).isEqualTo("attached to loop7");
    }

    @Test
    void decodesDeviceNumbersAsTheKernelDoes() {
        assertThat(DataAtRisk.numbers(0x10300L)).isEqualTo("259:0");
        assertThat(DataAtRisk.numbers(0x801)).isEqualTo("8:1");
        // Major 0x1008, minor 0x101: the upper bits of both lie elsewhere.
        assertThat(DataAtRisk.numbers(0x0000_1000_0010_0801L)).isEqualTo(0x1008 + ":" + 0x101);
    }

    @Test
    void needsToBeToldBeforeWhatOutlivesTheProgramIsWritten() throws IOException {
        Path image = Files.createFile(root.resolve("image"));
        for (String device : List.of(image.toString(), "emu:" + image, "vfu:/run/x", "homi:nvme0/1", "0000:01:00.0")) {
            assertThatThrownBy(() -> DataAtRisk.check(List.of("emu:1GiB", device), false))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage(
                            device + ": this writes all over it; add --destroy-data if what it holds may be destroyed");
            DataAtRisk.check(List.of(device), true);
        }
    }

    @Test
    void letsMemoryOfTheSoftwareControllerBeWritten() throws IOException {
        DataAtRisk.check(List.of("emu:1GiB", "emu:null", "emu:null,1TiB", "emu:64MiB?lba=4096"), false);
        assertThat(DataAtRisk.keepsData(DeviceUri.parse("emu:/no/such/image"))).isFalse();
    }

    @Test
    void refusesWhatIsNamedReadOnlyBeforeAnyWriteFails() throws IOException {
        for (String device : new String[] {"emu:1GiB?readonly", "emu:1GiB?lba=4096&readonly=1", "/no/file?readonly"}) {
            assertThatThrownBy(() -> DataAtRisk.check(List.of(device), true))
                    .hasMessage(device + ": it is named 'readonly', and this writes; leave that out to write");
        }
        DataAtRisk.check(List.of("emu:1GiB?readonly=0"), false);
    }
}
