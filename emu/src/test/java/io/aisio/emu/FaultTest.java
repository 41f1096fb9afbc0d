package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class FaultTest {
    private static Host with(String faults) throws Exception {
        return new Host(EmuConfiguration.memory(1 << 20).withFaults(FaultPlan.parse(faults)));
    }

    private static Host readyWith(String faults) throws Exception {
        Host host = with(faults);
        host.enable();
        return host;
    }

    @Test
    void corruptsOneBitOfEachBlockNamedAsItIsRead() throws Exception {
        try (Host host = readyWith("corrupt@lba6,corrupt@lba3")) {
            Host.Ring io = host.createQueue(1, 16);
            host.data.segment().fill((byte) 0x40);
            assertThat(io.status(host.io(Opcode.WRITE, 0, 16))).isZero();
            host.data.segment().fill((byte) 0);
            assertThat(io.status(host.io(Opcode.READ, 2, 14))).isZero();
            int differing = 0;
            for (int i = 0; i < 14 * 512; i++) {
                differing += host.data.segment().get(ValueLayout.JAVA_BYTE, i) == 0x40 ? 0 : 1;
            }
            assertThat(differing).isEqualTo(2);
            assertThat(Wire.u8(host.data.segment(), 512)).isEqualTo(0x41);
            assertThat(Wire.u8(host.data.segment(), 4 * 512)).isEqualTo(0x41);
            host.data.segment().fill((byte) 0x40);
            assertThat(io.status(host.io(Opcode.COMPARE, 0, 16)))
                    .as("the medium keeps what it has")
                    .isZero();
        }
    }

    @Test
    void dropsDuplicatesAndRenamesCompletions() throws Exception {
        try (Host host = readyWith("drop:2,duplicate:4,wrongcid:5,error:6")) {
            Host.Ring io = host.createQueue(1, 16);
            for (int cid = 1; cid <= 7; cid++) {
                io.put(host.io(Opcode.READ, 0, 1), cid);
            }
            io.ring();
            host.settle();
            for (int cid : new int[] {1, 3, 4, 4, 0x8005}) {
                assertThat(io.take().cid()).isEqualTo(cid);
            }
            Host.Done failed = io.take();
            assertThat(failed.cid()).isEqualTo(6);
            assertThat(failed.status().code()).isEqualTo(Status.UNRECOVERED_READ_ERROR);
            assertThat(io.take().cid()).isEqualTo(7);
            assertThat(io.ready()).isFalse();
        }
    }

    @Test
    void stopsFatallyUntilItIsReset() throws Exception {
        try (Host host = readyWith("fatal:2")) {
            Host.Ring io = host.createQueue(1, 16);
            assertThat(io.status(host.io(Opcode.READ, 0, 1))).isZero();
            io.put(host.io(Opcode.READ, 0, 1), 1);
            io.ring();
            host.settle();
            assertThat(host.csts()).isEqualTo(Registers.CSTS_RDY | Registers.CSTS_CFS);
            assertThat(io.ready()).isFalse();
            host.disable();
            host.enable();
            io = host.createQueue(1, 16);
            assertThat(io.status(host.io(Opcode.READ, 0, 1))).isZero();
        }
    }

    @Test
    void vanishesFromTheBusForGood() throws Exception {
        try (Host host = readyWith("vanish:1")) {
            Host.Ring io = host.createQueue(1, 16);
            io.put(host.io(Opcode.READ, 0, 1), 1);
            io.ring();
            host.settle();
            host.bar.write32(Registers.CC, 0);
            host.settle();
            for (long at = 0; at < 0x40; at += 4) {
                assertThat(host.bar.read32(at)).isEqualTo(Registers.ALL_ONES);
            }
            assertThat(io.ready()).isFalse();
        }
    }

    @Test
    void neverBecomesReady() throws Exception {
        try (Host host = with("neverready")) {
            Host.Ring admin = host.new Ring(0, 16, 16);
            host.bar.write32(Registers.AQA, Registers.adminQueueAttributes(16));
            host.bar.write64(Registers.ASQ, admin.sq.iova(0));
            host.bar.write64(Registers.ACQ, admin.cq.iova(0));
            host.bar.write32(Registers.CC, Registers.configuration(4096) | Registers.CC_EN);
            host.settle();
            assertThat(host.csts()).isZero();
        }
    }

    @Test
    void stallsOneAdminCommand() throws Exception {
        try (Host host = readyWith("stall@admin:2")) {
            Host.Entry get = Host.Entry.of(Opcode.GET_FEATURES, 0).dwords(7, 0);
            for (int cid = 1; cid <= 3; cid++) {
                host.admin.put(get, cid);
            }
            host.admin.ring();
            host.settle();
            assertThat(host.admin.take().cid()).isEqualTo(1);
            assertThat(host.admin.take().cid()).isEqualTo(3);
            assertThat(host.admin.ready()).isFalse();
        }
    }
}
