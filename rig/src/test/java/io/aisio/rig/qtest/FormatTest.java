package io.aisio.rig.qtest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.Format;
import io.aisio.nvme.LbaFormat;
import io.aisio.nvme.Namespace;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Prinfo;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.command.AdminCommandSet;
import io.aisio.nvme.command.Identities;
import io.aisio.nvme.command.NvmCommandSet;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Status;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Format NVM, between block sizes, metadata and protection information. */
class FormatTest {
    private static final int BYTES = 1 << 20;

    private Rig rig;

    @BeforeEach
    void start() throws Exception {
        rig = Rig.start(QemuNvme.build().controller("").namespace(BYTES, "").namespace(BYTES, ""));
    }

    @AfterEach
    void end() throws Exception {
        if (rig != null) {
            rig.close();
        }
    }

    private int indexOf(int lbaBytes, int metadataBytes) throws IOException {
        return new Identities(rig.driver)
                .namespace(1).formats().stream()
                        .filter(f -> f.lbaBytes() == lbaBytes && f.metadataBytes() == metadataBytes)
                        .mapToInt(LbaFormat::index)
                        .findFirst()
                        .orElseThrow();
    }

    private static void assertRefused(ThrowingCallable format, int status) {
        assertThatThrownBy(format)
                .isInstanceOfSatisfying(
                        NvmeException.class, e -> assertThat(e.status().code()).isEqualTo(status));
    }

    @Test
    void changesTheBlockSizeAndReadsTheNamespaceAnew() throws Exception {
        assertThat(rig.driver.namespace(1).lbaBytes()).isEqualTo(512);
        for (int lbaBytes : new int[] {4096, 512, 4096}) {
            try (Blocks blocks = new Blocks(rig, 1)) {
                blocks.fill(lbaBytes, 8192);
                assertThat(blocks.write(0, 8192 / blocks.namespace.lbaBytes()).isSuccess())
                        .isTrue();
            }
            new AdminCommandSet(rig.driver).format(1, Format.of(indexOf(lbaBytes, 0)));
            assertThat(rig.driver.namespace(1))
                    .isEqualTo(new Namespace(1, lbaBytes, BYTES / lbaBytes, 0, false, false, 0, 0, false));
            assertThat(rig.driver.namespace(2).lbaBytes()).as("the other one").isEqualTo(512);
            try (Blocks blocks = new Blocks(rig, 1)) {
                assertThat(blocks.read(0, 8192 / lbaBytes).isSuccess()).isTrue();
                assertThat(blocks.data(8192).mismatch(MemorySegment.ofArray(new byte[8192])))
                        .as("what was there is gone")
                        .isEqualTo(-1);
                assertThat(blocks.read(BYTES / lbaBytes, 1).code()).isEqualTo(Status.LBA_OUT_OF_RANGE);
            }
        }
    }

    @Test
    void givesBlocksMetadataAndProtectionInformation() throws Exception {
        new AdminCommandSet(rig.driver).format(1, new Format(indexOf(4096, 64), true, 1, true, Format.Erase.NONE));
        assertThat(rig.driver.namespace(1))
                .isEqualTo(new Namespace(1, 4096, BYTES / 4160, 64, true, false, 0, 1, true));
        new AdminCommandSet(rig.driver).format(1, new Format(indexOf(512, 8), false, 3, false, Format.Erase.USER_DATA));
        assertThat(rig.driver.namespace(1)).isEqualTo(new Namespace(1, 512, BYTES / 520, 8, false, false, 0, 3, false));
        new AdminCommandSet(rig.driver).format(1, Format.of(indexOf(512, 0)));
        assertThat(rig.driver.namespace(1)).isEqualTo(new Namespace(1, 512, BYTES / 512, 0, false, false, 0, 0, false));
    }

    @Test
    void formatsEveryNamespaceAtOnce() throws Exception {
        new AdminCommandSet(rig.driver).format(Identify.ALL_NAMESPACES, Format.of(indexOf(4096, 0)));
        assertThat(rig.driver.namespaces()).extracting(Namespace::lbaBytes).containsExactly(4096, 4096);
    }

    @Test
    void refusesWhileAQueueIsOpen() throws Exception {
        try (QueuePair pair = rig.driver.createQueuePair(1)) {
            assertThatThrownBy(() -> new AdminCommandSet(rig.driver).format(1, Format.of(4)))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("queue pairs {1} are open");
        }
        new AdminCommandSet(rig.driver).format(1, Format.of(4));
    }

    @Test
    void saysWhatTheControllerRefusesAndLeavesTheNamespace() throws Exception {
        Namespace before = rig.driver.namespace(1);
        assertRefused(() -> new AdminCommandSet(rig.driver).format(1, Format.of(15)), Status.INVALID_FORMAT);
        assertRefused(
                () -> new AdminCommandSet(rig.driver).format(1, new Format(0, false, 1, false, Format.Erase.NONE)),
                Status.INVALID_FORMAT);
        assertRefused(
                () -> new AdminCommandSet(rig.driver).format(300, Format.of(0)), Status.INVALID_NAMESPACE_OR_FORMAT);
        assertThat(rig.driver.namespace(1)).isEqualTo(before);
        assertThat(rig.driver.failure()).isNull();
    }

    @Test
    void leavesNamespacesWithMetadataToTheDriver() throws Exception {
        new AdminCommandSet(rig.driver).format(2, Format.of(indexOf(512, 16)));
        rig.driver.close();
        try (NvmeDevice device = NvmeDevice.open(rig.qemu.function(0), 2, "qtest:0", "qtest")) {
            assertThatThrownBy(() -> device.openQueue(1))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("namespace 2 is formatted with 16 bytes of metadata a block");
            NvmCommandSet nvm = NvmCommandSet.of(device.passthrough());
            byte[] data = new byte[2 * 512];
            byte[] metadata = new byte[2 * 16];
            Arrays.fill(data, (byte) 3);
            Arrays.fill(metadata, (byte) 4);
            nvm.write(8, MemorySegment.ofArray(data), MemorySegment.ofArray(metadata), Prinfo.NONE, false);
            byte[] got = new byte[2 * 16];
            nvm.read(8, MemorySegment.ofArray(new byte[2 * 512]), MemorySegment.ofArray(got), Prinfo.NONE);
            assertThat(got).isEqualTo(metadata);
        }
        try (NvmeDevice device = NvmeDevice.open(rig.qemu.function(0), 1, "qtest:0", "qtest")) {
            new AdminCommandSet(device.controller()).format(2, Format.of(0));
        }
        try (NvmeDevice device = NvmeDevice.open(rig.qemu.function(0), 2, "qtest:0", "qtest")) {
            assertThat(device.geometry().lbaBytes()).isEqualTo(512);
        }
    }
}
