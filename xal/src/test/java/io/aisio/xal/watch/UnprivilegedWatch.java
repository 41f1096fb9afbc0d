package io.aisio.xal.watch;

import io.aisio.linux.LinuxException;
import io.aisio.xal.Watch;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Says how a folder is watched, in a process of its own which may do less than this one. */
final class UnprivilegedWatch {
    private UnprivilegedWatch() {}

    static List<String> command(Path folder) throws Exception {
        String classes =
                location(Watch.class) + ":" + location(LinuxException.class) + ":" + location(UnprivilegedWatch.class);
        return List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                classes,
                UnprivilegedWatch.class.getName(),
                folder.toString());
    }

    private static String location(Class<?> of) throws Exception {
        return Path.of(of.getProtectionDomain().getCodeSource().getLocation().toURI())
                .toString();
    }

    public static void main(String[] arguments) throws IOException {
        Path folder = Path.of(arguments[0]);
        try (Watch watch = Watch.open(folder, Watch.PACE, Watch.Extents.IF_POSSIBLE, _ -> {})) {
            System.out.println(watch.how() + ": " + watch.missing());
        }
    }
}
