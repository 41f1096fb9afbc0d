package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Memory of a GPU, and of the host that a GPU reaches. */
@Tag("gpu")
class MemoryGpuTest {
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

    private static byte[] random(int bytes) {
        byte[] random = new byte[bytes];
        new Random(bytes).nextBytes(random);
        return random;
    }

    @Test
    void tellsWhatTheGpuIs() throws CudaException {
        assertThat(gpu.name()).isNotBlank();
        assertThat(gpu.architecture()).matches("sm_\\d{2,3}");
        assertThat(gpu.multiprocessors()).isPositive();
        assertThat(gpu.memoryBytes()).isGreaterThan(1L << 30);
        assertThat(gpu.freeBytes()).isPositive().isLessThanOrEqualTo(gpu.memoryBytes());
        assertThat(gpu.address().toString()).matches("[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.0");
        assertThat(gpu.barBytes()).isNotNegative();
        assertThat(Cuda.gpus()).isPositive();
        assertThat(Cuda.list()).hasSize(Cuda.gpus()).first().isEqualTo(gpu.description());
        assertThat(Cuda.driverVersion()).matches("\\d+\\.\\d");
        assertThat(gpu.id()).isZero();
    }

    @Test
    void thereIsNoGpuBehindTheLast() {
        assertThatThrownBy(() -> Gpu.open(Cuda.gpus()))
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("cuDeviceGet: CUDA_ERROR_INVALID_DEVICE: there is no such GPU");
    }

    @Test
    void memoryIsZeroedAlignedAndOfWholePages() throws CudaException {
        for (long bytes : new long[] {1, 4096, 65536, 65537, 3 << 20}) {
            try (GpuMemory memory = gpu.allocate(bytes)) {
                assertThat(memory.address() % 65536).as("%d bytes", bytes).isZero();
                assertThat(memory.size()).isEqualTo((bytes + 65535) / 65536 * 65536);
                byte[] seen = new byte[(int) memory.size()];
                memory.fill((byte) 7);
                memory.read(0, MemorySegment.ofArray(seen));
                assertThat(seen).containsOnly(7);
            }
            try (GpuMemory memory = gpu.allocate(bytes)) {
                byte[] seen = new byte[(int) memory.size()];
                memory.read(0, MemorySegment.ofArray(seen));
                assertThat(seen).containsOnly(0);
            }
        }
        assertThatThrownBy(() -> gpu.allocate(0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> gpu.allocate(-1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> gpu.allocate(Long.MAX_VALUE)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void readsWhatWasWrittenAtAnyOffsetFromHeapAndNativeMemory() throws CudaException {
        byte[] bytes = random(2_500_001);
        try (GpuMemory memory = gpu.allocate(3 << 20);
                Arena arena = Arena.ofConfined()) {
            memory.write(12_345, MemorySegment.ofArray(bytes));
            MemorySegment native_ = arena.allocate(bytes.length);
            memory.read(12_345, native_);
            assertThat(native_.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(bytes);
            memory.write(1, native_);
            byte[] seen = new byte[bytes.length];
            memory.read(1, MemorySegment.ofArray(seen));
            assertThat(seen).isEqualTo(bytes);
            memory.fill(100, 3, (byte) 9);
            memory.read(99, MemorySegment.ofArray(seen).asSlice(0, 5));
            assertThat(new byte[] {seen[0], seen[1], seen[2], seen[3], seen[4]})
                    .containsExactly(bytes[98], 9, 9, 9, bytes[102]);
            memory.read(memory.size(), arena.allocate(0));
        }
    }

    @Test
    void refusesWhatIsNotWithinTheMemory() throws CudaException {
        try (GpuMemory memory = gpu.allocate(65536);
                Arena arena = Arena.ofConfined();
                GpuStream stream = gpu.openStream()) {
            MemorySegment page = arena.allocate(4096);
            assertThatThrownBy(() -> memory.read(65536 - 4095, page)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> memory.write(-1, page)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> memory.fill(1, 65536, (byte) 0)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> stream.copyToGpu(memory, 65536 - 4095, page))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> stream.copyFromGpu(page, memory, Long.MAX_VALUE))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> memory.read(0, page.asReadOnly())).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> stream.copyToGpu(memory, 0, MemorySegment.ofArray(new byte[8])))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("heap");
        }
    }

    @Test
    void saysThatThereIsNotSoMuchMemoryAndGoesOn() throws CudaException {
        assertThatThrownBy(() -> gpu.allocate(1L << 50))
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY: the GPU has not that much memory left")
                .satisfies(e -> assertThat(((CudaException) e).code()).isEqualTo(2));
        gpu.allocate(1).close();
    }

    @Test
    void aUseAfterCloseIsAnException() throws CudaException {
        GpuMemory memory = gpu.allocate(1);
        assertThat(memory.scope().isAlive()).isTrue();
        memory.close();
        memory.close();
        assertThat(memory.scope().isAlive()).isFalse();
        assertThatThrownBy(() -> memory.fill((byte) 1))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
        assertThatThrownBy(memory::exportDmaBuf).isInstanceOf(IllegalStateException.class);
        GpuStream stream = gpu.openStream();
        stream.close();
        assertThatThrownBy(stream::synchronize).isInstanceOf(IllegalStateException.class);
        PinnedMemory pinned = gpu.allocatePinned(1);
        pinned.close();
        assertThatThrownBy(() -> pinned.segment().get(ValueLayout.JAVA_BYTE, 0))
                .isInstanceOf(IllegalStateException.class);
        Gpu other = Gpu.open(0);
        other.close();
        other.close();
        assertThatThrownBy(() -> other.allocate(1))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("GPU 0: closed");
    }

    @Test
    void refusesToCloseTheGpuBeforeWhatCameFromIt() throws CudaException {
        Gpu other = Gpu.open(0);
        GpuMemory memory = other.allocate(1);
        GpuMemory more = other.allocate(1);
        GpuStream stream = other.openStream();
        assertThatThrownBy(other::close)
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("GPU 0 cannot be closed before what came from it: 2 GpuMemory, 1 GpuStream");
        memory.fill((byte) 1);
        more.close();
        stream.close();
        memory.close();
        other.close();
    }

    @Test
    void contextLivesAsLongAsAnyGpuOfItsNumber() throws CudaException {
        try (GpuMemory memory = gpu.allocate(1)) {
            Gpu.open(0).close();
            memory.fill((byte) 3);
        }
    }

    @Test
    void exportsMemoryAsADmaBuf() throws Exception {
        assumeThat(gpu.description().exportsDmaBuf())
                .as("needs a driver that exports dma-bufs")
                .isTrue();
        try (GpuMemory memory = gpu.allocate(1);
                OpenFile dmaBuf = memory.exportDmaBuf()) {
            Path link = Files.readSymbolicLink(Path.of("/proc/self/fd/" + dmaBuf.descriptor()));
            assertThat(link.toString()).contains("dmabuf");
        }
    }

    @Test
    void pinnedMemoryIsZeroedPageAlignedAndSeenByTheGpu() throws CudaException {
        for (long bytes : new long[] {1, 4097, 1 << 20}) {
            try (PinnedMemory pinned = gpu.allocatePinned(bytes)) {
                assertThat(pinned.segment().address() % 4096).isZero();
                assertThat(pinned.size()).isEqualTo((bytes + 4095) / 4096 * 4096);
                assertThat(pinned.segment().mismatch(MemorySegment.ofArray(new byte[(int) pinned.size()])))
                        .isEqualTo(-1);
                assertThat(pinned.address()).isNotZero();
                pinned.segment().fill((byte) 1);
            }
        }
    }

    @Test
    void registersMemoryOfAnother() throws Exception {
        try (Mapping host = Mapping.anonymous(1 << 20);
                GpuMemory memory = gpu.allocate(1 << 20);
                GpuStream stream = gpu.openStream()) {
            byte[] bytes = random(1 << 20);
            MemorySegment.copy(bytes, 0, host.segment(), ValueLayout.JAVA_BYTE, 0, bytes.length);
            try (PinnedMemory registered = gpu.register(host.segment())) {
                assertThat(registered.segment()).isEqualTo(host.segment());
                assertThatThrownBy(() -> gpu.register(host.segment()))
                        .isInstanceOf(CudaException.class)
                        .hasMessageContaining("CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED");
                stream.copyToGpu(memory, 0, registered.segment());
                stream.synchronize();
            }
            assertThat(host.segment().get(ValueLayout.JAVA_BYTE, 5))
                    .as("it stays")
                    .isEqualTo(bytes[5]);
            byte[] seen = new byte[bytes.length];
            memory.read(0, MemorySegment.ofArray(seen));
            assertThat(seen).isEqualTo(bytes);
            gpu.register(host.segment()).close();
            assertThatThrownBy(() -> gpu.register(host.segment().asSlice(8)))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> gpu.register(host.segment().asReadOnly()))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> gpu.register(MemorySegment.ofArray(new byte[4096])))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    /** Plain memory is no device's: what matters is that it is an answer, and none that ends the process. */
    @Test
    void registersNoPlainMemoryAsRegistersOfADeviceOrSaysWhyNot() throws Exception {
        try (Mapping host = Mapping.anonymous(4096)) {
            gpu.registerIo(host.segment()).close();
        } catch (CudaException e) {
            assertThat(e).hasMessageContaining("cuMemHostRegister_v2: CUDA_ERROR_");
        }
    }

    @Test
    void severalThreadsUseOneGpu() throws Exception {
        int threads = 8;
        try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            List<Callable<Void>> work = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                byte[] bytes = random(100_000 + i);
                work.add(() -> {
                    for (int round = 0; round < 20; round++) {
                        try (Gpu own = Gpu.open(0);
                                GpuMemory memory = own.allocate(bytes.length);
                                PinnedMemory pinned = own.allocatePinned(bytes.length);
                                GpuStream stream = own.openStream()) {
                            MemorySegment.copy(bytes, 0, pinned.segment(), ValueLayout.JAVA_BYTE, 0, bytes.length);
                            stream.copyToGpu(memory, 0, pinned.segment().asSlice(0, bytes.length));
                            assertThat(stream.synchronizeSleeping(TestGpu.DEADLINE))
                                    .isTrue();
                            assertThat(stream.isDone()).isTrue();
                            byte[] seen = new byte[bytes.length];
                            memory.read(0, MemorySegment.ofArray(seen));
                            assertThat(seen).isEqualTo(bytes);
                        }
                    }
                    return null;
                });
            }
            for (Future<Void> future : pool.invokeAll(work)) {
                future.get();
            }
        }
    }
}
