package io.aisio.upcie;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PciBusTest {
    private static final PciAddress FIRST = PciAddress.parse("0000:01:00.0");

    @TempDir
    Path folder;

    private SysfsTree tree;

    @BeforeEach
    void aMachine() throws IOException {
        tree = new SysfsTree(folder);
    }

    @Test
    void tellsWhatSysfsSaysOfAFunction() throws IOException {
        Path nvme = tree.nvme("0000:01:00.0");
        tree.driver(nvme, "nvme");
        tree.group(nvme, 14);
        SysfsTree.write(nvme.resolve("numa_node"), "1");
        SysfsTree.write(nvme.resolve("sriov_totalvfs"), "127");
        SysfsTree.write(nvme.resolve("sriov_numvfs"), "4");

        assertThat(tree.bus().device(FIRST))
                .isEqualTo(new PciDevice(
                        FIRST,
                        0x1b36,
                        0x0010,
                        0x1af4,
                        0x1100,
                        PciDevice.NVME,
                        2,
                        "nvme",
                        14,
                        1,
                        List.of(new PciDevice.Region(0, 0xfebd0000L, 16384, true, true, false, true)),
                        null,
                        127,
                        4,
                        null));
        assertThat(tree.bus().device(FIRST).isNvme()).isTrue();
        assertThat(tree.bus().device(FIRST).region(1)).isNull();
    }

    @Test
    void tellsWhatIsNotThere() throws IOException {
        Path nvme = tree.nvme("0000:01:00.0");
        Files.delete(nvme.resolve("numa_node"));
        Files.delete(nvme.resolve("revision"));
        Files.delete(nvme.resolve("resource"));
        PciDevice device = tree.bus().device(FIRST);
        assertThat(device.driver()).isNull();
        assertThat(device.iommuGroup()).isEqualTo(-1);
        assertThat(device.numaNode()).isEqualTo(-1);
        assertThat(device.regions()).isEmpty();
        assertThat(device.physicalFunction()).isNull();
    }

    @Test
    void tellsWhoseVirtualFunctionItIs() throws IOException {
        Path physical = tree.nvme("0000:01:00.0");
        Path virtual = tree.nvme("0000:01:00.1");
        Files.createSymbolicLink(virtual.resolve("physfn"), Path.of("../").resolve(physical.getFileName()));
        SysfsTree.write(virtual.resolve("driver_override"), "vfio-pci");
        PciDevice device = tree.bus().device(PciAddress.parse("01:00.1"));
        assertThat(device.physicalFunction()).isEqualTo(FIRST);
        assertThat(device.driverOverride()).isEqualTo("vfio-pci");
    }

    @Test
    void findsFunctionsByClassAndInOrder() throws IOException {
        tree.nvme("10000:01:00.0");
        tree.nvme("0000:02:00.0");
        SysfsTree.write(tree.nvme("0000:01:00.0").resolve("class"), "0x020000");
        assertThat(tree.bus().list())
                .extracting(device -> device.address().toString())
                .containsExactly("0000:01:00.0", "0000:02:00.0", "10000:01:00.0");
        assertThat(tree.bus().ofClass(0x0108))
                .extracting(device -> device.address().toString())
                .containsExactly("0000:02:00.0", "10000:01:00.0");
    }

    @ParameterizedTest
    @CsvSource(textBlock = """
                    vendor,     ''
                    vendor,     8086
                    vendor,     0x18086
                    device,     0xfffffffffffffffff
                    class,      pci
                    class,      0xffffffffffffffff
                    revision,   0x100
                    numa_node,  -2
                    resource,   0x0
                    resource,   0x0 0xffffffffffffffff 0x200
                    resource,   0x2000 0x1000 0x200
                    resource,   zz 0x1000 0x200
                    sriov_totalvfs, -5
                    """)
    void tellsWhatMakesNoSense(String attribute, String content) throws IOException {
        tree.nvme("0000:02:00.0");
        SysfsTree.write(tree.nvme("0000:01:00.0").resolve(attribute), content);
        PciBus.Scan scan = tree.bus().scan();
        if (content.equals("8086")) {
            assertThat(scan.devices()).as("decimal is a number too").hasSize(2);
        } else {
            assertThat(scan.devices()).hasSize(1);
            assertThat(scan.unreadable()).singleElement().asString().contains("0000:01:00.0/" + attribute);
        }
    }

    @Test
    void doesNotFollowWhatIsNoAttribute() throws IOException {
        Path nvme = tree.nvme("0000:01:00.0");
        Files.delete(nvme.resolve("vendor"));
        Files.createSymbolicLink(nvme.resolve("vendor"), Path.of("vendor"));
        Path other = tree.nvme("0000:02:00.0");
        Files.delete(other.resolve("device"));
        Files.createDirectory(other.resolve("device"));
        assertThat(tree.bus().scan().devices()).isEmpty();
    }

    @Test
    void leavesOutWhatVanishedAndWhatIsNoFunction() throws IOException {
        tree.nvme("0000:01:00.0");
        Files.createSymbolicLink(folder.resolve("bus/pci/devices/0000:02:00.0"), Path.of("gone"));
        Files.createSymbolicLink(folder.resolve("bus/pci/devices/0000:03:00.0"), Path.of("0000:03:00.0"));
        Files.createDirectory(folder.resolve("bus/pci/devices/ö\u0007 ;rm"));
        PciBus.Scan scan = tree.bus().scan();
        assertThat(scan.devices()).hasSize(1);
        assertThat(scan.unreadable()).singleElement().asString().contains("no PCI address");
    }

    @Test
    void saysSoWhereThereIsNoFunctionOrNoBus() throws IOException {
        assertThatThrownBy(() -> tree.bus().device(FIRST))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("0000:01:00.0: no such PCI function");
        assertThat(new PciBus(folder.resolve("nowhere")).list()).isEmpty();
    }

    @RepeatedTest(100)
    void survivesAnyContent() throws IOException {
        RandomGenerator random = RandomGenerator.getDefault();
        Path nvme = tree.nvme("0000:01:00.0");
        List<String> names = List.of("vendor", "device", "class", "numa_node", "resource", "driver_override");
        for (String name : names) {
            if (random.nextInt(3) == 0) {
                byte[] bytes = new byte[random.nextInt(80)];
                random.nextBytes(bytes);
                Files.write(nvme.resolve(name), bytes);
            }
        }
        PciBus.Scan scan = tree.bus().scan();
        assertThat(scan.devices().size() + scan.unreadable().size()).isEqualTo(1);
    }

    @Test
    void seesTheBusOfThisMachine() throws IOException {
        PciBus.Scan scan = new PciBus().scan();
        assertThat(scan.unreadable()).isEmpty();
        assertThat(scan.devices())
                .allSatisfy(device -> assertThat(device.vendor()).isNotZero());
    }
}
