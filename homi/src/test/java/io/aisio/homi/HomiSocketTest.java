package io.aisio.homi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HomiSocketTest {
    @TempDir
    Path folder;

    @Test
    void whoIsNotRootMeansHisOwnDaemonIfThereIsOneElseRoots() throws Exception {
        Path system = folder.resolve("run").resolve("homi.sock");
        Map<String, String> login =
                Map.of("XDG_RUNTIME_DIR", folder.resolve("user").toString());
        Path own = folder.resolve("user").resolve("homi").resolve("homi.sock");
        assertThat(HomiSocket.byDefault(false, login, system)).as("neither").isEqualTo(own);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> HomiSocket.byDefault(false, Map.of(), system))
                .withMessageContaining("there is no XDG_RUNTIME_DIR");
        Files.createDirectory(system.getParent());
        assertThat(HomiSocket.byDefault(false, login, system)).as("root's").isEqualTo(system);
        assertThat(HomiSocket.byDefault(false, Map.of(), system)).isEqualTo(system);
        assertThat(HomiSocket.ofDaemon(false, login)).as("to listen").isEqualTo(own);
        Files.createDirectories(own.getParent());
        Files.createFile(own);
        assertThat(HomiSocket.byDefault(false, login, system)).as("his own").isEqualTo(own);
        assertThat(HomiSocket.byDefault(false, Map.of(HomiSocket.VARIABLE, "/named"), system))
                .isEqualTo(Path.of("/named"));
        assertThat(HomiSocket.byDefault(true, login, system)).isEqualTo(HomiSocket.ofDaemon(true, login));
    }
}
