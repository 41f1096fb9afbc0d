package io.aisio.xal;

import io.aisio.linux.OpenFile;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Another process, with a class of the tests as its program. */
public final class OwnerProcess {
    private OwnerProcess() {}

    /** Starts it, and waits until it writes {@code ready}. */
    public static Process start(Class<?> program, String... arguments) throws IOException {
        String target = Path.of(System.getProperty("basedir", "."), "target").toString();
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-ea",
                "-Xmx128m",
                "-cp",
                String.join(
                        File.pathSeparator,
                        target + "/classes",
                        target + "/test-classes",
                        location(OpenFile.class),
                        location(Test.class),
                        System.getProperty("java.class.path")),
                program.getName()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        if (!"ready".equals(process.inputReader().readLine())) {
            process.destroyForcibly();
            throw new IOException(command + " ended");
        }
        return process;
    }

    private static String location(Class<?> of) {
        return Path.of(of.getProtectionDomain().getCodeSource().getLocation().getPath())
                .toString();
    }
}
