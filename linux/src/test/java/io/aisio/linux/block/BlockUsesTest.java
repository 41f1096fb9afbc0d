package io.aisio.linux.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.aisio.linux.block.DeviceUse.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BlockUsesTest {
    @TempDir
    Path folder;

    private Machine machine;
    private Path disk;
    private Path partition;

    @BeforeEach
    void aDiskWithAPartition() throws IOException {
        machine = new Machine(folder.toRealPath());
        disk = machine.disk("pci0000:00/0000:01:00.0/nvme/nvme0", "nvme0n1", "259:0");
        partition = machine.partition(disk, 1, "259:1");
    }

    private List<DeviceUse> uses(String name) throws IOException {
        BlockUses uses = BlockUses.look(machine.root());
        BlockDevice device = uses.devices().named(name);
        assertThat(device).as(name).isNotNull();
        List<DeviceUse> found = uses.of(device);
        assertThat(uses.unseen()).isEmpty();
        return found;
    }

    private List<String> told() throws IOException {
        return uses("nvme0n1").stream().map(DeviceUse::toString).toList();
    }

    @Test
    void findsADiskThatNothingUses() throws IOException {
        assertThat(told()).isEmpty();
    }

    @Test
    void findsAMountedPartition() throws IOException {
        machine.mounts("30 1 259:1 / /data rw shared:1 - xfs /dev/nvme0n1p1 rw");
        assertThat(told()).containsExactly("nvme0n1p1 is mounted at /data (xfs)");
    }

    @Test
    void countsMountsOfManyPlaces() throws IOException {
        machine.mounts(
                "30 1 259:1 / /a rw - xfs /dev/nvme0n1p1 rw",
                "31 1 259:1 / /b\\040c rw - xfs /dev/nvme0n1p1 rw",
                "32 1 259:1 / /c rw - xfs /dev/nvme0n1p1 rw",
                "33 1 259:1 / /d rw - xfs /dev/nvme0n1p1 rw",
                "34 1 259:1 / /e rw - xfs /dev/nvme0n1p1 rw");
        assertThat(told()).containsExactly("nvme0n1p1 is mounted at /a (xfs), /b c (xfs), /c (xfs) and at 2 more");
    }

    @Test
    void findsADiskMountedByNameOnly() throws IOException {
        machine.mounts("30 1 0:42 / /data rw shared:1 - btrfs /dev/nvme0n1 rw");
        assertThat(told()).containsExactly("nvme0n1 is mounted at /data (btrfs)");
    }

    @Test
    void findsEveryDeviceOfAMountedBtrfs() throws IOException {
        machine.disk("pci0000:00/0000:02:00.0/nvme/nvme1", "nvme1n1", "259:5");
        Path members = Files.createDirectories(machine.root().resolve("sys/fs/btrfs/4711/devices"));
        Machine.link(members.resolve("nvme1n1"), machine.root().resolve("sys/class/block/nvme1n1"));
        Machine.link(members.resolve("nvme0n1p1"), partition);
        machine.mounts("30 1 0:42 / /data rw shared:1 - btrfs /dev/nvme1n1 rw");
        assertThat(told()).containsExactly("nvme0n1p1 is mounted at /data (btrfs)");
    }

    @Test
    void findsTheLogOfAnXfsThatLiesElsewhere() throws IOException {
        machine.mounts("30 1 8:5 / /data rw shared:1 - xfs /dev/sda5 rw,logdev=/dev/nvme0n1p1,noquota");
        assertThat(told()).containsExactly("nvme0n1p1 is mounted at /data (xfs)");
    }

    @Test
    void followsLinksBelowDev() throws IOException {
        Machine.link(machine.root().resolve("dev/disk/by-label/data"), Path.of("../../nvme0n1p1"));
        machine.mounts("30 1 0:42 / /data rw shared:1 - btrfs /dev/disk/by-label/data rw");
        assertThat(told()).containsExactly("nvme0n1p1 is mounted at /data (btrfs)");
    }

    @Test
    void findsWhatIsMountedInAContainer() throws IOException {
        Machine.link(machine.root().resolve("proc/self/ns/mnt"), Path.of("mnt:[1]"));
        Machine.link(machine.root().resolve("proc/77/ns/mnt"), Path.of("mnt:[2]"));
        Machine.put(machine.root().resolve("proc/77/comm"), "postgres\n");
        Machine.put(machine.root().resolve("proc/77/mountinfo"), "9 1 259:1 / /var/lib rw - ext4 /dev/nvme0n1p1 rw\n");
        assertThat(told())
                .containsExactly(
                        "nvme0n1p1 is mounted at /var/lib (ext4) in the mount namespace of process 77 (postgres)");
    }

    @Test
    void findsVolumesAndWhatIsMadeOfThem() throws IOException {
        Path array = machine.disk("virtual/block", "md127", "9:127");
        Machine.put(array.resolve("md/level"), "raid1\n");
        Path volume = machine.disk("virtual/block", "dm-3", "254:3");
        Machine.put(volume.resolve("dm/name"), "vg-data\n");
        Machine.put(volume.resolve("dm/uuid"), "LVM-AbCd\n");
        machine.upon(array, partition);
        machine.upon(volume, array);
        machine.mounts("30 1 254:3 / /data rw shared:1 - xfs /dev/mapper/vg-data rw");
        assertThat(told())
                .containsExactly(
                        "nvme0n1p1 is part of md127 (MD, raid1)",
                        "md127 is part of dm-3 (vg-data, LVM)",
                        "dm-3 is mounted at /data (xfs)");
    }

    @Test
    void survivesVolumesThatAreBuiltInACircle() throws IOException {
        Path one = machine.disk("virtual/block", "dm-1", "254:1");
        Path other = machine.disk("virtual/block", "dm-2", "254:2");
        machine.upon(one, partition);
        machine.upon(other, one);
        machine.upon(one, other);
        Machine.link(disk.resolve("holders/itself"), Path.of("itself"));
        assertThat(told()).containsExactly("nvme0n1p1 is part of dm-1", "dm-1 is part of dm-2", "dm-2 is part of dm-1");
    }

    @Test
    void findsSwap() throws IOException {
        Machine.put(
                machine.root().resolve("proc/swaps"),
                "Filename Type Size Used Priority\n/dev/nvme0n1p1 partition 1 0 -2\n");
        assertThat(told()).containsExactly("nvme0n1p1 is swapped to");
    }

    @Test
    void findsWhoHasANodeOpen() throws IOException {
        Machine.link(machine.root().resolve("proc/1234/fd/7"), Path.of("/dev/nvme0n1"));
        Machine.put(machine.root().resolve("proc/1234/comm"), "qemu-system-x86\n");
        assertThat(told()).containsExactly("nvme0n1 is open in process 1234 (qemu-system-x86)");
    }

    private List<String> unseen() throws IOException {
        BlockUses uses = BlockUses.look(machine.root());
        BlockDevice device = uses.devices().named("nvme0n1");
        assertThat(device).isNotNull();
        assertThat(uses.of(device)).isEmpty();
        return uses.unseen();
    }

    @Test
    void saysThatADeviceWithoutANodeCouldNotBeLookedInto() throws IOException {
        Files.delete(machine.root().resolve("dev/nvme0n1p1"));
        assertThat(unseen()).singleElement().asString().startsWith("nvme0n1p1 has no node ");
        Machine.put(partition.resolve("size"), "0\n");
        assertThat(unseen()).as("of one without blocks there is nothing to see").isEmpty();
    }

    @Test
    void saysWhichProcessesMayNotBeLookedInto() throws IOException {
        Path process = machine.root().resolve("proc/1234");
        Path open = Files.createDirectories(process.resolve("fd"));
        Path namespaces = Files.createDirectories(process.resolve("ns"));
        Machine.put(process.resolve("comm"), "a) b\n");
        Files.setPosixFilePermissions(open, Set.of());
        Files.setPosixFilePermissions(namespaces, Set.of());
        try {
            assumeFalse(Files.isReadable(open), "needs a user who may not read everything");
            assertThat(unseen()).as("it has ended").isEmpty();
            Machine.put(process.resolve("stat"), "1234 (a) b) S 1 1 1 0 -1 4194560 0\n");
            assertThat(unseen())
                    .satisfiesExactly(
                            mounted -> assertThat(mounted).startsWith("what is mounted in process 1234 (a) b)"),
                            held -> assertThat(held)
                                    .isEqualTo("what is open in process 1234 (a) b), may not be known"));
            Machine.put(process.resolve("stat"), "1234 (a) b) Z 1 1 1 0 -1 4194560 0\n");
            assertThat(unseen()).as("a zombie").isEmpty();
            Machine.put(process.resolve("stat"), "1234 (a) b) S 2 0 0 0 -1 2129984 0\n");
            assertThat(unseen()).as("a thread of the kernel").isEmpty();
        } finally {
            Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwx------"));
            Files.setPosixFilePermissions(namespaces, PosixFilePermissions.fromString("rwx------"));
        }
    }

    @Test
    void saysWhoseMountsAreNotUnderstood() throws IOException {
        Machine.link(machine.root().resolve("proc/77/ns/mnt"), Path.of("mnt:[2]"));
        Machine.put(machine.root().resolve("proc/77/comm"), "postgres\n");
        Machine.put(machine.root().resolve("proc/77/stat"), "77 (postgres) S 1 1 1 0 -1 4194560 0\n");
        Machine.put(machine.root().resolve("proc/77/mountinfo"), "nonsense\n");
        assertThat(unseen()).singleElement().asString().startsWith("what is mounted in process 77 (postgres): ");
        Machine.link(machine.root().resolve("proc/78/ns/mnt"), Path.of("mnt:[2]"));
        Machine.put(machine.root().resolve("proc/78/mountinfo"), "9 1 259:1 / /var/lib rw - ext4 /dev/nvme0n1p1 rw\n");
        BlockUses uses = BlockUses.look(machine.root());
        BlockDevice device = uses.devices().named("nvme0n1");
        assertThat(device).isNotNull();
        assertThat(uses.of(device)).singleElement().asString().contains("is mounted at /var/lib (ext4)");
    }

    @Test
    void findsTheDiskOfTheRunningSystemUnderAVolume() throws IOException {
        Path volume = machine.disk("virtual/block", "dm-0", "254:0");
        machine.upon(volume, partition);
        machine.mounts("22 1 254:0 / / rw shared:1 - ext4 /dev/mapper/root rw");
        assertThat(told()).first().asString().isEqualTo("nvme0n1 is what the running system lies on (/)");
        assertThat(uses("nvme0n1").getFirst().kind()).isEqualTo(Kind.ROOT);
    }

    @Test
    void findsTheDiskOfALiveSystemUnderOverlayAndLoop() throws IOException {
        Path loop = machine.disk("virtual/block", "loop0", "7:0");
        Machine.put(loop.resolve("loop/backing_file"), "/run/live/filesystem.squashfs\n");
        machine.mounts(
                "20 1 0:30 / / rw - overlay overlay rw,lowerdir=/run/rootfs:/none,upperdir=/run/cow/rw,workdir=/run/w",
                "21 1 259:1 / /run/live ro - iso9660 /dev/nvme0n1p1 ro",
                "22 1 7:0 / /run/rootfs ro - squashfs /dev/loop0 ro");
        assertThat(uses("nvme0n1").getFirst().toString()).isEqualTo("nvme0n1 is what the running system lies on (/)");
    }

    @Test
    void doesNotTakeTheDiskOfAnotherPartitionForTheSystems() throws IOException {
        machine.partition(disk, 2, "259:2");
        machine.mounts("22 1 259:2 / /boot rw shared:1 - ext4 /dev/nvme0n1p2 rw");
        assertThat(uses("nvme0n1p1")).isEmpty();
        assertThat(uses("nvme0n1").getFirst().kind()).isEqualTo(Kind.ROOT);
    }

    @Test
    void saysWhatTheBlocksHold() throws IOException {
        byte[] bytes = new byte[1 << 20];
        System.arraycopy("XFSB".getBytes(java.nio.charset.StandardCharsets.US_ASCII), 0, bytes, 0, 4);
        Files.write(machine.root().resolve("dev/nvme0n1p1"), bytes);
        assertThat(uses("nvme0n1")).containsExactly(new DeviceUse(Kind.SIGNATURE, "nvme0n1p1", "carries xfs"));
        assertThat(uses("nvme0n1").getFirst().isNow()).isFalse();
    }

    @Test
    void findsTheNodeOfAMultipathNamespaceByItsPath() throws IOException {
        Path controller = machine.root().resolve("sys/devices/pci0000:00/0000:05:00.0");
        machine.disk("pci0000:00/0000:05:00.0/nvme/nvme3", "nvme2c3n1", "");
        Path head = machine.disk("virtual/nvme-subsystem/nvme-subsys2", "nvme2n1", "259:9");
        machine.partition(head, 1, "259:10");
        machine.mounts("30 1 259:10 / /data rw shared:1 - xfs /dev/nvme2n1p1 rw");
        List<BlockDevice> below = new BlockDevices(machine.root().resolve("sys")).below(controller);
        assertThat(below).extracting(BlockDevice::name).containsExactly("nvme2n1");
        assertThat(uses("nvme2n1"))
                .extracting(DeviceUse::toString)
                .containsExactly("nvme2n1p1 is mounted at /data (xfs)");
    }

    @Test
    void findsDevicesBelowTheirHardwareOnly() throws IOException {
        machine.disk("pci0000:00/0000:02:00.0/nvme/nvme1", "nvme1n1", "259:5");
        BlockDevices devices = new BlockDevices(machine.root().resolve("sys"));
        assertThat(devices.below(machine.root().resolve("sys/devices/pci0000:00/0000:01:00.0")))
                .extracting(BlockDevice::name)
                .containsExactly("nvme0n1");
        assertThat(devices.below(machine.root().resolve("sys/devices/nowhere"))).isEmpty();
    }

    @Test
    void refusesToGuessWhereATableIsNotUnderstood() throws IOException {
        machine.mounts("30 1 nonsense");
        assertThatThrownBy(() -> BlockUses.look(machine.root())).isInstanceOf(IOException.class);
        machine.mounts("30 1 259:1 / /data rw - xfs /dev/nvme0n1p1 rw");
        Machine.put(partition.resolve("size"), "-1\n");
        assertThatThrownBy(() -> uses("nvme0n1")).hasMessageContaining("is no size");
        Machine.put(partition.resolve("size"), "99999999999999999999\n");
        assertThatThrownBy(() -> uses("nvme0n1")).hasMessageContaining("is no number");
    }

    @Test
    void takesNamesWithOddCharacters() throws IOException {
        machine.disk("pci/cciss0", "cciss!c0d0", "104:0");
        machine.mounts("30 1 0:44 / /odd rw - btrfs /dev/cciss/c0d0 rw");
        assertThat(uses("cciss!c0d0"))
                .extracting(DeviceUse::toString)
                .containsExactly("cciss!c0d0 is mounted at /odd (btrfs)");
        assertThat(new BlockDevices(machine.root().resolve("sys")).named("../../etc"))
                .isNull();
        assertThat(new BlockDevices(machine.root().resolve("sys")).named("")).isNull();
    }

    @Test
    void looksAtThisMachine() throws IOException {
        BlockUses uses = BlockUses.look();
        for (BlockDevice device : uses.devices().all()) {
            assertThat(uses.of(device)).allSatisfy(use -> assertThat(use.what()).isNotBlank());
        }
    }
}
