package io.aisio.bench;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStreamWriter;
import java.lang.ProcessBuilder.Redirect;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * An image with a data set of the shape of ImageNet: directories of as many files each, which have blocks and no data, so
 * that the image takes little more than its metadata.
 */
final class ExtentImage {
    /** Sizes of files in bytes, the second excluded. */
    private static final int LEAST_BYTES = 75_000;

    private static final int MOST_BYTES = 150_000;
    /** Of the file system, beside its files: logs, inodes and what mkfs.xfs keeps for itself. */
    private static final long SPARE_BYTES = 4L << 30;

    private static final String PACKAGE = "apt-get install xfsprogs";

    private ExtentImage() {}

    /**
     * Makes the image.
     *
     * @param progress is told how far it is
     * @throws IOException if a program is missing or fails, or nobody may mount
     */
    static void make(Path image, int files, int directories, Consumer<String> progress) throws IOException {
        Program mkfs = Program.require("mkfs.xfs", PACKAGE);
        long bytes = (long) files * MOST_BYTES + SPARE_BYTES;
        try (var channel = Files.newByteChannel(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            channel.position(bytes - 1).write(ByteBuffer.allocate(1));
        }
        mkfs.run("-q", "-f", image.toString());
        try (LoopMount mount = LoopMount.toWrite(image)) {
            fill(mount.folder(), files, directories, progress);
        }
    }

    /** Half of the directories each by a program of its own: making a file takes the kernel's time, not ours. */
    private static void fill(Path folder, int files, int directories, Consumer<String> progress) throws IOException {
        Program xfsIo = Program.require("xfs_io", PACKAGE);
        AtomicInteger made = new AtomicInteger();
        List<Maker> makers = new ArrayList<>();
        try {
            for (int half = 0; half < 2; half++) {
                Maker maker = new Maker(xfsIo.start(Redirect.PIPE), folder, half, files, directories, made);
                makers.add(maker);
                maker.thread.start();
            }
            for (Maker maker : makers) {
                while (!maker.thread.join(Duration.ofMillis(200))) {
                    progress.accept("making files: %,d of %,d".formatted(made.get(), files));
                }
                maker.finish();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while files were made");
        } finally {
            for (Maker maker : makers) {
                maker.close();
            }
        }
    }

    /** Tells one xfs_io what to make, on a thread of its own. */
    private static final class Maker {
        final Program.Running running;
        final Thread thread;
        private volatile @Nullable IOException failure;

        Maker(Program.Running running, Path folder, int half, int files, int directories, AtomicInteger made) {
            this.running = running;
            thread = Thread.ofPlatform().daemon().unstarted(() -> {
                try (var commands = new BufferedWriter(
                        new OutputStreamWriter(running.process().getOutputStream(), US_ASCII))) {
                    for (int directory = half; directory < directories; directory += 2) {
                        write(commands, folder, directory, files / directories, made);
                    }
                } catch (IOException e) {
                    failure = e;
                }
            });
        }

        private static void write(BufferedWriter commands, Path folder, int directory, int files, AtomicInteger made)
                throws IOException {
            String name = "class%03d".formatted(directory);
            Path path = Files.createDirectory(folder.resolve(name));
            Random random = new Random(directory);
            for (int i = 0; i < files; i++) {
                commands.write("open -f %s/%s_%08d.bin\nfalloc 0 %d\nclose\n"
                        .formatted(path, name, i, random.nextInt(LEAST_BYTES, MOST_BYTES)));
                made.incrementAndGet();
            }
        }

        /**
         * Stops it and waits until it makes nothing any more: behind an unmounted file system it would make folders in
         * the one below.
         */
        void close() throws IOException {
            running.close();
            boolean interrupted = false;
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }

        /** What xfs_io said explains more than that it no longer listened. */
        void finish() throws IOException {
            running.await();
            IOException e = failure;
            if (e != null) {
                throw e;
            }
        }
    }
}
