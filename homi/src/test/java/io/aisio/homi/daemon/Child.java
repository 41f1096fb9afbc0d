package io.aisio.homi.daemon;

import io.aisio.linux.OpenFile;
import io.aisio.nvme.NvmeController;
import io.aisio.upcie.PciFunction;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Device;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.tomlj.Toml;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.json.JsonMapper;

/** A JVM that this one starts, as small as one can be. */
final class Child implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 60;

    final Process process;
    private final BufferedReader output;

    Child(Class<?> program, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xmx64m",
                "-Xshare:auto",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                classPath(),
                program.getName()));
        command.addAll(List.of(arguments));
        process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        output = process.inputReader(StandardCharsets.UTF_8);
    }

    /** Of what the program needs and no more: a path that is long to search is slow to start from. */
    static String classPath() throws Exception {
        List<String> places = new ArrayList<>();
        String basedir = System.getProperty("basedir");
        if (basedir != null) {
            // Where tests are patched into the module, nothing else tells.
            places.add(Path.of(basedir, "target", "test-classes").toString());
        }
        for (Class<?> type : List.of(
                Child.class,
                Daemon.class,
                // Not read by the module that is tested.
                Class.forName("io.aisio.emu.EmuController"),
                Device.class,
                NvmeController.class,
                PciFunction.class,
                Xal.class,
                OpenFile.class,
                JsonMapper.class,
                JsonFactory.class,
                Class.forName("com.fasterxml.jackson.annotation.JsonProperty"),
                Toml.class)) {
            places.add(Path.of(type.getProtectionDomain()
                            .getCodeSource()
                            .getLocation()
                            .toURI())
                    .toString());
        }
        return places.stream().distinct().collect(Collectors.joining(File.pathSeparator));
    }

    /** The next line that it prints; fails if it ends without one. */
    String line() throws IOException {
        String line = output.readLine();
        if (line == null) {
            throw new AssertionError("the child ended without a word");
        }
        return line;
    }

    /** Writes a byte to its input. */
    void go() throws IOException {
        process.getOutputStream().write('\n');
        process.getOutputStream().flush();
    }

    /** Ends its input, and waits for its end; its exit code. */
    int finish() throws Exception {
        process.getOutputStream().close();
        return exitCode();
    }

    int exitCode() throws InterruptedException {
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("the child did not end");
        }
        return process.exitValue();
    }

    /** SIGKILL. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    /** SIGTERM. */
    void terminate() {
        process.destroy();
    }

    @Override
    public void close() throws Exception {
        kill();
        output.close();
    }
}
