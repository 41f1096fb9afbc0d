package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
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
        DatasetShape shape = DatasetShape.of("imagenetish").scaled(0.0001);
        Path made = folder.resolve("not/there/yet");
        DatasetReport report = DatasetFolder.make(shape, made, false, step -> {});
        assertThat(report.bytes()).isEqualTo(shape.bytes());
        assertThat(below(made)).hasSize(120);
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
        DatasetShape shape = DatasetShape.tiny(4);
        DatasetFolder.make(shape, folder, false, step -> {});
        Files.delete(folder.resolve("class001/class001_00000001.bin"));
        Files.writeString(folder.resolve("class001/class001_00000002.bin"), "short");
        Path third = folder.resolve("class001/class001_00000003.bin");
        byte[] bytes = Files.readAllBytes(third);
        bytes[4095]++;
        Files.write(third, bytes);
        List<String> told = new ArrayList<>();
        assertThat(DatasetCheck.run(shape, folder, told::add, step -> {}).differing())
                .isEqualTo(3);
        assertThat(told)
                .containsExactlyInAnyOrder(
                        "class001/class001_00000001.bin is not there",
                        "class001/class001_00000002.bin has 5 bytes, not 4096",
                        "class001/class001_00000003.bin differs from byte 4095 on");
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
        DatasetShape shape = DatasetShape.of("tiktokish").scaled(0.1);
        Path mine = Files.writeString(folder.resolve("mine"), "mine");
        Thread caller = Thread.currentThread();
        for (Path target : List.of(folder, folder.resolve("new/folder"))) {
            try {
                assertThatThrownBy(() -> DatasetFolder.make(shape, target, true, step -> caller.interrupt()))
                        .isInstanceOf(InterruptedIOException.class);
            } finally {
                assertThat(Thread.interrupted()).isTrue();
            }
            try (Stream<Path> left = Files.list(folder)) {
                assertThat(left).containsExactly(mine);
            }
        }
    }

    @Test
    void whatWasWrittenIsRemovedWhenAFileCannotBe() throws IOException {
        DatasetShape shape = DatasetShape.tiny(3_000);
        Path inTheWay = Files.createDirectories(folder.resolve("class003/class003_00000500.bin/full"));
        assertThatThrownBy(() -> DatasetFolder.make(shape, folder, true, step -> {}))
                .hasMessageContaining("class003_00000500.bin");
        assertThat(below(folder)).isEmpty();
        assertThat(inTheWay).exists();
        assertThat(folder.resolve("class001")).doesNotExist();
    }
}
