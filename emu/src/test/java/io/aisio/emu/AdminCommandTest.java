package io.aisio.emu;

import static io.aisio.emu.Host.Entry.of;
import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.spec.AsyncEvent;
import io.aisio.nvme.spec.Feature;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.IdentifyNamespace;
import io.aisio.nvme.spec.LogPage;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AdminCommandTest {
    private static final int ALL = Identify.ALL_NAMESPACES;

    private Host host;
    private MemorySegment page;

    @BeforeEach
    void open() throws Exception {
        host = Host.ready(EmuConfiguration.memory(1 << 20)
                .withNamespaces(3)
                .withQueuePairs(4)
                .withEntries(256)
                .withMdts(5));
        page = host.data.segment().asSlice(0, 4096);
    }

    @AfterEach
    void close() {
        host.close();
    }

    private int run(Host.Entry e) {
        return host.admin.status(e);
    }

    private int identify(int cns, int nsid) {
        page.fill((byte) 0xEE);
        return run(of(Opcode.IDENTIFY, nsid).prps(host.data.iova(0), 0).dwords(cns, 0));
    }

    private int log(int id, int nsid, int bytes, long offset, boolean retain) {
        int dwords = bytes / 4 - 1;
        return run(of(Opcode.GET_LOG_PAGE, nsid)
                .prps(host.data.iova(0), host.data.iova(4096))
                .dwords(dwords << 16 | (retain ? 1 << 15 : 0) | id, dwords >>> 16)
                .cdw12(offset));
    }

    private Host.Done feature(int opcode, int dword10, int dword11, int nsid) {
        return host.admin.run(of(opcode, nsid).dwords(dword10, dword11));
    }

    @Test
    void identifyTheController() {
        assertThat(identify(Identify.CNS_CONTROLLER, 0)).isZero();
        assertThat(Wire.ascii(page, IdentifyController.SN, 20)).isEqualTo("AISIO0001");
        assertThat(Wire.u8(page, IdentifyController.MDTS)).isEqualTo(5);
        assertThat(Wire.i32(page, IdentifyController.VER)).isEqualTo(0x10400);
        assertThat(Wire.i32(page, IdentifyController.NN)).isEqualTo(3);
        assertThat(Wire.u8(page, IdentifyController.SQES)).isEqualTo(0x66);
        assertThat(Wire.u8(page, IdentifyController.CQES)).isEqualTo(0x44);
        assertThat(Wire.u8(page, IdentifyController.CNTRLTYPE)).isEqualTo(1);
        assertThat(Wire.u16(page, IdentifyController.ONCS)).isEqualTo(0b1_1001_1111);
        assertThat(page.getString(IdentifyController.SUBNQN)).startsWith("nqn.2014-08.org.nvmexpress:uuid:");
        assertThat(Wire.u8(page, 4095)).as("the rest is zero").isZero();
    }

    @Test
    void identifyNamespacesAndTheirDescriptors() {
        assertThat(identify(Identify.CNS_NAMESPACE, 2)).isZero();
        assertThat(Wire.i64(page, IdentifyNamespace.NSZE)).isEqualTo(2048);
        assertThat(Wire.u8(page, IdentifyNamespace.NLBAF)).isEqualTo(7);
        assertThat(IdentifyNamespace.dataShift(Wire.i32(page, IdentifyNamespace.LBAF)))
                .isEqualTo(9);
        assertThat(IdentifyNamespace.dataShift(Wire.i32(page, IdentifyNamespace.LBAF + 4)))
                .isEqualTo(12);
        assertThat(Wire.u8(page, IdentifyNamespace.DLFEAT) & 7).isEqualTo(1);
        byte[] nguid = page.asSlice(IdentifyNamespace.NGUID, 16).toArray(ValueLayout.JAVA_BYTE);
        assertThat(identify(Identify.CNS_DESCRIPTORS, 2)).isZero();
        assertThat(Wire.u8(page, 0)).isEqualTo(Identify.NIDT_NGUID);
        assertThat(Wire.u8(page, 1)).isEqualTo(16);
        assertThat(page.asSlice(4, 16).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(nguid);
        assertThat(Wire.u8(page, 20)).isEqualTo(Identify.NIDT_UUID);
        assertThat(Wire.u8(page, 40)).as("the end of the list").isZero();
        for (int nsid : new int[] {0, 4, ALL}) {
            assertThat(identify(Identify.CNS_NAMESPACE, nsid)).isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
            assertThat(identify(Identify.CNS_DESCRIPTORS, nsid)).isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
        }
    }

    @Test
    void identifyActiveNamespaces() {
        assertThat(identify(Identify.CNS_ACTIVE_NAMESPACES, 1)).isZero();
        assertThat(Wire.i32(page, 0)).isEqualTo(2);
        assertThat(Wire.i32(page, 4)).isEqualTo(3);
        assertThat(Wire.i32(page, 8)).isZero();
        assertThat(identify(Identify.CNS_ACTIVE_NAMESPACES, ALL)).isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
        assertThat(identify(Identify.CNS_ACTIVE_NAMESPACES, ALL - 1)).isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
        assertThat(identify(Identify.CNS_ACTIVE_NAMESPACES, ALL - 2)).isZero();
    }

    @ParameterizedTest
    @ValueSource(ints = {0x04, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0xFF})
    void identifyRefusesStructuresThatTheControllerHasNot(int cns) {
        assertThat(identify(cns, 1)).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void refusesOpcodesAndFlagsThatItDoesNotKnow() {
        for (int opcode : new int[] {0x03, 0x0D, 0x10, 0x11, 0x18, 0x19, 0x1A, 0x81, 0x82, 0xC0, 0xFF}) {
            Host.Done done = host.admin.run(of(opcode, 1));
            assertThat(done.status().code()).isEqualTo(Status.INVALID_OPCODE);
            assertThat(done.status().doNotRetry()).isTrue();
        }
        for (int flag : new int[] {1 << 8, 2 << 8, 1 << 14, 2 << 14}) {
            assertThat(run(of(Opcode.IDENTIFY, 0)
                            .dwords(1, 0)
                            .prps(host.data.iova(0), 0)
                            .flags(flag)))
                    .isEqualTo(Status.INVALID_FIELD);
        }
        assertThat(run(of(Opcode.IDENTIFY, 0).dwords(1, 0).prps(0x1234_5000, 0)))
                .isEqualTo(Status.DATA_TRANSFER_ERROR);
        assertThat(run(of(Opcode.IDENTIFY, 0).dwords(1, 0).prps(host.data.iova(1), 0)))
                .isEqualTo(Status.INVALID_PRP_OFFSET);
    }

    @Test
    void grantsQueuesUpToItsLimitAndOnlyBeforeThereAreAny() throws Exception {
        assertThat(feature(Opcode.GET_FEATURES, Feature.NUMBER_OF_QUEUES, 0, 0).result())
                .isEqualTo(3 << 16 | 3);
        assertThat(feature(Opcode.SET_FEATURES, Feature.NUMBER_OF_QUEUES, 63 << 16 | 63, 0)
                        .result())
                .isEqualTo(3 << 16 | 3);
        assertThat(feature(Opcode.SET_FEATURES, Feature.NUMBER_OF_QUEUES, 1 << 16 | 1, 0)
                        .result())
                .isEqualTo(1 << 16 | 1);
        assertThat(feature(Opcode.SET_FEATURES, Feature.NUMBER_OF_QUEUES, 0xFFFF, 0)
                        .status()
                        .code())
                .isEqualTo(Status.INVALID_FIELD);
        assertThat(createCq(3, 16, 1)).isEqualTo(Status.INVALID_QID);
        host.createQueue(2, 16);
        assertThat(feature(Opcode.SET_FEATURES, Feature.NUMBER_OF_QUEUES, 0, 0)
                        .status()
                        .code())
                .isEqualTo(Status.COMMAND_SEQUENCE_ERROR);
    }

    private int createCq(int id, int entries, int dword11) {
        return run(of(Opcode.CREATE_IO_CQ, 0).prps(host.data.iova(0), 0).dwords((entries - 1) << 16 | id, dword11));
    }

    private int createSq(int id, int entries, int dword11) {
        return run(of(Opcode.CREATE_IO_SQ, 0).prps(host.data.iova(8192), 0).dwords((entries - 1) << 16 | id, dword11));
    }

    @Test
    void createsCompletionQueuesOrSaysWhyNot() {
        assertThat(createCq(0, 16, 1)).isEqualTo(Status.INVALID_QID);
        assertThat(createCq(5, 16, 1)).isEqualTo(Status.INVALID_QID);
        assertThat(createCq(1, 1, 1)).isEqualTo(Status.INVALID_QUEUE_SIZE);
        assertThat(createCq(1, 257, 1)).isEqualTo(Status.INVALID_QUEUE_SIZE);
        assertThat(createCq(1, 16, 0)).isEqualTo(Status.INVALID_FIELD);
        assertThat(createCq(1, 16, 5 << 16 | 3)).isEqualTo(Status.INVALID_INTERRUPT_VECTOR);
        assertThat(run(of(Opcode.CREATE_IO_CQ, 0).prps(host.data.iova(16), 0).dwords(15 << 16 | 1, 1)))
                .isEqualTo(Status.INVALID_PRP_OFFSET);
        assertThat(run(of(Opcode.CREATE_IO_CQ, 0).prps(0x5000, 0).dwords(15 << 16 | 1, 1)))
                .isEqualTo(Status.INVALID_FIELD);
        assertThat(createCq(1, 256, 4 << 16 | 3)).isZero();
        assertThat(createCq(1, 16, 1)).isEqualTo(Status.INVALID_QID);
    }

    @Test
    void createsSubmissionQueuesOrSaysWhyNot() {
        assertThat(createSq(1, 16, 1 << 16 | 1)).isEqualTo(Status.CQ_INVALID);
        assertThat(createCq(1, 16, 1)).isZero();
        assertThat(createSq(0, 16, 1 << 16 | 1)).isEqualTo(Status.INVALID_QID);
        assertThat(createSq(5, 16, 1 << 16 | 1)).isEqualTo(Status.INVALID_QID);
        assertThat(createSq(1, 16, 1)).isEqualTo(Status.INVALID_QID);
        assertThat(createSq(1, 16, 9 << 16 | 1)).isEqualTo(Status.INVALID_QID);
        assertThat(createSq(1, 1, 1 << 16 | 1)).isEqualTo(Status.INVALID_QUEUE_SIZE);
        assertThat(createSq(1, 257, 1 << 16 | 1)).isEqualTo(Status.INVALID_QUEUE_SIZE);
        assertThat(createSq(1, 16, 1 << 16)).isEqualTo(Status.INVALID_FIELD);
        assertThat(run(of(Opcode.CREATE_IO_SQ, 0).prps(host.data.iova(64), 0).dwords(15 << 16 | 1, 1 << 16 | 1)))
                .isEqualTo(Status.INVALID_PRP_OFFSET);
        assertThat(createSq(1, 16, 1 << 16 | 3 << 1 | 1)).isZero();
        assertThat(createSq(1, 16, 1 << 16 | 1)).isEqualTo(Status.INVALID_QID);
    }

    @Test
    void refusesQueuesWhileTheEntrySizesAreNotSet() throws Exception {
        host.disable();
        host.bar.write32(Registers.CC, 0);
        host.enable();
        host.bar.write32(Registers.CC, Registers.CC_EN);
        assertThat(createCq(1, 16, 1)).isEqualTo(Status.INVALID_QUEUE_SIZE);
        host.bar.write32(Registers.CC, Registers.configuration(4096) | Registers.CC_EN);
        assertThat(createCq(1, 16, 1)).isZero();
    }

    @Test
    void deletesQueuesInOrder() throws Exception {
        host.createQueue(1, 16);
        assertThat(run(of(Opcode.DELETE_IO_CQ, 0).dwords(1, 0))).isEqualTo(Status.INVALID_QUEUE_DELETION);
        assertThat(run(of(Opcode.DELETE_IO_SQ, 0).dwords(0, 0))).isEqualTo(Status.INVALID_QID);
        assertThat(run(of(Opcode.DELETE_IO_SQ, 0).dwords(2, 0))).isEqualTo(Status.INVALID_QID);
        assertThat(run(of(Opcode.DELETE_IO_SQ, 0).dwords(1, 0))).isZero();
        assertThat(run(of(Opcode.DELETE_IO_SQ, 0).dwords(1, 0))).isEqualTo(Status.INVALID_QID);
        assertThat(run(of(Opcode.DELETE_IO_CQ, 0).dwords(0, 0))).isEqualTo(Status.INVALID_QID);
        assertThat(run(of(Opcode.DELETE_IO_CQ, 0).dwords(1, 0))).isZero();
        assertThat(run(of(Opcode.DELETE_IO_CQ, 0).dwords(1, 0))).isEqualTo(Status.INVALID_QID);
        Host.Ring again = host.createQueue(1, 16);
        assertThat(again.status(host.io(Opcode.READ, 0, 1))).isZero();
    }

    @Test
    void keepsFeaturesWithDefaultsAndCapabilities() {
        for (int id : new int[] {
            Feature.ARBITRATION,
            Feature.VOLATILE_WRITE_CACHE,
            Feature.INTERRUPT_COALESCING,
            Feature.WRITE_ATOMICITY,
            Feature.ASYNC_EVENT_CONFIGURATION
        }) {
            int before = feature(Opcode.GET_FEATURES, id, 0, 0).result();
            int changed = before ^ 1;
            assertThat(feature(Opcode.SET_FEATURES, id, changed, 0).status().isSuccess())
                    .isTrue();
            assertThat(feature(Opcode.GET_FEATURES, id, 0, 0).result()).isEqualTo(changed);
            assertThat(feature(Opcode.GET_FEATURES, 1 << 8 | id, 0, 0).result()).isEqualTo(before);
            assertThat(feature(Opcode.GET_FEATURES, 2 << 8 | id, 0, 0).result()).isEqualTo(before);
            assertThat(feature(Opcode.GET_FEATURES, 3 << 8 | id, 0, 0).result()).isEqualTo(4);
            assertThat(feature(Opcode.GET_FEATURES, 4 << 8 | id, 0, 0).status().code())
                    .isEqualTo(Status.INVALID_FIELD);
            assertThat(feature(Opcode.SET_FEATURES, 1 << 31 | id, changed, 0)
                            .status()
                            .code())
                    .isEqualTo(Status.FEATURE_NOT_SAVEABLE);
            assertThat(feature(Opcode.SET_FEATURES, id, changed, 1).status().code())
                    .isEqualTo(Status.FEATURE_NOT_NAMESPACE_SPECIFIC);
        }
        for (int id : new int[] {0, 3, 0x0C, 0x0D, 0x10, 0x7F, 0x80, 0xFF}) {
            assertThat(feature(Opcode.GET_FEATURES, id, 0, 0).status().code()).isEqualTo(Status.INVALID_FIELD);
            assertThat(feature(Opcode.SET_FEATURES, id, 0, 0).status().code()).isEqualTo(Status.INVALID_FIELD);
        }
        assertThat(feature(Opcode.SET_FEATURES, Feature.POWER_MANAGEMENT, 1, 0)
                        .status()
                        .code())
                .isEqualTo(Status.INVALID_FIELD);
        assertThat(feature(Opcode.SET_FEATURES, Feature.INTERRUPT_VECTOR_CONFIGURATION, 5, 0)
                        .status()
                        .code())
                .isEqualTo(Status.INVALID_FIELD);
        assertThat(feature(Opcode.SET_FEATURES, Feature.INTERRUPT_VECTOR_CONFIGURATION, 1 << 16 | 2, 0)
                        .status()
                        .isSuccess())
                .isTrue();
        assertThat(feature(Opcode.GET_FEATURES, Feature.INTERRUPT_VECTOR_CONFIGURATION, 2, 0)
                        .result())
                .isEqualTo(1 << 16 | 2);
    }

    @Test
    void keepsErrorRecoveryForEachNamespace() {
        assertThat(feature(Opcode.SET_FEATURES, Feature.ERROR_RECOVERY, 50, 2)
                        .status()
                        .isSuccess())
                .isTrue();
        assertThat(feature(Opcode.GET_FEATURES, Feature.ERROR_RECOVERY, 0, 2).result())
                .isEqualTo(50);
        assertThat(feature(Opcode.GET_FEATURES, Feature.ERROR_RECOVERY, 0, 1).result())
                .isZero();
        assertThat(feature(Opcode.GET_FEATURES, 3 << 8 | Feature.ERROR_RECOVERY, 0, 1)
                        .result())
                .isEqualTo(6);
        assertThat(feature(Opcode.SET_FEATURES, Feature.ERROR_RECOVERY, 9, ALL)
                        .status()
                        .isSuccess())
                .isTrue();
        assertThat(feature(Opcode.GET_FEATURES, Feature.ERROR_RECOVERY, 0, 1).result())
                .isEqualTo(9);
        assertThat(feature(Opcode.GET_FEATURES, Feature.ERROR_RECOVERY, 0, 4)
                        .status()
                        .code())
                .isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
        assertThat(feature(Opcode.SET_FEATURES, Feature.ERROR_RECOVERY, 1 << 16, 1)
                        .status()
                        .code())
                .isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void logsErrorsNewestFirst() throws Exception {
        Host.Ring io = host.createQueue(1, 16);
        Host.Done failed = io.run(host.io(Opcode.READ, 5000, 1));
        assertThat(failed.status().more()).isTrue();
        assertThat(run(of(0xFF, 2))).isEqualTo(Status.INVALID_OPCODE);
        assertThat(log(LogPage.ERROR_INFORMATION, 0, 192, 0, false)).isZero();
        assertThat(Wire.i64(page, LogPage.ERROR_COUNT)).isEqualTo(2);
        assertThat(Wire.u16(page, LogPage.ERROR_SQID)).isZero();
        assertThat(Wire.i32(page, LogPage.ERROR_NSID)).isEqualTo(2);
        assertThat(Wire.i64(page, 64 + LogPage.ERROR_COUNT)).isEqualTo(1);
        assertThat(Wire.u16(page, 64 + LogPage.ERROR_SQID)).isEqualTo(1);
        assertThat(Wire.u16(page, 64 + LogPage.ERROR_CID)).isEqualTo(7);
        assertThat(Wire.u16(page, 64 + LogPage.ERROR_STATUS) >>> 1).isEqualTo(Status.LBA_OUT_OF_RANGE | Status.DNR_BIT);
        assertThat(Wire.i64(page, 64 + LogPage.ERROR_LBA)).isEqualTo(5000);
        assertThat(Wire.i64(page, 128 + LogPage.ERROR_COUNT))
                .as("an empty entry")
                .isZero();
        for (int i = 0; i < 100; i++) {
            run(of(0xFF, 2));
        }
        assertThat(log(LogPage.ERROR_INFORMATION, 0, 4096, 0, false)).isZero();
        assertThat(Wire.i64(page, 0)).isEqualTo(102);
        assertThat(Wire.i64(page, 63 * 64)).isEqualTo(39);
    }

    @Test
    void countsInTheSmartLog() throws Exception {
        Host.Ring io = host.createQueue(1, 16);
        for (int i = 0; i < 130; i++) {
            assertThat(io.status(host.io(Opcode.READ, 0, 8))).isZero();
        }
        assertThat(io.status(host.io(Opcode.WRITE, 0, 1))).isZero();
        assertThat(io.status(host.io(Opcode.READ, 9999, 1))).isEqualTo(Status.LBA_OUT_OF_RANGE);
        assertThat(log(LogPage.SMART, ALL, 512, 0, false)).isZero();
        assertThat(Wire.i64(page, LogPage.SMART_HOST_READS)).isEqualTo(130);
        assertThat(Wire.i64(page, LogPage.SMART_HOST_WRITES)).isEqualTo(1);
        assertThat(Wire.i64(page, LogPage.SMART_DATA_UNITS_READ)).isEqualTo(2);
        assertThat(Wire.i64(page, LogPage.SMART_DATA_UNITS_WRITTEN)).isEqualTo(1);
        assertThat(Wire.i64(page, LogPage.SMART_ERROR_ENTRIES)).isEqualTo(1);
        assertThat(Wire.u16(page, LogPage.SMART_TEMPERATURE)).isEqualTo(303);
    }

    @Test
    void answersLogPagesByTheirRules() {
        assertThat(log(LogPage.FIRMWARE_SLOT, 0, 512, 0, false)).isZero();
        assertThat(Wire.u8(page, LogPage.FIRMWARE_AFI)).isEqualTo(1);
        assertThat(Wire.ascii(page, LogPage.FIRMWARE_FRS1, 8)).isEqualTo("0.1");
        assertThat(log(LogPage.FIRMWARE_SLOT, 0, 8, 8, false)).isZero();
        assertThat(Wire.ascii(page, 0, 8)).as("from an offset").isEqualTo("0.1");
        host.data.segment().fill((byte) 0xEE);
        assertThat(log(LogPage.FIRMWARE_SLOT, 0, 8192, 0, false)).isZero();
        assertThat(Wire.u8(host.data.segment(), 8191)).as("beyond the end").isZero();
        assertThat(Wire.u8(host.data.segment(), 8192)).as("beyond the transfer").isEqualTo(0xEE);
        assertThat(log(LogPage.FIRMWARE_SLOT, 0, 8, 2, false)).isEqualTo(Status.INVALID_FIELD);
        assertThat(log(LogPage.FIRMWARE_SLOT, 0, 8, 516, false)).isEqualTo(Status.INVALID_FIELD);
        assertThat(log(LogPage.FIRMWARE_SLOT, 0, 8, 1L << 63, false)).isEqualTo(Status.INVALID_FIELD);
        assertThat(log(LogPage.FIRMWARE_SLOT, 0, (128 << 10) + 4, 0, false)).isEqualTo(Status.INVALID_FIELD);
        assertThat(log(LogPage.SMART, 1, 512, 0, false)).isEqualTo(Status.INVALID_FIELD);
        for (int id : new int[] {7, 0x0D, 0x20, 0x23, 0x80, 0xBF, 0xFF}) {
            assertThat(log(id, ALL, 512, 0, false)).isEqualTo(Status.INVALID_LOG_PAGE);
        }
    }

    private void requestEvent(int cid) {
        host.admin.put(of(Opcode.ASYNC_EVENT_REQUEST, 0), cid);
        host.admin.ring();
        host.settle();
    }

    private Host.Done event() {
        host.settle();
        Host.Done done = host.admin.take();
        host.admin.release();
        return done;
    }

    @Test
    void limitsRequestsForEventsAndAbortsThem() {
        for (int cid = 100; cid < 104; cid++) {
            requestEvent(cid);
            assertThat(host.admin.ready()).isFalse();
        }
        assertThat(run(of(Opcode.ASYNC_EVENT_REQUEST, 0))).isEqualTo(Status.AER_LIMIT_EXCEEDED);
        host.admin.put(of(Opcode.GET_FEATURES, 0).dwords(7, 0), 101);
        host.admin.ring();
        assertThat(event().status().code()).isEqualTo(Status.CID_CONFLICT);
        host.admin.put(of(Opcode.ABORT, 0).dwords(102 << 16, 0), 1);
        host.admin.ring();
        Host.Done aborted = event();
        assertThat(aborted.cid()).isEqualTo(102);
        assertThat(aborted.status().code()).isEqualTo(Status.ABORT_REQUESTED);
        assertThat(event().result()).as("bit 0: not aborted").isZero();
        assertThat(host.admin.run(of(Opcode.ABORT, 0).dwords(102 << 16, 0)).result())
                .isEqualTo(1);
        assertThat(run(of(Opcode.ABORT, 0).dwords(3, 0))).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void tellsOfDoorbellsThatMakeNoSense() throws Exception {
        Host.Ring io = host.createQueue(1, 16);
        requestEvent(100);
        requestEvent(101);
        host.bar.write32(Registers.sqTailDoorbell(3, host.stride), 1);
        Host.Done done = event();
        assertThat(done.cid()).isEqualTo(100);
        assertThat(done.result())
                .isEqualTo(AsyncEvent.dword0(
                        AsyncEvent.TYPE_ERROR, AsyncEvent.ERROR_INVALID_DOORBELL_REGISTER, LogPage.ERROR_INFORMATION));
        host.bar.write32(Registers.sqTailDoorbell(1, host.stride), 16);
        host.settle();
        assertThat(host.admin.ready()).as("masked until the log is read").isFalse();
        assertThat(log(LogPage.ERROR_INFORMATION, 0, 64, 0, true)).isZero();
        host.settle();
        assertThat(host.admin.ready()).as("masked while the event is retained").isFalse();
        assertThat(log(LogPage.ERROR_INFORMATION, 0, 64, 0, false)).isZero();
        done = event();
        assertThat(done.cid()).isEqualTo(101);
        assertThat(AsyncEvent.information(done.result())).isEqualTo(AsyncEvent.ERROR_INVALID_DOORBELL_VALUE);
        // The queue goes on as if nothing had been.
        assertThat(io.status(host.io(Opcode.READ, 0, 1))).isZero();
        // A head beyond what was posted is a wrong value too.
        assertThat(log(LogPage.ERROR_INFORMATION, 0, 64, 0, false)).isZero();
        requestEvent(102);
        host.bar.write32(Registers.cqHeadDoorbell(1, host.stride), 9);
        assertThat(AsyncEvent.information(event().result())).isEqualTo(AsyncEvent.ERROR_INVALID_DOORBELL_VALUE);
    }

    @Test
    void tellsOfATemperatureBeyondItsThreshold() {
        assertThat(feature(Opcode.SET_FEATURES, Feature.ASYNC_EVENT_CONFIGURATION, 2, 0)
                        .status()
                        .isSuccess())
                .isTrue();
        assertThat(feature(Opcode.SET_FEATURES, Feature.TEMPERATURE_THRESHOLD, 300, 0)
                        .status()
                        .isSuccess())
                .isTrue();
        requestEvent(100);
        assertThat(AsyncEvent.type(event().result())).isEqualTo(AsyncEvent.TYPE_SMART);
        assertThat(log(LogPage.SMART, 0, 512, 0, false)).isZero();
        assertThat(Wire.u8(page, LogPage.SMART_CRITICAL_WARNING)).isEqualTo(2);
    }

    @Test
    void formatsOneNamespaceAndTellsOfIt() throws Exception {
        Host.Ring io = host.createQueue(1, 16);
        page.fill((byte) 0x77);
        assertThat(io.status(host.io(Opcode.WRITE, 0, 8))).isZero();
        assertThat(feature(Opcode.SET_FEATURES, Feature.ASYNC_EVENT_CONFIGURATION, 1 << 8, 0)
                        .status()
                        .isSuccess())
                .isTrue();
        requestEvent(100);
        assertThat(run(of(Opcode.FORMAT_NVM, 1).dwords(1 << 9 | 1, 0))).isZero();
        assertThat(AsyncEvent.logPage(event().result())).isEqualTo(LogPage.CHANGED_NAMESPACES);
        assertThat(log(LogPage.CHANGED_NAMESPACES, 0, 4096, 0, false)).isZero();
        assertThat(Wire.i32(page, 0)).isEqualTo(1);
        assertThat(Wire.i32(page, 4)).isZero();
        assertThat(log(LogPage.CHANGED_NAMESPACES, 0, 4096, 0, false)).isZero();
        assertThat(Wire.i32(page, 0)).as("empty once read").isZero();
        assertThat(identify(Identify.CNS_NAMESPACE, 1)).isZero();
        assertThat(Wire.i64(page, IdentifyNamespace.NSZE)).isEqualTo(256);
        assertThat(Wire.u8(page, IdentifyNamespace.FLBAS)).isEqualTo(1);
        assertThat(io.status(host.io(Opcode.READ, 0, 1))).isZero();
        assertThat(page.mismatch(MemorySegment.ofArray(new byte[4096])))
                .as("erased")
                .isEqualTo(-1);
        assertThat(identify(Identify.CNS_NAMESPACE, 2)).isZero();
        assertThat(Wire.i64(page, IdentifyNamespace.NSZE))
                .as("another namespace")
                .isEqualTo(2048);
        assertThat(run(of(Opcode.FORMAT_NVM, ALL).dwords(1, 0))).isZero();
        assertThat(identify(Identify.CNS_NAMESPACE, 2)).isZero();
        assertThat(Wire.i64(page, IdentifyNamespace.NSZE)).isEqualTo(256);
    }

    @Test
    void refusesFormatsThatItHasNot() throws Exception {
        assertThat(run(of(Opcode.FORMAT_NVM, 1).dwords(8, 0))).isEqualTo(Status.INVALID_FORMAT);
        assertThat(run(of(Opcode.FORMAT_NVM, 1).dwords(1 << 12, 0))).isEqualTo(Status.INVALID_FORMAT);
        assertThat(run(of(Opcode.FORMAT_NVM, 1).dwords(1 << 5, 0)))
                .as("protection information without metadata")
                .isEqualTo(Status.INVALID_FORMAT);
        assertThat(run(of(Opcode.FORMAT_NVM, 1).dwords(4 << 5 | 2, 0))).isEqualTo(Status.INVALID_FORMAT);
        assertThat(run(of(Opcode.FORMAT_NVM, 1).dwords(3 << 9, 0))).isEqualTo(Status.INVALID_FIELD);
        assertThat(run(of(Opcode.FORMAT_NVM, 4).dwords(0, 0))).isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
        try (Host readOnly = Host.ready(EmuConfiguration.memory(1 << 20).withReadOnly(true))) {
            assertThat(readOnly.admin.status(of(Opcode.FORMAT_NVM, 1))).isEqualTo(Status.NAMESPACE_WRITE_PROTECTED);
        }
    }

    @Test
    void abortsACommandThatWaitsAndDeletesAQueueWithOthers() throws Exception {
        EmuConfiguration slow = EmuConfiguration.memory(1 << 20).withLatency(Duration.ofSeconds(30));
        try (Host waiting = Host.ready(slow)) {
            Host.Ring io = waiting.createQueue(1, 16);
            waiting.data.segment().fill((byte) 1);
            for (int cid = 0; cid < 3; cid++) {
                io.put(waiting.io(Opcode.WRITE, 0, 1), cid);
            }
            io.put(waiting.io(Opcode.WRITE, 0, 1), 2);
            io.ring();
            waiting.settle();
            assertThat(io.take().status().code()).isEqualTo(Status.CID_CONFLICT);
            Host.Done abort = waiting.admin.run(of(Opcode.ABORT, 0).dwords(1 << 16 | 1, 0));
            assertThat(abort.result()).isZero();
            Host.Done aborted = io.take();
            assertThat(aborted.cid()).isEqualTo(1);
            assertThat(aborted.status().code()).isEqualTo(Status.ABORT_REQUESTED);
            assertThat(waiting.admin
                            .run(of(Opcode.ABORT, 0).dwords(1 << 16 | 1, 0))
                            .result())
                    .isEqualTo(1);
            assertThat(waiting.admin.status(of(Opcode.DELETE_IO_SQ, 0).dwords(1, 0)))
                    .isZero();
            for (int cid : new int[] {0, 2}) {
                Host.Done gone = io.take();
                assertThat(gone.cid()).isEqualTo(cid);
                assertThat(gone.status().code()).isEqualTo(Status.ABORTED_SQ_DELETION);
            }
            assertThat(io.ready()).isFalse();
        }
    }
}
