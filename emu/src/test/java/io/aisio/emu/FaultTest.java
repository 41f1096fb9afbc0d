package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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

    private static Host.Entry abort(int queue, int cid) {
        return Host.Entry.of(Opcode.ABORT, 0).dwords(cid << 16 | queue, 0);
    }

    /** A read that does not complete, with CID 1; the result of its Abort. */
    private static int abortRead(Host host, Host.Ring io) {
        io.put(host.io(Opcode.READ, 0, 1), 1);
        io.ring();
        host.settle();
        assertThat(io.ready()).isFalse();
        return host.admin.run(abort(1, 1)).result();
    }

    @ParameterizedTest
    @ValueSource(strings = {"drop", "stall", "delay=1000s"})
    void abortsWhatItHoldsBack(String fault) throws Exception {
        try (Host host = readyWith(fault + ":1")) {
            Host.Ring io = host.createQueue(1, 16);
            assertThat(abortRead(host, io)).isZero();
            Host.Done done = io.take();
            assertThat(done.cid()).isEqualTo(1);
            assertThat(done.status().code()).isEqualTo(Status.ABORT_REQUESTED);
            assertThat(host.admin.run(abort(1, 1)).result())
                    .as("there is nothing left to abort")
                    .isEqualTo(1);
            host.settle();
            assertThat(io.ready()).isFalse();
        }
    }

    @Test
    void completesLateWhatItSaidItDidNotAbort() throws Exception {
        try (Host host = readyWith("late:1")) {
            Host.Ring io = host.createQueue(1, 16);
            assertThat(abortRead(host, io)).isEqualTo(1);
            host.await(io::ready);
            assertThat(io.take().status().isSuccess()).isTrue();
        }
    }

    @Test
    void completesOnceMoreWhatWasAborted() throws Exception {
        try (Host host = readyWith("stale:1")) {
            Host.Ring io = host.createQueue(1, 16);
            assertThat(abortRead(host, io)).isZero();
            assertThat(io.take().status().code()).isEqualTo(Status.ABORT_REQUESTED);
            host.await(io::ready);
            Host.Done stale = io.take();
            assertThat(stale.cid()).isEqualTo(1);
            assertThat(stale.status().isSuccess()).isTrue();
        }
    }

    @Test
    void refusesToAbort() throws Exception {
        try (Host host = readyWith("stall:1,abortrefused:1")) {
            Host.Ring io = host.createQueue(1, 16);
            assertThat(abortRead(host, io)).isEqualTo(1);
            host.settle();
            assertThat(io.ready()).isFalse();
            assertThat(host.admin.run(abort(1, 1)).result())
                    .as("the second Abort")
                    .isZero();
            assertThat(io.take().status().code()).isEqualTo(Status.ABORT_REQUESTED);
        }
    }

    @Test
    void givesBackWhatItHoldsWhenTheQueueIsDeleted() throws Exception {
        try (Host host = readyWith("stall:1-3")) {
            Host.Ring io = host.createQueue(1, 16);
            for (int cid = 1; cid <= 3; cid++) {
                io.put(host.io(Opcode.READ, 0, 1), cid);
            }
            io.ring();
            host.settle();
            assertThat(host.admin.status(Host.Entry.of(Opcode.DELETE_IO_SQ, 0).dwords(1, 0)))
                    .isZero();
            for (int cid = 1; cid <= 3; cid++) {
                Host.Done done = io.take();
                assertThat(done.cid()).isEqualTo(cid);
                assertThat(done.status().code()).isEqualTo(Status.ABORTED_SQ_DELETION);
            }
        }
    }

    @Test
    void forgetsWhatItHoldsAtAReset() throws Exception {
        try (Host host = readyWith("delay=1ms:1-8")) {
            Host.Ring io = host.createQueue(1, 16);
            for (int cid = 1; cid <= 8; cid++) {
                io.put(host.io(Opcode.READ, 0, 1), cid);
            }
            io.ring();
            host.controller.step();
            host.disable();
            long end = System.nanoTime() + 5_000_000;
            host.await(() -> System.nanoTime() - end > 0);
            host.enable();
            io = host.createQueue(1, 16);
            host.settle();
            assertThat(io.ready()).isFalse();
            assertThat(io.status(host.io(Opcode.READ, 0, 1))).isZero();
        }
    }

    @Test
    void changesWhatACommandDelivers() throws Exception {
        try (Host host = readyWith("torn@identify:1,put=4090/0102030405060708@identify:2,garbage=5@read:1")) {
            Host.Entry identify = Host.Entry.of(Opcode.IDENTIFY, 0)
                    // Across two pages.
                    .prps(host.data.iova(2048), host.data.iova(4096))
                    .dwords(1, 0);
            host.data.segment().fill((byte) 0x77);
            assertThat(host.admin.status(identify)).isZero();
            assertThat(Wire.u8(host.data.segment(), 2048 + 77)).as("MDTS").isEqualTo(8);
            assertThat(Wire.u8(host.data.segment(), 2048 + 2047)).isZero();
            assertThat(Wire.i64(host.data.segment(), 2048 + 2048)).isZero();
            assertThat(host.admin.status(identify)).isZero();
            assertThat(Wire.u8(host.data.segment(), 2048 + 4095)).isEqualTo(6);
            assertThat(Wire.u8(host.data.segment(), 2048 + 4096))
                    .as("what is beyond the data")
                    .isEqualTo(0x77);
            Host.Ring io = host.createQueue(1, 16);
            assertThat(io.status(host.io(Opcode.READ, 0, 2))).isZero();
            assertThat(host.data
                            .segment()
                            .asSlice(0, 1024)
                            .mismatch(host.data.segment().asSlice(1024, 1024)))
                    .isNotEqualTo(-1);
            assertThat(Wire.i64(host.data.segment(), 0)).isNotZero();
        }
    }

    @Test
    void changesNothingOfWhatTheCommandBeforeDelivered() throws Exception {
        try (Host host = readyWith("garbage=1@getfeatures,torn@getfeatures")) {
            Host.Entry identify =
                    Host.Entry.of(Opcode.IDENTIFY, 0).prps(host.data.iova(0), 0).dwords(1, 0);
            assertThat(host.admin.status(identify)).isZero();
            byte[] delivered = host.data.segment().asSlice(0, 4096).toArray(ValueLayout.JAVA_BYTE);
            assertThat(host.admin.status(Host.Entry.of(Opcode.GET_FEATURES, 0).dwords(7, 0)))
                    .isZero();
            assertThat(host.data.segment().asSlice(0, 4096).toArray(ValueLayout.JAVA_BYTE))
                    .isEqualTo(delivered);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void holdsNoMoreBackThanTheQueueHasEntries(boolean paced) throws Exception {
        EmuConfiguration configuration =
                EmuConfiguration.memory(1 << 20).withFaults(FaultPlan.parse("stall@read,drop@write"));
        try (Host host = Host.ready(paced ? configuration.withLatency(Duration.ofNanos(1)) : configuration)) {
            Host.Ring io = host.createQueue(1, 4, 32);
            for (int cid = 1; cid <= 12; cid++) {
                io.put(host.io(cid % 2 == 0 ? Opcode.READ : Opcode.WRITE, 0, 1), cid);
                if (cid % 3 == 0) {
                    io.ring();
                    host.settle();
                }
            }
            assertThat(io.ready()).isFalse();
            assertThat(host.admin.status(Host.Entry.of(Opcode.DELETE_IO_SQ, 0).dwords(1, 0)))
                    .isZero();
            int given = 0;
            while (io.ready()) {
                assertThat(io.take().status().code()).isEqualTo(Status.ABORTED_SQ_DELETION);
                given++;
            }
            assertThat(given).isLessThanOrEqualTo(paced ? 8 : 4).isGreaterThanOrEqualTo(4);
        }
    }

    @Test
    void namesAQueueAHeadAndAPhaseThatAreNotSo() throws Exception {
        try (Host host = readyWith("wrongsqid:1,wrongsqhd:2,wrongphase:3,error=2/86/dnr:4")) {
            Host.Ring io = host.createQueue(1, 16);
            for (int cid = 1; cid <= 4; cid++) {
                io.put(host.io(Opcode.READ, 0, 1), cid);
            }
            io.ring();
            host.settle();
            assertThat(io.take().sqid()).isEqualTo(2);
            assertThat(io.take().sqHead()).isEqualTo(0xFFFF);
            assertThat(io.ready()).isFalse();
            // What comes after it is there all the same.
            io.phase ^= 1;
            assertThat(io.take().cid()).isEqualTo(3);
            io.phase ^= 1;
            Host.Done failed = io.take();
            assertThat(failed.status().code()).isEqualTo(0x286);
            assertThat(failed.status().doNotRetry()).isTrue();
        }
    }

    @Test
    void becomesReadyLateAndStaysSo() throws Exception {
        try (Host host = with("slowready=20ms,staysready")) {
            long start = System.nanoTime();
            host.enable();
            assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(20_000_000);
            host.bar.write32(Registers.CC, 0);
            host.settle();
            assertThat(host.csts()).isEqualTo(Registers.CSTS_RDY);
        }
    }

    @Test
    void tellsWhenANamespaceChangesAndWhatIsThere() throws Exception {
        try (Host host = Host.ready(EmuConfiguration.memory(1 << 20).withNamespaces(3))) {
            Host.Ring io = host.createQueue(1, 16);
            host.controller.resizeNamespace(1, 8);
            host.controller.removeNamespace(2);
            host.settle();
            assertThat(io.status(host.io(Opcode.READ, 7, 1))).isZero();
            assertThat(io.status(host.io(Opcode.READ, 8, 1))).isEqualTo(Status.LBA_OUT_OF_RANGE);
            assertThat(io.status(Host.Entry.of(Opcode.READ, 2).blocks(0, 1).prps(host.data.iova(0), 0)))
                    .isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
            Host.Entry list =
                    Host.Entry.of(Opcode.IDENTIFY, 0).prps(host.data.iova(0), 0).dwords(2, 0);
            assertThat(host.admin.status(list)).isZero();
            assertThat(Wire.i64(host.data.segment(), 0)).isEqualTo(1 | 3L << 32);
            Host.Entry changed = Host.Entry.of(Opcode.GET_LOG_PAGE, -1)
                    .prps(host.data.iova(0), 0)
                    .dwords(1023 << 16 | 4, 0);
            assertThat(host.admin.status(changed)).isZero();
            assertThat(Wire.i64(host.data.segment(), 0)).isEqualTo(1 | 2L << 32);
            host.controller.attachNamespace(2);
            host.settle();
            assertThat(host.admin.status(list)).isZero();
            assertThat(Wire.i32(host.data.segment(), 4)).isEqualTo(2);
        }
    }
}
