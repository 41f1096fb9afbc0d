package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.Command;
import io.aisio.nvme.Namespace;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.Timeouts;
import io.aisio.nvme.command.Identities;
import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.PciFunction;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The driver against a controller that is its enemy: registers read as anything, Identify and log pages are noise,
 * completions are forged into its rings while it runs. It may fail, with an {@link IOException}; it must not crash the JVM,
 * hang, throw anything else, or write outside the memory that it allocated.
 *
 * <p>{@code -Dfuzz.seed=N -Dfuzz.device.seconds=S} runs another one; what fails says which.
 */
@Tag("slow")
class DeviceFuzzTest {
    private static final long SEED = Long.getLong("fuzz.seed", 20261128);
    private static final long SECONDS = Long.getLong("fuzz.device.seconds", 10);

    private static final Timeouts HASTY =
            new Timeouts(Duration.ofMillis(30), Duration.ofMillis(30), Duration.ofMillis(60), Duration.ofMillis(60));
    /** How long one round may take: every deadline of the driver, many times, on a machine that does other things too. */
    private static final Duration STUCK = Duration.ofSeconds(90);

    private static final int GUARD = PrpWalk.PAGE;
    private static final byte GUARD_BYTE = (byte) 0xC3;
    /** CAP.TO, in units of 500 ms: as short as can be told, for the sake of the test's duration. */
    private static final long SHORT_TIMEOUT = 1L << 24;

    private static final long TIMEOUT_MASK = 0xFFL << 24;
    /** RTD3E, which lets a shutdown take a minute, is not noise, for the same reason. */
    private static final Fault AT_ONCE =
            Fault.put(88, new byte[4]).on(Selector.admin(Opcode.IDENTIFY).sub(Identify.CNS_CONTROLLER));

    private final ConcurrentLinkedQueue<Throwable> uncaught = new ConcurrentLinkedQueue<>();
    private Thread.UncaughtExceptionHandler before;

    @BeforeEach
    void watchEveryThread() {
        before = Thread.getDefaultUncaughtExceptionHandler();
        Thread.setDefaultUncaughtExceptionHandler((thread, failure) -> uncaught.add(failure));
    }

    @AfterEach
    void stopWatching() {
        Thread.setDefaultUncaughtExceptionHandler(before);
    }

    @Test
    void survivesAnEnemy() throws Exception {
        long end = System.nanoTime() + Duration.ofSeconds(SECONDS).toNanos();
        int rounds = 0;
        int up = 0;
        for (long seed = SEED; System.nanoTime() - end < 0; seed++, rounds++) {
            Round round = new Round(seed);
            AtomicReference<Throwable> failure = new AtomicReference<>();
            Thread thread = Thread.ofPlatform().daemon().name("fuzz").start(() -> {
                try {
                    round.run();
                } catch (Throwable t) {
                    failure.set(t);
                }
            });
            if (!thread.join(STUCK)) {
                var stuck = new AssertionError("hangs for " + STUCK);
                stuck.setStackTrace(thread.getStackTrace());
                failure.compareAndSet(null, stuck);
            }
            if (failure.get() == null && !uncaught.isEmpty()) {
                failure.set(uncaught.peek());
            }
            if (failure.get() != null) {
                throw new AssertionError(
                        ("seed %d failed, with faults=%s: ./mvnw -pl emu -am test -Dtest=DeviceFuzzTest"
                                        + " -Dsurefire.failIfNoSpecifiedTests=false -Dfuzz.seed=%d")
                                .formatted(seed, round.plan, seed),
                        failure.get());
            }
            up += round.cameUp ? 1 : 0;
        }
        System.out.printf("fuzz: seeds %d to %d, the driver came up in %d of them%n", SEED, SEED + rounds - 1, up);
        assertThat(up).as("rounds in which the driver came up, of %d", rounds).isPositive();
    }

    /** One controller's life. */
    private static final class Round {
        private final SplittableRandom random;
        final FaultPlan plan;
        /** One in so many looks at a register sees something else; 0 for none. */
        private final int wildRegisters;
        /** Whether completions are forged. */
        private final boolean forges;

        volatile boolean cameUp;
        private volatile boolean over;

        Round(long seed) {
            random = new SplittableRandom(seed);
            plan = random.nextInt(4) == 0 ? FaultPlan.NONE : plan(random);
            wildRegisters = random.nextInt(3) == 0 ? 1 + random.nextInt(60) : 0;
            forges = random.nextInt(3) > 0;
        }

        private static FaultPlan plan(SplittableRandom random) {
            FaultPlan plan = FaultPlan.NONE;
            int faults = 1 + random.nextInt(5);
            for (int i = 0; i < faults; i++) {
                plan = plan.and(fault(random));
            }
            return plan.and(AT_ONCE);
        }

        private static Fault fault(SplittableRandom random) {
            Selector admin = Selector.admin().nth(1 + random.nextInt(16));
            Selector identify = Selector.admin(Opcode.IDENTIFY).nth(1 + random.nextInt(6));
            Selector io = Selector.io().from(1 + random.nextInt(20));
            byte[] bytes = new byte[1 + random.nextInt(16)];
            random.nextBytes(bytes);
            return switch (random.nextInt(20)) {
                case 0 -> Fault.garbage(random.nextInt(1 << 30)).on(identify);
                case 1 -> Fault.garbage(random.nextInt(1 << 30)).on(Selector.admin(Opcode.GET_LOG_PAGE));
                case 2 -> Fault.torn().on(identify);
                // Identify Namespace: sizes and formats stand in its first 200 bytes.
                case 3, 4, 5 ->
                    Fault.put(random.nextInt(200), bytes)
                            .on(Selector.admin(Opcode.IDENTIFY).sub(Identify.CNS_NAMESPACE));
                case 6, 7 ->
                    Fault.put(random.nextInt(560), bytes)
                            .on(Selector.admin(Opcode.IDENTIFY).sub(Identify.CNS_CONTROLLER));
                case 8 -> Fault.queues(random.nextInt(70_000));
                case 9 -> Fault.stall().on(admin);
                case 10 -> Fault.wrongCid().on(random.nextBoolean() ? admin : io);
                case 11 -> Fault.wrongPhase().on(random.nextBoolean() ? admin : io);
                case 12 -> Fault.wrongSqHead().on(random.nextBoolean() ? admin : io);
                case 13 -> Fault.wrongSqId().on(random.nextBoolean() ? admin : io);
                case 14 -> Fault.error(random.nextInt(0x800)).on(random.nextBoolean() ? admin : io);
                case 15 -> Fault.duplicate().on(random.nextBoolean() ? admin : io);
                case 16 ->
                    Fault.fatal()
                            .on(random.nextBoolean() ? admin : Selector.io().nth(3));
                case 17 ->
                    Fault.vanish()
                            .on(random.nextBoolean() ? admin : Selector.io().nth(9));
                case 18 -> Fault.staysReady().on(Selector.disabling().nth(1 + random.nextInt(2)));
                default -> Fault.events(random.nextInt(10_000)).on(random.nextBoolean() ? admin : io);
            };
        }

        void run() throws Exception {
            EmuController emulator = EmuController.open(
                    "emu:enemy",
                    EmuConfiguration.memory(1 << 20)
                            .withNamespaces(1 + random.nextInt(3))
                            .withMdts(1 + random.nextInt(4))
                            .withEntries(2 + random.nextInt(40))
                            .withShadow(random.nextBoolean())
                            .withSgl(random.nextBoolean())
                            .withFaults(plan));
            emulator.start();
            Enemy enemy = new Enemy(emulator.function(), random.split(), wildRegisters);
            Thread forger = Thread.ofPlatform().daemon().name("forger").unstarted(() -> forge(enemy, random.split()));
            if (forges) {
                forger.start();
            }
            try {
                drive(enemy, random.split());
            } finally {
                over = true;
                if (forges) {
                    forger.join();
                }
                enemy.checkGuards();
                enemy.close();
            }
        }

        private void forge(Enemy enemy, SplittableRandom dice) {
            while (!over) {
                enemy.forge(dice);
                Thread.yield();
            }
        }

        /** What an application does, come what may: only an IOException is an answer. */
        private void drive(Enemy enemy, SplittableRandom dice) throws Exception {
            try (NvmeController driver = NvmeController.open(enemy, HASTY)) {
                cameUp = true;
                for (Namespace namespace : driver.namespaces()) {
                    attempt(() -> new Identities(driver).namespace(namespace.nsid()));
                    if (namespace.commandSet() == Identify.CSI_ZONED) {
                        attempt(() -> new Identities(driver).zones(namespace.nsid()));
                    }
                }
                for (int i = 0; i < 3; i++) {
                    attempt(() -> driveQueue(enemy, driver, dice));
                }
            } catch (IOException e) {
                assertThat(e.getMessage()).isNotBlank();
            }
        }

        private interface Attempt {
            void run() throws IOException;
        }

        private static void attempt(Attempt what) {
            try {
                what.run();
            } catch (IOException e) {
                assertThat(e.getMessage()).isNotBlank();
            }
        }

        private void driveQueue(Enemy enemy, NvmeController driver, SplittableRandom dice) throws IOException {
            int depth = 1 + dice.nextInt(Math.min(driver.maxDepth(), 64));
            int most = Math.min(driver.maxTransferBytes(), 64 << 10);
            try (DmaMemory memory = enemy.allocate((long) depth * most);
                    QueuePair pair = driver.createQueuePair(depth)) {
                int[] slots = new int[depth];
                long[] lbas = new long[depth];
                int[] completed = new int[1 + dice.nextInt(depth)];
                boolean[] inFlight = new boolean[depth];
                for (int batch = 0; batch < 8; batch++) {
                    int n = 0;
                    for (int slot = 0; slot < depth; slot++) {
                        if (!inFlight[slot] && dice.nextBoolean()) {
                            int bytes = Math.min(512 * (1 + dice.nextInt(64)), most);
                            pair.bind(
                                    slot,
                                    Command.overBlocks(
                                            dice.nextBoolean() ? Opcode.READ : Opcode.WRITE, 1, 0, bytes / 512),
                                    memory,
                                    (long) slot * most,
                                    bytes);
                            slots[n] = slot;
                            lbas[n++] = dice.nextInt(4096);
                        }
                    }
                    pair.submit(slots, lbas, n);
                    for (int i = 0; i < n; i++) {
                        inFlight[slots[i]] = true;
                    }
                    boolean all = dice.nextBoolean();
                    do {
                        int done = pair.poll(completed);
                        for (int i = 0; i < done; i++) {
                            int slot = completed[i] < 0 ? ~completed[i] : completed[i];
                            assertThat(inFlight[slot])
                                    .as("slot %d, which came back, was in flight", slot)
                                    .isTrue();
                            inFlight[slot] = false;
                            if (completed[i] < 0) {
                                assertThat(pair.failure(slot)).hasMessageStartingWith("emu:enemy: queue ");
                            }
                        }
                    } while (all && pair.outstanding() > 0);
                }
            }
        }
    }

    /** A software controller's function, its registers and the driver's memory within its reach. */
    private static final class Enemy implements PciFunction {
        private final PciFunction function;
        private final SplittableRandom dice;
        private final int wildRegisters;
        private final List<Guarded> live = new CopyOnWriteArrayList<>();

        Enemy(PciFunction function, SplittableRandom dice, int wildRegisters) {
            this.function = function;
            this.dice = dice;
            this.wildRegisters = wildRegisters;
        }

        /** Memory with a page on either side that nobody may write to. */
        private final class Guarded implements DmaMemory {
            private final DmaMemory memory;
            private final MemorySegment segment;

            Guarded(long bytes) throws IOException {
                long size = (bytes + GUARD - 1) / GUARD * GUARD;
                memory = function.allocate(size + 2 * GUARD);
                memory.segment().asSlice(0, GUARD).fill(GUARD_BYTE);
                memory.segment().asSlice(GUARD + size, GUARD).fill(GUARD_BYTE);
                segment = memory.segment().asSlice(GUARD, size);
            }

            void check() {
                for (long at = 0; at < GUARD; at++) {
                    long after = GUARD + segment.byteSize() + at;
                    if (memory.segment().get(ValueLayout.JAVA_BYTE, at) != GUARD_BYTE
                            || memory.segment().get(ValueLayout.JAVA_BYTE, after) != GUARD_BYTE) {
                        throw new AssertionError("somebody wrote outside of memory of %d bytes, %d bytes from its ends"
                                .formatted(segment.byteSize(), at));
                    }
                }
            }

            @Override
            public MemorySegment segment() {
                return segment;
            }

            @Override
            public long iova(long offset) {
                if (offset < 0 || offset >= segment.byteSize()) {
                    throw new IndexOutOfBoundsException("byte " + offset + " of " + segment.byteSize());
                }
                return memory.iova(GUARD + offset);
            }

            @Override
            public void close() {
                if (live.remove(this)) {
                    check();
                    memory.close();
                }
            }
        }

        @Override
        public DmaMemory allocate(long bytes) throws IOException {
            Guarded memory = new Guarded(bytes);
            live.add(memory);
            return memory;
        }

        void checkGuards() {
            live.forEach(Guarded::check);
        }

        /** Puts what may pass for a completion somewhere into the driver's memory, wherever its rings are. */
        void forge(SplittableRandom forger) {
            Guarded[] all = live.toArray(Guarded[]::new);
            if (all.length == 0) {
                return;
            }
            MemorySegment memory = all[forger.nextInt(all.length)].segment();
            try {
                long reach = Math.min(memory.byteSize(), 2L * PrpWalk.PAGE);
                long entry = forger.nextLong(reach / Sqe.BYTES) * Sqe.BYTES;
                int cid = forger.nextBoolean() ? forger.nextInt(0x1_0000) : Sqe.cid(Wire.i64(memory, entry));
                int sqid = forger.nextInt(4) == 0 ? forger.nextInt(0x1_0000) : forger.nextInt(4);
                int head = forger.nextBoolean() ? forger.nextInt(0x1_0000) : forger.nextInt(16);
                int status = forger.nextBoolean() ? 0 : forger.nextInt(1 << 15);
                long word1 = Cqe.word1(head, sqid, cid, forger.nextInt(2), status);
                // Not what a command of the driver's would take for an address of this controller's.
                if (word1 >>> 46 != 0) {
                    long at = forger.nextLong(reach / Cqe.BYTES) * Cqe.BYTES;
                    Wire.i64(memory, at + Cqe.RESULT, forger.nextInt() & 0xFFFF_FFFFL);
                    Wire.i64(memory, at + Cqe.WORD1, word1);
                }
            } catch (IllegalStateException e) {
                // It was freed meanwhile.
                assertThat(memory.scope().isAlive()).isFalse();
            }
        }

        @Override
        public String name() {
            return function.name();
        }

        @Override
        public Bar bar(int index) {
            Bar bar = function.bar(index);
            return new Bar() {
                @Override
                public long size() {
                    return bar.size();
                }

                @Override
                public int read32(long offset) {
                    return (int) wild(bar.read32(offset) & 0xFFFF_FFFFL);
                }

                @Override
                public long read64(long offset) {
                    long value = wild(bar.read64(offset));
                    return offset == Registers.CAP ? value & ~TIMEOUT_MASK | SHORT_TIMEOUT : value;
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
        }

        private synchronized long wild(long value) {
            if (wildRegisters == 0 || dice.nextInt(wildRegisters) != 0) {
                return value;
            }
            return switch (dice.nextInt(6)) {
                case 0 -> -1;
                case 1 -> 0;
                case 2 -> dice.nextLong();
                default -> value ^ 1L << dice.nextInt(64);
            };
        }

        @Override
        public void close() {
            function.close();
        }
    }
}
