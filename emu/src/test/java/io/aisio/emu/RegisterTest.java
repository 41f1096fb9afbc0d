package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.DmaMemory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RegisterTest {
    private static final EmuConfiguration SMALL = EmuConfiguration.memory(1 << 20);

    @Test
    void showTheResetValues() throws Exception {
        try (Host host = new Host(SMALL.withEntries(256).withDoorbellStride(2))) {
            long cap = host.bar.read64(Registers.CAP);
            assertThat(Registers.maxQueueEntries(cap)).isEqualTo(256);
            assertThat(cap >>> 16 & 1).as("CQR").isEqualTo(1);
            assertThat(Registers.timeoutMillis(cap)).isEqualTo(2500);
            assertThat(Registers.doorbellStride(cap)).isEqualTo(2);
            assertThat(Registers.supportsNvmCommandSet(cap)).isTrue();
            assertThat(Registers.minPageSize(cap)).isEqualTo(4096);
            assertThat(Registers.maxPageSize(cap)).isEqualTo(4096);
            assertThat(cap & ~0x2F_FF01_FFFFL)
                    .as("reserved bits, NSSRS, BPS, PMRS, CMBS")
                    .isZero();
            assertThat(host.bar.read32(Registers.VS)).isEqualTo(0x0001_0400);
            for (long at : new long[] {
                Registers.INTMS, Registers.INTMC, Registers.CC, 0x18, Registers.CSTS, Registers.NSSR, Registers.AQA
            }) {
                assertThat(host.bar.read32(at)).as("register 0x%x", at).isZero();
            }
            for (long at = Registers.ASQ; at < host.bar.size(); at += 8) {
                assertThat(host.bar.read64(at)).as("register 0x%x", at).isZero();
            }
        }
    }

    @Test
    void thatAreReadOnlyComeBack() throws Exception {
        try (Host host = Host.ready(SMALL)) {
            long cap = host.bar.read64(Registers.CAP);
            for (long at = 0; at < 0x1000; at += 4) {
                if (at != Registers.CC && at != Registers.INTMS && at != Registers.INTMC && (at < 0x24 || at >= 0x38)) {
                    host.bar.write32(at, 0xA5A5_A5A5);
                }
            }
            host.settle();
            assertThat(host.bar.read64(Registers.CAP)).isEqualTo(cap);
            assertThat(host.bar.read32(Registers.VS)).isEqualTo(0x0001_0400);
            assertThat(host.csts()).isEqualTo(Registers.CSTS_RDY);
            assertThat(host.bar.read32(0x18)).isZero();
            assertThat(host.bar.read32(Registers.NSSR)).isZero();
            for (long at = 0x38; at < 0x1000; at += 8) {
                assertThat(host.bar.read64(at)).as("register 0x%x", at).isZero();
            }
        }
    }

    @Test
    void readReservedBitsAsZero() throws Exception {
        try (Host host = new Host(SMALL)) {
            host.bar.write32(Registers.CC, 0xFF00_000E);
            host.bar.write32(Registers.AQA, -1);
            host.bar.write64(Registers.ASQ, -1);
            host.bar.write64(Registers.ACQ, -1);
            host.settle();
            assertThat(host.bar.read32(Registers.CC)).isZero();
            assertThat(host.bar.read32(Registers.AQA)).isEqualTo(0x0FFF_0FFF);
            assertThat(host.bar.read64(Registers.ASQ)).isEqualTo(-4096);
            assertThat(host.bar.read64(Registers.ACQ)).isEqualTo(-4096);
        }
    }

    @Test
    void setAndClearTheInterruptMaskBitByBit() throws Exception {
        try (Host host = new Host(SMALL)) {
            host.bar.write32(Registers.INTMS, 0b0101);
            host.settle();
            host.bar.write32(Registers.INTMS, 0b1000);
            host.settle();
            assertThat(host.bar.read32(Registers.INTMS)).isEqualTo(0b1101);
            assertThat(host.bar.read32(Registers.INTMC)).isEqualTo(0b1101);
            host.bar.write32(Registers.INTMC, 0b0100);
            host.settle();
            assertThat(host.bar.read32(Registers.INTMS)).isEqualTo(0b1001);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1 << 4, 1 << 7, 1 << 11})
    void failFatallyWhereTheConfigurationIsNotSupported(int wrong) throws Exception {
        try (Host host = new Host(SMALL)) {
            assertEnableFails(host, Registers.configuration(4096) | wrong, Registers.adminQueueAttributes(32), true);
        }
    }

    @Test
    void failFatallyWhereTheAdminQueueMakesNoSense() throws Exception {
        try (Host host = new Host(SMALL)) {
            assertEnableFails(host, Registers.configuration(4096), 31 << 16, true);
            assertEnableFails(host, Registers.configuration(4096), 31, true);
            assertEnableFails(host, Registers.configuration(4096), Registers.adminQueueAttributes(32), false);
            // And all is well again once it makes sense.
            host.enable();
            assertThat(host.admin.status(Host.Entry.of(Opcode.GET_FEATURES, 0).dwords(7, 0)))
                    .isZero();
        }
    }

    private static void assertEnableFails(Host host, int cc, int aqa, boolean memory) throws Exception {
        DmaMemory queue = host.function.allocate(8192);
        host.bar.write32(Registers.AQA, aqa);
        host.bar.write64(Registers.ASQ, memory ? queue.iova(0) : 0x1000);
        host.bar.write64(Registers.ACQ, memory ? queue.iova(4096) : 0x2000);
        host.bar.write32(Registers.CC, cc | Registers.CC_EN);
        host.settle();
        assertThat(host.csts()).isEqualTo(Registers.CSTS_CFS);
        host.bar.write32(Registers.CC, 0);
        host.settle();
        assertThat(host.csts()).isZero();
    }

    @Test
    void keepTheAdminQueueAndLoseEverythingElseInAReset() throws Exception {
        try (Host host = Host.ready(SMALL)) {
            host.createQueue(1, 16);
            long asq = host.bar.read64(Registers.ASQ);
            host.disable();
            assertThat(host.bar.read64(Registers.ASQ)).isEqualTo(asq);
            for (long at = Registers.DOORBELLS; at < host.bar.size(); at += 4) {
                assertThat(host.bar.read32(at)).as("doorbell 0x%x", at).isZero();
            }
            host.enable();
            // The identifiers are free again.
            Host.Ring io = host.createQueue(1, 16);
            assertThat(io.status(host.io(Opcode.READ, 0, 1))).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1 << 14, 2 << 14})
    void shutDownInOrder(int notification) throws Exception {
        try (Host host = Host.ready(SMALL)) {
            host.bar.write32(Registers.CC, host.bar.read32(Registers.CC) | notification);
            host.await(() -> (host.csts() & Registers.CSTS_SHST_MASK) == Registers.CSTS_SHST_COMPLETE);
            host.admin.put(Host.Entry.of(Opcode.GET_FEATURES, 0).dwords(7, 0), 1);
            host.admin.ring();
            host.settle();
            assertThat(host.admin.ready()).as("a completion after shutdown").isFalse();
            host.disable();
            assertThat(host.csts()).isZero();
            host.enable();
            assertThat(host.admin.status(Host.Entry.of(Opcode.GET_FEATURES, 0).dwords(7, 0)))
                    .isZero();
        }
    }

    @Test
    void belongToOneBarOfAFunctionThatIsGoneOnceClosed() throws Exception {
        Host host = Host.ready(SMALL);
        assertThatIllegalArgumentException().isThrownBy(() -> host.function.bar(1));
        host.function.close();
        host.function.close();
        host.data.close();
        assertThatIllegalStateException().isThrownBy(() -> host.bar.read32(Registers.CSTS));
        assertThatIllegalStateException().isThrownBy(() -> host.function.allocate(1));
        assertThatIllegalStateException().isThrownBy(host.controller::step);
        assertThatIllegalStateException().isThrownBy(host.controller::start);
    }

    @Test
    void areRunByOneThreadAtATime() throws Exception {
        try (Host host = new Host(SMALL, false)) {
            assertThatIllegalStateException().isThrownBy(host.controller::step);
            assertThatIllegalStateException().isThrownBy(host.controller::start);
            host.enable();
            host.controller.stop();
            host.controller.stop();
            assertThat(host.controller.step()).isZero();
        }
    }
}
