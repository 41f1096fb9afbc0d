package io.aisio.fil;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xnvme.Buffer;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@link DirectFile} keeps its caller from: a file that changes while it is read. */
class KernelReadsTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void readsToTheEndThatTheFileHadAndNoticesOneBeforeIt(boolean byRing) throws IOException {
        byte[] content = new byte[3 * 4096 + 100];
        new Random(3).nextBytes(content);
        Path path = Files.write(folder.resolve("some"), content);
        try (Buffer buffer = Buffer.ofProcess(4 * 4096);
                KernelReads reads = KernelReads.open(path, DirectFile.Cache.PAST_IF_POSSIBLE, 2, byRing)) {
            reads.register(buffer);
            int[] completed = new int[2];
            reads.bindRead(0, buffer, 0, 4 * 4096);
            reads.submit(new int[] {0}, new long[] {0}, 1);
            assertThat(reads.await(completed)).isEqualTo(1);
            assertThat(completed[0]).isZero();
            assertThat(buffer.segment().asSlice(0, content.length).mismatch(MemorySegment.ofArray(content)))
                    .isEqualTo(-1);
            assertThat(reads.outstanding()).isZero();
            reads.requireUnchanged();

            try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
                file.setLength(4096 + 7);
            }
            assertThatThrownBy(reads::requireUnchanged)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("from 12388 bytes")
                    .hasMessageContaining("to 4103");
            reads.bindRead(1, buffer, 8192, 4096);
            reads.bindRead(0, buffer, 4096, 4096);
            reads.submit(new int[] {1, 0}, new long[] {0, 4096 / reads.unit()}, 2);
            for (int told = 0; told < 2; ) {
                int n = reads.await(completed);
                for (int i = 0; i < n; i++, told++) {
                    assertThat(completed[i]).isIn(1, ~0);
                }
            }
            assertThat(reads.failure(0))
                    .hasMessage(path + " ends at byte 4103, though it had 12388 bytes when it was opened");
            assertThatThrownBy(() -> reads.failure(1)).isInstanceOf(IllegalStateException.class);
            assertThat(buffer.segment().asSlice(8192, 4096).toArray(ValueLayout.JAVA_BYTE))
                    .isEqualTo(Arrays.copyOf(content, 4096));
        }
    }
}
