package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * cuFile, on a file where it takes one: in the folder that {@code aisio.cufile.folder} (or the variable AISIO_CUFILE_FOLDER)
 * names, on ext4 or XFS, or the system's temporary one.
 */
@Tag("gpu")
class CuFileGpuTest {
    private static final int BYTES = (3 << 20) + 12_345;

    private final byte[] bytes = new byte[BYTES];
    private Path folder;
    private Path path;
    private Gpu gpu;
    private CuFile cuFile;

    @BeforeEach
    void start() throws IOException {
        TestGpu.assume();
        assumeTrue(CuFile.missing() == null, "needs cuFile (GPUDirect Storage)");
        String named = System.getProperty("aisio.cufile.folder", System.getenv("AISIO_CUFILE_FOLDER"));
        folder = named == null
                ? Files.createTempDirectory("aisio-cufile-")
                : Files.createTempDirectory(Path.of(named), "aisio-cufile-");
        new Random(1).nextBytes(bytes);
        path = Files.write(folder.resolve("file"), bytes);
        gpu = Gpu.open(0);
        cuFile = CuFile.open(gpu);
    }

    @AfterEach
    void end() throws IOException {
        if (cuFile != null) {
            cuFile.close();
        }
        if (gpu != null) {
            gpu.close();
        }
        if (folder != null) {
            Files.deleteIfExists(folder.resolve("file"));
            Files.deleteIfExists(folder);
        }
    }

    /** What it says where it takes no file is a test of its own. */
    private CuFileHandle open(OpenFile.Access access) throws IOException {
        try {
            return cuFile.openFile(path, access);
        } catch (CudaException e) {
            assertThat(e)
                    .hasMessageContaining("cuFileHandleRegister of " + path)
                    .hasMessageContaining("CU_FILE_")
                    .hasMessageMatching("(?s).*(/run/udev/data/b\\d+:\\d+|ext4 or XFS|cufile\\.log).*");
            assumeTrue(false, "needs a file that cuFile takes (AISIO_CUFILE_FOLDER on ext4 or XFS, known to udev)");
            throw e;
        }
    }

    private byte[] content(GpuMemory memory, long offset, int count) throws CudaException {
        byte[] seen = new byte[count];
        memory.read(offset, MemorySegment.ofArray(seen));
        return seen;
    }

    @Test
    void tellsItsVersionAndHowDataGoes() throws CudaException {
        assertThat(CuFile.version()).matches("\\d+\\.\\d+|unknown");
        assertThat(cuFile.mode()).matches("compatibility mode \\(no nvidia-fs\\)|direct \\(nvidia-fs \\d+\\.\\d+\\)");
        assertThat(cuFile.isCompatible()).isEqualTo(cuFile.mode().startsWith("compat"));
        assertThat(cuFile.mostInBatch()).isPositive();
        CuFile.open(gpu).close();
    }

    @Test
    void readsAFileIntoRegisteredAndOtherMemory() throws IOException {
        try (CuFileHandle file = open(OpenFile.Access.READ_ONLY);
                GpuMemory memory = gpu.allocate(BYTES + 8192)) {
            assertThat(file.size()).isEqualTo(BYTES);
            assertThat(file.read(memory, 4096, 0, BYTES)).isEqualTo(BYTES);
            assertThat(content(memory, 4096, BYTES)).isEqualTo(bytes);
            memory.fill((byte) 0);
            try (CuFile.Registration _ = cuFile.register(memory)) {
                assertThat(file.read(memory, 0, 0, BYTES)).isEqualTo(BYTES);
                assertThat(content(memory, 0, BYTES)).isEqualTo(bytes);
                assertThat(file.read(memory, 0, 1 << 20, 8192)).isEqualTo(8192);
                assertThat(content(memory, 0, 8192)).isEqualTo(Arrays.copyOfRange(bytes, 1 << 20, (1 << 20) + 8192));
            }
            assertThat(file.read(memory, 0, BYTES - 100, 4096))
                    .as("the file ends")
                    .isEqualTo(100);
            assertThatThrownBy(() -> file.read(memory, 1, 0, memory.size()))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void writesAFile() throws IOException {
        try (CuFileHandle file = open(OpenFile.Access.READ_WRITE);
                GpuMemory memory = gpu.allocate(1 << 20)) {
            memory.fill((byte) 0x5a);
            file.write(memory, 4096, 8192, 65536);
        }
        byte[] now = Files.readAllBytes(path);
        Arrays.fill(bytes, 8192, 8192 + 65536, (byte) 0x5a);
        assertThat(now).isEqualTo(bytes);
    }

    @Test
    void readsABatch() throws IOException {
        int count = Math.min(32, cuFile.mostInBatch());
        try (CuFileHandle file = open(OpenFile.Access.READ_ONLY);
                GpuMemory memory = gpu.allocate(count * 65536L);
                CuFileBatch batch = cuFile.openBatch(count)) {
            for (int round = 0; round < 2; round++) {
                memory.fill((byte) 0);
                for (int i = 0; i < count; i++) {
                    batch.read(file, memory, i * 65536L, (count - 1 - i) * 65536L, 65536, i);
                }
                assertThatThrownBy(() -> batch.read(file, memory, 0, 0, 1, 0))
                        .isInstanceOf(IllegalStateException.class);
                batch.submit();
                BitSet done = new BitSet();
                long began = System.nanoTime();
                while (done.cardinality() < count) {
                    int _ = batch.await(1, Duration.ofSeconds(1), (tag, moved) -> {
                        assertThat(moved).isEqualTo(65536);
                        assertThat(done.get((int) tag)).isFalse();
                        done.set((int) tag);
                    });
                    assertThat(System.nanoTime() - began).isLessThan(TestGpu.DEADLINE.toNanos());
                }
                for (int i = 0; i < count; i++) {
                    int from = (count - 1 - i) * 65536;
                    assertThat(content(memory, i * 65536L, 65536))
                            .as("request %d", i)
                            .isEqualTo(Arrays.copyOfRange(bytes, from, from + 65536));
                }
            }
        }
    }

    @Test
    void readsOnAStreamInItsTurn() throws IOException {
        try (CuFileHandle file = open(OpenFile.Access.READ_ONLY);
                GpuMemory memory = gpu.allocate(1 << 20);
                GpuStream stream = gpu.openStream();
                CuFile.Registration _ = cuFile.register(stream)) {
            assertThatThrownBy(() -> file.readAsync(stream, memory, 0, 0, 4096))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("registered");
            readsInItsTurn(file, memory, stream);
        }
    }

    private void readsInItsTurn(CuFileHandle file, GpuMemory memory, GpuStream stream) throws IOException {
        try (CuFile.Registration _ = cuFile.register(memory)) {
            CuFileHandle.Transfer first = file.readAsync(stream, memory, 0, 4096, 65536);
            CuFileHandle.Transfer second = file.readAsync(stream, memory, 65536, 0, 65536);
            stream.synchronize();
            assertThat(first.bytes()).isEqualTo(65536);
            assertThat(second.bytes()).isEqualTo(65536);
            assertThat(content(memory, 0, 65536)).isEqualTo(Arrays.copyOfRange(bytes, 4096, 4096 + 65536));
            assertThat(content(memory, 65536, 65536)).isEqualTo(Arrays.copyOfRange(bytes, 0, 65536));
        }
    }

    @Test
    void refusesAFileWithoutABlockDevice() {
        Path memory = Path.of("/dev/shm/aisio-cufile-test");
        try {
            Files.write(memory, new byte[4096]);
            cuFile.openFile(memory, OpenFile.Access.READ_ONLY).close();
        } catch (CudaException e) {
            assertThat(e).hasMessageContaining("/dev/shm").hasMessageContaining("CU_FILE_");
        } catch (IOException e) {
            throw new AssertionError(e);
        } finally {
            memory.toFile().delete();
        }
    }

    @Test
    void refusesToCloseBeforeWhatCameFromIt() throws IOException {
        CuFileHandle file = open(OpenFile.Access.READ_ONLY);
        assertThatThrownBy(cuFile::close)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("1 are open");
        assertThatThrownBy(gpu::close).isInstanceOf(IllegalStateException.class).hasMessageContaining("1 CuFile");
        file.close();
        try (GpuMemory memory = gpu.allocate(1)) {
            assertThatThrownBy(() -> file.read(memory, 0, 0, 1)).isInstanceOf(IllegalStateException.class);
        }
    }
}
