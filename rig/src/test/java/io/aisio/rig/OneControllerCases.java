package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.groups.Tuple.tuple;

import io.aisio.rig.Machine.BoundFunction;
import io.aisio.rig.Machine.KernelNamespace;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** That the rig gives what the other suites build upon: one controller, modules, an IOMMU, huge pages, processes. */
final class OneControllerCases {
    private static final String CONTROLLER = "0000:01:00.0";

    private OneControllerCases() {}

    static void theKernelSeesANamespaceOfEachBlockSize() {
        assertThat(Machine.awaitNamespacesAt(CONTROLLER, 2))
                .extracting(KernelNamespace::nsid, KernelNamespace::blockSize, KernelNamespace::bytes)
                .containsExactly(tuple(1, 512, 64L << 20), tuple(2, 4096, 64L << 20));
    }

    static void everyModuleForUserSpaceDriversLoads() {
        Machine.load("vfio-pci", "vfio_iommu_type1", "iommufd", "uio_pci_generic");
        assertThat(Path.of("/dev/vfio/vfio")).exists();
        assertThat(Path.of("/dev/iommu")).exists();
        assertThat(Path.of("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"))
                .hasContent("N");
    }

    static void vfioPciTakesTheControllerAndGivesItBack() {
        Machine.load("vfio-pci", "vfio_iommu_type1", "iommufd");
        try (BoundFunction function = Machine.bind(CONTROLLER, "vfio-pci")) {
            assertThat(function.iommuGroup()).isNotNegative();
            assertThat(Path.of("/dev/vfio/" + function.iommuGroup())).exists();
            assertThat(Path.of("/dev/vfio/devices/vfio0")).exists();
            assertThat(Machine.namespacesAt(CONTROLLER)).isEmpty();
        }
        Machine.awaitNamespacesAt(CONTROLLER, 2);
    }

    static void uioTakesTheControllerAndGivesItBack() {
        Machine.load("uio_pci_generic");
        try (BoundFunction function = Machine.bind(CONTROLLER, "uio_pci_generic")) {
            assertThat(Path.of("/dev/uio0")).exists();
        }
        Machine.awaitNamespacesAt(CONTROLLER, 2);
    }

    static void hugePagesAreSetAside() {
        assertThat(Machine.read(Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")))
                .isEqualTo("64");
        assertThat(Path.of("/dev/hugepages")).isDirectory();
    }

    static void aSecondJvmRunsAndCanBeKilled() throws IOException, InterruptedException {
        Process second = Machine.startJava(Waiting.class, "here");
        try (BufferedReader said = second.inputReader()) {
            assertThat(said.readLine()).isEqualTo("here");
            second.destroyForcibly();
            assertThat(second.waitFor(10, TimeUnit.SECONDS)).isTrue();
            assertThat(second.exitValue()).isEqualTo(128 + 9);
        }
    }

    /** Says its argument, and waits to be killed. */
    static final class Waiting {
        private Waiting() {}

        public static void main(String[] args) throws InterruptedException {
            System.out.println(args[0]);
            Thread.currentThread().join();
        }
    }
}
