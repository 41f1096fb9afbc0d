package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.PciFunction;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every fault of {@link FaultPlan}, met by the real driver: a true answer, in bounded time, and an orderly end. */
@Tag("slow")
class DriverFaultTest {
    private static final int DEPTH = 8;

    private static Driven with(String faults) throws IOException {
        FaultPlan plan = FaultPlan.parse(faults);
        return new Driven(EmuConfiguration.memory(1 << 20).withFaults(plan), Driven.timeouts(plan));
    }

    /** A full queue of reads; how often each slot came back well, and how often it failed. */
    private static final class Reads implements AutoCloseable {
        final Driven driven;
        final DmaMemory memory;
        final QueuePair pair;
        final int[] good = new int[DEPTH];
        final int[] bad = new int[DEPTH];

        Reads(Driven driven) throws IOException {
            this.driven = driven;
            memory = driven.function.allocate(DEPTH * 512L);
            pair = driven.driver.createQueuePair(DEPTH);
            for (int slot = 0; slot < DEPTH; slot++) {
                pair.bind(slot, Command.overBlocks(Opcode.READ, 1, 0, 1), memory, slot * 512L, 512);
            }
        }

        void submitAll() throws NvmeException {
            int[] slots = new int[DEPTH];
            long[] lbas = new long[DEPTH];
            for (int i = 0; i < DEPTH; i++) {
                slots[i] = i;
                lbas[i] = 100 + i;
            }
            pair.submit(slots, lbas, DEPTH);
        }

        void takeAll() {
            int[] completed = new int[3];
            while (pair.outstanding() > 0) {
                int n = Completions.await(pair, completed);
                for (int i = 0; i < n; i++) {
                    (completed[i] < 0 ? bad : good)[completed[i] < 0 ? ~completed[i] : completed[i]]++;
                }
            }
        }

        void assertEachCameBackOnce() {
            for (int slot = 0; slot < DEPTH; slot++) {
                assertThat(good[slot] + bad[slot]).as("slot " + slot).isEqualTo(1);
            }
        }

        /** Two rounds of reads, all of them good, whatever was before. */
        void assertWorks() throws NvmeException {
            for (int round = 0; round < 2; round++) {
                int[] before = good.clone();
                submitAll();
                takeAll();
                for (int slot = 0; slot < DEPTH; slot++) {
                    assertThat(good[slot]).as("slot " + slot).isEqualTo(before[slot] + 1);
                }
            }
        }

        /** Closes everything that the driver holds: no memory may be left. */
        @Override
        public void close() throws IOException {
            memory.close();
            pair.close();
            driven.driver.close();
            assertThat(driven.function.live()).isZero();
            driven.close();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4, 8})
    void deletesTheQueuesAndGoesOnWhenTheControllerDropsACompletion(int which) throws Exception {
        try (Reads reads = new Reads(with("drop:" + which + ",abortrefused"))) {
            reads.submitAll();
            reads.takeAll();
            reads.assertEachCameBackOnce();
            int slot = which - 1;
            assertThat(reads.bad[slot]).isEqualTo(1);
            assertThat(reads.good).containsOnlyOnce(0);
            NvmeException failure = reads.pair.failure(slot);
            assertThat(failure)
                    .hasMessageContaining("emu:driven: queue 1: Read of namespace 1 at LBA " + (100 + slot))
                    .hasMessageContaining("Command Aborted due to SQ Deletion");
            assertThat(failure.retryable()).isTrue();
            assertThat(reads.driven.driver.resets()).isZero();
            reads.assertWorks();
        }
    }

    @Test
    void abortsACommandThatHangsAndGoesOn() throws Exception {
        try (Reads reads = new Reads(with("stall:3"))) {
            reads.submitAll();
            reads.takeAll();
            reads.assertEachCameBackOnce();
            assertThat(reads.bad).containsExactly(0, 0, 1, 0, 0, 0, 0, 0);
            NvmeException failure = reads.pair.failure(2);
            assertThat(failure).hasMessageContaining("LBA 102: Command Abort Requested");
            assertThat(failure.retryable()).isTrue();
            assertThat(reads.driven.driver.resets()).isZero();
            reads.assertWorks();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "'stall:3,abortrefused,stall@deletesq:1', Delete I/O Submission Queue: no answer within 400 ms",
        "'stall:3,stall@abort,stall@deletesq:1', Delete I/O Submission Queue: no answer within 400 ms",
        "duplicate:3, which is of no command in flight",
        "wrongcid:2, queue 1: the controller completed CID",
        "wrongsqid:2, names submission queue",
        "wrongsqhd:1-8, has the submission queue head at",
        "fatal:4, CSTS.CFS",
    })
    void resetsTheControllerAndGoesOn(String faults, String why) throws Exception {
        try (Reads reads = new Reads(with(faults))) {
            reads.submitAll();
            reads.takeAll();
            reads.assertEachCameBackOnce();
            reads.assertWorks();
            NvmeController driver = reads.driven.driver;
            assertThat(driver.failure()).isNull();
            assertThat(driver.resets()).isEqualTo(1);
            assertThat(reads.bad).contains(1);
            assertThat(driver.namespaces()).hasSize(1);
            int slot = faults.startsWith("stall") ? 2 : DEPTH - 1;
            assertThat(reads.pair.failure(slot)).hasMessageContaining("at LBA " + (100 + slot));
            assertThat(reads.pair.failure(slot).retryable()).isTrue();
            assertThat(driver.lastReset()).hasMessageContaining(why.strip());
        }
    }

    @Test
    void resetsWhenASecondCompletionHadToWaitForRoom() throws Exception {
        try (Reads reads = new Reads(with("duplicate:8"))) {
            reads.submitAll();
            reads.takeAll();
            reads.assertEachCameBackOnce();
            assertThat(reads.good).containsOnly(1);
            long deadline = System.nanoTime() + Host.GIVE_UP_NANOS;
            while (reads.driven.driver.resets() == 0 && System.nanoTime() - deadline < 0) {
                assertThat(reads.pair.poll(new int[DEPTH])).isZero();
            }
            assertThat(reads.driven.driver.lastReset()).hasMessageEndingWith("which is of no command in flight");
            reads.assertWorks();
        }
    }

    @Test
    void failsForGoodWhenAResetBringsNothingBack() throws Exception {
        try (Reads reads = new Reads(with("fatal:4,neverready:2-"))) {
            reads.submitAll();
            reads.takeAll();
            reads.assertEachCameBackOnce();
            // Commands come back once the controller is disabled: the attempts to bring it up again take longer.
            Completions.await("failure for good", () -> reads.driven.driver.failure() != null);
            assertThat(reads.driven.driver.failure()).hasMessageContaining("CSTS.CFS");
            assertThat(reads.driven.driver.failure().getSuppressed())
                    .hasSize(2)
                    .allSatisfy(tried -> assertThat(tried).hasMessageContaining("did not become ready within"));
            assertThat(reads.pair.failure(7).retryable()).isFalse();
            assertThatThrownBy(reads::submitAll)
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("CSTS.CFS");
        }
    }

    @Test
    void reportsOneCommandsErrorAndGoesOn() throws Exception {
        try (Reads reads = new Reads(with("error:5"))) {
            reads.submitAll();
            reads.takeAll();
            reads.assertEachCameBackOnce();
            assertThat(reads.bad).containsExactly(0, 0, 0, 0, 1, 0, 0, 0);
            assertThat(reads.pair.failure(4))
                    .hasMessage("emu:driven: queue 1: Read of namespace 1 at LBA 104: "
                            + new Status(Status.UNRECOVERED_READ_ERROR | 1 << 13));
            assertThat(reads.driven.driver.failure()).isNull();
            reads.submitAll();
            reads.takeAll();
            assertThat(reads.good).containsExactly(2, 2, 2, 2, 1, 2, 2, 2);
        }
    }

    @Test
    void failsWhatIsInFlightWhenTheDeviceIsPulled() throws Exception {
        try (Reads reads = new Reads(with("vanish:4"))) {
            reads.submitAll();
            reads.takeAll();
            reads.assertEachCameBackOnce();
            assertThat(reads.bad).endsWith(1, 1, 1, 1, 1);
            assertThat(reads.pair.failure(7)).hasMessageContaining("LBA 107");
            assertThat(reads.pair.failure(7).retryable()).isFalse();
            assertThat(reads.driven.driver.failure()).hasMessageContaining("all ones");
            assertThatThrownBy(reads::submitAll)
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("all ones");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void doesNotComeUpWhenAnAdminCommandIsNeverAnswered(int which) throws Exception {
        EmuController emulator = EmuController.open(
                "emu:stalled", EmuConfiguration.memory(1 << 20).withFaults(FaultPlan.parse("stall@admin:" + which)));
        emulator.start();
        try (Driven.CountingFunction function = new Driven.CountingFunction(emulator.function())) {
            assertThatThrownBy(() -> NvmeController.open(function, Driven.SHORT))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageMatching("emu:stalled: .*: no answer within 400 ms");
            assertThat(function.live()).isZero();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "createcq, Create I/O Completion Queue",
        "createsq, Create I/O Submission Queue",
        "deletesq, Delete I/O Submission Queue",
        "deletecq, Delete I/O Completion Queue"
    })
    void resetsWhenAQueueCommandIsNeverAnswered(String which, String command) throws Exception {
        try (Driven driven = with("stall@%s:1,stall@abort".formatted(which))) {
            int before = driven.function.live();
            // Created again after the reset, which deletes them too.
            driven.driver.createQueuePair(4).close();
            assertThat(driven.driver.resets()).isEqualTo(1);
            assertThat(driven.driver.lastReset()).hasMessage("emu:driven: " + command + ": no answer within 400 ms");
            assertThat(driven.function.live()).isEqualTo(before);
            driven.driver.createQueuePair(4).close();
            driven.driver.close();
            assertThat(driven.function.live()).isZero();
        }
    }

    // Through a device's name, as a user meets them.

    @Test
    void saysOfADeviceThatItNeverBecomesReady() {
        int threads = threads("emu:1MiB?faults=neverready");
        assertThatThrownBy(() -> Device.open("emu:1MiB?faults=neverready"))
                .isInstanceOf(NvmeException.class)
                .hasMessageMatching("emu:1MiB\\?faults=neverready: did not become ready within \\d+ ms.*");
        assertThat(threads("emu:1MiB?faults=neverready")).isEqualTo(threads);
    }

    @ParameterizedTest
    @ValueSource(strings = {"duplicate:3", "wrongcid:3", "fatal:3", "error:3", "error:3-5"})
    void aSynchronousCallSurvivesWhatMayBeTriedAgain(String fault) throws Exception {
        String name = "emu:1MiB?faults=" + fault;
        try (Device device = Device.open(name);
                Buffer buffer = device.allocate(4096)) {
            for (int i = 0; i < 10; i++) {
                device.read(8, buffer);
            }
            device.flush();
        }
        assertThat(threads(name)).isZero();
    }

    /** Of 8192 bytes each, eight at a time: a reset ends all of those, and they are tried again as one. */
    @ParameterizedTest
    @ValueSource(
            strings = {"fatal@read:3", "duplicate@read:3", "fatal@read:%12", "error@read:%5", "drop@read:3,abortrefused"
            })
    void aSynchronousCallOfSeveralCommandsSurvivesThemToo(String fault) throws Exception {
        FaultPlan plan = FaultPlan.parse(fault);
        EmuController emulator = EmuController.open(
                "emu:several", EmuConfiguration.memory(4 << 20).withMdts(1).withFaults(plan));
        emulator.start();
        try (NvmeDevice device = NvmeDevice.open(
                        emulator.function(), 1, "emu:several", "several", false, Driven.timeouts(plan));
                Buffer buffer = device.allocate(1 << 18)) {
            MemorySegment written = MemorySegment.ofArray(new byte[1 << 18]);
            for (int i = 0; i < 1 << 18; i++) {
                written.set(ValueLayout.JAVA_BYTE, i, (byte) (i >>> 9));
            }
            buffer.segment().copyFrom(written);
            device.write(0, buffer);
            for (int i = 0; i < 3; i++) {
                buffer.segment().fill((byte) -1);
                device.read(0, buffer);
                assertThat(buffer.segment().mismatch(written)).isEqualTo(-1);
            }
        }
    }

    /** A function whose submission doorbells tell late, once, that they are gone, as the JVM may. */
    private static final class LateDoorbells implements Bar {
        final Bar bar;
        final AtomicBoolean isGone = new AtomicBoolean();

        LateDoorbells(Bar bar) {
            this.bar = bar;
        }

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
            return bar.read64(offset);
        }

        @Override
        public void write32(long offset, int value) {
            bar.write32(offset, value);
            // Of queue 1 and others: doorbells are 4 bytes apart.
            if (offset >= 0x1008 && (offset & 4) == 0 && isGone.getAndSet(false)) {
                throw new InternalError("a fault occurred in an unsafe memory access operation");
            }
        }

        @Override
        public void write64(long offset, long value) {
            bar.write64(offset, value);
        }
    }

    @Test
    void whatWasSubmittedWhenTheDoorbellsWentIsToldByTheNextPoll() throws Exception {
        EmuController emulator = EmuController.open("emu:late", EmuConfiguration.memory(1 << 20));
        emulator.start();
        PciFunction function = emulator.function();
        LateDoorbells doorbells = new LateDoorbells(function.bar(0));
        PciFunction late = new PciFunction() {
            @Override
            public String name() {
                return function.name();
            }

            @Override
            public Bar bar(int index) {
                return doorbells;
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
        try (NvmeDevice device = NvmeDevice.open(late, 1, "emu:late", "late");
                Buffer buffer = device.allocate(4096)) {
            try (Queue queue = device.openQueue(4)) {
                queue.bindRead(0, buffer, 0, 4096);
                doorbells.isGone.set(true);
                queue.submit(new int[] {0}, new long[1], 1);
                assertThat(queue.outstanding()).isEqualTo(1);
                int[] completed = new int[4];
                assertThatThrownBy(() -> queue.await(completed))
                        .isInstanceOf(NvmeException.class)
                        .hasMessageContaining("taken away");
                assertThatThrownBy(() -> queue.submit(new int[] {0}, new long[1], 1))
                        .isInstanceOf(NvmeException.class)
                        .hasMessageContaining("taken away");
            }
            doorbells.isGone.set(true);
            assertThatThrownBy(() -> device.read(0, buffer))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("taken away");
            device.read(0, buffer);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"vanish:3", "error:3-6", "error=2/81/dnr:3"})
    void aSynchronousCallEndsWithWhatIsWrong(String fault) throws Exception {
        String name = "emu:1MiB?faults=" + fault;
        try (Device device = Device.open(name);
                Buffer buffer = device.allocate(4096)) {
            device.read(8, buffer);
            device.read(8, buffer);
            IOException failure = catchThrowableOfType(IOException.class, () -> device.read(8, buffer));
            assertThat(failure).hasMessageContaining(name + ":").hasMessageContaining("queue 1");
            if (fault.startsWith("error")) {
                assertThat(failure).hasMessageContaining("at LBA 8").hasMessageContaining("Unrecovered Read Error");
                device.read(8, buffer);
            } else {
                assertThatThrownBy(() -> device.read(8, buffer)).isInstanceOf(IOException.class);
            }
        }
        assertThat(threads(name)).isZero();
    }

    @Test
    void deliversOneBitFlippedOfACorruptBlockAndNothingElse() throws Exception {
        try (Device device = Device.open("emu:1MiB?faults=corrupt@lba9");
                Buffer buffer = device.allocate(8192)) {
            buffer.segment().fill((byte) 0x20);
            device.write(4, buffer);
            MemorySegment written = MemorySegment.ofArray(new byte[8192]).fill((byte) 0x20);
            device.read(4, buffer);
            assertThat(buffer.segment().mismatch(written)).isEqualTo(5 * 512);
            assertThat(buffer.segment().asSlice(5 * 512 + 1).mismatch(written.asSlice(5 * 512 + 1)))
                    .isEqualTo(-1);
        }
    }

    static int threads(String name) {
        return (int) Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals(name))
                .count();
    }
}
