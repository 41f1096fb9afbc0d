package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * Writes files {@code file0}, {@code file1}… until it is stopped, when there are many {@code last} again and again; what has its
 * name has all of its blocks on the device.
 */
final class FilesWriter implements AutoCloseable {
    private static final int LEAST = 5;
    private static final int MOST = 200;
    private static final int LONGEST = 50_000;
    /** A thread that hangs in the kernel is left behind, as the case has failed then. */
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final Path folder;
    private final Map<String, byte[]> written = new LinkedHashMap<>();
    private final Thread thread;
    private volatile boolean stopped;
    private volatile int count;
    private volatile @Nullable Throwable failure;

    FilesWriter(Path folder) {
        this.folder = folder;
        thread = Thread.ofPlatform().daemon().name("writer of files").start(this::write);
    }

    private void write() {
        Random random = new Random(17);
        try {
            while (!stopped || count < LEAST) {
                byte[] content = new byte[1 + random.nextInt(LONGEST)];
                random.nextBytes(content);
                String name = count < MOST ? "file" + count : "last";
                Path unfinished = folder.resolve(name + ".tmp");
                force(unfinished, content);
                Files.move(unfinished, folder.resolve(name));
                written.put("/" + name, content);
                count = written.size();
            }
        } catch (IOException | RuntimeException e) {
            failure = e;
        }
    }

    /** Writes a file from its first byte on, and has it on the device. */
    static void force(Path file, byte[] content) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            for (ByteBuffer rest = ByteBuffer.wrap(content); rest.hasRemaining(); ) {
                int _ = channel.write(rest);
            }
            channel.force(true);
        }
    }

    /** Waits until so many files are there. */
    void await(int files) {
        Machine.await(files + " files are written, " + failure, () -> count >= files);
    }

    /** Waits until it cannot write any more. */
    Throwable awaitFailure() {
        Machine.await("the writer fails", () -> failure != null);
        Throwable why = failure;
        assertThat(why).isNotNull();
        return why;
    }

    /** Ends it, and tells what it wrote, by path from the folder on. */
    Map<String, byte[]> stop() throws InterruptedException {
        close();
        assertThat(failure).isNull();
        return written;
    }

    @Override
    public void close() throws InterruptedException {
        stopped = true;
        assertThat(thread.join(PATIENCE)).as("the writer has ended").isTrue();
    }
}
