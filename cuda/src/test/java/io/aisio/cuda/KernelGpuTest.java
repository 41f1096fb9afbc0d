package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kernels: the project's and a user's, compiled, kept, loaded and launched. */
@Tag("gpu")
class KernelGpuTest {
    private static final String ADD = """
            extern "C" __global__ void add(unsigned long long *sum, int a, long long b, float c, double d) {
                *sum = a + b + (long long) c + (long long) d;
            }
            extern "C" __global__ void shared(unsigned *out, unsigned words) {
                extern __shared__ unsigned mine[];
                for (unsigned i = threadIdx.x; i < words; i += blockDim.x) {
                    mine[i] = i;
                }
                __syncthreads();
                if (threadIdx.x == 0) {
                    *out = mine[words - 1];
                }
            }
            """;

    @TempDir
    Path folder;

    private Gpu gpu;

    @BeforeEach
    void open() throws CudaException {
        TestGpu.assume();
        gpu = Gpu.open(0);
    }

    @AfterEach
    void close() {
        if (gpu != null) {
            gpu.close();
        }
    }

    private long[] filled(GpuKernels kernels) throws CudaException {
        Kernel fill = kernels.kernel("aisio_fill");
        try (GpuMemory memory = gpu.allocate(1 << 20);
                GpuStream stream = gpu.openStream()) {
            stream.launch(fill, 8, 256, 0, memory, memory.size(), 0x1234_5678_9abc_def0L);
            stream.synchronize();
            long[] seen = new long[1 << 17];
            memory.read(0, MemorySegment.ofArray(seen));
            return seen;
        }
    }

    @Test
    void runsTheProjectsKernelsOfTheCompiler() throws CudaException {
        TestGpu.assumeNvrtc();
        GpuKernels kernels = gpu.kernels();
        assertThat(kernels.origin()).startsWith("NVRTC ").contains(gpu.architecture());
        assertThat(filled(kernels)).containsOnly(0x1234_5678_9abc_def0L);
        assertThat(gpu.kernels()).isSameAs(kernels);
    }

    @Test
    void runsThePtxThatIsShippedWhereThereIsNoCompiler() throws CudaException {
        GpuKernels kernels = GpuKernels.shipped(gpu, "a test says so");
        assertThat(kernels.origin()).isEqualTo("the PTX that is shipped, as a test says so");
        assertThat(filled(kernels)).containsOnly(0x1234_5678_9abc_def0L);
    }

    @Test
    void fillsAnyNumberOfBytes() throws CudaException {
        Kernel fill = gpu.kernels().kernel("aisio_fill");
        try (GpuMemory memory = gpu.allocate(65536);
                GpuStream stream = gpu.openStream()) {
            stream.launch(fill, 1, 32, 0, memory, 13L, 0x0807_0605_0403_0201L);
            stream.synchronize();
            byte[] seen = new byte[16];
            memory.read(0, MemorySegment.ofArray(seen));
            assertThat(seen).containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 0, 0, 0);
        }
    }

    @Test
    void tellsWhatAKernelTakes() throws CudaException {
        Kernel fill = gpu.kernels().kernel("aisio_fill");
        assertThat(fill.name()).isEqualTo("aisio_fill");
        assertThat(fill.registers()).isBetween(1, 255);
        assertThat(fill.maxThreads()).isBetween(32, 1024);
        assertThat(fill.maxBlocksPerMultiprocessor(256, 0)).isBetween(1, 64);
        assertThatThrownBy(() -> fill.maxBlocksPerMultiprocessor(0, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> gpu.kernels().kernel("aisio_none"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("has no kernel aisio_none")
                .hasMessageContaining("aisio_crc32c, ")
                .hasMessageContaining("aisio_fill");
    }

    @Test
    void passesArgumentsOfEachKind() throws CudaException {
        TestGpu.assumeNvrtc();
        try (GpuModule module = gpu.compile("add.cu", ADD);
                PinnedMemory sum = gpu.allocatePinned(8);
                GpuStream stream = gpu.openStream()) {
            stream.launch(module.kernel("add"), 1, 1, 0, sum, -1, 1L << 40, 100f, 1000.0);
            stream.synchronize();
            assertThat(sum.segment().get(ValueLayout.JAVA_LONG, 0)).isEqualTo((1L << 40) + 1099);
        }
    }

    @Test
    void refusesLaunchesThatCannotBe() throws CudaException {
        TestGpu.assumeNvrtc();
        try (GpuModule module = gpu.compile("add.cu", ADD);
                PinnedMemory sum = gpu.allocatePinned(8);
                GpuStream stream = gpu.openStream()) {
            Kernel add = module.kernel("add");
            assertThatThrownBy(() -> stream.launch(add, 1, 1, 0, sum, 1, 2L, 3f))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("add has 5 parameters, and got 4 arguments");
            assertThatThrownBy(() -> stream.launch(add, 1, 1, 0, sum, 1L, 2L, 3f, 4.0))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("add: parameter 1 has 4 bytes, and got Long, of 8");
            assertThatThrownBy(() -> stream.launch(add, 1, 1, 0, sum, "1", 2L, 3f, 4.0))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("String");
            for (int threads : new int[] {0, -1, 1025, Integer.MAX_VALUE}) {
                assertThatThrownBy(() -> stream.launch(add, 1, threads, 0, sum, 1, 2L, 3f, 4.0))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining(threads + " threads");
            }
            assertThatThrownBy(() -> stream.launch(add, 0, 1, 0, sum, 1, 2L, 3f, 4.0))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> stream.launch(add, 1, 1, 1 << 30, sum, 1, 2L, 3f, 4.0))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("shared memory");
            stream.launch(add, 1, 1, 0, sum, 1, 2L, 3f, 4.0);
            stream.synchronize();
            module.close();
            assertThatThrownBy(() -> stream.launch(add, 1, 1, 0, sum, 1, 2L, 3f, 4.0))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("add.cu");
        }
    }

    @Test
    void givesABlockAllTheSharedMemoryThatThereIs() throws CudaException {
        TestGpu.assumeNvrtc();
        try (GpuModule module = gpu.compile("add.cu", ADD);
                PinnedMemory out = gpu.allocatePinned(8);
                GpuStream stream = gpu.openStream()) {
            int bytes = gpu.maxSharedBytes();
            assertThat(bytes).isGreaterThan(48 << 10);
            stream.launch(module.kernel("shared"), 1, 64, bytes, out, bytes / 4);
            stream.synchronize();
            assertThat(out.segment().get(ValueLayout.JAVA_INT, 0)).isEqualTo(bytes / 4 - 1);
            assertThat(module.kernel("shared").maxBlocksPerMultiprocessor(64, bytes))
                    .isEqualTo(1);
        }
    }

    @Test
    void saysWhatTheCompilerSays() {
        TestGpu.assumeNvrtc();
        assertThatThrownBy(() -> gpu.compile("broken.cu", "extern \"C\" __global__ void f() { int x = y; }"))
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("NVRTC_ERROR_COMPILATION: broken.cu does not compile")
                .hasMessageContaining("broken.cu(1)")
                .hasMessageContaining("\"y\" is undefined");
    }

    @Test
    void findsInTheCacheWhatWasCompiledAndCompilesAnewWhatIsDamaged() throws Exception {
        TestGpu.assumeNvrtc();
        Path cached = folder.resolve("aisio");
        CodeCache cache = CodeCache.in(cached);
        String source = "#include <one.cuh>\nextern \"C\" __global__ void f(int *p) { *p = ONE; }";
        Map<String, String> headers = Map.of("one.cuh", "#define ONE 1\n");
        Code first = Code.compile(Nvrtc.get(), cache, gpu.computeCapability(), "f.cu", source, headers);
        assertThat(first.origin()).isEqualTo("NVRTC " + Nvrtc.get().version() + " for " + gpu.architecture());
        Code second = Code.compile(Nvrtc.get(), cache, gpu.computeCapability(), "f.cu", source, headers);
        assertThat(second.origin()).isEqualTo(first.origin() + ", from " + cached);
        List<Path> files;
        try (var listed = Files.list(cached)) {
            files = listed.toList();
        }
        assertThat(files).hasSize(1);
        byte[] bytes = Files.readAllBytes(files.getFirst());
        bytes[bytes.length / 2] ^= 1;
        Files.write(files.getFirst(), bytes);
        assertThat(Code.compile(Nvrtc.get(), cache, gpu.computeCapability(), "f.cu", source, headers)
                        .origin())
                .as("damaged")
                .isEqualTo(first.origin());
        Files.delete(files.getFirst());
        Files.delete(cached);
        Files.createFile(cached);
        Code third = Code.compile(Nvrtc.get(), CodeCache.in(cached), gpu.computeCapability(), "f.cu", source, headers);
        try (GpuModule module = gpu.keep(GpuModule.load(gpu, "f.cu", third));
                PinnedMemory out = gpu.allocatePinned(4);
                GpuStream stream = gpu.openStream()) {
            stream.launch(module.kernel("f"), 1, 1, 0, out);
            stream.synchronize();
            assertThat(out.segment().get(ValueLayout.JAVA_INT, 0)).isEqualTo(1);
        }
    }

    @Test
    void timesWithEventsAndHoldsStreamsUp() throws Exception {
        Kernel fill = gpu.kernels().kernel("aisio_fill");
        try (GpuMemory memory = gpu.allocate(64 << 20);
                GpuStream one = gpu.openStream();
                GpuStream other = gpu.openStream();
                GpuEvent begin = gpu.openEvent();
                GpuEvent end = gpu.openEvent()) {
            begin.record(one);
            for (int i = 1; i <= 20; i++) {
                one.launch(fill, 64, 256, 0, memory, memory.size(), (long) i);
            }
            end.record(one);
            end.holdUp(other);
            other.launch(fill, 1, 32, 0, memory, 8L, -1L);
            other.synchronize();
            assertThat(end.isDone()).isTrue();
            end.synchronize();
            assertThat(end.millisecondsSince(begin)).isBetween(0.001f, 10_000f);
            long[] seen = new long[2];
            memory.read(0, MemorySegment.ofArray(seen));
            assertThat(seen).containsExactly(-1, 20);
        }
    }

    @Test
    void waitsAsleepNoLongerThanItIsTold() throws Exception {
        TestGpu.assumeNvrtc();
        try (TestGpu.Endless endless = new TestGpu.Endless(gpu)) {
            endless.start();
            assertThat(endless.stream().isDone()).isFalse();
            assertThat(endless.stream().synchronizeSleeping(Duration.ofMillis(20)))
                    .isFalse();
            endless.end();
            assertThat(endless.awaitEnd()).isTrue();
            assertThat(endless.stream().isDone()).isTrue();
        }
    }
}
