package io.aisio.bench;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Makes the content of many files on all processors: threads take files from one source, one by one, and write them.
 *
 * @param <T> a file and where it goes
 */
final class DatasetThreads<T> {
    /** How often it is told how far it is. */
    private static final Duration STEP = Duration.ofMillis(100);

    private final Source<T> source;
    private final Sink<T> sink;
    private final DatasetTally tally;
    private @Nullable Throwable failure;

    /** Hands files out. Asked by one thread at a time. */
    @FunctionalInterface
    interface Source<T> {
        /** The next one; null if there is none left. */
        @Nullable
        T next() throws IOException;
    }

    /** Writes files. Called by many threads, each with a content of its own. */
    @FunctionalInterface
    interface Sink<T> {
        /** Writes one, and tells the tally, which may end it. */
        void write(T file, DatasetContent content) throws IOException;
    }

    private DatasetThreads(Source<T> source, Sink<T> sink, DatasetTally tally) {
        this.source = source;
        this.sink = sink;
        this.tally = tally;
    }

    /**
     * Writes all of them. No thread runs any more when this returns, however it does.
     *
     * @throws InterruptedIOException if this thread is interrupted
     * @throws IOException the first that a source or a sink threw
     */
    static <T> void run(Source<T> source, Sink<T> sink, DatasetTally tally, Consumer<String> progress)
            throws IOException {
        new DatasetThreads<>(source, sink, tally).run(progress);
    }

    private void run(Consumer<String> progress) throws IOException {
        List<Thread> threads = new ArrayList<>();
        boolean interrupted = false;
        try {
            progress.accept(tally.line());
            int count = Runtime.getRuntime().availableProcessors();
            for (int i = 0; i < count; i++) {
                threads.add(
                        Thread.ofPlatform().daemon().name("aisio-dataset-" + i).start(this::writeAll));
            }
            for (Thread thread : threads) {
                while (!thread.join(STEP)) {
                    progress.accept(tally.line());
                }
            }
        } catch (InterruptedException e) {
            interrupted = true;
        } finally {
            tally.stop();
            interrupted |= awaitEnd(threads);
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        if (interrupted) {
            throw new InterruptedIOException("interrupted while files were written");
        }
        rethrow();
    }

    /** Waits for all, whatever comes. Tells whether this thread was interrupted meanwhile. */
    private static boolean awaitEnd(List<Thread> threads) {
        boolean interrupted = false;
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        return interrupted;
    }

    private void writeAll() {
        try {
            DatasetContent content = new DatasetContent();
            for (T file = take(); file != null; file = take()) {
                sink.write(file, content);
                tally.fileDone();
            }
        } catch (IOException | RuntimeException | Error e) {
            fail(e);
        }
    }

    private synchronized @Nullable T take() throws IOException {
        return tally.stopped() ? null : source.next();
    }

    /** The first is why; the others stop because of it. */
    private synchronized void fail(Throwable e) {
        if (failure == null && !tally.stopped()) {
            failure = e;
        }
        tally.stop();
    }

    private synchronized void rethrow() throws IOException {
        switch (failure) {
            case null -> {}
            case IOException io -> throw io;
            case RuntimeException ours -> throw ours;
            case Error error -> throw error;
            case Throwable other -> throw new IllegalStateException(other);
        }
    }
}
