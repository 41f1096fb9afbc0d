package io.aisio.upcie;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DriverBindingTest {
    private static final PciAddress ADDRESS = PciAddress.parse("0000:01:00.0");

    @TempDir
    Path folder;

    private SysfsTree tree;
    private Path function;
    private FakeKernel kernel;
    private BoundBefore before;
    private DriverBinding binding;

    @BeforeEach
    void aControllerOfTheKernels() throws IOException {
        tree = new SysfsTree(folder.resolve("sys"));
        function = tree.nvme("0000:01:00.0");
        tree.driver(function, "nvme");
        tree.group(function, 14);
        Files.createDirectories(folder.resolve("sys/bus/pci/drivers/vfio-pci"));
        kernel = new FakeKernel(tree, "nvme");
        before = new BoundBefore(folder.resolve("run/devbind"));
        binding = binding(name -> {
            throw new IOException("Module " + name + " not found");
        });
    }

    private DriverBinding binding(DriverBinding.Modules modules) {
        return new DriverBinding(tree.bus(), before, modules, kernel);
    }

    private PciDevice now() throws IOException {
        return tree.bus().device(ADDRESS);
    }

    @Test
    void bindsAndRestores() throws IOException {
        binding.bind(ADDRESS, "vfio-pci").carryOut();
        assertThat(now().driver()).isEqualTo("vfio-pci");
        assertThat(kernel.written)
                .containsExactly("driver_override=vfio-pci", "unbind=0000:01:00.0", "drivers_probe=0000:01:00.0");
        assertThat(before.all()).hasSize(1);

        binding.restore(ADDRESS).carryOut();
        assertThat(now().driver()).isEqualTo("nvme");
        assertThat(now().driverOverride()).isNull();
        assertThat(before.all()).isEmpty();
    }

    @Test
    void restoresWhatWasThereFirstAfterSeveralChanges() throws IOException {
        Files.createDirectories(folder.resolve("sys/bus/pci/drivers/uio_pci_generic"));
        SysfsTree.write(function.resolve("driver_override"), "nvme");
        binding.bind(ADDRESS, "vfio-pci").carryOut();
        binding.bind(ADDRESS, "uio_pci_generic").carryOut();
        binding.unbind(ADDRESS).carryOut();
        assertThat(now().driver()).isNull();
        binding.restore(ADDRESS).carryOut();
        assertThat(now().driver()).isEqualTo("nvme");
        assertThat(now().driverOverride()).isEqualTo("nvme");
    }

    @Test
    void refusesToRememberWhatCouldNotBeReadAgain() throws IOException {
        SysfsTree.write(function.resolve("driver_override"), "odd name");
        assertThatThrownBy(() -> binding.bind(ADDRESS, "vfio-pci").carryOut())
                .hasMessageContaining("its driver_override is 'odd name', which is no driver's name");
        assertThat(kernel.written).isEmpty();
        assertThat(before.all()).isEmpty();
    }

    @Test
    void restoresWhenTheFirstDriverIsAskedFor() throws IOException {
        binding.bind(ADDRESS, "vfio-pci").carryOut();
        binding.bind(ADDRESS, "nvme").carryOut();
        assertThat(now().driverOverride()).isNull();
        assertThat(before.all()).isEmpty();
    }

    @Test
    void restoresAFunctionThatHadNoDriver() throws IOException {
        Files.delete(function.resolve("driver"));
        binding.bind(ADDRESS, "vfio-pci").carryOut();
        binding.restore(ADDRESS).carryOut();
        assertThat(now().driver()).isNull();
        assertThat(now().driverOverride()).isNull();
    }

    @Test
    void doesNothingBeforeItIsCarriedOut() throws IOException {
        DriverBinding.Plan plan = binding.bind(ADDRESS, "vfio-pci");
        assertThat(plan.steps())
                .containsExactly(
                        "remember that 0000:01:00.0 had nvme, in " + before.file(),
                        "echo vfio-pci > " + tree.bus().folder(ADDRESS) + "/driver_override",
                        "echo 0000:01:00.0 > " + tree.bus().folder(ADDRESS) + "/driver/unbind",
                        "echo 0000:01:00.0 > " + folder.resolve("sys/bus/pci/drivers_probe"));
        assertThat(plan.unbinds()).isTrue();
        assertThat(kernel.written).isEmpty();
        assertThat(before.file()).doesNotExist();
    }

    @Test
    void hasNothingToDoWhereAllIsSoAlready() throws IOException {
        assertThat(binding.bind(ADDRESS, "nvme").steps()).isEmpty();
        Files.delete(function.resolve("driver"));
        assertThat(binding.unbind(ADDRESS).steps()).isEmpty();
    }

    @Test
    void undoesAllWhenTheDriverDoesNotTakeIt() throws IOException {
        kernel.unwilling.add("vfio-pci");
        DriverBinding.Plan plan = binding.bind(ADDRESS, "vfio-pci");
        assertThatThrownBy(plan::carryOut)
                .isInstanceOf(IOException.class)
                .hasMessage("0000:01:00.0: vfio-pci did not take it; dmesg(1) says why")
                .hasNoSuppressedExceptions();
        assertThat(now().driver()).isEqualTo("nvme");
        assertThat(now().driverOverride()).isNull();
        assertThat(before.all()).isEmpty();
    }

    @Test
    void tellsWhatCouldNotBeUndone() throws IOException {
        kernel.unwilling.add("vfio-pci");
        kernel.unwilling.add("nvme");
        assertThatThrownBy(binding.bind(ADDRESS, "vfio-pci")::carryOut)
                .satisfies(e -> assertThat(e.getSuppressed())
                        .extracting(Throwable::getMessage)
                        .contains("could not be undone: 0000:01:00.0 is not back with nvme"));
    }

    @Test
    void undoesWhatItDidWhenAWriteFails() throws IOException {
        kernel.failing.add("unbind");
        assertThatThrownBy(binding.bind(ADDRESS, "vfio-pci")::carryOut)
                .hasMessageContaining("driver/unbind: in use (pwrite: EBUSY)");
        assertThat(now().driver()).isEqualTo("nvme");
        assertThat(now().driverOverride()).isNull();
        assertThat(before.all()).isEmpty();
    }

    @Test
    void loadsADriverThatIsNotThere() throws IOException {
        Path driver = folder.resolve("sys/bus/pci/drivers/uio_pci_generic");
        assertThat(binding.bind(ADDRESS, "uio_pci_generic").steps()).contains("modprobe uio_pci_generic");
        assertThatThrownBy(binding.bind(ADDRESS, "uio_pci_generic")::carryOut)
                .hasMessage("0000:01:00.0: the kernel has no driver uio_pci_generic, and cannot load it: Module"
                        + " uio_pci_generic not found");
        assertThat(now().driver()).isEqualTo("nvme");
        assertThatThrownBy(binding(_ -> {}).bind(ADDRESS, "uio_pci_generic")::carryOut)
                .hasMessageContaining("is no driver of PCI functions");
        binding(_ -> Files.createDirectories(driver))
                .bind(ADDRESS, "uio_pci_generic")
                .carryOut();
        assertThat(now().driver()).isEqualTo("uio_pci_generic");
    }

    @Test
    void saysBeforehandThatVfioNeedsAnIommu() throws IOException {
        Files.delete(function.resolve("iommu_group"));
        assertThatThrownBy(() -> binding.bind(ADDRESS, "vfio-pci")).hasMessageContaining("it is in no IOMMU group");
        SysfsTree.write(folder.resolve("sys/module/vfio/parameters/enable_unsafe_noiommu_mode"), "N");
        assertThatThrownBy(() -> binding.bind(ADDRESS, "vfio-pci")).hasMessageContaining("run 'echo 1 > ");
        SysfsTree.write(folder.resolve("sys/module/vfio/parameters/enable_unsafe_noiommu_mode"), "Y");
        binding.bind(ADDRESS, "vfio-pci").carryOut();
        assertThat(now().driver()).isEqualTo("vfio-pci");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "..", "../../x", "vfio pci", "vfio-pci\n", "-r"})
    void takesNoDriverThatIsNoName(String name) {
        assertThatThrownBy(() -> binding.bind(ADDRESS, name)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void doesNotRestoreToAnotherDeviceAtThePlace() throws IOException {
        binding.bind(ADDRESS, "vfio-pci").carryOut();
        SysfsTree.write(function.resolve("device"), "0x4711");
        assertThatThrownBy(() -> binding.restore(ADDRESS))
                .hasMessageContaining("it was 1b36:0010 when it was bound, and is 1b36:4711 now");
    }

    @Test
    void restoresAtLeastTheChoiceOfDriverWhereNothingIsRemembered() throws IOException {
        assertThatThrownBy(() -> binding.restore(ADDRESS)).hasMessageContaining("nothing is remembered of it");
        SysfsTree.write(function.resolve("driver_override"), "vfio-pci");
        binding.restore(ADDRESS).carryOut();
        assertThat(now().driverOverride()).isNull();
        assertThat(now().driver()).isEqualTo("nvme");
    }

    @Test
    void keepsItsMemoryToItself() throws IOException {
        binding.bind(ADDRESS, "vfio-pci").carryOut();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(before.file())))
                .isEqualTo("rw-------");
        assertThat(Files.readString(before.file())).isEqualTo("0000:01:00.0 1b36:0010 nvme *\n");

        Files.setPosixFilePermissions(before.file(), PosixFilePermissions.fromString("rw-rw-rw-"));
        assertThatThrownBy(before::all).hasMessageContaining("no file of this user's alone");
        Files.delete(before.file());
        Files.createSymbolicLink(before.file(), Files.writeString(folder.resolve("bait"), ""));
        assertThatThrownBy(before::all).hasMessageContaining("a symbolic link, which is not followed");
        Files.delete(before.file());
        Files.setPosixFilePermissions(before.file().getParent(), PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThatThrownBy(() -> before.remember(now())).hasMessageContaining("no folder of this user's alone");
    }

    @Test
    void doesNotFollowALinkForTheFolder() throws IOException {
        Files.createSymbolicLink(folder.resolve("run"), Files.createDirectory(folder.resolve("elsewhere")));
        assertThatThrownBy(() -> before.remember(now())).hasMessageContaining("no folder of this user's alone");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0000:01:00.0 1b36:0010 ../../x *",
                "nonsense",
                "0000:01:00.0 1b36:0010 nvme",
                "x 1b36:0010 nvme *",
                "0000:01:00.0 1b36:0010 nvme * more"
            })
    void doesNotDoWhatMakesNoSense(String line) throws IOException {
        Files.createDirectory(folder.resolve("run"));
        Files.writeString(before.file(), line + "\n");
        assertThatThrownBy(() -> binding.restore(ADDRESS)).hasMessageContaining("makes no sense");
    }

    @Test
    void letsOneAtATimeChangeBindings() throws IOException {
        try (OpenFile _ = before.lock()) {
            assertThatThrownBy(before::lock).hasMessageContaining("another './aisio devbind' is at work");
        }
        before.lock().close();
    }

    @Test
    void tellsWhatElseIsInTheGroup() throws IOException {
        Path second = tree.nvme("0000:01:00.1");
        tree.driver(second, "snd_hda_intel");
        tree.group(second, 14);
        Path bridge = tree.nvme("0000:00:01.0");
        tree.driver(bridge, "pcieport");
        tree.group(bridge, 14);
        SysfsTree.write(folder.resolve("sys/kernel/iommu_groups/14/type"), "DMA-FQ");
        IommuGroup group = IommuGroup.read(tree.bus(), 14);
        assertThat(group.type()).isEqualTo("DMA-FQ");
        assertThat(group.devices()).hasSize(3);
        assertThat(group.inTheWayOf(ADDRESS))
                .extracting(device -> device.address().toString())
                .isEqualTo(List.of("0000:01:00.1"));
    }
}
