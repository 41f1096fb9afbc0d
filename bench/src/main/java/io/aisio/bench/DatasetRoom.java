package io.aisio.bench;

import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/** The room on the disk that a data set goes to: asked for before, and blamed when it runs out. */
final class DatasetRoom {
    private static final String NEXT = "name another place, or a part of the set with --scale";

    /** What Java's exceptions say of ENOSPC. */
    private static final String FULL = "No space left on device";

    private final Path place;

    private DatasetRoom(Path place) {
        this.place = place;
    }

    /** The room at a path, which need not exist. */
    static DatasetRoom at(Path path) {
        Path place = path.toAbsolutePath().normalize();
        while (Files.notExists(place)) {
            place = Objects.requireNonNull(place.getParent(), "a file system has a root");
        }
        return new DatasetRoom(place);
    }

    /**
     * Demands that there is as much.
     *
     * @throws IOException if there is less, with the next step
     */
    void require(long bytes) throws IOException {
        long usable = Files.getFileStore(place).getUsableSpace();
        if (usable < bytes) {
            throw new IOException("%s has %s free and the data set needs %s: %s"
                    .formatted(place, ByteSize.format(usable), ByteSize.format(bytes), NEXT));
        }
    }

    /** What went wrong, in terms of the disk if it is full. What a program said stays as it is. */
    IOException explain(IOException e) {
        String said = e.getMessage();
        boolean full = said != null && (e instanceof FileSystemException ? said.contains(FULL) : said.equals(FULL));
        return full ? new IOException("the disk of %s filled up: %s".formatted(place, NEXT), e) : e;
    }
}
