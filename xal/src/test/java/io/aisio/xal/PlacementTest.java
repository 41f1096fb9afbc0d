package io.aisio.xal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.linux.FileStatus;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PlacementTest {
    @TempDir
    private Path folder;

    @Test
    @Tag("root")
    void tellsThatALoopDeviceLiesInAFile() throws Exception {
        assumeTrue(
                "root".equals(System.getProperty("user.name")) && Files.exists(Path.of("/dev/loop-control")),
                "needs root and loop devices");
        Path image = folder.resolve("disk");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(16 << 20);
        }
        String loop = XfsImage.run(List.of("losetup", "-f", "--show", image.toString()))
                .strip();
        try {
            String name = Path.of(loop).getFileName().toString();
            Placement placement = Placement.of(number(name));
            assertThat(placement)
                    .isEqualTo(new Placement(
                            name, name, Placement.NOWHERE, "a loop device: it lies in the file " + image));
        } finally {
            XfsImage.run(List.of("losetup", "-d", loop));
        }
    }

    @Test
    void refusesANumberWithoutADevice() {
        assertThatThrownBy(() -> Placement.of(new FileStatus.Device(0, 1)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("0:1 is no block device");
    }

    private static FileStatus.Device number(String name) throws IOException {
        String[] parts =
                Files.readString(Path.of("/sys/block", name, "dev")).strip().split(":", -1);
        return new FileStatus.Device(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
    }
}
