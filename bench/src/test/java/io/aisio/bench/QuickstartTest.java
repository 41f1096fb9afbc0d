package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xal.FileBlocks;
import io.aisio.xal.FileType;
import io.aisio.xal.Xal;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What quickstart is made of; the whole runs through the command line in cli's tests. */
class QuickstartTest {
    @TempDir
    Path folder;

    @Test
    void theImageThatComesWithTheProgramHoldsTheSmallSamplesAndNothingElse() throws IOException {
        Path image = folder.resolve("image");
        XfsImage.unpack(image);
        List<String> found = new ArrayList<>();
        try (FileBlocks blocks = FileBlocks.open(image);
                Xal xal = Xal.open(blocks)) {
            xal.walk("/", new Xal.Visitor() {
                @Override
                public void visit(io.aisio.xal.Entry entry) {
                    if (entry.type() == FileType.REGULAR) {
                        found.add(entry.path() + " " + entry.inode().size());
                    }
                }

                @Override
                public void damaged(String path, IOException problem) throws IOException {
                    throw problem;
                }
            });
        }
        assertThat(found)
                .containsExactlyElementsOf(SampleFiles.small().files().stream()
                        .map(file -> file.path() + " " + file.size())
                        .toList());
    }

    @Test
    void theSamplesAreTheSameEverywhere() throws IOException {
        SampleFiles files = SampleFiles.imagenetish();
        assertThat(files.files()).hasSize(301);
        assertThat(files.largest()).isEqualTo(64 << 20);
        assertThat(files.bytes()).isEqualTo(100_886_837L);
        SampleFiles.SampleFile first = files.files().getFirst();
        assertThat(first.path()).isEqualTo("/class000/class000_00000000.bin");
        assertThat(first.size()).isBetween(75_000L, 150_000L);
        var bytes = new ByteArrayOutputStream();
        first.writeTo(bytes);
        assertThat(bytes.size()).isEqualTo((int) first.size());
        assertThat(SampleFiles.sha256().digest(bytes.toByteArray())).isEqualTo(first.digest());
        SampleFiles.write(first, folder);
        assertThat(Files.readAllBytes(folder.resolve("class000/class000_00000000.bin")))
                .isEqualTo(bytes.toByteArray());
    }

    @Test
    void whatMkfsSaysIsTold() throws IOException {
        Path liar = folder.resolve("mkfs.xfs");
        Files.writeString(liar, "#!/bin/sh\necho 'no room for a log'\nexit 1\n");
        assertThat(liar.toFile().setExecutable(true)).isTrue();
        assertThatThrownBy(() ->
                        XfsImage.make(liar, SampleFiles.small(), folder.resolve("files"), folder.resolve("image")))
                .hasMessageContaining("made no 512 MiB image")
                .hasMessageContaining("no room for a log");
    }

    @Test
    void aMissingFolderIsNamed() {
        assertThatThrownBy(() -> Quickstart.in(folder.resolve("none"), step -> {}))
                .isInstanceOf(NoSuchFileException.class);
    }

    @Test
    void itsFolderIsGoneAfterwardsButForAKeptImage() throws IOException {
        Quickstart quickstart = Quickstart.in(folder, step -> {});
        Path image = quickstart.image();
        Files.writeString(image, "an image");
        Files.createDirectories(image.resolveSibling("files/class000"));
        quickstart.keepImage();
        quickstart.close();
        assertThat(image).exists();
        assertThat(image.resolveSibling("files")).doesNotExist();

        Quickstart another = Quickstart.in(folder, step -> {});
        another.close();
        another.close();
        assertThat(another.image().getParent()).doesNotExist();
    }
}
