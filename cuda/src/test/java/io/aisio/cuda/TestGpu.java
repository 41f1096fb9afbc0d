package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.ValueLayout;
import java.time.Duration;

/** What tests on a GPU share. */
final class TestGpu {
    /** Longer than anything here takes. */
    static final Duration DEADLINE = Duration.ofSeconds(20);

    private TestGpu() {}

    static void assume() {
        assumeTrue(Cuda.missing() == null, "needs a GPU");
    }

    static void assumeNvrtc() {
        try {
            Nvrtc _ = Nvrtc.get();
        } catch (CudaException _) {
            assumeTrue(false, "needs NVRTC (the CUDA toolkit)");
        }
    }

    /** A kernel that runs until the host says that it may end. */
    static final class Endless implements AutoCloseable {
        static final String SOURCE = """
                extern "C" __global__ void until(volatile unsigned *told) {
                    *(told + 1) = 1;
                    while (*told == 0) {
                        __nanosleep(1000);
                    }
                }
                """;

        private final GpuModule module;
        private final PinnedMemory told;
        private final GpuStream stream;

        Endless(Gpu gpu) throws CudaException {
            module = gpu.compile("until.cu", SOURCE);
            told = gpu.allocatePinned(4096);
            stream = gpu.openStream();
        }

        GpuStream stream() {
            return stream;
        }

        /** Launches it, and waits until it runs. */
        void start() throws CudaException {
            stream.launch(module.kernel("until"), 1, 1, 0, told);
            long began = System.nanoTime();
            while ((int) ValueLayout.JAVA_INT.varHandle().getVolatile(told.segment(), 4L) == 0) {
                assertThat(System.nanoTime() - began).as("the kernel runs").isLessThan(DEADLINE.toNanos());
                Thread.onSpinWait();
            }
        }

        void end() {
            ValueLayout.JAVA_INT.varHandle().setVolatile(told.segment(), 0L, 1);
        }

        boolean awaitEnd() throws CudaException, InterruptedException {
            return stream.synchronizeSleeping(DEADLINE);
        }

        @Override
        public void close() {
            end();
            stream.close();
            told.close();
            module.close();
        }
    }
}
