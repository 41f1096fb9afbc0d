package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.Command;
import io.aisio.nvme.ControllerEvent;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.Timeouts;
import io.aisio.nvme.spec.Feature;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.IdentifyNamespace;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.PciFunction;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongUnaryOperator;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a driver must survive, case by case: {@code docs/survival.md} has the table. Cases 17 to 20 need a kernel. */
@Tag("slow")
class SurvivalTest {
    private static final int DEPTH = 8;

    private static Driven with(FaultPlan plan) throws IOException {
        return new Driven(EmuConfiguration.memory(1 << 20).withFaults(plan), Driven.timeouts(plan));
    }

    private static Driven with(Fault... faults) throws IOException {
        return with(FaultPlan.of(faults));
    }

    /** A queue of reads and writes of one block, each slot with a block of its own. */
    private static final class Traffic implements AutoCloseable {
        final QueuePair pair;
        final DmaMemory memory;
        final int[] good;
        final int[] bad;
        private final int depth;

        Traffic(Driven driven) throws IOException {
            this(driven, DEPTH);
        }

        Traffic(Driven driven, int depth) throws IOException {
            this.depth = depth;
            good = new int[depth];
            bad = new int[depth];
            memory = driven.function.allocate(depth * 512L);
            pair = driven.driver.createQueuePair(depth);
            for (int slot = 0; slot < depth; slot++) {
                pair.bind(
                        slot,
                        Command.overBlocks(slot % 2 == 0 ? Opcode.READ : Opcode.WRITE, 1, 0, 1),
                        memory,
                        slot * 512L,
                        512);
            }
        }

        void submit() throws NvmeException {
            int[] slots = new int[depth];
            long[] lbas = new long[depth];
            for (int i = 0; i < depth; i++) {
                slots[i] = i;
                lbas[i] = i;
            }
            pair.submit(slots, lbas, depth);
        }

        /** Submits every slot, and takes each once. */
        void run() throws NvmeException {
            int before = total();
            submit();
            take();
            assertThat(total() - before).as("commands that came back").isEqualTo(depth);
        }

        void take() {
            int[] completed = new int[3];
            boolean[] seen = new boolean[depth];
            while (pair.outstanding() > 0) {
                int n = Completions.await(pair, completed);
                for (int i = 0; i < n; i++) {
                    int slot = completed[i] < 0 ? ~completed[i] : completed[i];
                    assertThat(seen[slot]).as("slot %d came back twice", slot).isFalse();
                    seen[slot] = true;
                    (completed[i] < 0 ? bad : good)[slot]++;
                }
            }
        }

        int total() {
            return sum(good) + failed();
        }

        int failed() {
            return sum(bad);
        }

        private static int sum(int[] counts) {
            int sum = 0;
            for (int count : counts) {
                sum += count;
            }
            return sum;
        }

        @Override
        public void close() throws IOException {
            pair.close();
            memory.close();
        }
    }

    /** After trouble: a reset has happened, and the same queue works on. */
    private static void requireWorksAgain(Driven driven, Traffic traffic) throws NvmeException {
        assertThat(driven.driver.failure()).isNull();
        int failed = traffic.failed();
        for (int i = 0; i < 5; i++) {
            traffic.run();
        }
        assertThat(traffic.failed()).as("failures after the recovery").isEqualTo(failed);
    }

    private static void requireRetryable(Traffic traffic) {
        for (int slot = 0; slot < DEPTH; slot++) {
            if (traffic.bad[slot] > 0) {
                assertThat(traffic.pair.failure(slot).retryable())
                        .as("slot %d may be tried again", slot)
                        .isTrue();
            }
        }
    }

    @Nested
    class Case01SurpriseRemoval {
        @Test
        void wakesEveryWaiterPromptlyThoughDeadlinesAreFarAway() throws Exception {
            FaultPlan nothingAnswers =
                    FaultPlan.of(Fault.stall(), Fault.stall().on(Selector.admin(Opcode.GET_FEATURES)));
            Timeouts far = new Timeouts(
                    Duration.ofMinutes(5), Duration.ofMinutes(5), Duration.ofMinutes(5), Duration.ofSeconds(5));
            try (Driven driven = new Driven(EmuConfiguration.memory(1 << 20).withFaults(nothingAnswers), far);
                    ExecutorService threads = Executors.newFixedThreadPool(3)) {
                List<Callable<String>> waiters = List.of(
                        () -> waitForReads(driven), () -> waitForReads(driven), () -> waitForAnAdminCommand(driven));
                List<Future<String>> answers =
                        waiters.stream().map(threads::submit).toList();
                // Pulled while they wait, or before: the answer is the same.
                driven.emulator.vanish();
                for (Future<String> answer : answers) {
                    assertThat(answer.get(Host.GIVE_UP_NANOS, TimeUnit.NANOSECONDS))
                            .contains("all ones");
                }
                assertThat(driven.driver.failure()).hasMessageContaining("the device is gone");
            }
        }

        private String waitForReads(Driven driven) throws IOException {
            try (Traffic traffic = new Traffic(driven)) {
                traffic.submit();
                traffic.take();
                assertThat(traffic.failed()).isEqualTo(DEPTH);
                assertThat(traffic.pair.failure(0).retryable()).isFalse();
                return String.valueOf(traffic.pair.failure(0).getCause());
            } catch (NvmeException e) {
                return e.getMessage();
            }
        }

        private String waitForAnAdminCommand(Driven driven) throws IOException {
            try {
                driven.driver.execute(Command.of(Opcode.GET_FEATURES, 0, Feature.VOLATILE_WRITE_CACHE));
                return "answered";
            } catch (NvmeException e) {
                return e.getMessage();
            }
        }
    }

    @Nested
    class Case02FatalStatusAndReady {
        @Test
        void resetsAControllerThatReportsAFatalError() throws Exception {
            try (Driven driven = with(Fault.fatal().on(Selector.io().nth(4)));
                    Traffic traffic = new Traffic(driven)) {
                traffic.run();
                assertThat(traffic.failed()).isPositive();
                requireRetryable(traffic);
                Completions.await("a reset", () -> driven.driver.resets() == 1);
                assertThat(driven.driver.lastReset()).hasMessageContaining("CSTS.CFS");
                requireWorksAgain(driven, traffic);
            }
        }

        @Test
        void failsForGoodWhenReadyNeverRises() throws Exception {
            try (Driven driven = with(
                            Fault.fatal().on(Selector.io().nth(4)),
                            Fault.neverReady().on(Selector.enabling().from(2)));
                    Traffic traffic = new Traffic(driven)) {
                traffic.run();
                Completions.await("failure for good", () -> driven.driver.failure() != null);
                assertThatThrownBy(traffic::submit).isInstanceOf(NvmeException.class);
            }
        }

        @Test
        void failsForGoodWhenReadyNeverFalls() throws Exception {
            try (Driven driven = with(Fault.fatal().on(Selector.io().nth(4)), Fault.staysReady());
                    Traffic traffic = new Traffic(driven)) {
                traffic.run();
                Completions.await("failure for good", () -> driven.driver.failure() != null);
                assertThatThrownBy(traffic::submit).isInstanceOf(NvmeException.class);
            }
        }

        @Test
        void waitsForAControllerThatIsSlow() throws Exception {
            try (Driven driven = with(
                            Fault.slowReady(Duration.ofMillis(300)),
                            Fault.fatal().on(Selector.io().nth(4)));
                    Traffic traffic = new Traffic(driven)) {
                traffic.run();
                Completions.await("a reset", () -> driven.driver.resets() == 1);
                requireWorksAgain(driven, traffic);
            }
        }
    }

    @Nested
    class Case03AdminCommandNeverCompletes {
        private final Command get = Command.of(Opcode.GET_FEATURES, 0, Feature.VOLATILE_WRITE_CACHE);
        private final Selector first = Selector.admin(Opcode.GET_FEATURES).nth(1);

        @Test
        void isAbortedAndTheNextOneWorks() throws Exception {
            try (Driven driven = with(Fault.stall().on(first))) {
                assertThatExceptionOfType(NvmeException.class)
                        .isThrownBy(() -> driven.driver.execute(get))
                        .matches(NvmeException::retryable, "may be tried again");
                assertThat(driven.driver.execute(get).result()).isEqualTo(1);
                assertThat(driven.driver.resets()).isZero();
            }
        }

        @Test
        void bringsAResetIfItsAbortHangsToo() throws Exception {
            try (Driven driven = with(Fault.stall().on(first), Fault.stall().on(Selector.admin(Opcode.ABORT)));
                    Traffic traffic = new Traffic(driven)) {
                assertThatThrownBy(() -> driven.driver.execute(get)).isInstanceOf(NvmeException.class);
                Completions.await("a reset", () -> driven.driver.resets() == 1);
                assertThat(driven.driver.execute(get).result()).isEqualTo(1);
                requireWorksAgain(driven, traffic);
            }
        }

        @Test
        void endsTheControllerIfTheResetHelpsNothing() throws Exception {
            try (Driven driven = with(
                    Fault.stall().on(first),
                    Fault.stall().on(Selector.admin(Opcode.ABORT)),
                    Fault.neverReady().on(Selector.enabling().from(2)))) {
                assertThatThrownBy(() -> driven.driver.execute(get)).isInstanceOf(NvmeException.class);
                Completions.await("failure for good", () -> driven.driver.failure() != null);
                assertThatThrownBy(() -> driven.driver.execute(get)).isInstanceOf(NvmeException.class);
            }
        }
    }

    @Nested
    class Case04WrongCid {
        @ParameterizedTest
        @ValueSource(strings = {"wrongcid:3", "duplicate:3", "duplicate:8", "stale:3", "stale=5ms:3", "wrongcid:8"})
        void eachCommandComesBackOnceAndTheQueueWorksOn(String fault) throws Exception {
            try (Driven driven = with(FaultPlan.parse(fault));
                    Traffic traffic = new Traffic(driven)) {
                traffic.run();
                requireRetryable(traffic);
                // What comes too often may be seen only with later commands, and what was in flight then fails.
                long deadline = System.nanoTime() + Host.GIVE_UP_NANOS;
                while (driven.driver.resets() == 0) {
                    assertThat(System.nanoTime() - deadline).as("a reset").isNegative();
                    traffic.run();
                }
                assertThat(driven.driver.resets()).isEqualTo(1);
                requireWorksAgain(driven, traffic);
            }
        }
    }

    @Nested
    class Case05WrongQueueOrHead {
        @ParameterizedTest
        // Of what is taken at once, the driver looks at the last head alone, as it goes by its own.
        @ValueSource(strings = {"wrongsqid:2", "wrongsqhd:1-8"})
        void isNoticedAndTheQueueWorksOnAfterAReset(String fault) throws Exception {
            try (Driven driven = with(FaultPlan.parse(fault));
                    Traffic traffic = new Traffic(driven)) {
                traffic.run();
                requireRetryable(traffic);
                Completions.await("a reset", () -> driven.driver.resets() == 1);
                requireWorksAgain(driven, traffic);
            }
        }
    }

    @Nested
    class Case06PhaseTag {
        @Test
        void ofACompletionThatIsTornCostsADeadlineAndNotTheController() throws Exception {
            try (Driven driven = with(FaultPlan.parse("wrongphase:2"));
                    Traffic traffic = new Traffic(driven)) {
                traffic.run();
                assertThat(traffic.failed()).isPositive();
                requireRetryable(traffic);
                requireWorksAgain(driven, traffic);
            }
        }

        @Test
        void ofTheTimeBeforeAResetIsNotTakenForACompletion() throws Exception {
            try (Driven driven = with(FaultPlan.NONE);
                    Traffic traffic = new Traffic(driven)) {
                // At each place of the ring in turn, so that both phases lie behind and before the head.
                for (int i = 0; i < 2 * (DEPTH + 1); i++) {
                    traffic.pair.submit(new int[] {0}, new long[] {0}, 1);
                    traffic.take();
                    driven.driver.reset();
                    assertThat(traffic.pair.poll(new int[DEPTH])).isZero();
                    traffic.run();
                }
                assertThat(traffic.failed()).isZero();
                assertThat(driven.driver.resets()).isEqualTo(2 * (DEPTH + 1));
            }
        }
    }

    @Nested
    class Case07FewerQueues {
        @Test
        void givesAsManyAsWereGranted() throws Exception {
            try (Driven driven = with(Fault.queues(1))) {
                assertThat(driven.driver.maxQueuePairs()).isEqualTo(1);
                try (Traffic traffic = new Traffic(driven)) {
                    assertThatThrownBy(() -> driven.driver.createQueuePair(1))
                            .hasMessage("emu:driven: all 1 queue pairs that the controller granted are in use");
                    traffic.run();
                }
            }
        }

        @Test
        void saysSoWhenThereIsNone() {
            assertThatThrownBy(() -> Device.open("emu:1MiB?faults=queues=0"))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("Set Features");
            assertThat(DriverFaultTest.threads("emu:1MiB?faults=queues=0")).isZero();
        }

        @Test
        void survivesThatFewerAreThereThanWereGranted() throws Exception {
            try (Driven driven = new Driven(
                    EmuConfiguration.memory(1 << 20).withQueuePairs(1).withFaults(FaultPlan.of(Fault.queues(5))))) {
                try (Traffic traffic = new Traffic(driven)) {
                    assertThatThrownBy(() -> driven.driver.createQueuePair(1))
                            .isInstanceOf(NvmeException.class)
                            .hasMessageContaining("Invalid Queue Identifier");
                    requireWorksAgain(driven, traffic);
                }
            }
        }
    }

    @Nested
    class Case08Limits {
        @Test
        void ofTheDepthIsKept() throws Exception {
            try (Driven driven = new Driven(EmuConfiguration.memory(1 << 20).withEntries(4))) {
                assertThat(driven.driver.maxDepth()).isEqualTo(3);
                assertThatIllegalArgumentException().isThrownBy(() -> driven.driver.createQueuePair(4));
                try (Traffic traffic = new Traffic(driven, 3)) {
                    traffic.run();
                }
            }
        }

        @ParameterizedTest
        @ValueSource(ints = {0, 1, 2, 31, 255})
        void ofTransfersAreKeptWhateverMdtsSays(int mdts) throws Exception {
            FaultPlan told = FaultPlan.of(Fault.put((int) IdentifyController.MDTS, (byte) mdts)
                    .on(Selector.admin(Opcode.IDENTIFY).sub(Identify.CNS_CONTROLLER)));
            try (Driven driven = with(told);
                    Traffic traffic = new Traffic(driven)) {
                int most = driven.driver.maxTransferBytes();
                assertThat(most).isGreaterThanOrEqualTo(4096);
                if (mdts == 1 || mdts == 2) {
                    assertThat(most).isEqualTo(4096 << mdts);
                }
                traffic.run();
                assertThat(traffic.failed()).isZero();
            }
        }

        @ParameterizedTest
        @ValueSource(ints = {1, 4, 10})
        void ofDoorbellsAreKeptHoweverFarApartTheyAre(int stride) throws Exception {
            try (Driven driven = new Driven(EmuConfiguration.memory(1 << 20).withDoorbellStride(stride));
                    Traffic one = new Traffic(driven);
                    Traffic two = new Traffic(driven)) {
                one.run();
                two.run();
                assertThat(one.failed() + two.failed()).isZero();
            }
        }

        @Test
        void ofPagesThatAreTooLargeAreTold() throws Exception {
            EmuController emulator = EmuController.open("emu:pages", EmuConfiguration.memory(1 << 20));
            emulator.start();
            // MPSMIN 1: pages of 8 KiB at least.
            try (PciFunction function = withCap(emulator.function(), cap -> cap | 1L << 48)) {
                assertThatThrownBy(() -> NvmeController.open(function, Driven.SHORT))
                        .isInstanceOf(NvmeException.class)
                        .hasMessageContaining("memory pages of at least 8192 bytes (CAP.MPSMIN)");
            }
        }

        private static PciFunction withCap(PciFunction function, LongUnaryOperator change) {
            Bar bar = function.bar(0);
            Bar changed = new Bar() {
                @Override
                public long size() {
                    return bar.size();
                }

                @Override
                public int read32(long offset) {
                    return bar.read32(offset);
                }

                @Override
                public long read64(long offset) {
                    long value = bar.read64(offset);
                    return offset == Registers.CAP ? change.applyAsLong(value) : value;
                }

                @Override
                public void write32(long offset, int value) {
                    bar.write32(offset, value);
                }

                @Override
                public void write64(long offset, long value) {
                    bar.write64(offset, value);
                }
            };
            return new PciFunction() {
                @Override
                public String name() {
                    return function.name();
                }

                @Override
                public Bar bar(int index) {
                    return changed;
                }

                @Override
                public DmaMemory allocate(long bytes) throws IOException {
                    return function.allocate(bytes);
                }

                @Override
                public void close() {
                    function.close();
                }
            };
        }
    }

    @Nested
    class Case09Namespaces {
        @ParameterizedTest
        @ValueSource(ints = {512, 4096})
        void ofEitherBlockSizeAreRead(int lba) throws Exception {
            try (Device device = Device.open("emu:1MiB?lba=" + lba);
                    Buffer buffer = device.allocate(8192)) {
                assertThat(device.geometry().lbaBytes()).isEqualTo(lba);
                buffer.segment().fill((byte) 7);
                device.write(3, buffer);
                buffer.segment().fill((byte) 0);
                device.read(3, buffer);
                assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, 8191)).isEqualTo((byte) 7);
            }
        }

        @ParameterizedTest
        @CsvSource({
            // LBAF 0 lies at 128: metadata in bytes 0 and 1, LBADS in byte 2.
            "put=130/00, an LBADS of 0",
            "put=130/08, an LBADS of 8",
            "put=130/1f, an LBADS of 31",
            "put=130/40, an LBADS of 64",
            "put=130/ff, an LBADS of 255",
            "put=0/0000000000000000, no blocks",
            "put=0/ffffffffffffffff, more blocks than can be",
            "put=26/0f, a format that there is not",
            "garbage=7, noise"
        })
        void thatMakeNoSenseAreNotOpened(String fault, String what) throws Exception {
            String name = "emu:1MiB?faults=" + fault + "@identify.sub0x0";
            assertThatThrownBy(() -> Device.open(name).close())
                    .as(what)
                    .isInstanceOf(IOException.class)
                    .hasMessageStartingWith(name + ": ");
            assertThat(DriverFaultTest.threads(name)).isZero();
        }

        @Test
        void thatMakeNoSenseLeaveTheOthersUsable() throws Exception {
            try (Driven driven = new Driven(EmuConfiguration.memory(1 << 20)
                    .withNamespaces(3)
                    .withFaults(FaultPlan.parse("put=130/40@identify.sub0x0.ns2")))) {
                assertThat(driven.driver.namespaces())
                        .extracting(namespace -> namespace.nsid())
                        .containsExactly(1, 3);
            }
        }

        @Test
        void withMetadataSayHowMuch() throws Exception {
            try (Driven driven = with(FaultPlan.parse("put=128/0800@identify.sub0x0"))) {
                assertThat(driven.driver.namespace(1).metadataBytes()).isEqualTo(8);
            }
            assertThat(IdentifyNamespace.LBAF).isEqualTo(128);
        }
    }

    @Nested
    class Case10Prps {
        private static final int MEGA = 1 << 20;

        /** At every dword of a page, around each length at which the form of the PRPs changes. */
        @ParameterizedTest
        @ValueSource(strings = {"emu:16MiB?mdts=12", "emu:16MiB?mdts=12&sgl"})
        void reachEveryByteWhereverABufferLies(String name) throws Exception {
            try (Device device = Device.open(name);
                    Buffer source = device.allocate(5 * MEGA);
                    Buffer target = device.allocate(5 * MEGA)) {
                SplittableRandom random = new SplittableRandom(10);
                byte[] noise = new byte[5 * MEGA];
                random.nextBytes(noise);
                MemorySegment.copy(noise, 0, source.segment(), ValueLayout.JAVA_BYTE, 0, noise.length);
                int most = Math.min(device.geometry().maxTransferBytes(), 4 * MEGA + 4096);
                // One page, two, a list's first entries; the last entry of a list's page, and the first of the next.
                int[] lengths = {512, 4096, 4608, 8192, 12288, 511 * 4096, 512 * 4096, 513 * 4096, 514 * 4096, most};
                for (int length : lengths) {
                    for (int offset = 0; offset < 4096; offset += length < 8192 ? 4 : 1020) {
                        roundTrip(device, source, target, offset, Math.min(length, most));
                    }
                }
                // Across each 2 MiB of the buffer.
                roundTrip(device, source, target, 2 * MEGA - 4, 8192);
                roundTrip(device, source, target, 4 * MEGA - 4096, 12288);
            }
        }

        private static void roundTrip(Device device, Buffer source, Buffer target, long offset, int length)
                throws IOException {
            device.write(5, source, offset, length);
            target.segment()
                    .asSlice(0, Math.min(5L * MEGA, offset + length + 4096))
                    .fill((byte) 0x33);
            device.read(5, target, offset, length);
            assertThat(MemorySegment.mismatch(
                            target.segment(), offset, offset + length, source.segment(), offset, offset + length))
                    .as("%d bytes at offset %d", length, offset)
                    .isEqualTo(-1);
            assertThat(target.segment().get(ValueLayout.JAVA_BYTE, offset + length))
                    .as("the byte after %d at offset %d", length, offset)
                    .isEqualTo((byte) 0x33);
        }
    }

    @Nested
    class Case11OutOfRange {
        @Test
        void readsPastTheEndFailAloneAndZeroBlocksAreNoCommand() throws Exception {
            try (Device device = Device.open("emu:1MiB");
                    Buffer buffer = device.allocate(4096);
                    Queue queue = device.openQueue(2)) {
                long blocks = device.geometry().lbaCount();
                for (long lba : new long[] {blocks, blocks - 7, Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
                    assertThatThrownBy(() -> device.read(lba, buffer))
                            .as("a read at block %d of %d", lba, blocks)
                            .isInstanceOf(NvmeException.class)
                            .hasMessageContaining("LBA Out of Range");
                }
                device.read(blocks - 8, buffer);
                device.read(0, buffer, 0, 0);
                assertThatIllegalArgumentException().isThrownBy(() -> queue.bindRead(0, buffer, 0, 0));
            }
        }
    }

    @Nested
    class Case12MediaErrors {
        @Test
        void sayWhetherToTryAgain() throws Exception {
            try (Driven driven = with(
                            Fault.error(Status.UNRECOVERED_READ_ERROR)
                                    .on(Selector.io().nth(1)),
                            Fault.error(Status.UNRECOVERED_READ_ERROR | Status.DNR_BIT)
                                    .on(Selector.io().nth(3)));
                    Traffic traffic = new Traffic(driven)) {
                traffic.run();
                assertThat(traffic.bad).containsExactly(1, 0, 1, 0, 0, 0, 0, 0);
                assertThat(traffic.pair.failure(0).retryable()).isTrue();
                assertThat(traffic.pair.failure(2).retryable()).isFalse();
                assertThat(driven.driver.resets()).isZero();
                requireWorksAgain(driven, traffic);
            }
        }

        @ParameterizedTest
        @ValueSource(strings = {"error=2/81", "error=2/81/dnr"})
        void thatStayAreToldInBoundedTime(String fault) throws Exception {
            try (Device device = Device.open("emu:1MiB?faults=" + fault + "@read.lba9");
                    Buffer buffer = device.allocate(4096)) {
                assertThatExceptionOfType(NvmeException.class)
                        .isThrownBy(() -> device.read(8, buffer))
                        .withMessageContaining("Unrecovered Read Error")
                        .matches(e -> e.retryable() != fault.endsWith("dnr"));
                device.read(10, buffer);
            }
        }
    }

    @Nested
    class Case13EventsAndNamespaceChanges {
        @Test
        void aFloodOfEventsStopsNoIo() throws Exception {
            try (Driven driven = with(Fault.events(5000).on(Selector.io().nth(1)));
                    Traffic traffic = new Traffic(driven)) {
                for (int i = 0; i < 200; i++) {
                    traffic.run();
                }
                assertThat(traffic.failed()).isZero();
                assertThat(driven.driver.failure()).isNull();
                assertThat(driven.driver.execute(Command.of(Opcode.GET_FEATURES, 0, Feature.VOLATILE_WRITE_CACHE)))
                        .isNotNull();
            }
        }

        @Test
        void aNamespaceThatShrinksAndGrowsUnderIoIsToldAndItsEndIsKept() throws Exception {
            try (Driven driven = with(FaultPlan.NONE);
                    Traffic traffic = new Traffic(driven)) {
                List<ControllerEvent> events = new CopyOnWriteArrayList<>();
                driven.driver.onEvent(events::add);
                traffic.run();
                driven.emulator.resizeNamespace(1, 4);
                Completions.await("the smaller size", () -> blocks(driven) == 4);
                traffic.run();
                assertThat(traffic.bad).containsExactly(0, 0, 0, 0, 1, 1, 1, 1);
                assertThat(traffic.pair.failure(7)).hasMessageContaining("LBA Out of Range");
                driven.emulator.resizeNamespace(1, 2048);
                Completions.await("the old size", () -> blocks(driven) == 2048);
                Completions.await("both events", () -> events.size() >= 2);
                assertThat(events).hasOnlyElementsOfType(ControllerEvent.NamespacesChanged.class);
                requireWorksAgain(driven, traffic);
            }
        }

        private static long blocks(Driven driven) {
            try {
                return driven.driver.namespace(1).lbaCount();
            } catch (NvmeException e) {
                return -1;
            }
        }

        @Test
        void aNamespaceThatIsRemovedUnderIoFailsItsCommandsAndNothingElse() throws Exception {
            try (Driven driven = new Driven(EmuConfiguration.memory(1 << 20)
                            .withNamespaces(2)
                            .withFaults(
                                    FaultPlan.of(Fault.remove().on(Selector.io().nth(5)))));
                    Traffic traffic = new Traffic(driven)) {
                traffic.run();
                assertThat(traffic.bad).containsExactly(0, 0, 0, 0, 1, 1, 1, 1);
                assertThat(traffic.pair.failure(7).retryable()).isFalse();
                Completions.await(
                        "its absence", () -> driven.driver.namespaces().size() == 1);
                assertThatThrownBy(() -> driven.driver.namespace(1)).isInstanceOf(NvmeException.class);
                driven.emulator.attachNamespace(1);
                Completions.await("its return", () -> driven.driver.namespaces().size() == 2);
                assertThat(driven.driver.resets()).isZero();
                requireWorksAgain(driven, traffic);
            }
        }
    }

    @Nested
    class Case14Resets {
        @Test
        void thatRaceWithSubmissionsAndEachOtherLoseNoCommand() throws Exception {
            try (Driven driven = with(FaultPlan.NONE);
                    Traffic traffic = new Traffic(driven);
                    ExecutorService threads = Executors.newFixedThreadPool(2)) {
                AtomicBoolean enough = new AtomicBoolean();
                Callable<Integer> resetting = () -> {
                    int resets = 0;
                    while (!enough.get()) {
                        driven.driver.reset();
                        resets++;
                    }
                    return resets;
                };
                Future<Integer> one = threads.submit(resetting);
                Future<Integer> two = threads.submit(resetting);
                try {
                    long deadline = System.nanoTime() + Host.GIVE_UP_NANOS;
                    while (driven.driver.resets() < 30) {
                        assertThat(System.nanoTime() - deadline)
                                .as("30 resets, of which there are %d", driven.driver.resets())
                                .isNegative();
                        try {
                            traffic.run();
                        } catch (NvmeException e) {
                            // Every attempt to create the queues anew was overtaken: nothing was submitted.
                            assertThat(e.retryable()).as(e.getMessage()).isTrue();
                            assertThat(traffic.pair.outstanding()).isZero();
                        }
                    }
                } finally {
                    enough.set(true);
                }
                int asked = one.get(20, TimeUnit.SECONDS) + two.get(20, TimeUnit.SECONDS);
                assertThat(asked)
                        .as("resets that were asked for; two at once may be one")
                        .isGreaterThanOrEqualTo(driven.driver.resets());
                requireRetryable(traffic);
                requireWorksAgain(driven, traffic);
            }
        }
    }

    @Nested
    class Case15FullQueuesAndWraps {
        @Test
        void aFullQueueTakesNoMoreAndTheIdentifiersWrap() throws Exception {
            try (Driven driven = with(FaultPlan.NONE);
                    Traffic traffic = new Traffic(driven)) {
                traffic.submit();
                assertThatIllegalStateException()
                        .isThrownBy(() -> traffic.pair.submit(new int[] {0}, new long[] {0}, 1));
                traffic.take();
                for (int i = 0; i < 70_000 / DEPTH; i++) {
                    traffic.run();
                }
                assertThat(traffic.failed()).isZero();
                assertThat(traffic.total()).isGreaterThan(1 << 16);
            }
        }

        @Test
        void theLargestQueueGoesRound() throws Exception {
            try (Driven driven = new Driven(EmuConfiguration.memory(1 << 20).withEntries(1 << 16), Timeouts.DEFAULT)) {
                int depth = driven.driver.maxDepth();
                try (DmaMemory memory = driven.function.allocate(4096);
                        QueuePair pair = driven.driver.createQueuePair(depth)) {
                    int[] slots = new int[depth];
                    for (int slot = 0; slot < depth; slot++) {
                        slots[slot] = slot;
                        pair.bind(slot, Command.overBlocks(Opcode.READ, 1, 0, 1), memory, 0, 512);
                    }
                    int[] completed = new int[1000];
                    for (int lap = 0; lap < 3; lap++) {
                        pair.submit(slots, new long[depth], depth);
                        int done = 0;
                        while (pair.outstanding() > 0) {
                            done += Completions.await(pair, completed);
                        }
                        assertThat(done).isEqualTo(depth);
                    }
                }
            }
        }

        @Test
        void aSecondCompletionForAFullQueueDoesNotOverrunIt() throws Exception {
            try (Driven driven = with(Fault.duplicate());
                    Traffic traffic = new Traffic(driven)) {
                for (int i = 0; i < 3; i++) {
                    traffic.run();
                }
                Completions.await("a reset", () -> driven.driver.resets() > 0 || driven.driver.failure() != null);
            }
        }
    }

    @Nested
    class Case16ShadowDoorbells {
        @Test
        void areNotStaleAfterAReset() throws Exception {
            try (Driven driven = new Driven(EmuConfiguration.memory(1 << 20).withShadow(true));
                    Traffic traffic = new Traffic(driven)) {
                for (int i = 0; i < DEPTH + 1; i++) {
                    // The tail stands at another place each time.
                    traffic.pair.submit(new int[] {0}, new long[] {0}, 1);
                    traffic.take();
                    traffic.run();
                    driven.driver.reset();
                    traffic.run();
                }
                assertThat(traffic.failed()).isZero();
                assertThat(driven.driver.resets()).isEqualTo(DEPTH + 1);
            }
        }
    }
}
