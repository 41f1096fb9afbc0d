package io.aisio.bench;

import io.aisio.fil.Batch;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;

/** Files as the kernel has them: the JDK reads them from folders, one for each place of a data set. */
final class FolderContent implements FileContent {
    private static final int CHUNK = 1 << 20;

    private final List<Path> folders;
    private final ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
    private final MemorySegment expected = MemorySegment.ofBuffer(chunk);

    private FolderContent(List<Path> folders) {
        this.folders = folders;
    }

    /**
     * Of folders that are the roots of the places, in their order; one may stand for all.
     *
     * @throws IllegalArgumentException if there are neither one nor as many as places
     * @throws IOException if one is no folder
     */
    static FolderContent of(int places, List<Path> folders) throws IOException {
        if (folders.size() != 1 && folders.size() != places) {
            throw new IllegalArgumentException("%d folders to verify against and %d places: give one, or one for each"
                    .formatted(folders.size(), places));
        }
        for (Path folder : folders) {
            if (!Files.exists(folder)) {
                throw new NoSuchFileException(folder.toString());
            }
            if (!Files.isDirectory(folder)) {
                throw new NotDirectoryException(folder.toString());
            }
        }
        return new FolderContent(folders.size() == 1 ? Collections.nCopies(places, folders.getFirst()) : folders);
    }

    @Override
    public String description() {
        return "the files in " + folders.stream().distinct().map(Path::toString).collect(Collectors.joining(", "));
    }

    @Override
    public long mismatch(Batch batch, int i, MemorySegment content) throws IOException {
        try (FileChannel channel = FileChannel.open(path(batch, i), StandardOpenOption.READ)) {
            long at = 0;
            while (true) {
                int got = read(channel);
                long both = Math.min(got, content.byteSize() - at);
                long differs = MemorySegment.mismatch(expected, 0, both, content, at, at + both);
                if (differs >= 0) {
                    return at + differs;
                }
                at += both;
                if (got != both) {
                    return at;
                }
                if (got < CHUNK) {
                    return at == content.byteSize() ? -1 : at;
                }
            }
        }
    }

    @Override
    public int crc32c(Batch batch, int i) throws IOException {
        CRC32C crc = new CRC32C();
        try (FileChannel channel = FileChannel.open(path(batch, i), StandardOpenOption.READ)) {
            for (int got = CHUNK; got == CHUNK; ) {
                got = read(channel);
                chunk.flip();
                crc.update(chunk);
            }
        }
        return (int) crc.getValue();
    }

    private Path path(Batch batch, int i) {
        return folders.get(batch.source(i)).resolve(batch.path(i).substring(1));
    }

    /** The next bytes, a chunk unless the file ends. */
    private int read(FileChannel channel) throws IOException {
        chunk.clear();
        while (chunk.hasRemaining()) {
            if (channel.read(chunk) < 0) {
                break;
            }
        }
        return chunk.position();
    }
}
