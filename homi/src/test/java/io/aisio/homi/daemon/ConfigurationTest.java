package io.aisio.homi.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What homid's file says. */
class ConfigurationTest {
    @TempDir
    Path folder;

    private Configuration read(String text) throws IOException {
        return Configuration.read(Files.writeString(folder.resolve("homid.toml"), text), null);
    }

    @Test
    void everythingThatCanBeSaid() throws Exception {
        Configuration read = read("""
                socket = "/run/homi/homi.sock"
                group = "disk"
                connections = 50
                dashboard = "127.0.0.1:9464"
                [timeouts]
                hello = "2s"
                message = "500ms"
                drain = "1m"
                [client]
                queues = 4
                memory = "64MiB"
                [user_quota]
                queues = 20
                depth = 256
                connections = 7
                [[device]]
                name = "nvme0"
                uri = "emu:1GiB?shared"
                trusted = true
                [[user]]
                name = "root"
                [[user]]
                uid = 1000
                access = "read"
                devices = ["nvme0"]
                queues = 2
                [[user]]
                name = "*"
                access = "none"
                [[export]]
                name = "data"
                device = "nvme0"
                queues = 2
                readonly = true
                [[extents]]
                mount = "/mnt/data"
                device = "nvme0"
                """);
        assertThat(read.devices()).containsExactly(new Configuration.Device("nvme0", "emu:1GiB?shared", true));
        assertThat(read.timeouts())
                .isEqualTo(new Configuration.Timeouts(
                        Duration.ofSeconds(2), Duration.ofMillis(500), Duration.ofMinutes(1)));
        assertThat(read.client()).isEqualTo(new Quota(4, 1024, 64 << 20, 1));
        assertThat(read.user()).isEqualTo(new Quota(20, 256, 4L << 30, 7));
        assertThat(read.user(1000, 42).quota()).isEqualTo(new Quota(2, 256, 4L << 30, 7));
        assertThat(read.user(1000, 42).mayOpen("nvme0", false)).isTrue();
        assertThat(read.user(1000, 42).mayOpen("nvme0", true)).isFalse();
        assertThat(read.user(1001, 42).rights()).isEqualTo(Configuration.Rights.NONE);
        assertThat(read.user(42, 42).control()).isTrue();
        assertThat(read.user(0, 42).rights()).isEqualTo(Configuration.Rights.WRITE);
        assertThat(read.exports()).containsExactly(new Export.Request("data", "nvme0", 1, "ublk", 2, 128, true, -1));
        assertThat(read.fileSystems()).containsExactly(new Configuration.FileSystem("/mnt/data", "nvme0", 1));
        assertThat(read.group()).isEqualTo("disk");
        assertThat(read.dashboard()).isEqualTo("127.0.0.1:9464");
    }

    @Test
    void whatIsWrongIsToldAllAtOnceWithItsPlace() {
        assertThatThrownBy(() -> read("""
                sockte = "/run/x"
                connections = "many"
                [timeouts]
                hello = "soon"
                [client]
                connections = 1
                [[device]]
                uri = "emu:1GiB"
                [[user]]
                name = "nobody-of-that-name"
                """))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("homid.toml:1:1: sockte is nothing here; there is socket, group")
                .hasMessageContaining("homid.toml:2:1: connections is a whole number, 1 to 1024")
                .hasMessageContaining("[timeouts] hello is a time such as \"500ms\"")
                .hasMessageContaining("[client] connections is nothing here; there is queues, depth, memory")
                .hasMessageContaining("[device] name is needed")
                .hasMessageContaining("there is no user 'nobody-of-that-name'");
    }

    @Test
    void aDeviceAndAnAddressThatMakeNoSenseAreToldWithTheirLines() {
        assertThatThrownBy(() -> read("""
                dashboard = "0.0.0.0:9464"
                [[device]]
                name = "a"
                uri = "emu:1GiB?shard"
                [[device]]
                name = "b"
                uri = "nvmf:1.2.3.4"
                [[device]]
                name = "c"
                uri = "0000:82:00.0?access=magic"
                [[device]]
                name = "d"
                uri = "0000:82:00.0?access=uio"
                """))
                .isInstanceOf(IllegalArgumentException.class)
                .message()
                .satisfies(
                        told -> assertThat(told.lines())
                                .satisfiesExactlyInAnyOrder(
                                        line -> assertThat(line)
                                                .contains(
                                                        "homid.toml:1:1: dashboard cannot be: the dashboard is at 127.0.0.1:PORT"),
                                        line -> assertThat(line)
                                                .contains(
                                                        "homid.toml:4:1: [device] uri cannot be: 'emu:1GiB?shard': no option 'shard' here"),
                                        line -> assertThat(line)
                                                .contains(
                                                        "homid.toml:7:1: [device] uri cannot be: 'nvmf:1.2.3.4': nothing here opens 'nvmf' devices"),
                                        line -> assertThat(line)
                                                .contains(
                                                        "homid.toml:10:1: [device] uri cannot be: '0000:82:00.0?access=magic': ")));
    }

    @Test
    void namesMustBeThereOnce() {
        assertThatThrownBy(() -> read("""
                socket = "/run/homi/homi.sock"
                [[device]]
                name = "a"
                uri = "emu:1GiB"
                [[export]]
                name = "x"
                device = "b"
                """)).hasMessageContaining("export 'x' names the device 'b'; there is [a]");
        assertThatThrownBy(() -> read("""
                socket = "/run/homi/homi.sock"
                [[device]]
                name = "a"
                uri = "emu:1GiB"
                [[device]]
                name = "a"
                uri = "emu:2GiB"
                """)).hasMessageContaining("device 'a' is there twice");
    }

    @Test
    void whatIsNoTomlIsToldWithItsPlace() {
        assertThatThrownBy(() -> read("socket = \n")).hasMessageContaining("homid.toml:1:");
    }
}
