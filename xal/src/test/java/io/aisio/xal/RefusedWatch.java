package io.aisio.xal;

import java.io.IOException;
import java.nio.file.Path;

/** Says why a folder cannot be watched, in a process of its own whose limits are low. */
final class RefusedWatch {
    private RefusedWatch() {}

    public static void main(String[] arguments) {
        try (Watch _ = Watch.open(Path.of(arguments[0]), _ -> {})) {
            System.out.println("it can be watched");
        } catch (IOException e) {
            System.out.println(e.getMessage());
        }
    }
}
