package io.aisio.upcie;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** modprobe(8), where administrators have it. */
final class Modprobe {
    private static final List<String> FOLDERS = List.of("/usr/sbin", "/sbin", "/usr/bin", "/bin");

    private Modprobe() {}

    /**
     * Loads a module and what it needs.
     *
     * @param name letters, digits, {@code -} and {@code _}
     * @throws IOException if it cannot be loaded, with what modprobe said
     */
    static void load(String name) throws IOException {
        Path program = FOLDERS.stream()
                .map(folder -> Path.of(folder, "modprobe"))
                .filter(Files::isExecutable)
                .findFirst()
                .orElseThrow(() -> new IOException("this machine has no modprobe (apt-get install kmod)"));
        Process process = new ProcessBuilder(program.toString(), "--", name)
                .redirectErrorStream(true)
                .redirectInput(Path.of("/dev/null").toFile())
                .start();
        try (Stream<String> said =
                new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines()) {
            String last = said.reduce((_, line) -> line).orElse("modprobe failed");
            if (process.waitFor() != 0) {
                throw new IOException(last);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            process.destroy();
            throw new InterruptedIOException("interrupted while modprobe " + name + " ran");
        }
    }
}
