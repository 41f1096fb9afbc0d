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
import io.aisio.upcie.DmaMemory;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
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
        return new Driven(EmuConfiguration.memory(1 << 20).withFaults(FaultPlan.parse(faults)), Driven.SHORT);
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
    void timesOutWhenTheControllerDropsACompletion(int which) throws Exception {
        try (Reads reads = new Reads(with("drop:" + which))) {
            reads.submitAll();
            reads.takeAll();
            reads.assertEachCameBackOnce();
            int slot = which - 1;
            assertThat(reads.bad[slot]).isEqualTo(1);
            assertThat(reads.good).containsOnlyOnce(0);
            assertThat(reads.pair.failure(slot))
                    .hasMessageContaining("emu:driven: queue 1: Read of namespace 1 at LBA " + (100 + slot))
                    .hasRootCauseMessage(
                            "emu:driven: queue 1: Read of namespace 1 at LBA %d: no answer within 400 ms", 100 + slot);
            assertThat(reads.pair.failure(slot).status()).isEqualTo(new Status(Status.ABORTED_BY_HOST));
            assertThatThrownBy(reads::submitAll)
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("no answer within 400 ms");
            assertThatThrownBy(() -> reads.driven.driver.createQueuePair(1)).isInstanceOf(NvmeException.class);
        }
    }

    @Test
    void refusesASecondCompletionOfACommand() throws Exception {
        try (Reads reads = new Reads(with("duplicate:1"))) {
            reads.pair.submit(new int[] {0}, new long[] {100}, 1);
            reads.takeAll();
            assertThat(reads.good).startsWith(1, 0);
            assertThat(failureOf(reads))
                    .hasMessageMatching("emu:driven: queue 1: the controller completed CID"
                            + " 0x[0-7]\\p{XDigit}{3}, which is of no command in flight");
        }
    }

    @Test
    void refusesASecondCompletionThatHadToWaitForRoom() throws Exception {
        try (Reads reads = new Reads(with("duplicate:8"))) {
            reads.submitAll();
            reads.takeAll();
            reads.assertEachCameBackOnce();
            assertThat(reads.good).containsOnly(1);
            assertThat(failureOf(reads)).hasMessageEndingWith("which is of no command in flight");
        }
    }

    @Test
    void failsWhatIsInFlightWhenACommandIsCompletedTwice() throws Exception {
        try (Reads reads = new Reads(with("duplicate:3"))) {
            reads.submitAll();
            reads.takeAll();
            reads.assertEachCameBackOnce();
            assertThat(reads.good).startsWith(1, 1, 1);
            assertThat(reads.bad).endsWith(1, 1, 1, 1, 1);
            assertThat(reads.pair.failure(7))
                    .hasRootCauseMessage(reads.driven.driver.failure().getMessage());
        }
    }

    @Test
    void failsWhatIsInFlightWhenACompletionNamesAnotherCommand() throws Exception {
        try (Reads reads = new Reads(with("wrongcid:2"))) {
            reads.submitAll();
            reads.takeAll();
            reads.assertEachCameBackOnce();
            assertThat(reads.good).startsWith(1, 0);
            assertThat(reads.bad).endsWith(1, 1, 1, 1, 1, 1, 1);
            assertThat(reads.driven.driver.failure()).hasMessageContaining("queue 1: the controller completed CID 0x8");
        }
    }

    /** Submits until the controller's failure shows: it has happened, but nothing in flight needs to notice. */
    private static NvmeException failureOf(Reads reads) {
        long deadline = System.nanoTime() + Host.GIVE_UP_NANOS;
        while (reads.driven.driver.failure() == null && System.nanoTime() - deadline < 0) {
            assertThat(reads.pair.poll(new int[DEPTH])).isZero();
        }
        return reads.driven.driver.failure();
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

    @ParameterizedTest
    @CsvSource({"fatal:4, CSTS.CFS", "vanish:4, all ones"})
    void failsWhatIsInFlightWhenTheControllerEnds(String fault, String why) throws Exception {
        try (Reads reads = new Reads(with(fault))) {
            reads.submitAll();
            reads.takeAll();
            reads.assertEachCameBackOnce();
            assertThat(reads.bad).endsWith(1, 1, 1, 1, 1);
            assertThat(reads.pair.failure(7)).hasMessageContaining("LBA 107");
            assertThat(reads.driven.driver.failure()).hasMessageContaining(why);
            assertThatThrownBy(reads::submitAll)
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining(why);
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
        "5, Create I/O Completion Queue",
        "6, Create I/O Submission Queue",
        "7, Delete I/O Submission Queue",
        "8, Delete I/O Completion Queue"
    })
    void failsWhenAQueueCommandIsNeverAnswered(int which, String command) throws Exception {
        try (Driven driven = with("stall@admin:" + which)) {
            int before = driven.function.live();
            assertThatThrownBy(() -> driven.driver.createQueuePair(4).close())
                    .isInstanceOf(NvmeException.class)
                    .hasMessage("emu:driven: " + command + ": no answer within 400 ms");
            assertThat(driven.function.live()).isEqualTo(before);
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
    @ValueSource(strings = {"duplicate:3", "wrongcid:3", "fatal:3", "vanish:3", "error:3"})
    void endsASynchronousCallWithWhatIsWrong(String fault) throws Exception {
        String name = "emu:1MiB?faults=" + fault;
        try (Device device = Device.open(name);
                Buffer buffer = device.allocate(4096)) {
            // A second completion is seen at the latest by the command after it.
            IOException failure = catchThrowableOfType(IOException.class, () -> {
                for (int i = 0; i < 10; i++) {
                    device.read(8, buffer);
                }
            });
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
