package io.aisio.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Who has claimed a file ({@code flock(2)}), as {@code /proc/locks} has it. */
public final class FileLocks {
    private static final Path LOCKS = Path.of("/proc/locks");

    private FileLocks() {}

    /**
     * The process that claimed a file, if it still has it and lies within this process's PID namespace.
     *
     * @param file the status of the file that is open
     */
    public static Optional<ProcessHandle> holder(FileStatus file) throws IOException {
        String place =
                "%02x:%02x:%d".formatted(file.device().major(), file.device().minor(), file.inode());
        // "1: FLOCK  ADVISORY  WRITE 1234 00:15:4711 0 EOF"; one that waits has "->" after the number.
        for (String line : Files.readAllLines(LOCKS)) {
            String[] fields = line.trim().split(" +", -1);
            if (fields.length >= 6 && fields[1].equals("FLOCK") && fields[5].equals(place)) {
                try {
                    return ProcessHandle.of(Long.parseLong(fields[4]));
                } catch (NumberFormatException e) {
                    throw new IOException(LOCKS + ": no process in '" + line + "'", e);
                }
            }
        }
        return Optional.empty();
    }
}
