package io.aisio.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.cuda.Cuda;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Each example, run as a person would, but in this JVM. */
@Timeout(60)
class ExamplesTest {
    @TempDir
    private Path folder;

    private interface Main {
        void run(String[] arguments) throws IOException;
    }

    private static List<String> lines(Main main, String... arguments) throws IOException {
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        PrintStream before = System.out;
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        try {
            main.run(arguments);
        } finally {
            System.setOut(before);
        }
        return new ArrayList<>(printed.toString(StandardCharsets.UTF_8).lines().toList());
    }

    /** An XFS that has the files {@code /a/one} and {@code /two}. */
    private Path image(byte[] one, byte[] two) throws Exception {
        Path mkfs = Path.of("/usr/sbin/mkfs.xfs");
        assumeTrue(Files.isExecutable(mkfs), "needs mkfs.xfs (apt-get install xfsprogs)");
        Path prototype = Files.writeString(
                folder.resolve("prototype"),
                "/\n0 0\nd--755 0 0\na d--755 0 0\none ---644 0 0 %s\n$\ntwo ---644 0 0 %s\n$\n"
                        .formatted(Files.write(folder.resolve("one"), one), Files.write(folder.resolve("two"), two)));
        Path image = folder.resolve("set.img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(512L << 20);
        }
        Process process = new ProcessBuilder(mkfs.toString(), "-q", "-f", "-p", prototype.toString(), image.toString())
                .inheritIO()
                .start();
        assertThat(process.waitFor()).isZero();
        return image;
    }

    @Test
    void walkImageReadsEveryFile() throws Exception {
        Path image = image(new byte[100_000], new byte[7]);
        assertThat(lines(WalkImage::main, "emu:" + image))
                .containsExactly("100000\t/a/one", "7\t/two", "100007\tread of emu:" + image);
    }

    @Test
    void gpuBatchesTellsWhereThereIsNoGpu() throws Exception {
        assumeTrue(Cuda.missing() != null, "needs a machine without a GPU");
        assertThat(lines(GpuBatches::main, "emu:none", "aisio-p2p"))
                .singleElement()
                .asString()
                .startsWith("no GPU: ");
    }

    @Test
    @Tag("gpu")
    void gpuBatchesAddsUpEveryFileOnTheGpu() throws Exception {
        assumeTrue(Cuda.missing() == null, "needs a GPU");
        byte[] one = new byte[100_000];
        new Random(1).nextBytes(one);
        byte[] two = {1, 2, 3};
        long sum = 6;
        for (byte each : one) {
            sum += each & 0xFF;
        }
        Path image = image(one, two);
        for (String backend : List.of("aisio-p2p", "aisio-gpu")) {
            List<String> lines = lines(GpuBatches::main, "emu:" + image, backend);
            assertThat(lines.removeFirst())
                    .startsWith("2 files by software controller")
                    .contains("GPU 0");
            assertThat(lines)
                    .containsExactly(
                            "epoch 0, batch 0: 2 files, 100003 bytes, sum " + sum,
                            "epoch 1, batch 0: 2 files, 100003 bytes, sum " + sum);
        }
    }

    @Test
    void loadBatchesReadsEveryFileInEachEpoch() throws Exception {
        List<String> lines = lines(LoadBatches::main, "emu:" + image(new byte[100_000], new byte[7]));
        assertThat(lines.removeFirst())
                .startsWith("2 files of 2 classes by software controller, user-space queue pairs");
        // Labels 1 and 0, 100,007 bytes.
        assertThat(lines)
                .containsExactly(
                        "epoch 0, batch 0: 2 files, 100007 bytes, sum 100038",
                        "epoch 1, batch 0: 2 files, 100007 bytes, sum 100038");
    }

    @Test
    void directReadTellsAFilesChecksum() throws Exception {
        byte[] two = new byte[3_000_001];
        new Random(2).nextBytes(two);
        CRC32 crc = new CRC32();
        crc.update(two);
        List<String> lines = lines(DirectRead::main, "emu:" + image(new byte[1], two), "/two");
        assertThat(lines.getFirst()).isEqualTo("%08x\t3000001\t/two".formatted(crc.getValue()));
        assertThat(lines.getLast()).startsWith("read by: ").contains("user-space queue pairs");
    }

    @Test
    void readBlocksShowsTheFirstBytes() throws IOException {
        byte[] content = new byte[1 << 20];
        content[0] = 0x41;
        content[1] = (byte) 0xFF;
        Path image = Files.write(folder.resolve("blocks.img"), content);
        List<String> lines = lines(ReadBlocks::main, "emu:" + image + "?readonly");
        assertThat(lines.getFirst()).startsWith("41 ff 00 ");
        assertThat(lines.getLast()).contains("user-space queue pairs");
        assertThat(lines(ReadBlocks::main, image + "?readonly").getFirst()).startsWith("41 ff 00 ");
    }

    @Test
    void fullSpeedTellsHowManyReadsItMade() throws IOException {
        List<String> lines = lines(FullSpeed::main, "emu:null,1TiB");
        assertThat(lines.getFirst()).matches("[1-9][0-9]+ reads a second of 4096 bytes");
        assertThat(lines.getLast()).contains("null media");
    }
}
