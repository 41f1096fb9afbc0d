package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.rig.Machine.BoundFunction;
import java.nio.file.Files;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Several controllers at once, and one that goes away. */
final class FourControllersCases {
    private static final List<String> CONTROLLERS =
            List.of("0000:01:00.0", "0000:02:00.0", "0000:03:00.0", "0000:04:00.0");

    private FourControllersCases() {}

    static void theKernelSeesEachByItsSerialNumber() {
        for (String address : CONTROLLERS) {
            Machine.awaitNamespacesAt(address, 1);
        }
        assertThat(CONTROLLERS.stream().map(FourControllersCases::serialOf))
                .containsExactly("RIG0001", "RIG0002", "RIG0003", "RIG0004");
    }

    static void eachHasAnIommuGroupOfItsOwn() {
        Machine.load("vfio-pci");
        Set<Integer> groups = new HashSet<>();
        for (String address : CONTROLLERS) {
            try (BoundFunction function = Machine.bind(address, "vfio-pci")) {
                groups.add(function.iommuGroup());
            }
        }
        assertThat(groups).hasSize(CONTROLLERS.size()).doesNotContain(-1);
    }

    /** Last by its name, because it does not come back. */
    static void zPulledOutAControllerLeavesTheBus() {
        Machine.pull("nvme3");
        Machine.await("0000:04:00.0 is gone", () -> Files.notExists(Machine.function("0000:04:00.0")));
        assertThat(Machine.namespacesAt("0000:04:00.0")).isEmpty();
        Machine.awaitNamespacesAt("0000:03:00.0", 1);
    }

    private static String serialOf(String address) {
        return Machine.read(Machine.list(Machine.function(address).resolve("nvme"))
                .getFirst()
                .resolve("serial"));
    }
}
