package io.aisio.bench;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.quicktheories.QuickTheory.qt;
import static org.quicktheories.generators.SourceDSL.doubles;
import static org.quicktheories.generators.SourceDSL.integers;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The sets of files: their totals as published, and their bytes as others make them. */
class DatasetShapeTest {
    @TempDir
    private Path folder;

    private static List<DatasetFile> list(DatasetShape shape) {
        List<DatasetFile> files = new ArrayList<>();
        shape.iterator().forEachRemaining(files::add);
        return files;
    }

    private static DatasetFile first(DatasetShape shape) {
        return shape.iterator().next();
    }

    private static byte[] content(DatasetFile file) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DatasetContent content = new DatasetContent();
        content.begin(file);
        for (long at = 0; at < file.size(); at += DatasetContent.CHUNK) {
            int count = (int) Math.min(DatasetContent.CHUNK, file.size() - at);
            bytes.write(content.next(count), 0, count);
        }
        return bytes.toByteArray();
    }

    @ParameterizedTest
    @CsvSource({
        "imagenetish, 1000, 1199379, 134929413838",
        "tiktokish, 32, 448, 3517713980",
        "filesize8gib, 2, 20, 171798691840",
        "lmcacheish, 8, 1820, 26725171200",
        "tiny, 1000, 1000000, 4096000000"
    })
    void haveTheTotalsThatArePublished(String name, int classes, long files, long bytes) {
        DatasetShape shape = DatasetShape.of(name);
        assertThat(shape.classes()).hasSize(classes);
        assertThat(shape.files()).isEqualTo(files);
        assertThat(shape.bytes()).isEqualTo(bytes);
        long counted = 0;
        long summed = 0;
        for (Iterator<DatasetFile> all = shape.iterator(); all.hasNext(); counted++) {
            DatasetFile file = all.next();
            if (file.size() < shape.leastBytes() || file.size() > shape.mostBytes()) {
                throw new AssertionError(file + " is not within " + shape.leastBytes() + " to " + shape.mostBytes());
            }
            summed += file.size();
        }
        assertThat(counted).isEqualTo(files);
        assertThat(summed).isEqualTo(bytes);
    }

    @Test
    void areNamedAsTheOriginalsAre() {
        List<DatasetFile> imagenetish = list(DatasetShape.of("imagenetish").scaled(0.001));
        assertThat(imagenetish.getFirst().path()).isEqualTo("class001/class001_00000001.bin");
        assertThat(imagenetish.getLast().className()).isEqualTo("class1000");
        assertThat(imagenetish.getLast().name()).startsWith("class1000_0000");
        List<DatasetFile> lmcacheish = list(DatasetShape.of("lmcacheish"));
        assertThat(lmcacheish.getFirst().path()).isEqualTo("class000/chunk_00000.kvcache");
        assertThat(lmcacheish.get(228).path()).isEqualTo("class001/chunk_00228.kvcache");
        assertThat(lmcacheish.getLast().path()).isEqualTo("class007/chunk_01819.kvcache");
        assertThat(DatasetShape.of("lmcacheish").classes().getLast().files()).isEqualTo(224);
    }

    @ParameterizedTest
    @ValueSource(strings = {"imagenetish", "tiktokish", "filesize8gib", "lmcacheish", "tiny"})
    void seedEachClassWithWhatCksumPrints(String name) throws IOException {
        Program cksum = Program.find("cksum").orElse(null);
        assumeTrue(cksum != null, "needs cksum (apt-get install coreutils)");
        DatasetClass last = DatasetShape.of(name).classes().getLast();
        Path text = Files.writeString(folder.resolve("text"), name + "-" + last.name() + "\n");
        assertThat(cksum.print(text.toString()))
                .startsWith(Integer.toUnsignedString(last.state()) + " " + Files.size(text));
    }

    @Test
    void checksumIsCksumsOfAnyBytes() throws IOException {
        Program cksum = Program.find("cksum").orElse(null);
        assumeTrue(cksum != null, "needs cksum (apt-get install coreutils)");
        for (int length : new int[] {0, 1, 255, 256, 70_000}) {
            byte[] bytes = "x\u0000y".repeat(length).substring(0, length).getBytes(US_ASCII);
            Path file = Files.write(folder.resolve("bytes"), bytes);
            assertThat(cksum.print(file.toString()))
                    .startsWith(Integer.toUnsignedString(PosixChecksum.of(bytes)) + " " + length + " ");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"imagenetish", "tiktokish", "lmcacheish", "tiny"})
    void holdWhatOpensslMakesOfZeros(String name) throws IOException {
        Program openssl = Program.find("openssl").orElse(null);
        assumeTrue(openssl != null, "needs openssl (apt-get install openssl)");
        List<DatasetFile> files = list(DatasetShape.of(name).scaled(0.001));
        DatasetFile file = files.get(files.size() / 2);
        Path zeros = Files.write(folder.resolve("zeros"), new byte[(int) file.size()]);
        Path made = folder.resolve("made");
        openssl.run(
                "enc",
                "-aes-256-ctr",
                "-nosalt",
                "-K",
                HexFormat.of().formatHex(file.key()),
                "-iv",
                HexFormat.of().formatHex(file.counter()),
                "-in",
                zeros.toString(),
                "-out",
                made.toString());
        assertThat(content(file)).isEqualTo(Files.readAllBytes(made));
    }

    /** From the generator's definition, by hand: the checksum, a step for the size, eight for the key, four for the IV. */
    @Test
    void takeKeyAndCounterFromTheStepsAfterTheSizes() {
        DatasetFile file = first(DatasetShape.of("tiktokish"));
        assertThat(Integer.toUnsignedString(file.state())).isEqualTo("3618259628");
        long state = 3_618_259_628L;
        StringBuilder words = new StringBuilder();
        for (int step = 0; step < 13; step++) {
            state = (1_664_525 * state + 1_013_904_223) % (1L << 32);
            if (step == 0) {
                assertThat(file.size()).isEqualTo(7_340_032 + state % (8_388_608 - 7_340_032 + 1));
            } else {
                words.append("%08x".formatted(state));
            }
        }
        assertThat(HexFormat.of().formatHex(file.key()) + HexFormat.of().formatHex(file.counter()))
                .isEqualTo(words.toString());
        assertThat(Integer.toUnsignedLong(DatasetFile.after(file.state()))).isEqualTo(state);
    }

    @Test
    void aPartHoldsTheFirstFilesOfTheWholeAndNothingElse() {
        List<DatasetShape> shapes = List.of(
                DatasetShape.of("imagenetish").scaled(0.003),
                DatasetShape.of("tiktokish"),
                DatasetShape.of("lmcacheish"),
                DatasetShape.tiny(2_345));
        for (DatasetShape whole : shapes) {
            Map<String, List<DatasetFile>> byClass =
                    list(whole).stream().collect(Collectors.groupingBy(DatasetFile::className));
            qt().withExamples(10).forAll(doubles().between(1e-6, 1.0)).checkAssert(factor -> {
                DatasetShape part = whole.scaled(factor);
                assertThat(part.files()).isBetween(1L, whole.files());
                list(part).stream()
                        .collect(Collectors.groupingBy(DatasetFile::className))
                        .forEach((one, files) ->
                                assertThat(files).isEqualTo(byClass.get(one).subList(0, files.size())));
            });
        }
    }

    @ParameterizedTest
    @CsvSource({
        "imagenetish, 0.01, 1000, 12005",
        "imagenetish, 0.001, 1000, 1000",
        "imagenetish, 0.0001, 120, 120",
        "imagenetish, 0.000000001, 1, 1",
        "tiktokish, 0.5, 32, 224",
        "tiktokish, 0.01, 4, 4",
        "lmcacheish, 0.1, 8, 183",
        "tiny, 0.01, 1000, 10000",
        "imagenetish, 1, 1000, 1199379"
    })
    void aPartHasAboutThatPartOfTheFiles(String name, double factor, int classes, long files) {
        DatasetShape part = DatasetShape.of(name).scaled(factor);
        assertThat(part.classes()).hasSize(classes);
        assertThat(part.files()).isCloseTo(files, Percentage.withPercentage(1));
    }

    @Test
    void aPartOfTheLargeFilesHasTheBeginningOfEach() {
        DatasetShape part = DatasetShape.of("filesize8gib").scaled(0.01);
        assertThat(part.files()).isEqualTo(20);
        assertThat(part.mostBytes()).isEqualTo(85_897_216).isEqualTo(part.leastBytes());
        assertThat(part.bytes()).isEqualTo(20 * part.mostBytes());
        assertThat(DatasetShape.of("filesize8gib").scaled(1e-12).mostBytes()).isEqualTo(4096);
        assertThat(first(part).state())
                .isEqualTo(first(DatasetShape.of("filesize8gib")).state());
    }

    @Test
    void differencesAreFoundWhereTheyAre() {
        DatasetFile file = first(DatasetShape.of("imagenetish"));
        byte[] bytes = content(file);
        DatasetContent content = new DatasetContent();
        assertThat(content.mismatch(file, MemorySegment.ofArray(bytes))).isEqualTo(-1);
        qt().withExamples(30).forAll(integers().between(0, bytes.length - 1)).checkAssert(at -> {
            bytes[at] ^= 1;
            assertThat(content.mismatch(file, MemorySegment.ofArray(bytes))).isEqualTo((long) at);
            bytes[at] ^= 1;
        });
        assertThat(content.mismatch(file, MemorySegment.ofArray(bytes).asSlice(0, 7)))
                .isEqualTo(7);
    }

    @Test
    void refuseWhatTheyCannotBe() {
        assertThatThrownBy(() -> DatasetShape.of("mnist"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'mnist'")
                .hasMessageContaining("imagenetish, tiktokish, filesize8gib, lmcacheish, tiny");
        DatasetShape shape = DatasetShape.of("tiktokish");
        for (double factor : new double[] {0, -0.1, 1.5, Double.NaN}) {
            assertThatThrownBy(() -> shape.scaled(factor)).hasMessageContaining(Double.toString(factor));
        }
        assertThatThrownBy(() -> DatasetShape.tiny(0)).hasMessageContaining("0 files");
        assertThatThrownBy(() -> DatasetShape.tiny(100_000_000)).hasMessageContaining("99999999");
    }
}
