package io.aisio.bench;

import io.aisio.xal.Entry;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.FileType;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** Copies of the files of an image, in a folder: by their extents and the JDK's own reads, so without a mount. */
final class FileCopies {
    private FileCopies() {}

    /**
     * Copies all regular files beneath a folder of an image, each to its own path.
     *
     * @param target is made
     * @throws InterruptedIOException if this thread is interrupted
     * @throws IOException if the image cannot be read, or the disk has no room
     */
    static void make(Path image, String folder, Path target) throws IOException {
        try (FileBlocks blocks = FileBlocks.open(image);
                Xal xal = Xal.open(blocks);
                FileChannel from = FileChannel.open(image, StandardOpenOption.READ)) {
            List<Entry> files = files(xal, folder);
            Files.createDirectories(target);
            long needed = files.stream().mapToLong(file -> file.inode().size()).sum();
            long usable = Files.getFileStore(target).getUsableSpace();
            if (usable < needed) {
                throw new IOException(
                        "%s has %s free and copies of the files take %s: give another folder with --folder"
                                .formatted(target, ByteSize.format(usable), ByteSize.format(needed)));
            }
            for (Entry file : files) {
                if (Thread.currentThread().isInterrupted()) {
                    throw new InterruptedIOException("interrupted while files were copied");
                }
                copy(xal, file, from, target.resolve(file.path().substring(1)));
            }
        }
    }

    private static List<Entry> files(Xal xal, String folder) throws IOException {
        List<Entry> files = new ArrayList<>();
        List<IOException> problems = new ArrayList<>();
        xal.walk(folder.startsWith("/") ? folder : "/" + folder, new Xal.Visitor() {
            @Override
            public void visit(Entry entry) {
                if (entry.type() == FileType.REGULAR) {
                    files.add(entry);
                }
            }

            @Override
            public void damaged(String path, IOException problem) {
                problems.add(problem);
            }
        });
        if (!problems.isEmpty()) {
            throw problems.getFirst();
        }
        return files;
    }

    private static void copy(Xal xal, Entry file, FileChannel from, Path target) throws IOException {
        Files.createDirectories(Objects.requireNonNull(target.getParent()));
        try (FileChannel to = FileChannel.open(target, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (Piece piece : xal.pieces(file)) {
                switch (piece.kind()) {
                    case DATA -> copy(from, piece.position(), to.position(piece.offset()), piece.length());
                    case HOLE, UNWRITTEN -> {}
                    case ELSEWHERE -> throw new IOException("the image does not hold " + file.path() + " as it is");
                }
            }
            extend(to, file.inode().size());
        }
    }

    private static void copy(FileChannel from, long position, FileChannel to, long length) throws IOException {
        for (long done = 0; done < length; ) {
            long more = from.transferTo(position + done, length - done, to);
            if (more <= 0) {
                throw new IOException("the image ends at byte " + (position + done));
            }
            done += more;
        }
    }

    /** A file that ends in a hole is as long as it is said to be. */
    private static void extend(FileChannel file, long size) throws IOException {
        if (file.size() < size) {
            file.write(ByteBuffer.allocate(1), size - 1);
        }
    }
}
