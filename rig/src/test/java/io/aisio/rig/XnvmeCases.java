package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.rig.Machine.Said;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** {@code ./aisio xnvme} as a person runs it on the kernel's nodes, beside what nvme-cli and the kernel see. */
final class XnvmeCases {
    private static final String SERIAL = "RIG0001";

    private XnvmeCases() {}

    private static Said xnvme(String... arguments) {
        List<String> all = new ArrayList<>(List.of(arguments));
        all.addFirst("xnvme");
        return Machine.aisio(all.toArray(String[]::new));
    }

    private static Said succeeds(String... arguments) {
        Said said = xnvme(arguments);
        assertThat(said.exit()).as(said.text()).isZero();
        return said;
    }

    /** The kernel's device of the controller. */
    private static String controller() {
        return Driven.block(1).replaceFirst("n\\d+$", "");
    }

    /** Blocks of 512 bytes as the kernel reads them from the device, as hexadecimal digits. */
    private static String kernelReads(long lba, int blocks) {
        return Machine.run(
                        "bash",
                        "-o",
                        "pipefail",
                        "-c",
                        "dd if=" + Driven.block(1) + " iflag=direct status=none bs=512 skip=" + lba + " count=" + blocks
                                + " | od -An -v -tx1")
                .replaceAll("\\s", "");
    }

    static void identifiesAControllerByteForByteLikeNvmeCli() {
        if (!Files.isExecutable(Path.of("/usr/sbin/nvme"))) {
            throw new NeedsException("needs nvme-cli (apt-get install nvme-cli)");
        }
        String theirs = Machine.run(
                        "sh", "-c", "nvme id-ctrl --output-format=binary " + controller() + " | od -An -v -tx1")
                .replaceAll("\\s", "");
        assertThat(theirs).hasSize(8192);
        assertThat(succeeds("idfy", "--cns", "1", "--output", "json", controller())
                        .text())
                .contains("\"data\"")
                .contains(theirs)
                .contains("kernel, NVMe commands by ioctl");
    }

    static void writesAndCopiesWhatTheKernelThenReads() {
        succeeds("write", "--lba", "3000", "--blocks", "8", "--fill", "0xa5", "--destroy-data", Driven.generic(1));
        assertThat(kernelReads(3000, 8)).isEqualTo("a5".repeat(8 * 512));
        succeeds("copy", "--from", "3000:4", "--to", "5000", "--destroy-data", Driven.generic(1));
        assertThat(kernelReads(5000, 4)).isEqualTo("a5".repeat(4 * 512));
        succeeds("write", "--lba", "3002", "--blocks", "2", "--zeroes", "--destroy-data", Driven.generic(1));
        assertThat(kernelReads(3002, 3)).isEqualTo("00".repeat(2 * 512) + "a5".repeat(512));
    }

    static void refusesToChangeWhatIsMounted() {
        Machine.run("mkfs.ext4", "-q", "-F", Driven.block(1));
        Machine.run("mount", Driven.block(1), "/mnt");
        try {
            for (String[] command : new String[][] {
                {"write", "--fill", "1", "--destroy-data", Driven.generic(1)},
                {"format", "--lbaf", "0", "--serial", SERIAL, controller()}
            }) {
                Said said = xnvme(command);
                assertThat(said.exit()).as(said.text()).isEqualTo(1);
                assertThat(said.text()).contains("mounted at /mnt");
            }
        } finally {
            Machine.run("umount", "/mnt");
            Machine.run("wipefs", "-q", "-a", Driven.block(1));
        }
    }

    static void resetsTheKernelsController() {
        succeeds("reset", controller());
        assertThat(kernelReads(0, 1)).hasSize(1024);
    }
}
