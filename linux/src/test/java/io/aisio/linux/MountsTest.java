package io.aisio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class MountsTest {
    @Test
    void readsALineWithEscapesAndOptionalFields() throws IOException {
        Mounts.Mount mount = Mounts.parse(
                "36 35 98:0 /mnt\\0401 /a\\134b rw,noatime master:1 shared:2 - ext4 /dev/r" + "oot rw,errors=continue");
        assertThat(mount)
                .isEqualTo(new Mounts.Mount(
                        36,
                        new FileStatus.Device(98, 0),
                        "/mnt 1",
                        "/a\\b",
                        "rw,noatime",
                        "ext4",
                        "/dev/root",
                        "rw,errors=continue"));
    }

    @Test
    void refusesALineThatIsNone() {
        assertThatThrownBy(() -> Mounts.parse("36 35 98:0 / /mnt rw ext4")).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> Mounts.parse("x 35 98:0 / /mnt rw - ext4 s o")).isInstanceOf(IOException.class);
    }

    @Test
    void knowsTheMountOfAnOpenDirectory() throws IOException {
        try (Beneath proc = Beneath.directory(Path.of("/proc"))) {
            assertThat(Mounts.read().of(proc.status().mount()))
                    .isNotNull()
                    .satisfies(mount -> assertThat(mount.type()).isEqualTo("proc"));
        }
    }
}
