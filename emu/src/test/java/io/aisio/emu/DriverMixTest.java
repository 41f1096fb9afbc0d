package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.Command;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Opcode;
import io.aisio.upcie.DmaMemory;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The real driver on the real software controller: random commands, with a plain array as the oracle. */
@Tag("slow")
class DriverMixTest {
    private static final int BYTES = 16 << 20;

    @TempDir
    private Path folder;

    private EmuConfiguration configuration(String media) throws Exception {
        if (media.equals("memory")) {
            return EmuConfiguration.memory(BYTES);
        }
        Path image = folder.resolve("mix.img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(BYTES);
        }
        return EmuConfiguration.image(image);
    }

    @ParameterizedTest
    @CsvSource({
        "memory,  512, 1,   1, 5, 1500",
        "memory,  512, 1,  33, 5, 6000",
        "memory,  512, 4,  16, 5, 6000",
        "memory, 4096, 3,   7, 5, 4000",
        "memory,  512, 2,   8, 1, 4000",
        "memory,  512, 2,   8, 2, 4000",
        "memory,  512, 1,   3, 9,  600",
        "file,    512, 2,   8, 5, 2500",
        "file,   4096, 1,  16, 5, 2500"
    })
    void agreesWithAPlainArrayOverQueuesOfOneThread(
            String media, int lbaBytes, int queues, int depth, int mdts, int commands) throws Exception {
        byte[] oracle = new byte[BYTES];
        try (Driven driven =
                new Driven(configuration(media).withLbaBytes(lbaBytes).withMdts(mdts))) {
            try (CommandMix mix = new CommandMix(
                    driven.driver, driven.function, 1, queues, depth, oracle, 0, BYTES / lbaBytes, 42L + depth)) {
                mix.run(commands);
                // When commands complete decides what the seed is spent on: the rare kinds are few in the shortest mix.
                assertThat(mix.done(Opcode.READ)).isGreaterThan(50);
                assertThat(mix.done(Opcode.WRITE)).isGreaterThan(50);
                assertThat(mix.done(Opcode.COMPARE)).isPositive();
                assertThat(mix.done(Opcode.WRITE_ZEROES)).isPositive();
                assertThat(mix.done(Opcode.DATASET_MANAGEMENT)).isPositive();
                assertThat(mix.done(Opcode.VERIFY)).isPositive();
            }
            assertThat(Arrays.mismatch(content(driven, 1), oracle)).isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @CsvSource({"2, 1", "3, 2"})
    void agreesWithAPlainArrayOverQueuesOfSeveralThreads(int threads, int queues) throws Exception {
        byte[] oracle = new byte[BYTES];
        int blocks = BYTES / 512 / threads;
        try (Driven driven = new Driven(EmuConfiguration.memory(BYTES));
                ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            List<Future<?>> running = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                int part = i;
                Callable<Integer> work = () -> {
                    try (CommandMix mix = new CommandMix(
                            driven.driver,
                            driven.function,
                            1,
                            queues,
                            9,
                            oracle,
                            (long) part * blocks,
                            blocks,
                            77L + part)) {
                        mix.run(1200);
                        return mix.done(Opcode.READ);
                    }
                };
                running.add(pool.submit(work));
            }
            for (Future<?> result : running) {
                assertThat((Integer) result.get()).isGreaterThan(200);
            }
            assertThat(Arrays.mismatch(content(driven, 1), oracle)).isEqualTo(-1);
        }
    }

    @Test
    void keepsNamespacesApart() throws Exception {
        int namespaces = 3;
        byte[][] oracles = new byte[namespaces][BYTES];
        try (Driven driven = new Driven(EmuConfiguration.memory(BYTES).withNamespaces(namespaces))) {
            List<CommandMix> mixes = new ArrayList<>();
            for (int i = 0; i < namespaces; i++) {
                mixes.add(new CommandMix(
                        driven.driver, driven.function, i + 1, 1, 8, oracles[i], 0, BYTES / 512, 1234L + i));
            }
            for (int turn = 0; turn < 20; turn++) {
                for (CommandMix mix : mixes) {
                    mix.run(50);
                }
            }
            for (CommandMix mix : mixes) {
                mix.close();
            }
            for (int i = 0; i < namespaces; i++) {
                assertThat(Arrays.mismatch(content(driven, i + 1), oracles[i])).isEqualTo(-1);
            }
            assertThat(Arrays.mismatch(oracles[0], oracles[1])).isNotNegative();
        }
    }

    @Test
    void agreesWithAPlainArrayWithoutCheckedAccess() throws Exception {
        Fork.Result result = Fork.run(false, DriverMixTest.class, "mix");
        assertThat(result.output()).contains("mix done");
        assertThat(result.exit()).as(result.output()).isZero();
    }

    /** The forked part: what runs unchecked, as programs do. */
    public static void main(String[] args) throws Exception {
        byte[] oracle = new byte[BYTES];
        try (Driven driven = new Driven(EmuConfiguration.memory(BYTES));
                CommandMix mix = new CommandMix(driven.driver, driven.function, 1, 3, 21, oracle, 0, BYTES / 512, 5)) {
            mix.run(8_000);
        }
        System.out.println(args[0] + " done");
    }

    /** All of a namespace, as reads through a queue deliver it. */
    static byte[] content(Driven driven, int nsid) throws Exception {
        int lbaBytes = driven.driver.namespace(nsid).lbaBytes();
        int part = Math.min(1 << 20, driven.driver.maxTransferBytes());
        long bytes = driven.driver.namespace(nsid).lbaCount() * lbaBytes;
        byte[] all = new byte[Math.toIntExact(bytes)];
        DmaMemory memory = driven.function.allocate(part);
        try (QueuePair pair = driven.driver.createQueuePair(1)) {
            pair.bind(0, Command.overBlocks(Opcode.READ, nsid, 0, part / lbaBytes), memory, 0, part);
            for (int at = 0; at < all.length; at += part) {
                pair.submit(new int[] {0}, new long[] {at / lbaBytes}, 1);
                int[] completed = new int[1];
                assertThat(Completions.await(pair, completed)).isEqualTo(1);
                assertThat(completed[0]).isZero();
                MemorySegment.copy(memory.segment(), ValueLayout.JAVA_BYTE, 0, all, at, part);
            }
        } finally {
            memory.close();
        }
        return all;
    }
}
