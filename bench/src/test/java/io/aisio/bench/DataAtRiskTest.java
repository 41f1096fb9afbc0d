package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xnvme.DeviceUri;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataAtRiskTest {
    /** A root whose {@code proc} and {@code sys} hold what a test wants. */
    @TempDir
    Path root;

    private static void put(Path file, String content) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, content);
    }

    @Test
    void findsAnImageBehindALoopDevice() throws IOException {
        Path image = Files.createFile(root.resolve("an image"));
        put(root.resolve("proc/self/mountinfo"), "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n");
        DeviceUri uri = DeviceUri.parse(image.toString());
        assertThat(new DataAtRisk(root).uses(uri)).isEmpty();
        put(root.resolve("sys/block/loop7/loop/backing_file"), image + "\n");
        assertThat(new DataAtRisk(root).uses(uri))
                .singleElement()
                .hasToString(image.toRealPath() + " is attached to loop7");
    }

    @Test
    void saysWhatAnImageHoldsBeforeItIsWritten() throws IOException {
        Path image = root.resolve("image");
        byte[] bytes = new byte[1 << 20];
        bytes[0] = 'X';
        bytes[1] = 'F';
        bytes[2] = 'S';
        bytes[3] = 'B';
        Files.write(image, bytes);
        assertThatThrownBy(() -> DataAtRisk.check(List.of(image.toString()), false))
                .hasMessageContaining("carries xfs")
                .hasMessageEndingWith("add --destroy-data if what it holds may be destroyed");
        DataAtRisk.check(List.of(image.toString()), true);
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
