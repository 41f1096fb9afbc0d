package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.Command;
import io.aisio.nvme.ControllerEvent;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Opcode;
import io.aisio.upcie.DmaMemory;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Resets under load, and what the controller tells of its own accord. */
@Timeout(120)
class DriverRecoveryTest {
    private static final int DEPTH = 16;
    private static final int PAGE = 4096;

    private static EmuConfiguration memory(String faults) {
        EmuConfiguration plain = EmuConfiguration.memory(1 << 20);
        return faults.isEmpty() ? plain : plain.withFaults(FaultPlan.parse(faults));
    }

    private static <T extends ControllerEvent> T next(BlockingQueue<ControllerEvent> events, Class<T> kind)
            throws InterruptedException {
        long deadline = System.nanoTime() + Host.GIVE_UP_NANOS;
        while (true) {
            ControllerEvent event = events.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
            assertThat(event).as("an event of " + kind.getSimpleName()).isNotNull();
            if (kind.isInstance(event)) {
                return kind.cast(event);
            }
        }
    }

    /** Each thread keeps its queue full and checks that every command comes back once, whatever happens. */
    @ParameterizedTest
    @CsvSource({"false, 5", "true, 5"})
    void resetsUnderLoadLoseNoCommandAndNoData(boolean shadow, int resets) throws Exception {
        try (Driven driven = new Driven(memory("").withShadow(shadow))) {
            AtomicBoolean stop = new AtomicBoolean();
            List<Throwable> wrong = new ArrayList<>();
            List<Thread> threads = new ArrayList<>();
            for (int t = 0; t < 2; t++) {
                int first = t * DEPTH;
                threads.add(Thread.ofPlatform().start(() -> {
                    try {
                        keepWriting(driven, first, stop);
                    } catch (Throwable e) {
                        synchronized (wrong) {
                            wrong.add(e);
                        }
                    }
                }));
            }
            for (int i = 0; i < resets; i++) {
                driven.driver.reset();
                driven.driver.createQueuePair(3).close();
            }
            stop.set(true);
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(wrong).isEmpty();
            assertThat(driven.driver.resets()).isEqualTo(resets);
            assertThat(driven.driver.failure()).isNull();
        }
    }

    private static void keepWriting(Driven driven, int firstLba, AtomicBoolean stop) throws Exception {
        try (QueuePair pair = driven.driver.createQueuePair(DEPTH);
                DmaMemory memory = driven.function.allocate((long) DEPTH * PAGE)) {
            int[] completed = new int[DEPTH];
            int[] one = new int[1];
            long[] lba = new long[1];
            boolean[] inFlight = new boolean[DEPTH];
            for (int slot = 0; slot < DEPTH; slot++) {
                pair.bind(slot, Command.overBlocks(Opcode.WRITE, 1, 0, 1), memory, (long) slot * PAGE, 512);
                memory.segment().asSlice((long) slot * PAGE, 512).fill((byte) (firstLba + slot + 1));
            }
            while (!stop.get() || pair.outstanding() > 0) {
                for (int slot = 0; slot < DEPTH && !stop.get(); slot++) {
                    if (!inFlight[slot]) {
                        one[0] = slot;
                        lba[0] = firstLba + slot;
                        pair.submit(one, lba, 1);
                        inFlight[slot] = true;
                    }
                }
                int n = pair.poll(completed);
                for (int i = 0; i < n; i++) {
                    int slot = completed[i] < 0 ? ~completed[i] : completed[i];
                    assertThat(inFlight[slot]).as("slot " + slot + " in flight").isTrue();
                    inFlight[slot] = false;
                    if (completed[i] < 0) {
                        assertThat(pair.failure(slot).retryable())
                                .as(pair.failure(slot).getMessage())
                                .isTrue();
                    }
                }
                if (n == 0) {
                    Thread.yield();
                }
            }
            for (int slot = 0; slot < DEPTH; slot++) {
                pair.bind(slot, Command.overBlocks(Opcode.WRITE, 1, 0, 1), memory, (long) slot * PAGE, 512);
                run(pair, slot, firstLba + slot);
                pair.bind(slot, Command.overBlocks(Opcode.READ, 1, 0, 1), memory, (long) slot * PAGE, 512);
                run(pair, slot, firstLba + slot);
                byte expected = (byte) (firstLba + slot + 1);
                MemorySegment read = memory.segment().asSlice((long) slot * PAGE, 512);
                assertThat(read.mismatch(MemorySegment.ofArray(new byte[512]).fill(expected)))
                        .isEqualTo(-1);
            }
        }
    }

    /** One command, again until no reset comes in between. */
    private static void run(QueuePair pair, int slot, long lba) throws NvmeException {
        int[] completed = new int[1];
        do {
            pair.submit(new int[] {slot}, new long[] {lba}, 1);
            assertThat(Completions.await(pair, completed)).isEqualTo(1);
            if (completed[0] < 0 && !pair.failure(slot).retryable()) {
                throw pair.failure(slot);
            }
        } while (completed[0] < 0);
    }

    @Test
    void tellsOfAResetAndOfTheEnd() throws Exception {
        BlockingQueue<ControllerEvent> events = new LinkedBlockingQueue<>();
        try (Driven driven = new Driven(memory("vanish@identify.sub0x2:3"), Driven.SHORT)) {
            driven.driver.onEvent(events::add);
            driven.driver.reset();
            assertThat(next(events, ControllerEvent.WasReset.class).why()).contains("a reset was asked for");
            assertThatThrownBy(driven.driver::reset).isInstanceOf(NvmeException.class);
            assertThat(next(events, ControllerEvent.Failed.class).why()).contains("a reset was asked for");
        }
    }

    /** Nobody polls, nobody waits: the controller's own thread sees it. */
    @Test
    void noticesAControllerThatStopsWhileNobodyLooks() throws Exception {
        BlockingQueue<ControllerEvent> events = new LinkedBlockingQueue<>();
        try (Driven driven = new Driven(memory(""), Driven.SHORT)) {
            driven.driver.onEvent(events::add);
            driven.emulator.stop();
            driven.emulator.fail();
            driven.emulator.start();
            assertThat(next(events, ControllerEvent.WasReset.class).why()).contains("CSTS.CFS");
            assertThat(driven.driver.resets()).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @CsvSource({"resize=100, 100", "remove, 0"})
    void knowsOfANamespaceThatChanged(String fault, long blocks) throws Exception {
        BlockingQueue<ControllerEvent> events = new LinkedBlockingQueue<>();
        try (Driven driven = new Driven(memory(fault + "@read:1"));
                QueuePair pair = driven.driver.createQueuePair(2);
                DmaMemory memory = driven.function.allocate(PAGE)) {
            driven.driver.onEvent(events::add);
            pair.bind(0, Command.overBlocks(Opcode.READ, 1, 0, 1), memory, 0, 512);
            pair.submit(new int[] {0}, new long[] {500}, 1);
            int[] completed = new int[1];
            assertThat(Completions.await(pair, completed)).isEqualTo(1);
            assertThat(completed[0]).isEqualTo(~0);
            assertThat(pair.failure(0).retryable()).isFalse();
            assertThat(next(events, ControllerEvent.NamespacesChanged.class).nsids())
                    .containsExactly(1);
            if (blocks == 0) {
                assertThat(driven.driver.namespaces()).isEmpty();
            } else {
                assertThat(driven.driver.namespace(1).lbaCount()).isEqualTo(blocks);
            }
        }
    }

    @Test
    void aFloodOfEventsLeavesCommandsAlone() throws Exception {
        BlockingQueue<ControllerEvent> events = new LinkedBlockingQueue<>();
        try (Driven driven = new Driven(memory("events=100000@read:1"));
                QueuePair pair = driven.driver.createQueuePair(2);
                DmaMemory memory = driven.function.allocate(PAGE)) {
            driven.driver.onEvent(events::add);
            pair.bind(0, Command.overBlocks(Opcode.READ, 1, 0, 1), memory, 0, 512);
            for (int i = 0; i < 1000; i++) {
                run(pair, 0, i);
            }
            assertThat(next(events, ControllerEvent.NamespacesChanged.class)).isNotNull();
            driven.driver.createQueuePair(2).close();
            assertThat(driven.driver.resets()).isZero();
        }
    }

    @Test
    void tellsWhatIsInTheErrorLog() throws Exception {
        try (Driven driven = new Driven(memory("error@read:1"));
                QueuePair pair = driven.driver.createQueuePair(2);
                DmaMemory memory = driven.function.allocate(PAGE)) {
            pair.bind(0, Command.overBlocks(Opcode.READ, 1, 0, 1), memory, 0, 512);
            pair.submit(new int[] {0}, new long[] {77}, 1);
            assertThat(Completions.await(pair, new int[1])).isEqualTo(1);
            assertThat(driven.driver.errorLog()).first().satisfies(entry -> {
                assertThat(entry.sqid()).isEqualTo(pair.qid());
                assertThat(entry.lba()).isEqualTo(77);
                assertThat(entry.nsid()).isEqualTo(1);
                assertThat(entry.status().name()).isEqualTo("Unrecovered Read Error");
            });
        }
    }
}
