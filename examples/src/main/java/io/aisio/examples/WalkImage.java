package io.aisio.examples;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Files, as Java knows them: reads every file of an XFS through user-space queues, with nothing but java.nio.file. */
final class WalkImage {
    private WalkImage() {}

    public static void main(String[] arguments) throws IOException {
        Path root = Path.of(URI.create("aisio:" + arguments[0] + "!/"));
        try (var device = root.getFileSystem();
                Stream<Path> files = Files.walk(root)) {
            long bytes = 0;
            for (Path file : (Iterable<Path>) files::iterator) {
                if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                    byte[] content = Files.readAllBytes(file);
                    System.out.println(content.length + "\t" + file);
                    bytes += content.length;
                }
            }
            System.out.println(bytes + "\tread of " + device);
        }
    }
}
