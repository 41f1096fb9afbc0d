package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.rig.Machine.Said;
import java.nio.file.Path;
import java.util.List;

/** {@code ./aisio devbind} as a person runs it: what is in use stays the kernel's, and what was bound before comes back. */
final class DevbindCases {
    private static final String CONTROLLER = "0000:01:00.0";
    private static final String SERIAL = "RIG0001";

    private DevbindCases() {}

    static void refusesAMountedControllerAndSaysWhereItIsMounted() {
        String block = "/dev/"
                + Machine.awaitNamespacesAt(CONTROLLER, 2).getFirst().block().getFileName();
        Machine.run("mkfs.ext4", "-q", "-F", block);
        Machine.run("mount", block, "/mnt");
        try {
            Said said = Machine.aisio("devbind", "bind", "--driver", "vfio-pci", CONTROLLER);
            assertThat(said.exit()).as(said.text()).isEqualTo(1);
            assertThat(said.text())
                    .contains(CONTROLLER + ": refused: " + Path.of(block).getFileName() + " is mounted at /mnt (ext4)");
            assertThat(Machine.driverOf(CONTROLLER)).isEqualTo("nvme");
        } finally {
            Machine.run("umount", "/mnt");
        }
    }

    static void refusesWhatHasASignatureUnlessTheSerialNumberIsTyped() {
        List<Machine.KernelNamespace> namespaces = Machine.awaitNamespacesAt(CONTROLLER, 2);
        String block = "/dev/" + namespaces.getFirst().block().getFileName();
        Machine.run("mkfs.ext4", "-q", "-F", block);
        Said wrong = Machine.aisio("devbind", "bind", "--driver", "vfio-pci", "--force", "RIG0009", CONTROLLER);
        assertThat(wrong.exit()).as(wrong.text()).isNotZero();
        assertThat(wrong.text()).contains("carries ext4");
        assertThat(Machine.driverOf(CONTROLLER)).isEqualTo("nvme");

        Said forced = Machine.aisio("devbind", "bind", "--driver", "vfio-pci", "--force", SERIAL, CONTROLLER);
        assertThat(forced.exit()).as(forced.text()).isZero();
        assertThat(Machine.driverOf(CONTROLLER)).isEqualTo("vfio-pci");
        Said restored = Machine.aisio("devbind", "restore", CONTROLLER);
        assertThat(restored.exit()).as(restored.text()).isZero();
        assertThat(Machine.driverOf(CONTROLLER)).isEqualTo("nvme");
        Machine.awaitNamespacesAt(CONTROLLER, 2);
        Machine.run("wipefs", "-q", "-a", block);
    }
}
