package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.homi.daemon.Configuration;
import io.aisio.homi.daemon.Daemon;
import io.aisio.homi.daemon.Hotplug;
import io.aisio.homi.daemon.Status;
import io.aisio.upcie.Access;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A daemon whose controllers come and go: by their driver, and by the slot. */
final class HotplugCases {
    private static final String ADDRESS = "0000:02:00.0";

    private HotplugCases() {}

    private static String state(Daemon daemon) {
        return daemon.status().devices().stream()
                .filter(device -> device.name().equals("card"))
                .map(Status.DeviceStatus::state)
                .findFirst()
                .orElse("");
    }

    private static void awaitState(Daemon daemon, String state) {
        Machine.await(
                "the card is " + state + ", " + daemon.status().devices(),
                () -> state(daemon).equals(state));
    }

    /** Given to the driver, asked back, given again, pulled, and another one in its place. */
    static void aDaemonOpensAControllerThatComesAndGivesUpOneThatGoes() throws IOException {
        Driven.driverFor(Access.IOMMUFD);
        Path folder = Files.createTempDirectory("homi");
        Configuration configuration = Configuration.of(
                folder.resolve("socket"),
                List.of(
                        new Configuration.Device("always", "emu:16MiB?shared"),
                        new Configuration.Device("card", ADDRESS)));
        try (Daemon daemon =
                Daemon.open(configuration, new Daemon.Parts(List.of(), List.of(new Hotplug())), System.out::println)) {
            assertThat(state(daemon)).isEqualTo("absent");
            Machine.BoundFunction bound = Machine.bind(ADDRESS, "vfio-pci");
            awaitState(daemon, "working");
            bound.close();
            awaitState(daemon, "absent");
            Machine.bind(ADDRESS, "vfio-pci");
            awaitState(daemon, "working");

            Machine.pull("nvme1");
            Machine.await(ADDRESS + " is gone", () -> Files.notExists(Machine.function(ADDRESS)));
            awaitState(daemon, "absent");

            Machine.plug("nvme1");
            Machine.await(ADDRESS + " is there", () -> Files.exists(Machine.function(ADDRESS)));
            Machine.awaitNamespacesAt(ADDRESS, 1);
            Machine.bind(ADDRESS, "vfio-pci");
            awaitState(daemon, "working");
            assertThat(daemon.status().devices())
                    .extracting(Status.DeviceStatus::serial)
                    .contains("AGAIN");
        }
    }
}
