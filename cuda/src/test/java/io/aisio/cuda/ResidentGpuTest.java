package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** While a kernel runs without end: nothing waits for it. */
@Tag("gpu")
class ResidentGpuTest {
    private Gpu gpu;

    @BeforeEach
    void open() throws CudaException {
        TestGpu.assume();
        TestGpu.assumeNvrtc();
        gpu = Gpu.open(0);
    }

    @AfterEach
    void close() {
        if (gpu != null) {
            gpu.close();
        }
    }

    private interface Work {
        void run() throws Exception;
    }

    /** Does something on another thread while a kernel runs without end, which ends if that takes too long. */
    private void beside(String what, Work work) throws Exception {
        try (TestGpu.Endless endless = new TestGpu.Endless(gpu)) {
            Resident resident = gpu.resident();
            try {
                endless.start();
                CompletableFuture<Void> done = CompletableFuture.runAsync(() -> {
                    try {
                        work.run();
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                });
                try {
                    done.get(10, TimeUnit.SECONDS);
                } catch (TimeoutException e) {
                    endless.end();
                    done.get(20, TimeUnit.SECONDS);
                    throw new AssertionError(what + " waits for a kernel that runs without end", e);
                }
                assertThat(endless.stream().isDone())
                        .as("the kernel still runs")
                        .isFalse();
            } finally {
                endless.end();
                assertThat(endless.awaitEnd()).isTrue();
                resident.close();
            }
        }
    }

    @Test
    void putsOffFreesUntilTheKernelHasEnded() throws Exception {
        GpuMemory memory = gpu.allocate(64 << 20);
        PinnedMemory pinned = gpu.allocatePinned(1 << 20);
        GpuModule module = gpu.compile("other.cu", "extern \"C\" __global__ void other() {}");
        GpuStream stream = gpu.openStream();
        beside("a free", () -> {
            long free = gpu.freeBytes();
            memory.close();
            pinned.close();
            module.close();
            stream.close();
            // A stream without work is kept for who opens the next.
            assertThat(gpu.context().putOff()).isEqualTo(3);
            assertThat(gpu.freeBytes()).as("not freed yet").isLessThan(free + (64 << 20));
        });
        assertThat(gpu.context().putOff()).isZero();
    }

    @Test
    void waitsForTheLastOfSeveral() throws CudaException {
        Resident first = gpu.resident();
        Resident second = gpu.resident();
        gpu.allocate(1).close();
        assertThat(gpu.context().putOff()).isPositive();
        first.close();
        first.close();
        assertThat(gpu.context().putOff()).isPositive();
        assertThatThrownBy(gpu::close).isInstanceOf(IllegalStateException.class).hasMessageContaining("1 Resident");
        second.close();
        assertThat(gpu.context().putOff()).isZero();
    }

    @Test
    void copiesAndFillsMeanwhile() throws Exception {
        try (GpuMemory memory = gpu.allocate(1 << 20)) {
            beside("a copy", () -> {
                memory.fill((byte) 5);
                byte[] seen = new byte[1 << 20];
                memory.read(0, MemorySegment.ofArray(seen));
                assertThat(seen).containsOnly(5);
                memory.write(0, MemorySegment.ofArray(new byte[1 << 20]));
            });
        }
    }

    @Test
    void launchesOtherKernelsMeanwhile() throws Exception {
        Kernel fill = gpu.kernels().kernel("aisio_fill");
        try (GpuMemory memory = gpu.allocate(1 << 20);
                GpuStream stream = gpu.openStream()) {
            beside("a launch", () -> {
                stream.launch(fill, 4, 256, 0, memory, memory.size(), 1L);
                stream.synchronize();
            });
        }
    }

    @Test
    void opensStreamsAndEventsMeanwhile() throws Exception {
        beside("a stream", () -> {
            try (GpuStream stream = gpu.openStream();
                    GpuEvent event = gpu.openEvent()) {
                event.record(stream);
                event.synchronize();
            }
        });
    }

    @Test
    void opensManyStreamsMeanwhileAndRefusesMoreRatherThanWaitForEver() throws Exception {
        beside("many streams", () -> {
            List<GpuStream> streams = new ArrayList<>();
            try {
                assertThatThrownBy(() -> {
                            while (streams.size() < 1000) {
                                streams.add(gpu.openStream());
                            }
                        })
                        .isInstanceOf(CudaException.class)
                        .hasMessageContaining("all streams of GPU 0 are in use");
                assertThat(streams).hasSizeGreaterThanOrEqualTo(31);
            } finally {
                streams.forEach(GpuStream::close);
            }
            gpu.openStream().close();
        });
    }

    @Test
    void allocatesDeviceMemoryMeanwhile() throws Exception {
        beside("an allocation", () -> gpu.allocate(32 << 20).close());
    }

    @Test
    void allocatesAndRegistersHostMemoryMeanwhile() throws Exception {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment host = arena.allocate(1 << 20, 4096);
            beside("pinning memory", () -> {
                gpu.allocatePinned(8 << 20).close();
                gpu.register(host).close();
            });
        }
    }

    /** Its end waits for kernels, as a free does; the memory's owner does not wait for it. */
    @Test
    void endsRegistrationsAfterTheirMemoryIsGone() throws Exception {
        Arena arena = Arena.ofShared();
        // Large enough that it is unmapped when it is freed.
        GpuMemory memory = gpu.registerAsMemory(arena.allocate(64 << 20, 4096));
        PinnedMemory pinned = gpu.register(arena.allocate(64 << 20, 4096));
        assertThatThrownBy(memory::exportDmaBuf).hasMessageContaining("is the host's");
        beside("a close", () -> {
            memory.fill((byte) 7);
            memory.close();
            pinned.close();
            arena.close();
            assertThat(gpu.context().putOff()).isEqualTo(2);
        });
        assertThat(gpu.context().putOff()).isZero();
        try (Arena next = Arena.ofShared();
                GpuMemory again = gpu.registerAsMemory(next.allocate(64 << 20, 4096))) {
            again.fill((byte) 9);
        }
    }

    @Test
    void refusesToLoadKernelsMeanwhileRatherThanWaitForEver() throws Exception {
        beside(
                "a refusal",
                () -> assertThatThrownBy(
                                () -> gpu.compile("late.cu", "extern \"C\" __global__ void late(int *p) { *p = 1; }"))
                        .isInstanceOf(CudaException.class)
                        .hasMessageContaining("late.cu cannot be loaded while a kernel runs without end"));
    }
}
