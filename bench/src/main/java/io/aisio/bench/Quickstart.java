package io.aisio.bench;

import io.aisio.fil.Batch;
import io.aisio.fil.BatchReader;
import io.aisio.fil.Dataset;
import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * From nothing to files read through a user-space queue pair, without root and without hardware.
 *
 * <pre>
 *   sample files ── mkfs.xfs -p ──▶ image ── emu:IMAGE ──▶ Device ── xal, fil ──▶ files ── SHA-256 ──▶ the same?
 * </pre>
 *
 * All of it happens in a temporary folder, which {@link #close()} removes.
 */
public final class Quickstart implements AutoCloseable {
    /** Files of a batch. */
    private static final int BATCH = 32;

    /** How long the passes for the figures take at least. */
    private static final long MEASURE_NANOS = 1_000_000_000;
    /** What all of it takes of the disk: the files, their copies in the image, its log; with some to spare. */
    private static final long NEEDED_BYTES = 320L << 20;

    /** A disk with less room than this is full: the smallest write that can fail here is larger. */
    private static final long FULL_BYTES = 1 << 20;

    private final Path folder;
    private final Path image;
    private final Consumer<String> progress;
    private boolean keepImage;

    private Quickstart(Path folder, Consumer<String> progress) {
        this.folder = folder;
        image = folder.resolve("image.xfs");
        this.progress = progress;
    }

    /**
     * Makes a temporary folder to work in.
     *
     * @param parent where; usually {@code java.io.tmpdir}
     * @param progress is told now and then how far it is, in a few words
     * @throws IOException if it cannot be made, or there is too little space; with the next step
     */
    public static Quickstart in(Path parent, Consumer<String> progress) throws IOException {
        long usable = Files.getFileStore(parent).getUsableSpace();
        if (usable < NEEDED_BYTES) {
            throw new IOException("%s has %s free and quickstart needs %s: give another folder with --folder"
                    .formatted(parent, ByteSize.format(usable), ByteSize.format(NEEDED_BYTES)));
        }
        return new Quickstart(Files.createTempDirectory(parent, "aisio-quickstart-"), progress);
    }

    /** Lets the image outlive this. */
    public void keepImage() {
        keepImage = true;
    }

    /** Where the image is. */
    public Path image() {
        return image;
    }

    /**
     * Does all of it.
     *
     * @throws InterruptedIOException if the thread is interrupted
     * @throws IOException if a step fails
     */
    public QuickstartReport run() throws IOException {
        try {
            return makeAndRead();
        } catch (InterruptedIOException e) {
            throw e;
        } catch (IOException e) {
            if (Files.getFileStore(folder).getUsableSpace() < FULL_BYTES) {
                throw new IOException(
                        "the disk of %s filled up: give another folder with --folder".formatted(folder), e);
            }
            throw e;
        }
    }

    private QuickstartReport makeAndRead() throws IOException {
        Optional<Path> mkfs = XfsImage.mkfs();
        SampleFiles files = mkfs.isPresent() ? SampleFiles.imagenetish() : SampleFiles.small();
        Map<String, byte[]> digests = new LinkedHashMap<>();
        if (mkfs.isPresent()) {
            Path source = folder.resolve("files");
            for (SampleFiles.SampleFile file : files.files()) {
                checkInterrupt();
                progress.accept("making files: " + digests.size() + " of "
                        + files.files().size());
                SampleFiles.write(file, source);
                digests.put(file.path(), file.digest());
            }
            progress.accept("making an XFS image of them: " + mkfs.get() + " -p");
            XfsImage.make(mkfs.get(), files, source, image);
        } else {
            for (SampleFiles.SampleFile file : files.files()) {
                digests.put(file.path(), file.digest());
            }
            progress.accept("unpacking the XFS image that comes with the program");
            XfsImage.unpack(image);
        }
        progress.accept("bringing up the software controller");
        try (Dataset data = Dataset.open("emu:" + image + "?readonly", "/")) {
            return read(data, digests, mkfs.isEmpty());
        }
    }

    private QuickstartReport read(Dataset data, Map<String, byte[]> digests, boolean shipped) throws IOException {
        List<String> mismatches = new ArrayList<>();
        long commands = compare(data, digests, mismatches);
        progress.accept("reading again, for the figures");
        int passes = 0;
        long elapsed;
        boolean whole;
        try (BatchReader batches = data.batches(BATCH).endless().open()) {
            long began = System.nanoTime();
            do {
                checkInterrupt();
                try (Batch batch = batches.next()) {
                    whole = Objects.requireNonNull(batch).number() == batches.batchesPerEpoch() - 1;
                }
                passes += whole ? 1 : 0;
                elapsed = System.nanoTime() - began;
            } while (elapsed < MEASURE_NANOS || !whole);
        }
        return new QuickstartReport(
                data.files(), data.bytes(), shipped, data.path(), passes, elapsed / 1e9, passes * commands, mismatches);
    }

    /** Reads all files once, each of which must be one of the sources and have its bytes; how many commands that took. */
    private long compare(Dataset data, Map<String, byte[]> digests, List<String> mismatches) throws IOException {
        List<String> missing = new ArrayList<>(digests.keySet());
        MessageDigest sha256 = SampleFiles.sha256();
        try (BatchReader batches = data.batches(BATCH).open()) {
            int compared = 0;
            for (Batch batch = batches.next(); batch != null; batch = batches.next()) {
                for (int i = 0; i < batch.size(); i++) {
                    checkInterrupt();
                    progress.accept("reading and comparing: " + compared++ + " of " + data.files());
                    update(sha256, batch.content(i));
                    byte[] digest = sha256.digest();
                    if (!missing.remove(batch.path(i))) {
                        mismatches.add(batch.path(i) + ": is in the image and has no source");
                    } else if (!Arrays.equals(digest, digests.get(batch.path(i)))) {
                        mismatches.add(batch.path(i) + ": its SHA-256 is not its source's");
                    }
                }
                batch.close();
            }
            missing.forEach(path -> mismatches.add(path + ": is not in the image"));
            return batches.effort().commands();
        }
    }

    private static void update(MessageDigest digest, MemorySegment content) {
        // A buffer ends at 2 GiB; the largest sample is far below.
        digest.update(content.asByteBuffer());
    }

    private static void checkInterrupt() throws InterruptedIOException {
        if (Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException("interrupted");
        }
    }

    /** Removes the folder and all in it, but for an image that is to be kept. Closing again does nothing. */
    @Override
    public void close() throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                if (!keepImage || !file.equals(image)) {
                    Files.delete(file);
                }
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException e) throws IOException {
                if (e != null) {
                    throw e;
                }
                if (!keepImage || !directory.equals(folder)) {
                    Files.delete(directory);
                }
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
