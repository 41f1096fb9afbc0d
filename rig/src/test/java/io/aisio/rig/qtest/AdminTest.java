package io.aisio.rig.qtest;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.Command;
import io.aisio.nvme.Completion;
import io.aisio.nvme.ControllerEvent;
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
import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Admin commands. */
class AdminTest {
    private static final int SAVE = 1 << 31;

    private Rig rig;
    private DmaMemory page;

    @BeforeEach
    void start() throws Exception {
        rig = Rig.start(QemuNvme.build()
                .controller("max_ioqpairs=4,msix_qsize=5")
                .namespace(1 << 20, "nsid=1,uuid=12345678-9abc-def0-1234-56789abcdef0")
                .namespace(1 << 20, "nsid=9"));
        page = rig.function.allocate(Identify.BYTES);
    }

    @AfterEach
    void end() throws Exception {
        if (page != null) {
            page.close();
        }
        if (rig != null) {
            rig.close();
        }
    }

    private int identify(int nsid, int cns) throws IOException {
        page.segment().fill((byte) 0xEE);
        return rig.admin(Command.of(Opcode.IDENTIFY, nsid, cns), page, Identify.BYTES)
                .code();
    }

    private int log(int id, long offset, int bytes) throws IOException {
        long cdw10 = id | (bytes / 4 - 1L) << 16;
        return rig.admin(new Command(Opcode.GET_LOG_PAGE, Identify.ALL_NAMESPACES, cdw10, offset, 0), page, bytes)
                .code();
    }

    @Test
    void identifiesTheController() throws Exception {
        assertThat(identify(0, Identify.CNS_CONTROLLER)).isZero();
        MemorySegment data = page.segment();
        assertThat(Wire.ascii(data, IdentifyController.SN, IdentifyController.SN_BYTES))
                .isEqualTo("RIG0");
        assertThat(Wire.u8(data, IdentifyController.SQES)).isEqualTo(0x66);
        assertThat(Wire.u8(data, IdentifyController.CQES)).isEqualTo(0x44);
        assertThat(Wire.ascii(data, IdentifyController.SUBNQN, IdentifyController.SUBNQN_BYTES))
                .startsWith("nqn.2019-08.org.qemu:");
    }

    @Test
    void identifiesNamespacesThatAreActiveAndRefusesThoseThatCannotBe() throws Exception {
        assertThat(identify(9, Identify.CNS_NAMESPACE)).isZero();
        assertThat(Wire.i64(page.segment(), IdentifyNamespace.NSZE)).isEqualTo(2048);
        assertThat(identify(5, Identify.CNS_NAMESPACE)).as("not active").isZero();
        assertThat(Wire.i64(page.segment(), IdentifyNamespace.NSZE)).isZero();
        assertThat(identify(0, Identify.CNS_NAMESPACE)).isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
        assertThat(identify(257, Identify.CNS_NAMESPACE)).isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
    }

    @Test
    void listsActiveNamespacesAfterTheOneGiven() throws Exception {
        assertThat(identify(0, Identify.CNS_ACTIVE_NAMESPACES)).isZero();
        assertThat(Wire.i32(page.segment(), 0)).isEqualTo(1);
        assertThat(Wire.i32(page.segment(), 4)).isEqualTo(9);
        assertThat(Wire.i32(page.segment(), 8)).isZero();
        assertThat(identify(1, Identify.CNS_ACTIVE_NAMESPACES)).isZero();
        assertThat(Wire.i32(page.segment(), 0)).isEqualTo(9);
        assertThat(identify(0xFFFF_FFFE, Identify.CNS_ACTIVE_NAMESPACES)).isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
    }

    @Test
    void describesANamespaceByItsUuidAndCommandSet() throws Exception {
        assertThat(identify(1, Identify.CNS_DESCRIPTORS)).isZero();
        MemorySegment data = page.segment();
        assertThat(Wire.u8(data, Identify.NIDT)).isEqualTo(Identify.NIDT_UUID);
        assertThat(Wire.i32(data, Identify.NID)).isEqualTo(0x7856_3412);
        long second = Identify.NID + Wire.u8(data, Identify.NIDL);
        assertThat(Wire.u8(data, second + Identify.NIDT)).isEqualTo(Identify.NIDT_CSI);
        assertThat(Wire.u8(data, second + Identify.NID)).isEqualTo(Identify.CSI_NVM);
    }

    @Test
    void refusesToIdentifyWhatThereIsNot() throws Exception {
        assertThat(identify(0, 0xFF)).isEqualTo(Status.INVALID_FIELD);
        assertThat(rig.admin(Command.of(0x7F, 0, 0)).code()).isEqualTo(Status.INVALID_OPCODE);
    }

    @Test
    void keepsFeatures() throws Exception {
        assertThat(rig.driver
                        .execute(Command.of(Opcode.GET_FEATURES, 0, Feature.NUMBER_OF_QUEUES))
                        .result())
                .isEqualTo(3 << 16 | 3);
        assertThat(feature(Feature.VOLATILE_WRITE_CACHE).result()).isEqualTo(1);
        rig.driver.execute(Command.of(Opcode.SET_FEATURES, 0, Feature.VOLATILE_WRITE_CACHE, 0));
        assertThat(feature(Feature.VOLATILE_WRITE_CACHE).result()).isZero();
        rig.driver.execute(Command.of(Opcode.SET_FEATURES, 0, Feature.TEMPERATURE_THRESHOLD, 400));
        assertThat(feature(Feature.TEMPERATURE_THRESHOLD).result()).isEqualTo(400);
        assertThat(rig.admin(Command.of(Opcode.GET_FEATURES, 0, 0x55)).code()).isEqualTo(Status.INVALID_FIELD);
        assertThat(rig.admin(Command.of(Opcode.SET_FEATURES, 0, Feature.NUMBER_OF_QUEUES, 0xFFFF))
                        .code())
                .isEqualTo(Status.INVALID_FIELD);
        assertThat(rig.admin(Command.of(Opcode.SET_FEATURES, 0, Feature.VOLATILE_WRITE_CACHE | SAVE, 1))
                        .code())
                .isEqualTo(Status.FEATURE_NOT_SAVEABLE);
    }

    private Completion feature(int id) throws IOException {
        return rig.driver.execute(Command.of(Opcode.GET_FEATURES, 0, id));
    }

    @Test
    void countsReadsAndWritesInTheSmartLog() throws Exception {
        try (Blocks blocks = new Blocks(rig, 1)) {
            for (int i = 0; i < 5; i++) {
                assertThat(blocks.read(i, 8).isSuccess()).isTrue();
            }
            for (int i = 0; i < 3; i++) {
                assertThat(blocks.write(i, 8).isSuccess()).isTrue();
            }
        }
        assertThat(log(LogPage.SMART, 0, LogPage.SMART_BYTES)).isZero();
        assertThat(Wire.i64(page.segment(), LogPage.SMART_HOST_READS)).isEqualTo(5);
        assertThat(Wire.i64(page.segment(), LogPage.SMART_HOST_WRITES)).isEqualTo(3);
        assertThat(Wire.u16(page.segment(), LogPage.SMART_TEMPERATURE)).isEqualTo(0x143);
        assertThat(Wire.u8(page.segment(), LogPage.SMART_CRITICAL_WARNING)).isZero();
        assertThat(log(LogPage.SMART, 64, 4)).as("from an offset").isZero();
        assertThat(Wire.i32(page.segment(), 0)).isEqualTo(5);
    }

    @Test
    void returnsTheOtherLogsAndRefusesWhatIsBeyondThem() throws Exception {
        assertThat(log(LogPage.FIRMWARE_SLOT, 0, LogPage.FIRMWARE_BYTES)).isZero();
        assertThat(Wire.u8(page.segment(), LogPage.FIRMWARE_AFI)).isEqualTo(1);
        assertThat(log(LogPage.ERROR_INFORMATION, 0, LogPage.ERROR_ENTRY_BYTES)).isZero();
        assertThat(Wire.i64(page.segment(), LogPage.ERROR_COUNT)).isZero();
        assertThat(log(LogPage.CHANGED_NAMESPACES, 0, Identify.BYTES)).isZero();
        assertThat(log(LogPage.SMART, 1 << 20, 4)).isEqualTo(Status.INVALID_FIELD);
        assertThat(log(0x77, 0, 4)).isIn(Status.INVALID_FIELD, Status.INVALID_LOG_PAGE);
    }

    @Test
    void answersAnAbortOfACommandThatIsGone() throws Exception {
        Completion completion = rig.driver.execute(Command.of(Opcode.ABORT, 0, 7 << 16));
        assertThat(completion.result() & 1).as("not aborted").isEqualTo(1);
        assertThat(rig.admin(Command.of(Opcode.ABORT, 0, 77)).code()).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void tellsOfATemperatureAboveTheThreshold() throws Exception {
        BlockingQueue<ControllerEvent> events = new LinkedBlockingQueue<>();
        rig.driver.onEvent(events::add);
        int smart = 1 << AsyncEvent.SMART_TEMPERATURE_THRESHOLD;
        rig.driver.execute(Command.of(Opcode.SET_FEATURES, 0, Feature.ASYNC_EVENT_CONFIGURATION, smart));
        rig.driver.execute(Command.of(Opcode.SET_FEATURES, 0, Feature.TEMPERATURE_THRESHOLD, 0x100));
        ControllerEvent event = events.poll(20, TimeUnit.SECONDS);
        assertThat(event)
                .isInstanceOfSatisfying(
                        ControllerEvent.Health.class,
                        health -> assertThat(health.information()).isEqualTo(AsyncEvent.SMART_TEMPERATURE_THRESHOLD));
    }

    @Test
    void tellsOfDoorbellsThatAreWrong() throws Exception {
        BlockingQueue<ControllerEvent> events = new LinkedBlockingQueue<>();
        rig.driver.onEvent(events::add);
        ringUntilTold(events, Registers.sqTailDoorbell(3, 0), 1, AsyncEvent.ERROR_INVALID_DOORBELL_REGISTER);
        try (var pair = rig.driver.createQueuePair(4)) {
            long doorbell = Registers.sqTailDoorbell(pair.qid(), 0);
            ringUntilTold(events, doorbell, 99, AsyncEvent.ERROR_INVALID_DOORBELL_VALUE);
        }
        assertThat(rig.driver.resets()).isZero();
    }

    /** Rings until there is an event: QEMU drops one when nobody waits for it. */
    private void ringUntilTold(BlockingQueue<ControllerEvent> events, long doorbell, int value, int information)
            throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (System.nanoTime() - deadline < 0) {
            rig.function.bar(0).write32(doorbell, value);
            if (events.poll(10, TimeUnit.MILLISECONDS) instanceof ControllerEvent.ErrorReported told
                    && told.information() == information) {
                return;
            }
        }
        throw new AssertionError("no event of an error %d".formatted(information));
    }

    @Test
    void refusesQueuesThatCannotBe() throws Exception {
        assertThat(createCq(0, 16, 0)).isEqualTo(Status.INVALID_QID);
        assertThat(createCq(5, 16, 0)).isEqualTo(Status.INVALID_QID);
        assertThat(createCq(0xFFFF, 16, 0)).isEqualTo(Status.INVALID_QID);
        assertThat(createCq(1, 1, 0)).isEqualTo(Status.INVALID_QUEUE_SIZE);
        assertThat(createCq(1, 2049, 0)).isEqualTo(Status.INVALID_QUEUE_SIZE);
        assertThat(createCq(1, 16, 5)).isEqualTo(Status.INVALID_INTERRUPT_VECTOR);
        assertThat(createSq(1, 16, 1)).isEqualTo(Status.CQ_INVALID);
        // Invalid Queue Identifier by the specification; QEMU says Completion Queue Invalid.
        assertThat(deleteCq(1)).isIn(Status.INVALID_QID, Status.CQ_INVALID);
        assertThat(deleteSq(1)).isEqualTo(Status.INVALID_QID);
        assertThat(deleteSq(0)).isEqualTo(Status.INVALID_QID);

        assertThat(createCq(4, 2, 0)).isZero();
        assertThat(createCq(4, 2, 0)).as("there already").isEqualTo(Status.INVALID_QID);
        assertThat(createSq(0, 16, 4)).isEqualTo(Status.INVALID_QID);
        assertThat(createSq(1, 1, 4)).isEqualTo(Status.INVALID_QUEUE_SIZE);
        assertThat(createSq(1, 2, 4))
                .as("another number than its completion queue")
                .isZero();
        assertThat(createSq(1, 2, 4)).isEqualTo(Status.INVALID_QID);
        assertThat(createSq(2, 2, 4))
                .as("a second one on the same completion queue")
                .isZero();
        assertThat(deleteCq(4)).isEqualTo(Status.INVALID_QUEUE_DELETION);
        assertThat(deleteSq(1)).isZero();
        assertThat(deleteCq(4)).isEqualTo(Status.INVALID_QUEUE_DELETION);
        assertThat(deleteSq(2)).isZero();
        assertThat(deleteCq(4)).isZero();
    }

    private int createCq(int qid, int entries, int vector) throws IOException {
        Command command = Command.of(Opcode.CREATE_IO_CQ, 0, entries - 1 << 16 | qid, vector << 16 | 2 | 1);
        return rig.admin(command, page, Identify.BYTES).code();
    }

    private int createSq(int qid, int entries, int cq) throws IOException {
        Command command = Command.of(Opcode.CREATE_IO_SQ, 0, entries - 1 << 16 | qid, cq << 16 | 1);
        return rig.admin(command, page, Identify.BYTES).code();
    }

    private int deleteCq(int qid) throws IOException {
        return rig.admin(Command.of(Opcode.DELETE_IO_CQ, 0, qid)).code();
    }

    private int deleteSq(int qid) throws IOException {
        return rig.admin(Command.of(Opcode.DELETE_IO_SQ, 0, qid)).code();
    }
}
