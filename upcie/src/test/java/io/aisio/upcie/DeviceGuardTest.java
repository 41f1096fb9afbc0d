package io.aisio.upcie;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.linux.block.BlockUses;
import io.aisio.linux.block.DeviceUse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DeviceGuardTest {
    private static final PciAddress ADDRESS = PciAddress.parse("0000:01:00.0");

    @TempDir
    Path root;

    private SysfsTree tree;
    private Path function;

    @BeforeEach
    void aControllerWithANamespace() throws IOException {
        tree = new SysfsTree(root.resolve("sys"));
        function = tree.nvme("0000:01:00.0");
        tree.driver(function, "nvme");
        SysfsTree.write(function.resolve("nvme/nvme0/serial"), "S4EVNX0M  ");
        SysfsTree.write(function.resolve("nvme/nvme0/model"), "QEMU NVMe Ctrl   ");
        Path disk = function.resolve("nvme/nvme0/nvme0n1");
        SysfsTree.write(disk.resolve("dev"), "259:0");
        SysfsTree.write(disk.resolve("size"), "2048");
        link("sys/class/block/nvme0n1", disk);
        link("sys/dev/block/259:0", disk);
        Files.createDirectory(root.resolve("dev"));
        Files.write(root.resolve("dev/nvme0n1"), new byte[1 << 20]);
        mounts("22 1 8:1 / / rw - ext4 /dev/sda1 rw");
    }

    private void link(String link, Path target) throws IOException {
        Files.createDirectories(root.resolve(link).getParent());
        Files.createSymbolicLink(root.resolve(link), target);
    }

    private void mounts(String line) throws IOException {
        SysfsTree.write(root.resolve("proc/self/mountinfo"), line);
    }

    private List<DeviceUse> check(@Nullable String serial) throws IOException {
        FunctionUses uses = new FunctionUses(tree.bus(), BlockUses.look(root));
        return new DeviceGuard(tree.bus(), uses).check(tree.bus().device(ADDRESS), serial);
    }

    @Test
    void letsAnEmptyDeviceGo() throws IOException {
        assertThat(check(null)).isEmpty();
    }

    @Test
    void refusesAMountedOneAndSaysExactlyWhy() throws IOException {
        mounts("30 1 259:0 / /data rw - xfs /dev/nvme0n1 rw");
        assertThatThrownBy(() -> check(null))
                .hasMessageStartingWith("0000:01:00.0: refused: nvme0n1 is mounted at /data (xfs); end that first");
        assertThatThrownBy(() -> check("nvme0"))
                .hasMessage(
                        "0000:01:00.0: refused: 'nvme0' is not its serial number; nvme0n1 is mounted at /data (xfs)");
        assertThat(check("S4EVNX0M"))
                .extracting(DeviceUse::toString)
                .containsExactly("nvme0n1 is mounted at /data (xfs)");
    }

    @Test
    void refusesOneThatCouldNotBeLookedInto() throws IOException {
        Files.delete(root.resolve("dev/nvme0n1"));
        assertThatThrownBy(() -> check("S4EVNX0M"))
                .hasMessageStartingWith(
                        "0000:01:00.0: refused: what is on it could not be looked at: nvme0n1 has no node ");
    }

    @Test
    void refusesOneThatHoldsSomething() throws IOException {
        byte[] bytes = new byte[1 << 20];
        System.arraycopy("LUKS\u00ba\u00be\0\1".getBytes(StandardCharsets.ISO_8859_1), 0, bytes, 0, 8);
        Files.write(root.resolve("dev/nvme0n1"), bytes);
        assertThatThrownBy(() -> check(null))
                .hasMessage(
                        "0000:01:00.0: refused: nvme0n1 carries LUKS version 1; if it may be lost, add --force and its"
                                + " serial number, which './aisio devbind list' shows");
        assertThat(check("S4EVNX0M")).hasSize(1);
    }

    @Test
    void neverGivesTheRunningSystemsDiskAway() throws IOException {
        mounts("22 1 259:0 / / rw - ext4 /dev/nvme0n1 rw");
        assertThatThrownBy(() -> check("S4EVNX0M"))
                .hasMessage(
                        "0000:01:00.0: refused: nvme0n1 is what the running system lies on (/), nvme0n1 is mounted at /"
                                + " (ext4); this cannot be forced");
    }

    @Test
    void doesNotTakeADeviceFromAProcessThatDrivesIt() throws IOException {
        tree.driver(function, "vfio-pci");
        tree.group(function, 14);
        link("proc/77/fd/5", Path.of("/dev/vfio/14"));
        SysfsTree.write(root.resolve("proc/77/comm"), "spdk_tgt");
        assertThatThrownBy(() -> check("S4EVNX0M"))
                .hasMessage("0000:01:00.0: refused: vfio/14 is open in process 77 (spdk_tgt); end that first");
    }

    @Test
    void refusesWhoHasTheControllersNodeOpen() throws IOException {
        link("proc/77/fd/5", Path.of("/dev/ng0n1"));
        link("proc/77/fd/6", Path.of("/dev/nvme0"));
        SysfsTree.write(root.resolve("proc/77/comm"), "nvme");
        assertThatThrownBy(() -> check(null))
                .hasMessageContaining("ng0n1 is open in process 77 (nvme), nvme0 is open in process 77 (nvme)");
    }

    @Test
    void refusesVirtualFunctionsAndNetworksThatAreUp() throws IOException {
        SysfsTree.write(function.resolve("sriov_totalvfs"), "8");
        SysfsTree.write(function.resolve("sriov_numvfs"), "2");
        assertThatThrownBy(() -> check(null)).hasMessageContaining("0000:01:00.0 has 2 virtual functions");
        SysfsTree.write(function.resolve("sriov_numvfs"), "0");
        SysfsTree.write(function.resolve("virtio0/net/eth0/flags"), "0x1002");
        link("sys/class/net/eth0", function.resolve("virtio0/net/eth0"));
        assertThat(check(null)).isEmpty();
        SysfsTree.write(function.resolve("virtio0/net/eth0/flags"), "0x1003");
        assertThatThrownBy(() -> check(null)).hasMessageContaining("eth0 is a network interface that is up");
    }

    @Test
    void forcesNothingThatHasNoSerialNumber() throws IOException {
        SysfsTree.write(function.resolve("nvme/nvme0/serial"), "   ");
        mounts("30 1 259:0 / /data rw - xfs /dev/nvme0n1 rw");
        assertThatThrownBy(() -> check("")).hasMessageEndingWith("is mounted at /data (xfs); end that first");
    }
}
