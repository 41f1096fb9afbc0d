package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.rig.Machine.BoundFunction;
import io.aisio.upcie.Access;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
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
        Machine.awaitNamespacesAt("0000:02:00.0", 1);
    }

    /** Beside the kernel's three others, one is driven by us when it is pulled. */
    static void yAControllerThatIsPulledInMidIoFailsPromptly() throws Exception {
        Driven.driverFor(Access.TYPE1);
        String address = "0000:03:00.0";
        Machine.bind(address, "vfio-pci");
        long began;
        try (Device device = Device.open(address);
                Queue queue = device.openQueue(8);
                Buffer buffer = device.allocate(4096)) {
            queue.bindRead(0, buffer, 0, 512);
            queue.submit(new int[] {0}, new long[1], 1);
            assertThat(queue.await(new int[8])).isEqualTo(1);
            Machine.pull("nvme2");
            began = System.nanoTime();
            IOException failure = VfioCases.failureOf(queue);
            assertThat(failure.getMessage() + failure.getCause()).containsAnyOf("asked back", "gone");
        }
        // A slot waits some seconds with its attention button pressed before it is powered off (PCI Hot-Plug 1.1).
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(25));
        Machine.await(address + " is gone", () -> Files.notExists(Machine.function(address)));
    }

    private static String serialOf(String address) {
        return Machine.read(Machine.list(Machine.function(address).resolve("nvme"))
                .getFirst()
                .resolve("serial"));
    }
}
