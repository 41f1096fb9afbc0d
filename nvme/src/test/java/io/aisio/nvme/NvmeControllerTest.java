package io.aisio.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.aisio.nvme.spec.IdentifyNamespace;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Status;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Bring-up, admin commands and the end, with a controller that keeps the rules and with ones that do not. */
@Timeout(60)
class NvmeControllerTest {
    private static final Timeouts SHORT = new Timeouts(
            Duration.ofMillis(300), Duration.ofMillis(300), Duration.ofMillis(300), Duration.ofMillis(300));

    private interface Body {
        void run(HandDrivenFunction function, NvmeController controller) throws IOException;
    }

    private static void with(Consumer<HandDrivenFunction> fault, Body body) throws IOException {
        HandDrivenFunction function = new HandDrivenFunction();
        fault.accept(function);
        function.start();
        try {
            NvmeController controller = NvmeController.open(function, SHORT);
            body.run(function, controller);
            assertThat(function.live).as("memory that was not freed").isEmpty();
        } finally {
            function.close();
        }
    }

    private static void assertRefused(Consumer<HandDrivenFunction> fault, String why) throws IOException {
        HandDrivenFunction function = new HandDrivenFunction();
        fault.accept(function);
        function.start();
        assertThatThrownBy(() -> NvmeController.open(function, SHORT))
                .isInstanceOf(NvmeException.class)
                .hasMessageContaining(why);
        assertThat(function.live).as("memory that was not freed").isEmpty();
        function.close();
    }

    @Test
    void bringsAControllerUpAndShutsItDown() throws IOException {
        with(f -> {}, (function, controller) -> {
            assertThat(controller.identity().model()).isEqualTo("served by a test");
            assertThat(controller.identity().serial()).isEqualTo("BY-HAND");
            assertThat(controller.maxTransferBytes()).isEqualTo(131072);
            assertThat(controller.maxDepth()).isEqualTo(1023);
            assertThat(controller.maxQueuePairs()).isEqualTo(8);
            assertThat(controller.namespaces())
                    .containsExactly(new Namespace(1, 512, 1 << 20, 0, false, false, 0, 0, false));
            controller.close();
            controller.close();
            assertThat(function.bar(0).read32(Registers.CC) & Registers.CC_EN).isZero();
            assertThatThrownBy(() -> controller.execute(Command.of(Opcode.IDENTIFY, 0, 1)))
                    .isInstanceOf(IllegalStateException.class);
        });
    }

    @Test
    void createsTheCompletionQueueFirstAndDeletesItLast() throws IOException {
        with(f -> {}, (function, controller) -> {
            synchronized (function.adminOpcodes) {
                function.adminOpcodes.clear();
            }
            QueuePair queue = controller.createQueuePair(31);
            assertThat(function.queues.get(1).entries()).isEqualTo(32);
            queue.close();
            synchronized (function.adminOpcodes) {
                assertThat(function.adminOpcodes)
                        .containsExactly(
                                Opcode.CREATE_IO_CQ, Opcode.CREATE_IO_SQ, Opcode.DELETE_IO_SQ, Opcode.DELETE_IO_CQ);
            }
            controller.close();
        });
    }

    @Test
    void formatHasALongerDeadlineThanOtherAdminCommands() throws IOException {
        HandDrivenFunction function = new HandDrivenFunction().start();
        Duration admin = Duration.ofMillis(50);
        Duration format = Duration.ofMillis(600);
        NvmeController controller = NvmeController.open(function, new Timeouts(admin, admin, format, admin));
        function.stalledOpcode = Opcode.FORMAT_NVM;
        long start = System.nanoTime();
        assertThatThrownBy(() -> controller.execute(Command.of(Opcode.FORMAT_NVM, 1, 0)))
                .hasMessageContaining("no answer within 600 ms");
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThanOrEqualTo(format);
        controller.close();
        function.close();
    }

    @Test
    void givesTheFirstMemoryBackIfThereIsNoneForTheSecond() throws IOException {
        HandDrivenFunction function = new HandDrivenFunction();
        function.allocations = 1;
        function.start();
        assertThatThrownBy(() -> NvmeController.open(function, SHORT)).hasMessage("no memory left");
        assertThat(function.live).as("memory that was not freed").isEmpty();
        function.close();
    }

    @Test
    void aCompletionQueueThatCannotBeTakenBackMeansAReset() throws IOException {
        with(f -> {}, (function, controller) -> {
            function.failingOpcode = Opcode.CREATE_IO_SQ;
            function.alsoFailingOpcode = Opcode.DELETE_IO_CQ;
            function.failingStatus = Status.INVALID_FIELD;
            assertThatThrownBy(() -> controller.createQueuePair(1)).hasMessageContaining("Create I/O Submission Queue");
            assertThat(controller.lastReset()).hasMessageContaining("Delete I/O Completion Queue");
            function.failingOpcode = -1;
            function.alsoFailingOpcode = -1;
            controller.createQueuePair(1).close();
            controller.close();
        });
    }

    @Test
    void takesNoMoreQueuePairsThanItWasGranted() throws IOException {
        with(f -> f.grantedQueuePairs = 2, (function, controller) -> {
            QueuePair one = controller.createQueuePair(1);
            QueuePair two = controller.createQueuePair(1);
            assertThatThrownBy(() -> controller.createQueuePair(1))
                    .hasMessageContaining("all 2 queue pairs that the controller granted are in use");
            one.close();
            QueuePair again = controller.createQueuePair(1);
            assertThat(again.qid()).isEqualTo(1);
            assertThatThrownBy(controller::close)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("queue pairs {1, 2} are open");
            two.close();
            again.close();
            controller.close();
        });
    }

    @Test
    void aQueueDeeperThanTheControllerAllowsIsRefused() throws IOException {
        with(f -> f.cap = 7L | 1L << 24 | 1L << 37, (function, controller) -> {
            assertThatThrownBy(() -> controller.createQueuePair(8)).hasMessageContaining("1 to 7 are possible");
            controller.createQueuePair(7).close();
            controller.close();
        });
    }

    @Test
    void aRefusedSubmissionQueueLeavesNoCompletionQueue() throws IOException {
        with(f -> {}, (function, controller) -> {
            function.failingStatus = Status.INVALID_QUEUE_SIZE;
            function.failingOpcode = Opcode.CREATE_IO_SQ;
            assertThatThrownBy(() -> controller.createQueuePair(1))
                    .hasMessageContaining("Create I/O Submission Queue: Invalid Queue Size (sct 0x1, sc 0x02)");
            synchronized (function.adminOpcodes) {
                assertThat(function.adminOpcodes).endsWith(Opcode.DELETE_IO_CQ);
                assertThat(controller.resets()).isZero();
            }
            function.failingOpcode = -1;
            controller.createQueuePair(1).close();
            controller.close();
        });
    }

    @Test
    void aQueueThatIsNotDeletedIsFreedOnlyOnceTheControllerWasReset() throws IOException {
        with(f -> {}, (function, controller) -> {
            QueuePair queue = controller.createQueuePair(1);
            function.failingStatus = Status.INTERNAL_ERROR;
            function.failingOpcode = Opcode.DELETE_IO_SQ;
            assertThatThrownBy(queue::close).hasMessageContaining("Internal Error");
            assertThat(controller.resets()).isEqualTo(1);
            controller.close();
        });
    }

    @Test
    void memoryIsKeptWhenTheControllerCanNeitherBeStoppedNorCutOff() throws IOException {
        HandDrivenFunction function = new HandDrivenFunction().start();
        NvmeController controller = failAndCannotBeStopped(function);
        controller.close();
        assertThat(function.live)
                .as("memory that the controller may still write to")
                .hasSize(3);
        assertThat(controller.failure().getSuppressed())
                .extracting(Throwable::getMessage)
                .anySatisfy(m -> assertThat(m).contains("did not become disabled"))
                .contains("bus mastering stays on");
        function.close();
    }

    @Test
    void memoryIsFreedWhenTheControllerCannotBeStoppedButIsCutOff() throws IOException {
        HandDrivenFunction function = new HandDrivenFunction().start();
        function.canBeCutOff = true;
        failAndCannotBeStopped(function).close();
        assertThat(function.live).as("memory that was not freed").isEmpty();
        function.close();
    }

    private static NvmeController failAndCannotBeStopped(HandDrivenFunction function) throws IOException {
        NvmeController controller = NvmeController.open(function, SHORT);
        QueuePair queue = controller.createQueuePair(1);
        function.staysReady = true;
        function.failingStatus = Status.INTERNAL_ERROR;
        function.failingOpcode = Opcode.DELETE_IO_SQ;
        assertThatThrownBy(queue::close).hasMessageContaining("Internal Error");
        return controller;
    }

    @Test
    void aDeviceThatIsAskedBackFailsTheController() throws IOException {
        with(f -> {}, (function, controller) -> {
            function.removal.run();
            assertThatThrownBy(() -> controller.execute(Command.of(Opcode.GET_FEATURES, 0, 7)))
                    .hasMessage("by-hand: the device was removed, or is asked back by the system");
            assertThat(function.bar(0).read32(Registers.CC) & Registers.CC_EN).isZero();
            controller.close();
        });
    }

    @Test
    void aDeviceThatIsAskedBackAfterTheEndIsLeftAlone() throws IOException {
        with(f -> {}, (function, controller) -> {
            controller.close();
            function.removal.run();
            assertThat(controller.failure()).isNull();
        });
    }

    @Test
    void anAdminCommandThatIsNotAnsweredIsAbortedThenTheControllerIsReset() throws IOException {
        with(f -> {}, (function, controller) -> {
            function.stalledOpcode = Opcode.GET_FEATURES;
            NvmeException failure = catchThrowableOfType(
                    NvmeException.class, () -> controller.execute(Command.of(Opcode.GET_FEATURES, 0, 7)));
            assertThat(failure).hasMessageContaining("Get Features: no answer within 300 ms");
            assertThat(failure.retryable()).isTrue();
            assertThat(function.lastAborted & 0xFFFF).isZero();
            assertThat(controller.resets()).isEqualTo(1);
            assertThat(controller.lastReset()).hasMessageContaining("Get Features: no answer");
            function.stalledOpcode = -1;
            controller.createQueuePair(1).close();
            controller.close();
        });
    }

    @Test
    void aControllerThatDoesNotComeBackFromAResetHasFailedForGood() throws IOException {
        with(f -> {}, (function, controller) -> {
            QueuePair queue = controller.createQueuePair(1);
            function.stalledOpcode = Opcode.IDENTIFY;
            NvmeException failure = catchThrowableOfType(NvmeException.class, controller::reset);
            assertThat(failure).hasMessageContaining("a reset was asked for");
            assertThat(failure.retryable()).isFalse();
            assertThat(controller.failure().getSuppressed())
                    .hasSize(2)
                    .allSatisfy(tried -> assertThat(tried).hasMessageContaining("Identify: no answer within 300 ms"));
            assertThat(function.bar(0).read32(Registers.CC) & Registers.CC_EN).isZero();
            queue.close();
            controller.close();
        });
    }

    @Test
    void aStuckAdminCommandDoesNotHoldUpAnother() throws Exception {
        with(f -> {}, (function, controller) -> {
            function.stalledOpcode = Opcode.GET_FEATURES;
            List<Throwable> thrown = new ArrayList<>();
            Thread stuck = Thread.ofPlatform().start(() -> {
                try {
                    controller.execute(Command.of(Opcode.GET_FEATURES, 0, 7));
                } catch (IOException e) {
                    thrown.add(e);
                }
            });
            controller.createQueuePair(1).close();
            assertThat(controller.resets()).isZero();
            join(stuck);
            assertThat(thrown).hasSize(1);
            controller.close();
        });
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void resetsAtOnceAreOneForEachThatWasAskedForAtMost() throws Exception {
        with(f -> {}, (function, controller) -> {
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                threads.add(Thread.ofPlatform().start(() -> {
                    try {
                        controller.reset();
                    } catch (NvmeException e) {
                        throw new AssertionError(e);
                    }
                }));
            }
            threads.forEach(NvmeControllerTest::join);
            assertThat(controller.resets()).isBetween(1, 4);
            controller.createQueuePair(1).close();
            controller.close();
        });
    }

    @Test
    void aDeviceThatVanishesDuringAnAdminCommandIsNoticedAtOnce() throws IOException {
        with(f -> {}, (function, controller) -> {
            function.vanish();
            assertThatThrownBy(() -> controller.execute(Command.of(Opcode.GET_FEATURES, 0, 7)))
                    .hasMessageContaining("the device is gone");
            controller.close();
        });
    }

    @Test
    void refusesControllersThatItCannotWorkWith() throws IOException {
        assertRefused(f -> f.neverReady = true, "did not become ready within 500 ms");
        assertRefused(f -> f.fatalOnEnable = true, "fatal error (CSTS.CFS");
        assertRefused(f -> f.cap = -1L, "the device is gone");
        assertRefused(f -> f.cap = 1023L | 1L << 24, "no NVM command set");
        assertRefused(f -> f.cap = 1L << 24 | 1L << 37, "CAP.MQES 0");
        assertRefused(f -> f.cap = 1023L | 1L << 37 | 1L << 48, "memory pages of at least 8192 bytes");
        assertRefused(f -> f.cap = 1023L | 1L << 37 | 15L << 32, "ends before the admin doorbells");
        assertRefused(f -> f.entrySizes = 0x5566, "SQES 0x66, CQES 0x55");
        assertRefused(f -> f.stalledOpcode = Opcode.IDENTIFY, "Identify: no answer");
        assertRefused(
                f -> {
                    f.failingOpcode = Opcode.SET_FEATURES;
                    f.failingStatus = Status.INVALID_FIELD | Status.DNR_BIT;
                },
                "Set Features: Invalid Field in Command");
        assertRefused(f -> f.activeNamespaces = new int[] {3, 3}, "has 3 after 3");
    }

    @Test
    void respectsAWiderDoorbellStride() throws IOException {
        with(f -> f.cap = 63L | 1L << 24 | 1L << 37 | 2L << 32, (function, controller) -> {
            QueuePair queue = controller.createQueuePair(3);
            queue.bind(0, Command.of(Opcode.FLUSH, 1, 0));
            queue.submit(new int[] {0}, new long[1], 1);
            assertThat(function.bar(0).read32(0x1000 + 2 * 16)).isEqualTo(1);
            queue.close();
            controller.close();
        });
    }

    @Test
    void transfersAreBoundByMdtsAndByWhatTheDriverTakes() throws IOException {
        int[][] cases = {
            {0, Prp.ONE_LIST_BYTES},
            {1, 8192},
            {10, 4 << 20},
            {20, Prp.MAX_BYTES},
            {255, Prp.ONE_LIST_BYTES}
        };
        for (int[] each : cases) {
            with(f -> f.mdts = each[0], (function, controller) -> {
                assertThat(controller.maxTransferBytes()).as("MDTS " + each[0]).isEqualTo(each[1]);
                controller.close();
            });
        }
    }

    @Test
    void aNamespaceThatMakesNoSenseIsLeftOut() throws IOException {
        for (int shift : new int[] {0, 8, 17, 255}) {
            with(f -> f.lbaFormat = IdentifyNamespace.lbaFormat(shift, 0), (function, controller) -> {
                assertThat(controller.namespaces()).isEmpty();
                assertThatThrownBy(() -> controller.namespace(1)).hasMessageContaining("no usable namespace 1");
                controller.close();
            });
        }
        for (long blocks : new long[] {0, -1, Long.MAX_VALUE / 512 + 1}) {
            with(f -> f.blocks = blocks, (function, controller) -> {
                assertThat(controller.namespaces()).isEmpty();
                controller.close();
            });
        }
    }

    @Test
    void aShutdownThatDoesNotEndIsGivenUpInTime() throws IOException {
        with(f -> f.neverShutsDown = true, (function, controller) -> {
            assertThatThrownBy(controller::close).hasMessageContaining("did not shut down within 300 ms");
            assertThat(function.bar(0).read32(Registers.CC) & Registers.CC_EN).isZero();
        });
    }

    @Test
    void aNamespaceThatTheControllerWillNotDescribeIsLeftOut() throws IOException {
        Consumer<HandDrivenFunction> three = f -> {
            f.activeNamespaces = new int[] {1, 2, 3};
            f.undescribed = 2;
        };
        with(three, (function, controller) -> {
            assertThat(controller.namespaces()).extracting(Namespace::nsid).containsExactly(1, 3);
            controller.close();
        });
        assertRefused(f -> f.activeNamespaces = new int[] {1, 0xFFFF_FFFF}, "has 4294967295 after 1");
    }

    @Test
    void aControllerThatWasLeftEnabledAndNotReadyIsDisabledFirst() throws IOException {
        HandDrivenFunction function = new HandDrivenFunction();
        function.bar(0).write32(Registers.CC, Registers.CC_EN);
        function.neverReady = true;
        function.start();
        assertThatThrownBy(() -> NvmeController.open(function, SHORT))
                .hasMessageContaining("did not become ready within");
        assertThat(function.live).isEmpty();
        function.close();
    }
}
