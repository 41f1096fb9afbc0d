package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.aisio.homi.daemon.Configuration;
import io.aisio.homi.daemon.Export;
import io.aisio.homi.daemon.Metered;
import io.aisio.homi.daemon.Status;
import io.aisio.upcie.Access;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A block device that the daemon makes, with a file system mounted and written to, whose controller is no more. */
final class ExportFailureCases {
    private static final String BLOCK = "/dev/ublkb0";

    private ExportFailureCases() {}

    /** Pulled out of its slot: the kernel asks for it back. */
    static void theControllerIsPulled() throws Exception {
        String address = "0000:02:00.0";
        failsInOrder(address, () -> Machine.pull("nvme1"));
        Machine.await(address + " is gone", () -> Files.notExists(Machine.function(address)));
    }

    /** It answers no more: its registers are not decoded, it reaches no memory. Nobody tells. */
    static void theControllerFailsForGood() throws Exception {
        String address = "0000:03:00.0";
        try (Machine.BoundFunction function =
                failsInOrder(address, () -> Machine.run("setpci", "-s", address, "COMMAND=0:6"))) {
            assertThat(function.address()).isEqualTo(address);
        }
    }

    /** Who writes and reads sees errors, soon; the file system can be unmounted; the daemon says what happened, and ends. */
    private static Machine.BoundFunction failsInOrder(String address, Runnable trouble) throws Exception {
        Driven.driverFor(Access.IOMMUFD);
        Machine.load("ublk_drv", "xfs");
        Path mount = Files.createTempDirectory("failing");
        Machine.BoundFunction function = Machine.bind(address, "vfio-pci");
        try (Homid homid = Homid.start(
                List.of(new Configuration.Device("card", address)),
                List.of(new Export.Request("data", "card", 1, "ublk", 1, 32, false, -1)),
                List.of(),
                List.of())) {
            Machine.run("mkfs.xfs", "-q", "-f", "--unsupported", BLOCK);
            Machine.run("mount", "-t", "xfs", BLOCK, mount.toString());
            Map<String, String> before;
            try (FilesWriter writer = new FilesWriter(mount)) {
                writer.await(3);
                before = ExtentsReader.checksumsOf(mount);
                trouble.run();
                assertThat(writer.awaitFailure())
                        .isInstanceOf(IOException.class)
                        .as("EIO, or ENOLINK for a command that was taken back from the controller")
                        .hasMessageMatching("(?s).*(Input/output error|Link has been severed).*");
            }
            assertThat(before).hasSizeGreaterThan(2);
            assertThat(catchThrowable(() -> ExtentsReader.checksumsOf(mount))).hasMessageContaining("Input/output");

            Machine.await(
                    "the daemon knows",
                    () -> homid.status().devices().stream()
                            .allMatch(card -> card.state().equals("absent")));
            Status status = homid.status();
            assertThat(status.ready()).isFalse();
            assertThat(status.state()).isEqualTo("degraded");
            assertThat(status.rows()).singleElement().satisfies(row -> {
                assertThat(row.path()).isEqualTo(Metered.Path.KERNEL);
                assertThat(row.state()).isEqualTo("failed");
            });
            Machine.run("umount", mount.toString());
            Machine.await(BLOCK + " is gone", () -> Files.notExists(Path.of(BLOCK)));
        }
        return function;
    }
}
