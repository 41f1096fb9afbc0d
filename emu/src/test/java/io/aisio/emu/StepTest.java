package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Wire;
import io.aisio.nvme.spec.ZoneReport;
import io.aisio.xnvme.DeviceUri;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What one step of the controller does at most, so that it comes back to the admin queue and to CC. */
class StepTest {
    @ParameterizedTest
    @ValueSource(ints = {Opcode.VERIFY, Opcode.COMPARE, Opcode.WRITE_ZEROES, Opcode.FLUSH})
    void oneCommandThatMayBeLongIsAStep(int opcode) throws Exception {
        try (Host host = Host.ready(EmuConfiguration.memory(1 << 20))) {
            Host.Ring io = host.createQueue(1, 64);
            for (int cid = 0; cid < 20; cid++) {
                io.put(host.io(opcode, 0, 8), cid);
            }
            io.ring();
            for (int cid = 0; cid < 20; cid++) {
                assertThat(host.controller.step()).isEqualTo(1);
                assertThat(io.take().status().isSuccess()).isTrue();
            }
            assertThat(host.controller.step()).isZero();
        }
    }

    @Test
    void queuesTakeTurnsWhereAStepIsNotEnoughForAll() throws Exception {
        try (Host host = Host.ready(EmuConfiguration.memory(1 << 20))) {
            Host.Ring[] all = {host.createQueue(1, 64), host.createQueue(2, 64), host.createQueue(3, 64)};
            for (Host.Ring io : all) {
                for (int cid = 0; cid < 10; cid++) {
                    io.put(host.io(Opcode.VERIFY, 0, 8), cid);
                }
                io.ring();
            }
            for (int round = 0; round < 10; round++) {
                for (int i = 0; i < 3; i++) {
                    assertThat(host.controller.step()).isEqualTo(1);
                }
                for (Host.Ring io : all) {
                    assertThat(io.take().cid()).isEqualTo(round);
                }
            }
        }
    }

    @Test
    void manyShortCommandsAreAStepAndFewerLongOnes() throws Exception {
        try (Host host = Host.ready(EmuConfiguration.nothing(64 << 20))) {
            Host.Ring io = host.createQueue(1, 1024);
            for (int i = 0; i < 1000; i++) {
                io.put(host.io(Opcode.READ, i, 8), i);
            }
            io.ring();
            assertThat(host.controller.step()).isEqualTo(Dispatcher.STEP);
            host.await(() -> host.controller.step() == 0);
            for (int i = 0; i < 1000; i++) {
                assertThat(io.take().cid()).isEqualTo(i);
            }
            io.release();
            for (int i = 0; i < 100; i++) {
                io.put(host.io(Opcode.READ, 0, 65536), i);
            }
            io.ring();
            assertThat(host.controller.step()).isEqualTo(1);
        }
    }

    @Test
    void aReplyHasNothingOfTheOneBefore() throws Exception {
        EmuConfiguration zoned =
                EmuUri.parse(DeviceUri.parse("emu:4MiB?zoned=1MiB")).configuration();
        try (Host host = Host.ready(zoned)) {
            Host.Ring io = host.createQueue(1, 64);
            Host.Entry report = Host.Entry.of(Opcode.ZONE_MANAGEMENT_RECEIVE, 1).prps(host.data.iova(0), 0);
            assertThat(io.status(report.cdw12(1023))).isZero();
            assertThat(Wire.i64(host.data.segment(), ZoneReport.HEADER_BYTES)).isNotZero();
            long full = (long) ZoneReport.OPTION_FULL << ZoneReport.OPTION_SHIFT;
            assertThat(io.status(report.cdw12(1023 | full << 32))).isZero();
            MemorySegment nothing = MemorySegment.ofArray(new byte[4096]);
            assertThat(host.data.segment().asSlice(0, 4096).mismatch(nothing)).isEqualTo(-1);
        }
    }
}
