package io.aisio.emu;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A JVM of its own for what could take this one down, or needs other flags: the same modules, the same test classes. */
final class Fork {
    private static final int GIVE_UP_SECONDS = 60;

    private Fork() {}

    /**
     * What came of it.
     *
     * @param output both streams
     */
    record Result(int exit, String output) {}

    /**
     * Runs the main method of a class of these tests.
     *
     * @param checked with checked access and assertions as in tests; without either as programs run
     */
    static Result run(boolean checked, Class<?> main, String... arguments) throws IOException, InterruptedException {
        Path classes = Path.of(codeSource(main));
        Path output = Files.createTempFile("fork-", ".txt");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                checked ? "-ea" : "-da",
                "-Xmx512m",
                "-XX:-CreateCoredumpOnCrash",
                "-XX:ErrorFile=" + output + ".crash",
                "-Daisio.checked=" + checked,
                "--enable-native-access=io.aisio.linux",
                "--add-modules=io.aisio.emu",
                "--module-path=" + modules(),
                "--patch-module=io.aisio.emu=" + classes,
                "--module=io.aisio.emu/" + main.getName()));
        command.addAll(List.of(arguments));
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start();
            if (!process.waitFor(GIVE_UP_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
                return new Result(-1, "no end within " + GIVE_UP_SECONDS + " s: " + read(output));
            }
            return new Result(process.exitValue(), read(output));
        } finally {
            Files.deleteIfExists(output);
            Files.deleteIfExists(Path.of(output + ".crash"));
        }
    }

    /** Where the rooms are as modules; where these tests run on the class path, those of the image that they run on. */
    private static String modules() {
        String own = System.getProperty("jdk.module.path");
        return own != null
                ? own
                : Path.of(System.getProperty("aisio.root"), "app", "lib").toString();
    }

    private static String codeSource(Class<?> main) {
        // In a patched module a class has the module's own location: where this file of ours lies tells more.
        String name = main.getName().replace('.', '/') + ".class";
        String url = String.valueOf(main.getClassLoader().getResource(name));
        String file = url.substring("file:".length());
        return new File(file.substring(0, file.length() - name.length())).getAbsolutePath();
    }

    private static String read(Path output) throws IOException {
        return Files.readString(output, StandardCharsets.UTF_8);
    }
}
