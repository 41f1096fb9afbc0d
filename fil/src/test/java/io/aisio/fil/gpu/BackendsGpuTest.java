package io.aisio.fil.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.cuda.Checksums;
import io.aisio.cuda.CuFile;
import io.aisio.cuda.Cuda;
import io.aisio.cuda.Gpu;
import io.aisio.cuda.GpuMemory;
import io.aisio.fil.Batch;
import io.aisio.fil.BatchReader;
import io.aisio.fil.Dataset;
import io.aisio.fil.DeviceBlocks;
import io.aisio.fil.DirectFile;
import io.aisio.fil.spi.Backend.CuFileCalls;
import io.aisio.fil.spi.Backend.Settings;
import io.aisio.fil.spi.Backend.Target;
import io.aisio.linux.OpenFile;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Files into the memory of a GPU, by every way that there is, each against what the processor reads: of an image with files of
 * odd sizes, in many pieces, with holes and unwritten ranges, and one larger than any command.
 */
@Tag("gpu")
class BackendsGpuTest {
    @TempDir
    private static Path folder;

    private static Path image;
    private static Path copies;
    private static Gpu gpu;

    /** Files by their paths, as they are read into the host's memory. */
    private static final Map<String, byte[]> EXPECTED = new TreeMap<>();

    @BeforeAll
    static void openGpu() throws IOException {
        String missing = Cuda.missing();
        assumeTrue(missing == null, () -> "needs a GPU: " + missing);
        image = folder.resolve("files.xfs");
        try (InputStream in = new GZIPInputStream(
                Objects.requireNonNull(BackendsGpuTest.class.getResourceAsStream("files.xfs.gz")))) {
            Files.copy(in, image);
        }
        // Where cuFile takes files, if that is known.
        String named = System.getenv("AISIO_CUFILE_FOLDER");
        copies = named == null ? folder.resolve("copies") : Files.createTempDirectory(Path.of(named), "copies-");
        try (Dataset data = Dataset.open("emu:" + image + "?readonly", "/");
                BatchReader batches = data.batches(5).open()) {
            for (Batch batch : batches) {
                for (int i = 0; i < batch.size(); i++) {
                    byte[] content = batch.content(i).toArray(ValueLayout.JAVA_BYTE);
                    EXPECTED.put(batch.path(i), content);
                    Path copy = copies.resolve(batch.path(i).substring(1));
                    Files.createDirectories(copy.getParent());
                    Files.write(copy, content);
                }
            }
        }
        assertThat(EXPECTED).hasSize(17);
        gpu = Gpu.open(0);
    }

    @AfterAll
    static void closeGpu() {
        if (gpu != null) {
            gpu.close();
        }
    }

    private static int crc(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return (int) crc.getValue();
    }

    /** Reads everything twice, shuffled, and compares checksums of the GPU's, and the zeros behind files. */
    private static void assertReads(String place, String backend, Settings settings, int batchFiles)
            throws IOException {
        // Checksums first: CUDA may wait for the kernel that reads.
        try (Checksums checksums = Checksums.open(gpu, 2 * batchFiles);
                Dataset data =
                        Dataset.at(place).backend(backend).settings(settings).open();
                BatchReader batches =
                        data.batches(batchFiles).shuffle(3).epochs(2).open()) {
            int seen = 0;
            for (Batch batch : batches) {
                GpuMemory memory = Objects.requireNonNull(batch.gpuMemory(0));
                int n = batch.size();
                long[] offsets = new long[2 * n];
                long[] lengths = new long[2 * n];
                int[] expected = new int[2 * n];
                for (int i = 0; i < n; i++) {
                    offsets[i] = batch.address(i) - memory.address();
                    lengths[i] = batch.length(i);
                    expected[i] = crc(EXPECTED.get(batch.path(i)));
                    offsets[n + i] = offsets[i] + lengths[i];
                    lengths[n + i] = (4096 - lengths[i] % 4096) % 4096;
                    expected[n + i] = crc(new byte[(int) lengths[n + i]]);
                    seen++;
                }
                int[] got = new int[2 * n];
                checksums.crc32c(memory, offsets, lengths, 2 * n, got);
                for (int i = 0; i < n; i++) {
                    assertThat(got[i]).as(backend + " " + batch.path(i)).isEqualTo(expected[i]);
                    assertThat(got[n + i]).as("behind " + batch.path(i)).isEqualTo(expected[n + i]);
                }
            }
            assertThat(seen).isEqualTo(2 * EXPECTED.size());
            assertThat(data.path()).contains("GPU");
        }
    }

    private static Settings into(int queues, int depth, int ioBytes) {
        return new Settings(false, false, queues, depth, ioBytes, Target.of(gpu));
    }

    @ParameterizedTest
    @CsvSource({
        "aisio-p2p, 1, 128, 0, 3",
        "aisio-p2p, 2, 4, 4096, 16",
        "aisio-gpu, 1, 32, 4096, 16",
        "aisio-gpu, 1, 128, 0, 1",
        "aisio-gpu, 3, 64, 16384, 5",
        "aisio-gpu, 2, 32, 512, 16"
    })
    void overTheSoftwareController(String backend, int queues, int depth, int ioBytes, int batchFiles)
            throws IOException {
        assertReads("emu:" + image + "?readonly", backend, into(queues, depth, ioBytes), batchFiles);
    }

    @ParameterizedTest
    @CsvSource({"1, 32, 4096, 16", "1, 128, 0, 1", "4, 128, 65536, 5", "2, 1024, 512, 16"})
    void overTheControllerOnTheGpu(int queues, int depth, int ioBytes, int batchFiles) throws IOException {
        assertReads("gpu:" + image, "aisio-gpu", into(queues, depth, ioBytes), batchFiles);
    }

    @ParameterizedTest
    @CsvSource({"posix, 3", "io_uring, 16"})
    void throughTheKernelAndACopy(String backend, int batchFiles) throws IOException {
        assertReads(copies.toString(), backend, into(1, 8, 0), batchFiles);
    }

    @ParameterizedTest
    @EnumSource(CuFileCalls.class)
    void byCuFile(CuFileCalls calls) throws IOException {
        String missing = CuFile.missing();
        assumeTrue(missing == null, () -> "needs cuFile: " + missing);
        try (CuFile cuFile = CuFile.open(gpu)) {
            cuFile.openFile(copies.resolve("set/large/l"), OpenFile.Access.READ_ONLY)
                    .close();
        } catch (IOException e) {
            assumeTrue(false, "needs files that cuFile takes: " + e.getMessage());
        }
        for (boolean registered : new boolean[] {false, true}) {
            Settings settings = new Settings(false, false, 1, 8, 65536, new Target(gpu, calls, registered));
            assertReads(copies.toString(), "cufile", settings, 5);
        }
    }

    @Test
    void aBatchIsNoMemoryOfThisProcess() throws IOException {
        try (Dataset data = Dataset.at("emu:" + image + "?readonly")
                        .backend("aisio-p2p")
                        .into(gpu)
                        .open();
                BatchReader batches = data.batches(4).open();
                Batch batch = Objects.requireNonNull(batches.next())) {
            assertThat(batch.memory(0).byteSize()).isZero();
            assertThatThrownBy(() -> batch.memory(0).get(ValueLayout.JAVA_BYTE, 0))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> batch.content(0))
                    .isInstanceOf(UnsupportedOperationException.class)
                    .hasMessageContaining("copy(i, to)");
            for (int i = 0; i < batch.size(); i++) {
                byte[] bytes = new byte[(int) batch.length(i)];
                batch.copy(i, MemorySegment.ofArray(bytes));
                assertThat(bytes).isEqualTo(EXPECTED.get(batch.path(i)));
            }
        }
    }

    @Test
    void theHostsBackendRefusesAGpu() {
        assertThatThrownBy(
                        () -> Dataset.at("emu:" + image + "?readonly").into(gpu).open())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("aisio-cpu reads into the host's memory alone");
    }

    /** Reads one epoch; what became of each file. */
    private static Map<String, String> problems(String place, int queues) throws IOException {
        Map<String, String> problems = new TreeMap<>();
        try (Dataset data = Dataset.at(place)
                        .backend("aisio-gpu")
                        .settings(into(queues, 32, 4096))
                        .open();
                BatchReader batches = data.batches(4).keepFailures().open()) {
            for (Batch batch : batches) {
                for (int i = 0; i < batch.size(); i++) {
                    IOException why = batch.problem(i);
                    problems.put(batch.path(i), why == null ? "" : why.getMessage());
                    if (why == null) {
                        byte[] bytes = new byte[(int) batch.length(i)];
                        batch.copy(i, MemorySegment.ofArray(bytes));
                        assertThat(bytes).as(batch.path(i)).isEqualTo(EXPECTED.get(batch.path(i)));
                    }
                }
            }
        }
        return problems;
    }

    /** The first logical block of a file. */
    private static long lba(String path) throws IOException {
        try (Device device = Device.open("emu:" + image + "?readonly");
                DeviceBlocks blocks = DeviceBlocks.open(device);
                Xal xal = Xal.open(blocks)) {
            return xal.pieces(xal.lookup(path)).getFirst().position()
                    / device.geometry().lbaBytes();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"emu:%s?readonly&faults=error=2/81/dnr@read.lba%d", "gpu:%s?fault=error:%d"})
    void aCommandThatFailsFailsItsFileAlone(String device) throws IOException {
        String path = "/set/small/f8191";
        long lba = lba(path);
        Map<String, String> problems = problems(device.formatted(image, lba), 2);
        assertThat(problems.remove(path))
                .contains(path)
                .contains("LBA " + lba)
                .containsIgnoringCase("unrecovered read error");
        assertThat(problems.values()).containsOnly("");
    }

    @Test
    void aCommandThatMaySucceedIsMadeAnew() throws IOException {
        long lba = lba("/set/small/f8191");
        assertThat(problems("emu:" + image + "?readonly&faults=error=2/81@read.lba" + lba + ":1-2", 2)
                        .values())
                .containsOnly("");
    }

    /** A command whose answer is waited for in vain ends all, by name, and nothing hangs. */
    @ParameterizedTest
    @CsvSource({
        "emu:%s?readonly&faults=drop@read.lba%d, not answered in time",
        "gpu:%s?fault=drop:%d, not answered in time",
        "gpu:%s?fault=wrongcid:%d, of no command in flight"
    })
    void anAnswerThatNeverComesEndsTheReading(String device, String why) throws IOException {
        String path = "/set/small/f8191";
        Map<String, String> problems = problems(device.formatted(image, lba(path)), 2);
        assertThat(problems.get(path)).contains(why);
        assertThat(problems).hasSize(EXPECTED.size());
    }

    @Test
    void oneFileGoesStraightIntoTheGpusMemory() throws IOException {
        byte[] expected = EXPECTED.get("/set/parts/hole");
        try (GpuMemory memory = gpu.allocate(2 << 20);
                Device device = Device.open("emu:" + image + "?readonly");
                DeviceBlocks blocks = DeviceBlocks.open(device);
                Xal xal = Xal.open(blocks)) {
            try (DirectFile file = DirectFile.open(device, xal, "/set/parts/hole", memory)) {
                assertDirect(file, memory, expected);
            }
            try (DirectFile file = DirectFile.open(copies.resolve("set/parts/hole"), memory)) {
                assertDirect(file, memory, expected);
            }
        }
    }

    private static void assertDirect(DirectFile file, GpuMemory memory, byte[] expected) throws IOException {
        assertThat(file.path()).contains("GPU memory");
        long[][] ranges = {{0, 0, expected.length}, {1, 3, 10_000}, {4096, 4096, 8192}, {4_999, 12, 1_499_000}};
        for (long[] range : ranges) {
            memory.fill((byte) 0x5A);
            long n = file.read(range[0], range[1], range[2]);
            assertThat(n).isEqualTo(Math.min(range[2], expected.length - range[0]));
            byte[] all = new byte[(int) memory.size()];
            memory.read(0, MemorySegment.ofArray(all));
            byte[] wanted = new byte[all.length];
            Arrays.fill(wanted, (byte) 0x5A);
            System.arraycopy(expected, (int) range[0], wanted, (int) range[1], (int) n);
            assertThat(Arrays.equals(all, wanted)).as(Arrays.toString(range)).isTrue();
        }
    }
}
