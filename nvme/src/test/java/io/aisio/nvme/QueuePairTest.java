package io.aisio.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The hot path against a device whose every completion the test writes itself. */
class QueuePairTest {
    private static final int DEPTH = 5;
    private static final int ENTRIES = DEPTH + 1;
    private static final Duration IO_TIMEOUT = Duration.ofMillis(60);

    private HandDrivenFunction function;
    private NvmeController controller;
    private QueuePair queue;
    private DmaMemory data;
    private final int[] completed = new int[DEPTH];

    /** Where the device's side stands. */
    private int cqTail;

    private int cqPhase = 1;

    @BeforeEach
    void createAQueue() throws IOException {
        function = new HandDrivenFunction();
        open();
    }

    private void open() throws IOException {
        function.start();
        Duration second = Duration.ofSeconds(5);
        controller = NvmeController.open(function, new Timeouts(second, IO_TIMEOUT, second, second));
        queue = controller.createQueuePair(DEPTH);
        data = function.allocate(64 * 4096);
        for (int slot = 0; slot < DEPTH; slot++) {
            queue.bind(slot, Command.overBlocks(Opcode.READ, 1, 0, 1), data, slot * 512L, 512);
        }
    }

    @AfterEach
    void closeEverything() throws IOException {
        queue.close();
        data.close();
        controller.close();
        assertThat(function.live).as("memory that was not freed").isEmpty();
        function.close();
    }

    private void submit(int slot, long lba) throws NvmeException {
        queue.submit(new int[] {slot}, new long[] {lba}, 1);
    }

    private int cidOfLast() {
        int index = (function.sqTail(1) + ENTRIES - 1) % ENTRIES;
        return Sqe.cid(function.sqeWord(1, index, Sqe.DW0));
    }

    private void complete(int cid, int status) {
        function.post(1, cqTail, cqPhase, function.sqTail(1), 1, cid, status);
        if (++cqTail == ENTRIES) {
            cqTail = 0;
            cqPhase ^= 1;
        }
    }

    @Test
    void writesAnEntryInPlaceAndRingsTheTail() throws IOException {
        queue.bind(3, Command.overBlocks(Opcode.WRITE, 1, 0, 24), data, 512, 24 * 512);
        submit(3, 0x1234_5678_9ABCL);

        assertThat(function.sqTail(1)).isEqualTo(1);
        long word0 = function.sqeWord(1, 0, Sqe.DW0);
        assertThat(Sqe.opcode(word0)).isEqualTo(Opcode.WRITE);
        assertThat(Sqe.nsid(word0)).isEqualTo(1);
        assertThat(Sqe.psdt(word0)).isZero();
        assertThat(function.sqeWord(1, 0, Sqe.CDW2)).isZero();
        assertThat(function.sqeWord(1, 0, Sqe.MPTR)).isZero();
        assertThat(function.sqeWord(1, 0, Sqe.PRP1)).isEqualTo(data.iova(512));
        assertThat(function.sqeWord(1, 0, Sqe.PRP2)).as("a list").isNotZero();
        assertThat(function.sqeWord(1, 0, Sqe.CDW10)).isEqualTo(0x1234_5678_9ABCL);
        assertThat(function.sqeWord(1, 0, Sqe.CDW12)).isEqualTo(23);
        assertThat(function.sqeWord(1, 0, Sqe.CDW14)).isZero();
    }

    @Test
    void carriesTheMetadataPointer() throws IOException {
        queue.bind(0, Command.overBlocks(Opcode.READ, 1, 0, 1), data, 0, 512, data.iova(8192));
        submit(0, 0);
        assertThat(function.sqeWord(1, 0, Sqe.MPTR)).isEqualTo(data.iova(8192));
    }

    @Test
    void aSlotBoundAnewLeavesNothingOfTheCommandBefore() throws IOException {
        queue.bind(0, new Command(Opcode.READ, 1, 0, 7L << 32, 9), data, 0, 512, data.iova(8192));
        queue.bind(0, Command.of(Opcode.FLUSH, 1, 0));
        submit(0, 0);
        for (long offset : new long[] {Sqe.CDW2, Sqe.MPTR, Sqe.PRP1, Sqe.PRP2, Sqe.CDW10, Sqe.CDW12, Sqe.CDW14}) {
            assertThat(function.sqeWord(1, 0, offset)).isZero();
        }
    }

    @Test
    void ringsOncePerBatch() throws IOException {
        queue.submit(new int[] {0, 1, 2}, new long[] {10, 11, 12}, 3);
        assertThat(function.sqTail(1)).isEqualTo(3);
        assertThat(queue.outstanding()).isEqualTo(3);
    }

    @Test
    void aBatchLongerThanItsArraysClaimsNoSlot() throws IOException {
        assertThatThrownBy(() -> queue.submit(new int[] {0, 1}, new long[] {10}, 2))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> queue.submit(new int[] {0}, new long[] {10, 11}, 2))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThat(queue.outstanding()).isZero();
        queue.submit(new int[] {0, 1}, new long[] {10, 11}, 2);
        assertThat(function.sqTail(1)).isEqualTo(2);
    }

    /** Random submissions and out-of-order completions, many times around both rings, against a list as the oracle. */
    @Test
    void wrapsBothRingsAndReturnsEachCommandOnce() throws IOException {
        Random random = new Random(7);
        List<Integer> free = new ArrayList<>(List.of(0, 1, 2, 3, 4));
        List<int[]> inFlight = new ArrayList<>();
        int rounds = 5000;
        for (int round = 0; round < rounds; round++) {
            int n = random.nextInt(free.size() + 1);
            int[] slots = new int[n];
            for (int i = 0; i < n; i++) {
                slots[i] = free.remove(random.nextInt(free.size()));
            }
            int tail = function.sqTail(1);
            queue.submit(slots, new long[n], n);
            for (int i = 0; i < n; i++) {
                int cid = Sqe.cid(function.sqeWord(1, (tail + i) % ENTRIES, Sqe.DW0));
                inFlight.add(new int[] {slots[i], cid});
            }
            ArrayDeque<Integer> expected = new ArrayDeque<>();
            for (int m = random.nextInt(inFlight.size() + 1); m > 0; m--) {
                int[] command = inFlight.remove(random.nextInt(inFlight.size()));
                boolean fails = random.nextInt(8) == 0;
                complete(command[1], fails ? Status.LBA_OUT_OF_RANGE | Status.DNR_BIT : 0);
                expected.add(fails ? ~command[0] : command[0]);
                free.add(command[0]);
            }
            int got = queue.poll(completed);
            assertThat(got).isEqualTo(expected.size());
            for (int i = 0; i < got; i++) {
                assertThat(completed[i]).isEqualTo(expected.remove());
            }
            assertThat(function.cqHead(1)).isEqualTo(cqTail);
            assertThat(queue.outstanding()).isEqualTo(inFlight.size());
        }
        for (int[] command : inFlight) {
            complete(command[1], 0);
        }
        assertThat(queue.poll(completed)).isEqualTo(inFlight.size());
    }

    @Test
    void neverUsesTheReservedIdentifierAndReusesNoneTwiceInARow() throws IOException {
        int before = -1;
        for (int i = 0; i < 40_000; i++) {
            submit(4, i);
            int cid = cidOfLast();
            assertThat(cid).isNotEqualTo(before).isLessThan(0xFFFF);
            before = cid;
            complete(cid, 0);
            assertThat(queue.poll(completed)).isEqualTo(1);
            assertThat(completed[0]).isEqualTo(4);
        }
    }

    @Test
    void aFailedCommandIsReturnedAsItsComplementAndExplained() throws IOException {
        submit(2, 99);
        complete(cidOfLast(), Status.LBA_OUT_OF_RANGE | Status.DNR_BIT);
        assertThat(queue.poll(completed)).isEqualTo(1);
        assertThat(completed[0]).isEqualTo(~2);
        assertThat(queue.failure(2))
                .hasMessage(
                        "by-hand: queue 1: Read of namespace 1 at LBA 99: LBA Out of Range (sct 0x0, sc 0x80, DNR)");
        assertThat(queue.failure(2).status()).isEqualTo(new Status(0x4080));
        assertThatThrownBy(() -> queue.failure(1)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aFailureSaysHowLongToWaitWhereTheControllerTells() throws IOException {
        closeEverything();
        function = new HandDrivenFunction();
        function.retryDelay = 3;
        open();
        submit(2, 99);
        complete(cidOfLast(), Status.UNRECOVERED_READ_ERROR | 1 << 11);
        assertThat(queue.poll(completed)).isEqualTo(1);
        assertThat(queue.failure(2).retryable()).isTrue();
        assertThat(queue.failure(2).retryDelay()).isEqualTo(Duration.ofMillis(300));
    }

    @Test
    void pollTakesNoMoreThanThereIsRoomFor() throws IOException {
        queue.submit(new int[] {0, 1, 2}, new long[3], 3);
        for (int i = 0; i < 3; i++) {
            complete(Sqe.cid(function.sqeWord(1, i, Sqe.DW0)), 0);
        }
        int[] two = new int[2];
        assertThat(queue.poll(two)).isEqualTo(2);
        assertThat(queue.poll(two)).isEqualTo(1);
        assertThat(queue.poll(two)).isZero();
    }

    @Test
    void refusesWhatCannotBeSubmittedAndSubmitsNothingOfIt() throws IOException {
        submit(0, 0);
        int tail = function.sqTail(1);
        assertThatThrownBy(() -> queue.submit(new int[] {1, 0}, new long[2], 2))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("slot 0 is in flight already");
        assertThatThrownBy(() -> queue.submit(new int[] {1, 1}, new long[2], 2))
                .hasMessageContaining("slot 1 is in flight already");
        assertThatThrownBy(() -> submit(5, 0)).hasMessageContaining("slot 5 of a queue of depth 5");
        assertThatThrownBy(() -> submit(-1, 0)).hasMessageContaining("slot -1");
        assertThatThrownBy(() -> submit(1 << 20, 0)).hasMessageContaining("slot 1048576");
        assertThatThrownBy(() -> queue.submit(new int[] {1, 2, 3, 4, 0}, new long[5], 5))
                .hasMessageContaining("5 more commands with 1 of 5 in flight");
        assertThat(function.sqTail(1)).isEqualTo(tail);
        assertThat(queue.outstanding()).isEqualTo(1);
        queue.submit(new int[] {1, 2, 3, 4}, new long[4], 4);
        for (int i = 0; i < 5; i++) {
            complete(Sqe.cid(function.sqeWord(1, i, Sqe.DW0)), 0);
        }
        assertThat(queue.poll(completed)).isEqualTo(5);
    }

    @Test
    void refusesBindingsThatMakeNoSense() throws IOException {
        Command read = Command.overBlocks(Opcode.READ, 1, 0, 1);
        assertThatThrownBy(() -> queue.bind(0, read, data, 2, 512)).hasMessageContaining("no multiple of 4");
        assertThatThrownBy(() -> queue.bind(0, read, data, data.size() - 508, 512))
                .hasMessageContaining("of memory of");
        assertThatThrownBy(() -> queue.bind(0, read, data, -4, 512)).hasMessageContaining("offset -4");
        assertThatThrownBy(() -> queue.bind(0, read, data, 0, 0)).hasMessageContaining("0 bytes");
        assertThatThrownBy(() -> queue.bind(0, read, data, 0, Prp.MAX_BYTES + 512))
                .hasMessageContaining("possible");
        assertThatThrownBy(() -> queue.bind(DEPTH, read, data, 0, 512)).hasMessageContaining("slot 5");
        submit(0, 0);
        assertThatThrownBy(() -> queue.bind(0, read, data, 0, 512))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("in flight");
        complete(cidOfLast(), 0);
        queue.poll(completed);
    }

    @Test
    void anUnboundSlotCannotBeSubmitted() throws IOException {
        try (QueuePair fresh = controller.createQueuePair(2)) {
            assertThatThrownBy(() -> fresh.submit(new int[] {1}, new long[1], 1))
                    .hasMessageContaining("slot 1 has no command bound");
        }
    }

    /** Everything in flight comes back as given up and may be tried again; then the queue works as a new one. */
    private void assertResetBecause(String why) throws IOException {
        int inFlight = queue.outstanding();
        assertThat(pollUntilSomething()).isEqualTo(inFlight);
        assertThat(controller.failure()).isNull();
        assertThat(controller.lastReset()).hasMessageContaining(why);
        for (int i = 0; i < inFlight; i++) {
            assertThat(completed[i]).isNegative();
            NvmeException failure = queue.failure(~completed[i]);
            assertThat(failure)
                    .hasMessageContaining("Command Aborted By Host")
                    .hasRootCauseMessage(controller.lastReset().getMessage());
            assertThat(failure.retryable()).isTrue();
        }
        assertThat(queue.outstanding()).isZero();
        assertWorksAgain();
        assertThat(controller.resets()).isEqualTo(1);
    }

    private void assertWorksAgain() throws IOException {
        assertThat(queue.poll(completed)).isZero();
        cqTail = 0;
        cqPhase = 1;
        for (int i = 0; i < 2 * ENTRIES; i++) {
            submit(3, i);
            complete(cidOfLast(), 0);
            assertThat(queue.poll(completed)).isEqualTo(1);
            assertThat(completed[0]).isEqualTo(3);
        }
    }

    @Test
    void noticesACompletionOfNoCommand() throws IOException {
        submit(0, 0);
        complete(cidOfLast() ^ 1, 0);
        assertResetBecause("which is of no command in flight");
    }

    @Test
    void noticesASecondCompletion() throws IOException {
        submit(0, 0);
        submit(1, 0);
        int cid = cidOfLast();
        complete(cid, 0);
        assertThat(queue.poll(completed)).isEqualTo(1);
        complete(cid, 0);
        assertResetBecause("which is of no command in flight");
    }

    @Test
    void noticesALateCompletionOfTheSlotsCommandBefore() throws IOException {
        submit(0, 0);
        int stale = cidOfLast();
        complete(stale, 0);
        assertThat(queue.poll(completed)).isEqualTo(1);
        submit(0, 1);
        complete(stale, 0);
        assertResetBecause("which is of a command before the one in flight in slot 0");
    }

    @Test
    void noticesACompletionForASlotThatDoesNotExist() throws IOException {
        submit(0, 0);
        complete(7, 0);
        assertResetBecause("which is of no command in flight");
    }

    @Test
    void noticesACompletionThatNamesAnotherQueue() throws IOException {
        submit(0, 0);
        function.post(1, 0, 1, 1, 2, cidOfLast(), 0);
        assertResetBecause("names submission queue 2");
    }

    @Test
    void noticesAQueueHeadBeyondTheQueue() throws IOException {
        submit(0, 0);
        submit(1, 0);
        int cid = Sqe.cid(function.sqeWord(1, 0, Sqe.DW0));
        function.post(1, 0, 1, ENTRIES, 1, cid, 0);
        assertThat(queue.poll(completed)).as("the command itself was completed").isEqualTo(1);
        assertThat(completed[0]).isZero();
        assertResetBecause("has the submission queue head at 6 of 6 entries");
    }

    private int pollUntilSomething() {
        long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        int n = 0;
        while (n == 0 && System.nanoTime() < deadline) {
            n = queue.poll(completed);
        }
        return n;
    }

    @Test
    void anOverdueCommandIsAbortedThenTheQueuesAreDeletedAndCreatedAnew() throws IOException {
        submit(0, 77);
        int cid = cidOfLast();
        forgetAdminCommands();
        long start = System.nanoTime();
        assertThat(pollUntilSomething()).isEqualTo(1);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThanOrEqualTo(IO_TIMEOUT);
        assertThat(completed[0]).isEqualTo(~0);
        NvmeException failure = queue.failure(0);
        assertThat(failure)
                .hasMessageContaining("Command Aborted By Host")
                .hasRootCauseMessage("by-hand: queue 1: Read of namespace 1 at LBA 77: no answer within 60 ms");
        assertThat(failure.retryable()).isTrue();
        assertThat(controller.resets()).isZero();
        assertThat(function.lastAborted).isEqualTo(cid << 16 | 1);
        assertWorksAgain();
        synchronized (function.adminOpcodes) {
            assertThat(function.adminOpcodes)
                    .containsExactly(
                            Opcode.ABORT,
                            Opcode.DELETE_IO_SQ,
                            Opcode.DELETE_IO_CQ,
                            Opcode.CREATE_IO_CQ,
                            Opcode.CREATE_IO_SQ);
        }
    }

    private void forgetAdminCommands() {
        synchronized (function.adminOpcodes) {
            function.adminOpcodes.clear();
        }
    }

    @Test
    void anAbortedCommandThatComesBackLeavesTheQueuesAsTheyAre() throws IOException {
        submit(0, 77);
        submit(1, 78);
        int cid = Sqe.cid(function.sqeWord(1, 0, Sqe.DW0));
        complete(cidOfLast(), 0);
        assertThat(queue.poll(completed)).isEqualTo(1);
        forgetAdminCommands();
        function.lastAborted = 0;
        long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (function.lastAborted == 0 && System.nanoTime() < deadline) {
            assertThat(queue.poll(completed)).isZero();
        }
        assertThatThrownBy(() -> submit(0, 0)).as("its memory is not quiet yet").hasMessageContaining("in flight");
        complete(cid, Status.ABORT_REQUESTED);
        assertThat(pollUntilSomething()).isEqualTo(1);
        assertThat(completed[0]).isEqualTo(~0);
        assertThat(queue.failure(0).retryable()).isTrue();
        assertThat(queue.failure(0).status()).isEqualTo(new Status(Status.ABORT_REQUESTED));
        submit(0, 79);
        complete(cidOfLast(), 0);
        assertThat(queue.poll(completed)).isEqualTo(1);
        synchronized (function.adminOpcodes) {
            assertThat(function.adminOpcodes).containsExactly(Opcode.ABORT);
        }
    }

    @Test
    void queuesThatCannotBeDeletedMeanAReset() throws IOException {
        function.failingOpcode = Opcode.DELETE_IO_SQ;
        function.failingStatus = Status.INTERNAL_ERROR;
        submit(0, 77);
        assertResetBecause("at LBA 77: no answer within 60 ms");
        function.failingOpcode = -1;
    }

    @Test
    void whatWasCompletedBeforeTheQueuesWentIsNotGivenUp() throws IOException {
        submit(0, 0);
        submit(1, 1);
        complete(Sqe.cid(function.sqeWord(1, 0, Sqe.DW0)), 0);
        controller.reset();
        assertThat(queue.poll(completed)).isEqualTo(1);
        assertThat(completed[0]).isZero();
        assertThat(queue.poll(completed)).isEqualTo(1);
        assertThat(completed[0]).isEqualTo(~1);
        assertWorksAgain();
    }

    @Test
    void whatIsSubmittedBeforeTheResetIsNoticedIsGivenUpToo() throws IOException {
        submit(0, 0);
        controller.reset();
        queue.submit(new int[] {1, 2}, new long[2], 2);
        assertThat(queue.outstanding()).isEqualTo(3);
        int[] two = new int[2];
        assertThat(queue.poll(two)).isEqualTo(2);
        assertThat(queue.poll(two)).isEqualTo(1);
        assertThat(queue.failure(2).retryable()).isTrue();
        assertWorksAgain();
    }

    @Test
    void aQueueThatIsClosedAfterAResetIsNotDeletedAgain() throws IOException {
        submit(0, 0);
        controller.reset();
        forgetAdminCommands();
        queue.close();
        synchronized (function.adminOpcodes) {
            assertThat(function.adminOpcodes).doesNotContain(Opcode.DELETE_IO_SQ, Opcode.DELETE_IO_CQ);
        }
    }

    @Test
    void noticesOneLostCommandAmongMany() throws IOException {
        submit(0, 5);
        long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        boolean givenUp = false;
        while (!givenUp && System.nanoTime() < deadline) {
            submit(1, 6);
            complete(cidOfLast(), 0);
            assertThat(queue.poll(completed)).isEqualTo(1);
            if (completed[0] == 1 && queue.poll(completed) == 1) {
                assertThat(completed[0]).isEqualTo(~0);
                givenUp = true;
            }
        }
        assertThat(queue.failure(0))
                .hasRootCauseMessage("by-hand: queue 1: Read of namespace 1 at LBA 5: no answer within 60 ms");
        assertWorksAgain();
    }

    @Test
    void noticesAFatalErrorWhileItWaits() throws IOException {
        submit(0, 0);
        function.failFatally();
        assertResetBecause("CSTS.CFS");
    }

    @Test
    void noticesThatTheDeviceIsGoneWhileItWaits() throws IOException {
        submit(0, 0);
        function.vanish();
        assertThat(pollUntilSomething()).isEqualTo(1);
        assertThat(controller.failure()).hasMessageContaining("the device is gone");
    }

    @Test
    void givesUpAtOnceWhenTheDeviceIsAskedBack() throws IOException {
        submit(0, 0);
        function.removal.run();
        assertThat(queue.poll(completed)).isEqualTo(1);
        assertThat(completed[0]).isEqualTo(~0);
        assertThat(queue.failure(0)).hasRootCauseMessage(controller.failure().getMessage());
    }

    @Test
    void ringsByACallWhereTheRegistersAreNotMapped() throws IOException {
        closeEverything();
        function = new HandDrivenFunction();
        function.unmapped = true;
        open();
        cqTail = 0;
        cqPhase = 1;
        wrapsBothRingsAndReturnsEachCommandOnce();
    }

    @Test
    void aGenerationThatComesRoundAgainAfterAnIdleTimeIsNotOverdue() throws IOException {
        submit(0, 1);
        long until = System.nanoTime() + IO_TIMEOUT.toNanos() / 4;
        while (System.nanoTime() < until) {
            assertThat(queue.poll(completed)).isZero();
        }
        int cid = cidOfLast();
        complete(cid, 0);
        assertThat(queue.poll(completed)).isEqualTo(1);
        int generations = 1 << 12;
        for (int i = 1; i < generations; i++) {
            submit(0, 2);
            complete(cidOfLast(), 0);
            assertThat(queue.poll(completed)).isEqualTo(1);
        }
        until = System.nanoTime() + 2 * IO_TIMEOUT.toNanos();
        while (System.nanoTime() < until) {
            Thread.onSpinWait();
        }
        submit(0, 3);
        assertThat(cidOfLast()).isEqualTo(cid);
        for (int i = 0; i < 1024; i++) {
            assertThat(queue.poll(completed)).isZero();
        }
        assertThat(controller.failure()).isNull();
    }

    @Test
    void belongsToTheThreadThatFirstUsedIt() throws Exception {
        submit(0, 0);
        complete(cidOfLast(), 0);
        queue.poll(completed);
        List<Throwable> thrown = new ArrayList<>();
        Thread other = new Thread(() -> {
            try {
                queue.poll(new int[1]);
            } catch (Throwable t) {
                thrown.add(t);
            }
            try {
                queue.close();
            } catch (Throwable t) {
                thrown.add(t);
            }
        });
        other.start();
        other.join();
        assertThat(thrown).hasSize(2).allSatisfy(t -> assertThat(t).hasMessageContaining("belongs to"));
        queue.handOver();
    }

    @Test
    void refusesEverythingOnceClosed() throws IOException {
        queue.close();
        queue.close();
        assertThatThrownBy(() -> submit(0, 0)).hasMessageContaining("is closed");
        assertThatThrownBy(() -> queue.poll(completed)).hasMessageContaining("is closed");
    }

    @Test
    void allocatesNothingPerCommand() throws IOException {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int[] slots = {0, 1, 2, 3, 4};
        long[] lbas = new long[DEPTH];
        long allocated = Long.MAX_VALUE;
        for (int round = 0; round < 3; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 20_000; i++) {
                int tail = function.sqTail(1);
                queue.submit(slots, lbas, DEPTH);
                for (int j = 0; j < DEPTH; j++) {
                    complete(Sqe.cid(function.sqeWord(1, (tail + j) % ENTRIES, Sqe.DW0)), 0);
                }
                queue.poll(completed);
            }
            allocated = Math.min(allocated, threads.getCurrentThreadAllocatedBytes() - before);
        }
        assertThat(allocated)
                .as("bytes in the best of three rounds of 100,000 commands")
                .isLessThan(100_000);
    }
}
