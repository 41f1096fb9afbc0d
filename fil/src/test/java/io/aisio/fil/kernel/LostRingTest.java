package io.aisio.fil.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.fil.spi.Backend.Settings;
import io.aisio.fil.spi.BatchReads;
import io.aisio.fil.spi.FileTable;
import io.aisio.fil.spi.Selection;
import io.aisio.linux.IoUring;
import io.aisio.linux.LinuxException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A ring of which the kernel takes no more commands, as it was another thread that used it first. */
@Timeout(60)
class LostRingTest {
    private static final int PAGE = 4096;
    private static final int FILES = 6;
    private static final int DEPTH = 2;

    @TempDir
    private Path place;

    @BeforeEach
    void fill() throws IOException {
        try (IoUring ring = IoUring.open("a test", new IoUring.Options(1, true, false, false, false))) {
            assumeTrue(ring.defers(), "needs an io_uring that is one thread's alone (Linux 6.1)");
        } catch (LinuxException e) {
            assumeTrue(false, "needs io_uring: " + IoUring.refusal(e.errno()));
        }
        for (int i = 0; i < FILES; i++) {
            Files.write(place.resolve("f" + i), new byte[100 + i]);
        }
    }

    /** Reads the first files; how many have failed, each of them as it should. */
    private int read(BatchReads reads, int files) {
        int[] rows = new int[files];
        long[] at = new long[files];
        for (int i = 0; i < files; i++) {
            rows[i] = i;
            at[i] = (long) i * PAGE;
        }
        reads.begin(0, rows, at, files);
        int[] done = new int[1];
        while (reads.drive(done, true) <= 0) {
            Thread.onSpinWait();
        }
        int failed = 0;
        for (int i = 0; i < files; i++) {
            IOException failure = reads.failure(0, i);
            if (failure == null) {
                assertThat(reads.length(0, i)).isEqualTo(100 + i);
            } else {
                assertThat(failure)
                        .hasMessageStartingWith(place + "/f" + i + ": the io_uring failed: ")
                        .hasMessageContaining("io_uring_enter");
                failed++;
            }
        }
        return failed;
    }

    private void lose(int rings, int[] expected) throws Exception {
        try (Folder folder = Folder.open(place.toString(), new Settings(true, true, rings, DEPTH, 0), true)) {
            FileTable table = new FileTable();
            folder.list(new Selection.Folder("/", any -> true), table);
            try (BatchReads reads = folder.openReads(table, 1, FILES * folder.room(200), FILES)) {
                // No more files than the first ring takes: it is that thread's, and the second is still nobody's.
                int[] failedThere = {-1};
                Thread.ofPlatform()
                        .start(() -> failedThere[0] = read(reads, DEPTH))
                        .join();
                assertThat(failedThere[0]).isZero();
                for (int failed : expected) {
                    assertThat(read(reads, FILES)).isEqualTo(failed);
                }
            }
        }
    }

    @Test
    void failsItsFilesAndNoOthers() throws Exception {
        lose(2, new int[] {DEPTH, 0, 0});
    }

    @Test
    void failsAllIfItWasTheOnlyOne() throws Exception {
        lose(1, new int[] {FILES, FILES});
    }
}
