package io.aisio.xal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Reads in flight over a file of random bytes, by io_uring and one after the other. */
class BlockReadsTest {
    private static final int BYTES = 3 << 20;
    private static final int SLOTS = 7;
    private static final int MOST = 96 << 10;

    private enum Way {
        URING,
        SYNCHRONOUS;

        BlockReads open(FileBlocks file) throws IOException {
            BlockReads reads = this == URING ? file.reads(SLOTS, MOST) : new SynchronousReads(file, SLOTS, MOST);
            if (this == URING) {
                assumeTrue(reads instanceof UringReads, "needs io_uring (kernel 5.6, and no filter that refuses it)");
            }
            return reads;
        }
    }

    @TempDir
    private Path folder;

    private final Random random = new Random(7);
    private final byte[] content = new byte[BYTES];
    private Path path;
    private FileBlocks file;

    @BeforeEach
    void make() throws IOException {
        random.nextBytes(content);
        path = Files.write(folder.resolve("image"), content);
        file = FileBlocks.open(path);
    }

    @AfterEach
    void close() {
        file.close();
    }

    @ParameterizedTest
    @EnumSource(Way.class)
    void givesTheBytesOfEachPlaceWhateverIsInFlightBesides(Way way) throws IOException {
        try (BlockReads reads = way.open(file)) {
            long[] positions = new long[SLOTS];
            int[] lengths = new int[SLOTS];
            int started = 0;
            int ended = 0;
            for (int slot = 0; slot < SLOTS; slot++, started++) {
                start(reads, slot, positions, lengths);
            }
            assertThat(reads.inFlight()).isEqualTo(SLOTS);
            while (reads.inFlight() > 0) {
                int slot = reads.await();
                assertThat(reads.ended()).isEqualTo(slot);
                byte[] expected =
                        Arrays.copyOfRange(content, (int) positions[slot], (int) positions[slot] + lengths[slot]);
                assertThat(reads.buffer(slot).asSlice(0, lengths[slot]).toArray(ValueLayout.JAVA_BYTE))
                        .isEqualTo(expected);
                ended++;
                if (started < 1000) {
                    start(reads, slot, positions, lengths);
                    started++;
                }
            }
            assertThat(ended).isEqualTo(1000);
        }
    }

    private void start(BlockReads reads, int slot, long[] positions, int[] lengths) throws IOException {
        lengths[slot] = 512 * (1 + random.nextInt(MOST / 512));
        positions[slot] = 512L * random.nextInt((BYTES - lengths[slot]) / 512 + 1);
        reads.start(slot, positions[slot], lengths[slot]);
    }

    @ParameterizedTest
    @EnumSource(Way.class)
    void tellsOfAReadBeyondTheEndAndGoesOnWithTheRest(Way way) throws IOException {
        try (BlockReads reads = way.open(file);
                RandomAccessFile shorter = new RandomAccessFile(path.toFile(), "rw")) {
            shorter.setLength(BYTES / 2);
            reads.start(3, BYTES / 2 - 4096, 8192);
            assertThatThrownBy(reads::await)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(path.toString())
                    .hasMessageContaining("byte " + BYTES / 2)
                    .hasMessageContaining("byte " + (BYTES / 2 - 4096));
            assertThat(reads.ended()).isEqualTo(3);
            assertThat(reads.inFlight()).isZero();
            reads.start(3, 512, 1024);
            assertThat(reads.await()).isEqualTo(3);
            assertThat(reads.buffer(3).asSlice(0, 1024).toArray(ValueLayout.JAVA_BYTE))
                    .isEqualTo(Arrays.copyOfRange(content, 512, 512 + 1024));
        }
    }

    @ParameterizedTest
    @EnumSource(Way.class)
    void closesWithReadsInFlight(Way way) throws IOException {
        BlockReads reads = way.open(file);
        for (int slot = 0; slot < SLOTS; slot++) {
            reads.start(slot, slot * 4096L, MOST);
        }
        reads.await();
        reads.close();
        reads.close();
        assertThatThrownBy(() -> reads.start(0, 0, 512)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> reads.buffer(0).get(ValueLayout.JAVA_BYTE, 0))
                .isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @EnumSource(Way.class)
    void refusesWhatNoReadCanBe(Way way) throws IOException {
        try (BlockReads reads = way.open(file)) {
            assertThatThrownBy(() -> reads.start(0, 100, 512)).hasMessageContaining("byte 100");
            assertThatThrownBy(() -> reads.start(0, 0, MOST + 512)).hasMessageContaining("at most " + MOST);
            assertThatThrownBy(() -> reads.start(SLOTS, 0, 512)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(reads::await).hasMessageContaining("no read is in flight");
            reads.start(0, 0, 512);
            assertThatThrownBy(() -> reads.start(0, 0, 512)).hasMessageContaining("slot 0 is in flight");
            assertThat(reads.await()).isZero();
        }
    }

    @Test
    void refusesReadsOfAFileThatIsClosed() throws IOException {
        try (BlockReads reads = file.reads(1, 512)) {
            reads.start(0, 0, 512);
            file.close();
            assertThatThrownBy(reads::await).isInstanceOf(Exception.class).hasMessageContaining("is closed");
        }
    }
}
