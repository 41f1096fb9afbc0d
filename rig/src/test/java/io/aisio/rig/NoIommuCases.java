package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.rig.Machine.BoundFunction;
import java.nio.file.Path;

/** A machine without an IOMMU: what VFIO and UIO offer on it. */
final class NoIommuCases {
    private static final String CONTROLLER = "0000:01:00.0";
    private static final Path UNSAFE = Path.of("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");

    private NoIommuCases() {}

    static void thereIsNoIommuGroup() {
        assertThat(Machine.function(CONTROLLER).resolve("iommu_group")).doesNotExist();
        assertThat(Machine.list(Path.of("/sys/kernel/iommu_groups"))).isEmpty();
    }

    static void vfioTakesTheControllerOnceToldThatItIsUnsafe() {
        Machine.load("vfio-pci");
        Machine.write(UNSAFE, "1");
        try (BoundFunction function = Machine.bind(CONTROLLER, "vfio-pci")) {
            assertThat(Path.of("/dev/vfio/noiommu-" + function.iommuGroup())).exists();
        } finally {
            Machine.write(UNSAFE, "0");
        }
        Machine.awaitNamespacesAt(CONTROLLER, 2);
    }

    static void uioTakesTheController() {
        Machine.load("uio_pci_generic");
        try (BoundFunction function = Machine.bind(CONTROLLER, "uio_pci_generic")) {
            assertThat(Path.of("/dev/uio0")).exists();
            assertThat(function.iommuGroup()).isEqualTo(-1);
        }
        Machine.awaitNamespacesAt(CONTROLLER, 2);
    }
}
