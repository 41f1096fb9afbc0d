package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * A mounted file system that is written to through the kernel, while a process reads the same files by their extents through a
 * queue pair of its own, which no kernel and no daemon stands in.
 */
final class SharedFiles {
    private static final int FILES = 10;

    private SharedFiles() {}

    /** What is looked at while the reader is still there, with all read. */
    interface Look {
        /**
         * @param reader the process that reads
         * @param bytes of all files that it has read
         */
        void at(Process reader, long bytes);
    }

    /**
     * Writes and reads at once, and compares the checksums of what was written, of what the process read and of what the kernel
     * reads by the mount.
     *
     * @param homid tells extents of {@code mount}
     * @param device through which the process reads
     */
    static void writeAndReadAtOnce(Homid homid, Path mount, String device, Look look) throws Exception {
        Map<String, String> read = new TreeMap<>();
        Map<String, byte[]> written;
        Process process = Machine.startJava(
                ExtentsReader.class, homid.socket().toString(), mount.toString(), device, Integer.toString(FILES));
        try (BufferedReader said = process.inputReader()) {
            assertThat(said.readLine()).isEqualTo("ready");
            try (FilesWriter writer = new FilesWriter(mount)) {
                read.put("/file0", after("pinned ", said.readLine()));
                for (int i = 1; i < FILES; i++) {
                    String[] words = after("/file", said.readLine()).split(" ", 2);
                    read.put("/file" + words[0], words[1]);
                }
                // It was writing all the time: else the reader would wait for the last file.
                written = writer.stop();
            }
            FilesWriter.force(mount.resolve("file0"), ExtentsReader.inverted(written.get("/file0")));
            Files.createFile(mount.resolve(ExtentsReader.OVERWRITTEN));
            assertThat(after("still pinned ", said.readLine()))
                    .as("a pinned file, after somebody has written over it")
                    .isEqualTo(read.get("/file0"));
            assertThat(homid.pins()).isEqualTo(1);
            look.at(process, bytes(read));
        } finally {
            process.destroyForcibly();
            process.waitFor();
        }
        Machine.await("the killed reader's pin is given back", () -> homid.pins() == 0);
        Map<String, String> expected = new TreeMap<>();
        written.forEach((path, content) -> expected.put(path, ExtentsReader.checksum(content)));
        assertThat(expected).as("what the process read, of what was written").containsAllEntriesOf(read);
        expected.put("/file0", ExtentsReader.checksum(ExtentsReader.inverted(written.get("/file0"))));
        assertThat(ExtentsReader.checksumsOf(mount)).as("what the kernel reads").isEqualTo(expected);
    }

    private static String after(String beginning, String line) {
        assertThat(line).startsWith(beginning);
        return line.substring(beginning.length());
    }

    private static long bytes(Map<String, String> checksums) {
        return checksums.values().stream()
                .mapToLong(text -> Long.parseLong(text.substring(text.indexOf('/') + 1)))
                .sum();
    }
}
