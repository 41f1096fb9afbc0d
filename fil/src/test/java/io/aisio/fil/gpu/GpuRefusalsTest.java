package io.aisio.fil.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.fil.Dataset;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What backends that read into a GPU say where none is named. */
class GpuRefusalsTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"aisio-p2p", "aisio-gpu", "cufile"})
    void withoutAGpuNothingIsOpened(String backend) {
        assertThat(Dataset.backends())
                .anyMatch(line -> line.startsWith(backend + ": ") && line.endsWith("; needs a GPU"));
        assertThatThrownBy(() -> Dataset.at(folder.toString()).backend(backend).open())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(backend + " reads into the memory of a GPU: name one (--gpu-id 0)");
    }
}
