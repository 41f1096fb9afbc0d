package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Data sets in folders. */
class DatasetFolderTest {
    @TempDir
    private Path folder;

    private static List<Path> below(Path path) throws IOException {
        try (Stream<Path> files = Files.walk(path)) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    @Test
    void holdTheGeneratedBytes() throws IOException {
        DatasetShape shape = DatasetShape.of("imagenetish").scaled(0.00002);
        Path made = folder.resolve("not/there/yet");
        DatasetReport report = DatasetFolder.make(shape, made, false, step -> {});
        assertThat(report.bytes()).isEqualTo(shape.bytes());
        assertThat(below(made)).hasSize(24);
        DatasetContent content = new DatasetContent();
        for (Iterator<DatasetFile> files = shape.iterator(); files.hasNext(); ) {
            DatasetFile file = files.next();
            byte[] bytes = Files.readAllBytes(made.resolve(file.path()));
            assertThat(content.mismatch(file, MemorySegment.ofArray(bytes)))
                    .as(file.path())
                    .isEqualTo(-1);
        }
        assertThat(DatasetCheck.run(shape, made, line -> {}, step -> {}).differing())
                .isZero();
    }

    @Test
    void whatDiffersIsTold() throws IOException {
        DatasetShape shape = DatasetShape.tiny(2_000).scaled(0.003);
        DatasetFolder.make(shape, folder, false, step -> {});
        Files.delete(folder.resolve("class001/class001_00000001.bin"));
        Files.writeString(folder.resolve("class001/class001_00000002.bin"), "short");
        Path third = folder.resolve("class001/class001_00000003.bin");
        byte[] bytes = Files.readAllBytes(third);
        bytes[4095]++;
        Files.write(third, bytes);
        Files.move(folder.resolve("class002"), folder.resolve("elsewhere"));
        Files.createSymbolicLink(folder.resolve("class002"), Path.of("class002"));
        List<String> told = Collections.synchronizedList(new ArrayList<>());
        assertThat(DatasetCheck.run(shape, folder, told::add, step -> {}).differing())
                .isEqualTo(6);
        assertThat(told)
                .hasSize(6)
                .contains(
                        "class001/class001_00000001.bin is not there",
                        "class001/class001_00000002.bin has 5 bytes, not 4096",
                        "class001/class001_00000003.bin differs from byte 4095 on")
                .filteredOn(line -> line.startsWith("class002/"))
                .hasSize(3)
                .allMatch(line -> line.contains(".bin cannot be read: Too many levels of symbolic links"));
    }

    @Test
    void whatIsNoRegularFileDiffersAndIsNotWaitedFor() throws IOException {
        Program mkfifo = Program.find("mkfifo").orElse(null);
        assumeTrue(mkfifo != null, "needs mkfifo (apt-get install coreutils)");
        DatasetShape shape = DatasetShape.tiny(4);
        DatasetFolder.make(shape, folder, false, step -> {});
        Path one = folder.resolve("class001");
        for (int file = 1; file < 4; file++) {
            Files.delete(one.resolve("class001_0000000" + file + ".bin"));
        }
        Files.createDirectory(one.resolve("class001_00000001.bin"));
        mkfifo.run(one.resolve("class001_00000002.bin").toString());
        Files.createSymbolicLink(one.resolve("class001_00000003.bin"), one.resolve("class001_00000004.bin"));
        List<String> told = Collections.synchronizedList(new ArrayList<>());
        assertThat(DatasetCheck.run(shape, folder, told::add, step -> {}).differing())
                .isEqualTo(3);
        assertThat(told)
                .containsExactlyInAnyOrder(
                        "class001/class001_00000001.bin is no regular file",
                        "class001/class001_00000002.bin is no regular file",
                        "class001/class001_00000003.bin is no regular file");
    }

    @Test
    void aFolderThatHoldsSomethingIsWrittenToOnlyWhenForced() throws IOException {
        DatasetShape shape = DatasetShape.tiny(2);
        Path mine = Files.writeString(folder.resolve("mine"), "mine");
        Path elsewhere = Files.writeString(folder.resolve("elsewhere"), "elsewhere");
        assertThatThrownBy(() -> DatasetFolder.make(shape, folder, false, step -> {}))
                .hasMessageContaining("is not empty")
                .hasMessageContaining("--force");
        Files.createDirectory(folder.resolve("class001"));
        Files.createSymbolicLink(folder.resolve("class001/class001_00000001.bin"), elsewhere);
        DatasetFolder.make(shape, folder, true, step -> {});
        assertThat(DatasetCheck.run(shape, folder, line -> {}, step -> {}).differing())
                .isZero();
        assertThat(mine).hasContent("mine");
        assertThat(elsewhere).hasContent("elsewhere");
        assertThatThrownBy(() -> DatasetFolder.make(shape, mine, true, step -> {}))
                .isInstanceOf(NotDirectoryException.class);
    }

    @Test
    void whatWasWrittenIsRemovedOnceItIsInterruptedAndNothingElse() throws IOException {
        Path mine = Files.writeString(folder.resolve("mine"), "mine");
        Thread caller = Thread.currentThread();
        for (Path target : List.of(folder, folder.resolve("new/folder"))) {
            try {
                assertThatThrownBy(() -> makeUntilSomethingIsWritten(target, caller::interrupt))
                        .isInstanceOf(InterruptedIOException.class);
            } finally {
                assertThat(Thread.interrupted()).isTrue();
            }
            assertOnlyLeft(mine);
        }
    }

    @Test
    void whatWasWrittenIsRemovedAfterAnyFailure() throws IOException {
        Path mine = Files.writeString(folder.resolve("mine"), "mine");
        IllegalStateException failure = new IllegalStateException("nobody listens");
        assertThatThrownBy(() -> makeUntilSomethingIsWritten(folder, () -> {
                    throw failure;
                }))
                .isSameAs(failure);
        assertOnlyLeft(mine);
    }

    /** Begins a set that takes longer than the first time that it is told how far it is. */
    private static void makeUntilSomethingIsWritten(Path target, Runnable then) throws IOException {
        DatasetShape shape = DatasetShape.of("tiktokish").scaled(0.5);
        DatasetFolder.make(shape, target, true, step -> {
            if (Files.exists(target.resolve("class001/class001_00000001.bin"))) {
                then.run();
            }
        });
    }

    private void assertOnlyLeft(Path mine) throws IOException {
        try (Stream<Path> left = Files.list(folder)) {
            assertThat(left).containsExactly(mine);
        }
    }

    @Test
    void whatWasWrittenIsRemovedWhenAFileCannotBe() throws IOException {
        DatasetShape shape = DatasetShape.tiny(3_000).scaled(0.05);
        Path inTheWay = Files.createDirectories(folder.resolve("class003/class003_00000025.bin/full"));
        assertThatThrownBy(() -> DatasetFolder.make(shape, folder, true, step -> {}))
                .hasMessageContaining("class003_00000025.bin");
        assertThat(below(folder)).isEmpty();
        assertThat(inTheWay).exists();
        assertThat(folder.resolve("class001")).doesNotExist();
    }

    @Test
    void whatAnotherRunPutThereMeanwhileStays() throws IOException {
        DatasetShape shape = DatasetShape.tiny(3_000).scaled(0.01);
        Path theirs = folder.resolve("class002/class002_00000005.bin");
        assertThatThrownBy(() -> DatasetFolder.make(shape, folder, false, step -> putOnce(theirs)))
                .isInstanceOf(FileAlreadyExistsException.class)
                .hasMessageContaining(theirs.toString());
        assertThat(below(folder)).containsExactly(theirs);
        assertThat(theirs).hasContent("theirs");
        assertThat(folder.resolve("class001")).doesNotExist();
    }

    private static void putOnce(Path file) {
        try {
            if (Files.notExists(file)) {
                Files.createDirectories(file.getParent());
                Files.writeString(file, "theirs");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
