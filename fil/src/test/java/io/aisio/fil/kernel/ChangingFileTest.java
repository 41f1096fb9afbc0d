package io.aisio.fil.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import io.aisio.fil.spi.Backend.Settings;
import io.aisio.fil.spi.BatchReads;
import io.aisio.fil.spi.FileTable;
import io.aisio.fil.spi.Selection;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A file that is written to between two turns of who reads it. */
@Timeout(60)
class ChangingFileTest {
    /** More than is read in one turn by either. */
    private static final int BYTES = 5 << 20;

    private static final int PAGE = 4096;
    private static final int ALWAYS = -1;

    @TempDir
    private Path place;

    /** Reads the file, which is written to after each of the first turns, or touched after every one; why it was not read. */
    private @Nullable IOException read(boolean uring, boolean buffered, int changes, int lastBytes) throws IOException {
        Path file = Files.write(place.resolve("file"), new byte[BYTES]);
        Settings settings = new Settings(false, buffered, 1, 2, 64 << 10);
        try (Folder folder = Folder.open(place.toString(), settings, uring)) {
            if (uring && !folder.path().contains("io_uring,")) {
                return abort("needs io_uring: " + folder.path());
            }
            FileTable table = new FileTable();
            folder.list(new Selection.Folder("/", any -> true), table);
            try (BatchReads reads = folder.openReads(table, 1, folder.room(BYTES), 1)) {
                reads.begin(0, new int[] {0}, new long[] {0}, 1);
                int[] done = new int[1];
                byte[] content = new byte[0];
                for (int turn = 1; reads.drive(done, true) <= 0; turn++) {
                    if (changes == ALWAYS) {
                        Files.setLastModifiedTime(file, FileTime.fromMillis(turn));
                    } else if (turn <= changes) {
                        content = new byte[lastBytes];
                        Arrays.fill(content, (byte) turn);
                        Files.write(file, content);
                    }
                }
                IOException failure = reads.failure(0, 0);
                if (failure == null) {
                    assertThat(reads.length(0, 0)).isEqualTo(content.length);
                    assertThat(reads.changed()).isEqualTo(1);
                    byte[] room = Arrays.copyOf(content, (int) folder.room(BYTES));
                    assertThat(Arrays.mismatch(room, reads.memory().toArray(ValueLayout.JAVA_BYTE)))
                            .as("first byte that is not as the file or zero")
                            .isEqualTo(-1);
                }
                return failure;
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"false,false", "false,true", "true,false", "true,true"})
    void isReadAnew(boolean uring, boolean buffered) throws IOException {
        assertThat(read(uring, buffered, 1, BYTES)).isNull();
        assertThat(read(uring, buffered, 1, BYTES - 3 * PAGE - 7)).isNull();
        assertThat(read(uring, buffered, 1, 1)).isNull();
        assertThat(read(uring, buffered, 1, 0)).isNull();
    }

    @ParameterizedTest
    @CsvSource({"false", "true"})
    void isNoticedIfItIsAnotherOneThanWasListed(boolean uring) throws IOException {
        for (String name : new String[] {"a", "b", "c"}) {
            Files.write(place.resolve(name), new byte[100]);
        }
        try (Folder folder = Folder.open(place.toString(), new Settings(false, true, 1, 2, 0), uring)) {
            FileTable table = new FileTable();
            folder.list(new Selection.Folder("/", any -> true), table);
            Files.move(
                    Files.write(place.resolve("new"), new byte[100]),
                    place.resolve("b"),
                    StandardCopyOption.REPLACE_EXISTING);
            Files.setLastModifiedTime(place.resolve("b"), Files.getLastModifiedTime(place.resolve("a")));
            try (BatchReads reads = folder.openReads(table, 1, 3 * folder.room(100), 3)) {
                for (int epoch = 1; epoch <= 2; epoch++) {
                    reads.begin(0, new int[] {0, 1, 2}, new long[] {0, PAGE, 2 * PAGE}, 3);
                    drive(reads);
                    for (int i = 0; i < 3; i++) {
                        assertThat(reads.failure(0, i)).isNull();
                    }
                    assertThat(reads.changed()).isEqualTo(epoch);
                }
            }
        }
    }

    private static void drive(BatchReads reads) {
        int[] done = new int[1];
        while (reads.drive(done, true) <= 0) {
            Thread.onSpinWait();
        }
    }

    @ParameterizedTest
    @CsvSource({"false", "true"})
    void goesThroughTheCacheIfItIsNotReadPastIt(boolean uring) throws IOException {
        byte[] content = new byte[10_000];
        Arrays.fill(content, (byte) 7);
        Files.write(place.resolve("file"), content);
        for (boolean require : new boolean[] {true, false}) {
            Settings settings = new Settings(require, false, 1, 4, PAGE);
            try (Folder folder = Folder.open(place.toString(), settings, uring)) {
                FileTable table = new FileTable();
                folder.list(new Selection.Folder("/", any -> true), table);
                assertThat(folder.path()).contains(", direct").doesNotContain("some through");
                try (BatchReads reads = folder.openReads(table, 1, folder.room(content.length) + PAGE, 1)) {
                    // A place in memory at which no device writes, as for one file with needs of its own.
                    reads.begin(0, new int[] {0}, new long[] {1}, 1);
                    drive(reads);
                    IOException failure = reads.failure(0, 0);
                    if (require && failure == null) {
                        abort("needs a file system that reads nothing past the page cache to odd addresses");
                    } else if (require) {
                        assertThat(failure).hasMessageContaining("EINVAL").hasMessageContaining(place + "/file");
                    } else {
                        assertThat(failure).isNull();
                        assertThat(reads.memory().asSlice(1, content.length).toArray(ValueLayout.JAVA_BYTE))
                                .isEqualTo(content);
                        assertThat(folder.path()).contains("some through the page cache, such as /file");
                    }
                }
            } catch (IOException e) {
                abort("needs a file system with direct reads: " + e.getMessage());
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"false", "true"})
    void isNotSaidToBeReadDirectlyIfItIsEmpty(boolean uring) throws IOException {
        Files.createFile(place.resolve("empty"));
        try (Folder folder = Folder.open(place.toString(), new Settings(false, false, 1, 1, 0), uring)) {
            folder.list(new Selection.Folder("/", any -> true), new FileTable());
            assertThat(folder.path())
                    .matches(".*(, direct if it can be.*there is no file that could be asked|not direct).*");
        }
    }

    @ParameterizedTest
    @CsvSource({"false", "true"})
    void isGivenUpIfItNeverStandsStill(boolean uring) throws IOException {
        assertThat(read(uring, true, ALWAYS, BYTES))
                .isNotNull()
                .hasMessage(place + "/file: it changed each of the 4 times that it was read");
    }

    @ParameterizedTest
    @CsvSource({"false", "true"})
    void isGivenUpIfItOutgrowsItsRoom(boolean uring) throws IOException {
        assertThat(read(uring, true, 1, BYTES + 1))
                .isNotNull()
                .hasMessage(
                        place + "/file: it has grown from 5242880 to 5242881 bytes since it was listed, and has room"
                                + " for 5242880");
    }
}
