package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.NvmeException;
import io.aisio.nvme.spec.Status;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The driver against a controller with random faults: every read that succeeds returns what was last written, or what may
 * have been written, every command comes back once, and all in bounded time. One life after another of a controller, each
 * with faults of its own, on one image that keeps the data.
 *
 * <p>{@code -Dsoak.seed=N -Dsoak.seconds=S} runs another one; what fails says which.
 */
@Tag("slow")
class SoakTest {
    private static final long SEED = Long.getLong("soak.seed", 20261128);
    private static final long SECONDS = Long.getLong("soak.seconds", 20);

    private static final int BLOCK = 512;
    private static final int BLOCKS = 2048;
    private static final int DEPTH = 16;
    /** Blocks of one command at most: more than a PRP list's first page needs, so that each form of PRPs occurs. */
    private static final int MOST = 40;
    /** Commands of one life: enough for each of its faults. */
    private static final int COMMANDS = 1500;
    /** How long nothing may come back: all deadlines of the driver, twice, on a machine that does other things too. */
    private static final Duration STILL = Duration.ofSeconds(60);

    private final Oracle oracle = new Oracle();
    private int lives;
    private int ended;
    private long acknowledged;
    private long failed;

    /** What may stand in each block: versions of writes; 0 is a block that was never written. */
    private static final class Oracle {
        private final List<BitSet> allowed = new ArrayList<>();
        /** Commands in flight that touch a block; of a write alone. */
        final int[] users = new int[BLOCKS];

        final boolean[] written = new boolean[BLOCKS];
        private int version;

        Oracle() {
            for (int i = 0; i < BLOCKS; i++) {
                allowed.add(new BitSet());
                allowed.getLast().set(0);
            }
        }

        int nextVersion() {
            return ++version;
        }

        void acknowledge(int lba, int written) {
            allowed.get(lba).clear();
            allowed.get(lba).set(written);
        }

        void leaveOpen(int lba, int written) {
            allowed.get(lba).set(written);
        }

        void check(int lba, MemorySegment block, String where) {
            int found = block.get(ValueLayout.JAVA_INT_UNALIGNED, 8);
            byte[] bytes = block.toArray(ValueLayout.JAVA_BYTE);
            assertThat(found >= 0 && Arrays.equals(bytes, content(lba, found)))
                    .as("%s: block %d is one that was written as a whole; it says version %d", where, lba, found)
                    .isTrue();
            assertThat(allowed.get(lba).get(found))
                    .as(
                            "%s: block %d has version %d, of those that may be there: %s",
                            where, lba, found, allowed.get(lba))
                    .isTrue();
        }

        static byte[] content(int lba, int version) {
            byte[] bytes = new byte[BLOCK];
            if (version != 0) {
                new SplittableRandom(((long) version << 32) + lba).nextBytes(bytes);
                ByteBuffer.wrap(bytes)
                        .order(ByteOrder.nativeOrder())
                        .putLong(0, lba)
                        .putInt(8, version);
            }
            return bytes;
        }
    }

    @Test
    void losesNothingWhateverTheControllerDoes(@TempDir Path folder) throws Exception {
        Path image = folder.resolve("soak.img");
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.allocate(1), (long) BLOCKS * BLOCK - 1);
        }
        SplittableRandom random = new SplittableRandom(SEED);
        long end = System.nanoTime() + Duration.ofSeconds(SECONDS).toNanos();
        FaultPlan plan = FaultPlan.NONE;
        try {
            while (System.nanoTime() - end < 0) {
                plan = lives == 0 ? FaultPlan.NONE : plan(random);
                live(image, plan, random.split());
                checkImage(image);
                lives++;
            }
        } catch (Throwable t) {
            throw new AssertionError(
                    ("life %d of seed %d failed, with faults=%s: ./mvnw -pl emu -am test -Dtest=SoakTest"
                                    + " -Dsurefire.failIfNoSpecifiedTests=false -Dsoak.seed=%d -Dsoak.seconds=%d")
                            .formatted(lives, SEED, plan, SEED, Math.max(SECONDS, 60)),
                    t);
        }
        System.out.printf(
                "soak: seed %d, %d lives, of which %d ended early; %d commands succeeded, %d failed%n",
                SEED, lives, ended, acknowledged, failed);
        assertThat(acknowledged).isGreaterThan(COMMANDS);
    }

    /** Faults that leave the data right, or tell that they do not, in numbers that let most commands pass. */
    private static FaultPlan plan(SplittableRandom random) {
        Duration soon = Duration.ofMillis(1 + random.nextInt(20));
        Duration overdue = Driven.SHORT.io().multipliedBy(2);
        Fault[] often = {
            Fault.error(Status.UNRECOVERED_READ_ERROR),
            Fault.error(Status.WRITE_FAULT),
            Fault.error(Status.INTERNAL_ERROR),
            Fault.error(Status.UNRECOVERED_READ_ERROR | Status.DNR_BIT),
            Fault.delay(soon)
        };
        Fault[] seldom = {
            Fault.drop(),
            Fault.stall(),
            Fault.delay(overdue),
            Fault.late(soon),
            Fault.stale(soon),
            Fault.duplicate(),
            Fault.wrongCid(),
            Fault.wrongPhase(),
            Fault.wrongSqHead(),
            Fault.wrongSqId(),
            Fault.fatal()
        };
        FaultPlan plan = FaultPlan.NONE;
        for (int i = 0; i < 1 + random.nextInt(3); i++) {
            Fault fault = often[random.nextInt(often.length)];
            plan = plan.and(fault.on(some(random).every(20 + random.nextInt(200))));
        }
        for (int i = 0; i < 1 + random.nextInt(3); i++) {
            Fault fault = seldom[random.nextInt(seldom.length)];
            plan = plan.and(fault.on(some(random).every(300 + random.nextInt(700))));
        }
        if (random.nextInt(4) == 0) {
            plan = plan.and(Fault.abortRefused());
        }
        if (random.nextInt(8) == 0) {
            plan = plan.and(Fault.stall().on(Selector.admin().nth(8 + random.nextInt(4))));
        }
        if (random.nextInt(8) == 0) {
            plan = plan.and(Fault.neverReady().on(Selector.enabling().nth(2 + random.nextInt(2))));
        }
        if (random.nextInt(8) == 0) {
            plan = plan.and(Fault.vanish().on(Selector.io().nth(1 + random.nextInt(COMMANDS))));
        }
        return plan;
    }

    private static Selector some(SplittableRandom random) {
        return switch (random.nextInt(3)) {
            case 0 -> Selector.io();
            case 1 -> Selector.reads();
            default -> Selector.writes();
        };
    }

    private void live(Path image, FaultPlan plan, SplittableRandom random) throws IOException {
        EmuConfiguration configuration = EmuConfiguration.image(image)
                .withFaults(plan)
                .withMdts(3)
                .withShadow(random.nextBoolean())
                .withSgl(random.nextBoolean());
        EmuController emulator = EmuController.open("emu:soak", configuration);
        emulator.start();
        Driven.CountingFunction function = new Driven.CountingFunction(emulator.function());
        boolean whole = false;
        try (NvmeDevice device = NvmeDevice.open(function, 1, "emu:soak", "soak", false, Driven.SHORT)) {
            try (Buffer buffer = device.allocate((long) DEPTH * MOST * BLOCK);
                    Queue queue = device.openQueue(DEPTH)) {
                whole = new Life(queue, buffer, random).run();
            }
        } catch (IOException e) {
            // Of a controller that failed for good; so may bring-up. What was in flight has come back all the same.
            assertThat(e.getMessage()).startsWith("emu:soak: ");
        }
        ended += whole ? 0 : 1;
        assertThat(function.isClosed()).isTrue();
    }

    /** Commands in flight until there were enough of them, or the controller has failed. */
    private final class Life {
        private final Queue queue;
        private final Buffer buffer;
        private final SplittableRandom random;
        private final BitSet inFlight = new BitSet();
        private final int[] lba = new int[DEPTH];
        private final int[] count = new int[DEPTH];
        /** The version that a slot writes, 0 if it reads. */
        private final int[] version = new int[DEPTH];

        private final int[] completed = new int[DEPTH];

        Life(Queue queue, Buffer buffer, SplittableRandom random) {
            this.queue = queue;
            this.buffer = buffer;
            this.random = random;
        }

        /** Whether the controller lived to the end of it. */
        boolean run() throws IOException {
            boolean alive = true;
            for (int sent = 0; sent < COMMANDS && alive; ) {
                int before = inFlight.cardinality();
                alive = send();
                sent += inFlight.cardinality() - before;
                take();
            }
            while (!inFlight.isEmpty()) {
                take();
            }
            assertThat(queue.outstanding()).isZero();
            assertThat(queue.poll(completed)).isZero();
            return alive;
        }

        /** Submits some commands in one batch; false if the device has failed. */
        private boolean send() {
            int[] slots = new int[DEPTH];
            long[] lbas = new long[DEPTH];
            int n = 0;
            int wanted = random.nextInt(DEPTH + 1);
            for (int slot = inFlight.nextClearBit(0);
                    slot < DEPTH && n < wanted;
                    slot = inFlight.nextClearBit(slot + 1)) {
                if (prepare(slot)) {
                    slots[n] = slot;
                    lbas[n++] = lba[slot];
                }
            }
            try {
                queue.submit(slots, lbas, n);
            } catch (IOException e) {
                // Nothing was submitted then: no write of it may be found.
                for (int i = 0; i < n; i++) {
                    release(slots[i]);
                }
                return e instanceof NvmeException why && why.retryable();
            }
            for (int i = 0; i < n; i++) {
                inFlight.set(slots[i]);
            }
            return true;
        }

        /** Makes a command of blocks that no other in flight is in the way of; false if there are none. */
        private boolean prepare(int slot) {
            int blocks = 1 + random.nextInt(MOST);
            int start = random.nextInt(BLOCKS - blocks + 1);
            boolean write = random.nextBoolean();
            for (int i = start; i < start + blocks; i++) {
                if (oracle.written[i] || (write && oracle.users[i] > 0)) {
                    return false;
                }
            }
            lba[slot] = start;
            count[slot] = blocks;
            version[slot] = write ? oracle.nextVersion() : 0;
            long at = (long) slot * MOST * BLOCK;
            for (int i = 0; i < blocks; i++) {
                oracle.users[start + i]++;
                oracle.written[start + i] = write;
                if (write) {
                    MemorySegment.copy(
                            Oracle.content(start + i, version[slot]),
                            0,
                            buffer.segment(),
                            ValueLayout.JAVA_BYTE,
                            at + (long) i * BLOCK,
                            BLOCK);
                }
            }
            if (write) {
                queue.bindWrite(slot, buffer, at, blocks * BLOCK);
            } else {
                buffer.segment().asSlice(at, (long) blocks * BLOCK).fill((byte) 0x55);
                queue.bindRead(slot, buffer, at, blocks * BLOCK);
            }
            return true;
        }

        private void release(int slot) {
            for (int i = lba[slot]; i < lba[slot] + count[slot]; i++) {
                oracle.users[i]--;
                oracle.written[i] = false;
            }
        }

        private void take() throws IOException {
            long deadline = System.nanoTime() + STILL.toNanos();
            int n = queue.poll(completed);
            while (n == 0 && !inFlight.isEmpty()) {
                assertThat(System.nanoTime() - deadline)
                        .as("something comes back within %s, of slots %s", STILL, inFlight)
                        .isNegative();
                Thread.yield();
                n = queue.poll(completed);
            }
            for (int i = 0; i < n; i++) {
                boolean good = completed[i] >= 0;
                int slot = good ? completed[i] : ~completed[i];
                assertThat(inFlight.get(slot))
                        .as("slot %d, which came back, was in flight", slot)
                        .isTrue();
                inFlight.clear(slot);
                if (good) {
                    acknowledged++;
                } else {
                    failed++;
                    assertThat(queue.failure(slot)).hasMessageContaining("emu:soak: queue 1: ");
                }
                settle(slot, good);
                release(slot);
            }
        }

        private void settle(int slot, boolean good) {
            for (int i = 0; i < count[slot]; i++) {
                int block = lba[slot] + i;
                if (version[slot] != 0 && good) {
                    oracle.acknowledge(block, version[slot]);
                } else if (version[slot] != 0) {
                    oracle.leaveOpen(block, version[slot]);
                } else if (good) {
                    long at = ((long) slot * MOST + i) * BLOCK;
                    oracle.check(block, buffer.segment().asSlice(at, BLOCK), "read");
                }
            }
        }
    }

    /** After the controller is gone, nothing stands on the image that may not. */
    private void checkImage(Path image) throws IOException {
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.READ)) {
            ByteBuffer all = ByteBuffer.allocate(BLOCKS * BLOCK);
            while (all.hasRemaining() && file.read(all) > 0) {
                // Until it is whole.
            }
            for (int i = 0; i < BLOCKS; i++) {
                oracle.check(i, MemorySegment.ofArray(all.array()).asSlice((long) i * BLOCK, BLOCK), "image");
            }
        }
    }
}
