package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.rig.Machine.BoundFunction;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.IntStream;

/** Virtual functions (VFs) of a controller, and the secondary controllers in them (NVMe Base 2.0, section 8.26). */
final class SriovCases {
    private static final String PHYSICAL = "0000:01:00.0";
    private static final int VIRTUAL = 4;

    /** Actions and resources of Virtualization Management (section 5.24). */
    private static final String ASSIGN = "8";

    private static final String ONLINE = "9";
    private static final String QUEUES = "0";
    private static final String INTERRUPTS = "1";

    private SriovCases() {}

    static void virtualFunctionsAppearInGroupsOfTheirOwn() {
        try (VirtualFunctions functions = new VirtualFunctions()) {
            Machine.load("vfio-pci");
            Set<Integer> groups = new HashSet<>();
            for (int number = 1; number <= VIRTUAL; number++) {
                try (BoundFunction function = Machine.bind(functions.address(number), "vfio-pci")) {
                    groups.add(function.iommuGroup());
                }
            }
            assertThat(groups).hasSize(VIRTUAL).doesNotContain(-1);
        }
    }

    static void aVirtualFunctionWithResourcesIsASecondPathForTheKernel() {
        Machine.awaitNamespacesAt(PHYSICAL, 1);
        try (VirtualFunctions functions = new VirtualFunctions()) {
            functions.bringOnline(1);
            try (BoundFunction function = Machine.bind(functions.address(1), "nvme")) {
                Machine.await(
                        "the second controller is live",
                        () -> Machine.list(Machine.function(function.address()).resolve("nvme")).stream()
                                .anyMatch(controller -> Machine.read(controller.resolve("state"))
                                        .equals("live")));
            }
        }
        assertThat(Machine.namespacesAt(PHYSICAL)).hasSize(1);
    }

    /** All of them, until closed, without a driver. */
    private static final class VirtualFunctions implements AutoCloseable {
        private final Path physical = Machine.function(PHYSICAL);

        VirtualFunctions() {
            Machine.write(physical.resolve("sriov_drivers_autoprobe"), "0");
            Machine.write(physical.resolve("sriov_numvfs"), Integer.toString(VIRTUAL));
            // A driver is then taken where one is asked for by driver_override.
            Machine.write(physical.resolve("sriov_drivers_autoprobe"), "1");
            assertThat(IntStream.rangeClosed(1, VIRTUAL).mapToObj(number -> Machine.function(address(number))))
                    .allSatisfy(function -> assertThat(function).exists());
        }

        String address(int number) {
            return "0000:01:00." + number;
        }

        /** Gives the secondary controller two queue pairs and two interrupts, without which it cannot be enabled. */
        void bringOnline(int number) {
            manage(number, QUEUES, "2", ASSIGN);
            manage(number, INTERRUPTS, "2", ASSIGN);
            manage(number, QUEUES, "0", ONLINE);
        }

        private void manage(int number, String resource, String count, String action) {
            String controller = Machine.list(physical.resolve("nvme"))
                    .getFirst()
                    .getFileName()
                    .toString();
            Machine.run(
                    "nvme",
                    "virt-mgmt",
                    "/dev/" + controller,
                    "-c",
                    Integer.toString(number),
                    "-r",
                    resource,
                    "-n",
                    count,
                    "-a",
                    action);
        }

        @Override
        public void close() {
            Machine.write(physical.resolve("sriov_numvfs"), "0");
        }
    }
}
