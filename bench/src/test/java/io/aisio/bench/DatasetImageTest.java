package io.aisio.bench;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.fil.Batch;
import io.aisio.fil.BatchReader;
import io.aisio.fil.Dataset;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.Xal;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Images that hold a data set, read back in batches and checked by XFS's own tool. */
class DatasetImageTest {
    @TempDir
    private Path folder;

    private Path image;

    @BeforeEach
    void needsMkfs() {
        assumeTrue(Program.find("mkfs.xfs").isPresent(), "needs mkfs.xfs (apt-get install xfsprogs)");
        image = folder.resolve("a set.img");
    }

    private List<String> left() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }

    /** The regular files of the image whose content is not the shape's, and those that are missing or too many. */
    private List<String> differences(DatasetShape shape) throws IOException {
        Map<String, DatasetFile> expected = new TreeMap<>();
        shape.iterator().forEachRemaining(file -> expected.put("/" + file.path(), file));
        List<String> differences = new ArrayList<>();
        DatasetContent content = new DatasetContent();
        try (Dataset data = Dataset.open(image + "?readonly", "/");
                BatchReader batches = data.batches(32).open()) {
            for (Batch batch : batches) {
                for (int i = 0; i < batch.size(); i++) {
                    DatasetFile file = expected.remove(batch.path(i));
                    if (file == null || content.mismatch(file, batch.content(i)) >= 0) {
                        differences.add(batch.path(i));
                    }
                }
            }
        }
        differences.addAll(expected.keySet());
        return differences;
    }

    private void isCleanForXfsRepair() throws IOException {
        Program repair = Program.find("xfs_repair").orElse(null);
        if (repair != null) {
            repair.run("-n", "-f", image.toString());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "imagenetish, 0.00004, true",
        "imagenetish, 0.00001, false",
        "tiktokish, 0.005, true",
        "filesize8gib, 0.00005, true",
        "lmcacheish, 0.0006, true",
        "tiny, 0.0001, true"
    })
    void holdTheGeneratedBytesAndAreClean(String name, double scale, boolean sparse) throws IOException {
        DatasetShape shape = DatasetShape.of(name).scaled(scale);
        DatasetReport report = DatasetImage.make(shape, image, false, sparse, step -> {});
        assertThat(report.files()).isEqualTo(shape.files());
        assertThat(report.bytes()).isEqualTo(shape.bytes());
        assertThat(Files.size(image)).isEqualTo(report.targetBytes()).isEqualTo(DatasetImage.imageBytes(shape));
        assertThat(differences(shape)).isEmpty();
        isCleanForXfsRepair();
        assertThat(left()).containsExactly("a set.img");
        assertThat(DatasetCheck.run(shape, image, line -> {}, step -> {}).differing())
                .isZero();
    }

    /** Names that fill many blocks of a directory, and inodes many of their chunks. */
    @Test
    void holdManyFilesOfABlockEach() throws IOException {
        DatasetShape shape = DatasetShape.tiny(1_001);
        DatasetImage.make(shape, image, false, step -> {});
        assertThat(DatasetCheck.run(shape, image, line -> {}, step -> {}))
                .satisfies(report -> assertThat(report.differing()).isZero())
                .satisfies(report -> assertThat(report.files()).isEqualTo(1_001));
        isCleanForXfsRepair();
    }

    @Test
    void aByteThatIsNotRightIsTold() throws IOException {
        DatasetShape shape = DatasetShape.tiny(3);
        DatasetImage.make(shape, image, false, step -> {});
        DatasetFile second = filesOf(shape).get(1);
        long position;
        try (FileBlocks blocks = FileBlocks.open(image);
                Xal xal = Xal.open(blocks)) {
            position = xal.pieces(xal.lookup("/" + second.path())).getFirst().position();
        }
        try (FileChannel channel = FileChannel.open(image, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer one = ByteBuffer.allocate(1);
            channel.read(one, position + 1000);
            channel.write(ByteBuffer.wrap(new byte[] {(byte) ~one.get(0)}), position + 1000);
        }
        List<String> told = new ArrayList<>();
        assertThat(DatasetCheck.run(DatasetShape.tiny(4), image, told::add, step -> {})
                        .differing())
                .isEqualTo(2);
        assertThat(told)
                .containsExactlyInAnyOrder(
                        second.path() + " differs from byte 1000 on", "class001/class001_00000004.bin is not there");
    }

    @Test
    void whatIsDamagedIsTold() throws IOException {
        DatasetShape shape = DatasetShape.tiny(2_000).scaled(0.003);
        DatasetImage.make(shape, image, false, step -> {});
        String second = filesOf(shape).get(1).path();
        long file;
        long directory;
        try (FileBlocks blocks = FileBlocks.open(image);
                Xal xal = Xal.open(blocks)) {
            file = xal.lookup("/" + second).inode().number();
            directory = xal.lookup("/class002").inode().number();
        }
        damage(file);
        damage(directory);
        List<String> told = Collections.synchronizedList(new ArrayList<>());
        assertThat(DatasetCheck.run(shape, image, told::add, step -> {}).differing())
                .isEqualTo(4);
        assertThat(told)
                .hasSize(4)
                .anyMatch(line -> line.startsWith(second + " cannot be read: " + image + ": inode " + file))
                .filteredOn(line -> line.startsWith("class002/"))
                .hasSize(3)
                .allMatch(line -> line.contains(" cannot be read: " + image + ": inode " + directory));
    }

    /** Turns a byte of an inode over: its number says where it lies, with what the superblock says of its parts. */
    private void damage(long inode) throws IOException {
        try (FileChannel channel = FileChannel.open(image, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer superblock = ByteBuffer.allocate(512);
            channel.read(superblock, 0);
            int inGroup = superblock.get(123) + superblock.get(124);
            long group = (long) superblock.getInt(84) * superblock.getInt(4);
            int inodeBytes = superblock.getShort(104);
            long position = (inode >> inGroup) * group + (inode & ((1L << inGroup) - 1)) * inodeBytes;
            ByteBuffer bytes = ByteBuffer.allocate(inodeBytes);
            channel.read(bytes, position);
            assertThat(new String(bytes.array(), 0, 2, US_ASCII)).isEqualTo("IN");
            bytes.put(inodeBytes - 1, (byte) ~bytes.get(inodeBytes - 1));
            channel.write(bytes.flip().limit(inodeBytes), position);
        }
    }

    private static List<DatasetFile> filesOf(DatasetShape shape) {
        List<DatasetFile> files = new ArrayList<>();
        for (Iterator<DatasetFile> all = shape.iterator(); all.hasNext(); ) {
            files.add(all.next());
        }
        return files;
    }

    @Test
    void anImageThatIsThereStaysUnlessItIsToBeReplaced() throws IOException {
        Files.writeString(image, "mine");
        DatasetShape shape = DatasetShape.tiny(2);
        assertThatThrownBy(() -> DatasetImage.make(shape, image, false, step -> {}))
                .isInstanceOf(FileAlreadyExistsException.class)
                .hasMessageContaining("--force");
        assertThat(image).hasContent("mine");
        DatasetImage.make(shape, image, true, step -> {});
        assertThat(differences(shape)).isEmpty();
        assertThatThrownBy(() -> DatasetImage.make(shape, folder, true, step -> {}))
                .hasMessageContaining(folder + " is no file");
    }

    @Test
    void nothingIsLeftOfOneThatIsInterrupted() throws IOException {
        DatasetShape shape = DatasetShape.of("tiktokish").scaled(0.01);
        Thread caller = Thread.currentThread();
        for (String moment : List.of("making an XFS", "writing")) {
            try {
                assertThatThrownBy(() -> DatasetImage.make(shape, image, false, step -> {
                            if (step.startsWith(moment)) {
                                caller.interrupt();
                            }
                        }))
                        .as(moment)
                        .isInstanceOf(InterruptedIOException.class);
            } finally {
                assertThat(Thread.interrupted()).isTrue();
            }
            assertThat(left()).isEmpty();
        }
    }

    @Test
    void filesThatMkfsCannotMakeAreRefusedWithTheNextStep() {
        assertThatThrownBy(() -> DatasetImage.make(DatasetShape.of("filesize8gib"), image, false, step -> {}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("files of 8 GiB")
                .hasMessageContaining("--scale 0.24 or less");
    }

    @Test
    void aDiskThatIsTooSmallIsNamed() {
        assertThatThrownBy(() -> DatasetImage.make(DatasetShape.tiny(99_999_999), image, false, step -> {}))
                .hasMessageContaining(folder.toString())
                .hasMessageContaining("free and the data set needs")
                .hasMessageContaining("--scale");
    }

    @Test
    void aMissingFolderIsNamed() {
        Path nowhere = folder.resolve("none/set.img");
        assertThatThrownBy(() -> DatasetImage.make(DatasetShape.tiny(1), nowhere, false, step -> {}))
                .hasMessageContaining(folder.resolve("none") + " is no folder");
    }
}
