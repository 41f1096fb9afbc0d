package io.aisio.rig.qtest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.Namespace;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Controllers brought up, shared, reset, taken over and let go. */
class BringUpTest {
    private static final Status GOOD = new Status(Status.SUCCESS);

    @Test
    void readsTheRegistersAsTheSpecificationHasThem() throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build().controller("").namespace(1 << 20, ""))) {
            Bar bar = rig.function.bar(0);
            long cap = bar.read64(Registers.CAP);
            assertThat(Registers.maxQueueEntries(cap)).isEqualTo(2048);
            assertThat(Registers.supportsNvmCommandSet(cap)).isTrue();
            assertThat(Registers.supportsCommandSets(cap)).isTrue();
            assertThat(Registers.minPageSize(cap)).isEqualTo(4096);
            assertThat(bar.read32(Registers.VS)).isEqualTo(0x0001_0400);
            int cc = bar.read32(Registers.CC);
            assertThat(cc & Registers.CC_EN).isEqualTo(1);
            assertThat(Registers.commandSet(cc)).isEqualTo(6);
            assertThat(bar.read32(Registers.CSTS)).isEqualTo(Registers.CSTS_RDY);
            rig.driver.close();
            assertThat(bar.read32(Registers.CC) & Registers.CC_EN).isZero();
            assertThat(bar.read32(Registers.CSTS) & Registers.CSTS_RDY).isZero();
        }
    }

    @Test
    void tellsWhatTheControllerAndItsNamespacesAre() throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build()
                .controller("")
                .namespace(1 << 20, "nsid=3")
                .namespace(8 << 20, "nsid=1,logical_block_size=4096,physical_block_size=4096")
                .namespace(2 << 20, "nsid=200,ms=8,mset=1,pi=2,pil=1"))) {
            assertThat(rig.driver.identity().model()).isEqualTo("QEMU NVMe Ctrl");
            assertThat(rig.driver.identity().serial()).isEqualTo("RIG0");
            assertThat(rig.driver.identity().version()).isEqualTo(0x0001_0400);
            assertThat(rig.driver.identity().volatileWriteCache()).isTrue();
            assertThat(rig.driver.namespaces())
                    .containsExactly(
                            new Namespace(1, 4096, 2048, 0, false, false, 0, 0, false),
                            new Namespace(3, 512, 2048, 0, false, false, 0, 0, false),
                            new Namespace(200, 512, (2 << 20) / 520, 8, true, false, 0, 2, true));
            assertThatThrownBy(() -> rig.driver.namespace(2)).hasMessageContaining("no usable namespace 2");
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 2097152", "1, 8192", "3, 32768", "7, 524288"})
    void transfersWhatMdtsAllows(int mdts, int bytes) throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build().controller("mdts=" + mdts).namespace(8 << 20, ""));
                Blocks blocks = new Blocks(rig, 1)) {
            assertThat(rig.driver.maxTransferBytes()).isEqualTo(bytes);
            MemorySegment written = blocks.fill(mdts, bytes);
            assertThat(blocks.write(5, bytes / 512)).isEqualTo(GOOD);
            blocks.data(bytes).fill((byte) 0);
            assertThat(blocks.read(5, bytes / 512)).isEqualTo(GOOD);
            assertThat(blocks.data(bytes).mismatch(written)).isEqualTo(-1);
            if (mdts != 0) {
                assertThat(blocks.read(5, bytes / 512 + 1).code()).isEqualTo(Status.INVALID_FIELD);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"max_ioqpairs=1, 1", "max_ioqpairs=5, 5", "'max_ioqpairs=64,msix_qsize=1', 64"})
    void isGrantedWhatTheControllerHas(String options, int pairs) throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build().controller(options).namespace(1 << 20, ""))) {
            assertThat(rig.driver.maxQueuePairs()).isEqualTo(pairs);
            assertThat(rig.driver.maxDepth()).isEqualTo(2047);
        }
    }

    @Test
    void drivesControllersBesideOneAnother() throws Exception {
        QemuNvme.Builder machine = QemuNvme.build();
        for (int i = 0; i < 3; i++) {
            machine.controller("").namespace(1 << 20, "");
        }
        try (Rig rig = Rig.start(machine);
                QtestFunction second = rig.qemu.function(1);
                NvmeController one = NvmeController.open(second);
                QtestFunction third = rig.qemu.function(2);
                NvmeController two = NvmeController.open(third);
                Blocks zeroth = new Blocks(rig, 1);
                Blocks first = new Blocks(one, second, 1);
                Blocks other = new Blocks(two, third, 1)) {
            assertThat(one.identity().serial()).isEqualTo("RIG1");
            assertThat(two.identity().serial()).isEqualTo("RIG2");
            MemorySegment written = first.fill(1, 4096);
            assertThat(first.write(0, 8)).isEqualTo(GOOD);
            assertThat(other.read(0, 8)).isEqualTo(GOOD);
            assertThat(other.data(4096).mismatch(MemorySegment.ofArray(new byte[4096])))
                    .isEqualTo(-1);
            assertThat(zeroth.read(0, 8)).isEqualTo(GOOD);
            assertThat(first.read(0, 8)).isEqualTo(GOOD);
            assertThat(first.data(4096).mismatch(written)).isEqualTo(-1);
        }
    }

    @Test
    void readsThroughOneControllerWhatAnotherOfTheSubsystemWrote() throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build()
                        .arguments("-device", "nvme-subsys,id=subsystem")
                        .controller("subsys=subsystem,serial=SHARED")
                        .controller("subsys=subsystem,serial=SHARED")
                        .namespace(1 << 20, "shared=on"));
                QtestFunction second = rig.qemu.function(1);
                NvmeController other = NvmeController.open(second);
                Blocks here = new Blocks(rig, 1);
                Blocks there = new Blocks(other, second, 1)) {
            MemorySegment written = here.fill(2, 8192);
            assertThat(here.write(9, 16)).isEqualTo(GOOD);
            assertThat(there.read(9, 16)).isEqualTo(GOOD);
            assertThat(there.data(8192).mismatch(written)).isEqualTo(-1);
        }
    }

    @Test
    void opensAndClosesAHundredTimes() throws Exception {
        try (QemuNvme qemu =
                        QemuNvme.build().controller("").namespace(1 << 20, "").start();
                QtestFunction function = qemu.function(0)) {
            for (int i = 0; i < 100; i++) {
                try (NvmeController driver = NvmeController.open(function);
                        Blocks blocks = new Blocks(driver, function, 1)) {
                    assertThat(blocks.read(0, 1)).isEqualTo(GOOD);
                    assertThat(blocks.memory.segment().get(ValueLayout.JAVA_INT, 0))
                            .isEqualTo(i);
                    blocks.memory.segment().set(ValueLayout.JAVA_INT, 0, i + 1);
                    assertThat(blocks.write(0, 1)).isEqualTo(GOOD);
                }
                assertThat(qemu.memory().live()).isZero();
            }
        }
    }

    @Test
    void takesOverAControllerThatWasLeftEnabled() throws Exception {
        try (QemuNvme qemu =
                        QemuNvme.build().controller("").namespace(1 << 20, "").start();
                QtestFunction function = qemu.function(0);
                DmaMemory rings = function.allocate(8192)) {
            Bar bar = function.bar(0);
            bar.write32(Registers.AQA, Registers.adminQueueAttributes(7));
            bar.write64(Registers.ASQ, rings.iova(0));
            bar.write64(Registers.ACQ, rings.iova(4096));
            bar.write32(Registers.CC, Registers.configuration(4096) | Registers.CC_EN);
            assertThat(bar.read32(Registers.CSTS) & Registers.CSTS_RDY).isEqualTo(1);
            try (NvmeController driver = NvmeController.open(function)) {
                assertThat(driver.namespaces()).hasSize(1);
            }
        }
    }

    @Test
    void isNotDisturbedByAControllerMemoryBuffer() throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build().controller("cmb_size_mb=4").namespace(4 << 20, ""));
                Blocks blocks = new Blocks(rig, 1)) {
            assertThat(rig.function.bar(0).read64(Registers.CAP) >>> 57 & 1)
                    .as("CAP.CMBS")
                    .isEqualTo(1);
            assertThat(rig.function.bar(2).size()).isEqualTo(4 << 20);
            MemorySegment written = blocks.fill(3, 1 << 19);
            assertThat(blocks.write(1, 1024)).isEqualTo(GOOD);
            blocks.data(1 << 19).fill((byte) 0);
            assertThat(blocks.read(1, 1024)).isEqualTo(GOOD);
            assertThat(blocks.data(1 << 19).mismatch(written)).isEqualTo(-1);
        }
    }

    @Test
    void comesBackFromAResetBehindItsBackAndOpensAgain() throws Exception {
        try (QemuNvme qemu =
                        QemuNvme.build().controller("").namespace(1 << 20, "").start();
                QtestFunction function = qemu.function(0)) {
            try (NvmeController driver = NvmeController.open(function, Rig.SHORT);
                    Blocks blocks = new Blocks(driver, function, 1)) {
                assertThat(blocks.read(0, 1)).isEqualTo(GOOD);
                function.reset();
                // Good if the controller's own thread noticed it first.
                assertThat(blocks.read(0, 1).code()).isIn(Status.ABORTED_BY_HOST, Status.SUCCESS);
                assertThat(blocks.read(0, 1)).isEqualTo(GOOD);
                assertThat(driver.resets()).isEqualTo(1);
                assertThat(driver.lastReset()).hasMessageContaining("the controller is not ready any more");
            }
            try (NvmeController driver = NvmeController.open(function);
                    Blocks blocks = new Blocks(driver, function, 1)) {
                assertThat(blocks.read(0, 1)).isEqualTo(GOOD);
            }
        }
    }

    @Test
    void writesNothingMoreOnceItIsCutOffMemory() throws Exception {
        try (QemuNvme qemu =
                        QemuNvme.build().controller("").namespace(1 << 20, "").start();
                QtestFunction function = qemu.function(0)) {
            try (NvmeController driver = NvmeController.open(function, Rig.SHORT);
                    Blocks blocks = new Blocks(driver, function, 1)) {
                blocks.data(512).fill((byte) 0x77);
                function.stopDma();
                assertThat(blocks.read(0, 1).code()).isEqualTo(Status.ABORTED_BY_HOST);
                assertThatThrownBy(() -> blocks.read(0, 1))
                        .as("the resets that bring nothing back are waited for")
                        .isInstanceOf(NvmeException.class);
                assertThat(driver.failure()).hasMessageContaining("CSTS.CFS");
                assertThat(blocks.data(512)
                                .mismatch(MemorySegment.ofArray(new byte[512]).fill((byte) 0x77)))
                        .isEqualTo(-1);
            }
        }
    }
}
