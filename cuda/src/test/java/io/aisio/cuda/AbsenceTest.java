package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is told on a machine without a GPU: one sentence, to everybody who asks, and never a crash. */
class AbsenceTest {
    @BeforeEach
    void assumeNoGpu() {
        assumeTrue(Cuda.missing() != null, "needs a machine without a GPU");
    }

    @Test
    void saysWhyThereIsNoGpuAndWhatToDo() throws CudaException {
        assertThat(Cuda.missing())
                .doesNotContain("\n")
                .containsAnyOf("install NVIDIA's driver", "nvidia-smi", "kernel", "libcuda");
        assertThat(Cuda.missing()).as("asked again").isEqualTo(Cuda.missing());
        assertThat(Cuda.gpus()).isZero();
        assertThat(Cuda.list()).isEmpty();
        assertThat(Cuda.driverVersion()).matches("|\\d+\\.\\d+");
    }

    @Test
    void opensNoGpu() {
        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> Gpu.open(0))
                    .isInstanceOf(CudaException.class)
                    .hasMessage(Cuda.missing());
        }
        assertThatThrownBy(() -> Gpu.open(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void saysWhatCuFileNeeds() {
        assertThat(CuFile.missing()).isNotNull().doesNotContain("\n").contains("install");
    }

    @Test
    void compilesNothingWithoutNvrtcAndSaysWhatToInstall() {
        try {
            assertThat(Nvrtc.get().version()).matches("1[23]\\.\\d+");
        } catch (CudaException e) {
            assertThat(e).hasMessageContaining("libnvrtc.so.13").hasMessageContaining("install");
            assertThat(e.name()).isEqualTo("ABSENT");
            assertThatThrownBy(Nvrtc::get).hasMessage(e.getMessage());
        }
    }
}
