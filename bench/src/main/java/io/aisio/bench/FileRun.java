package io.aisio.bench;

import io.aisio.cuda.Checksums;
import io.aisio.fil.Batch;
import io.aisio.fil.BatchReader;
import io.aisio.fil.BatchReader.Effort;
import io.aisio.fil.Dataset;
import io.aisio.fil.spi.Backend.Target;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * {@code filperf run}: reads a data set in batches of whole files, and tells how fast.
 *
 * <pre>
 *   open: index, extents │ setup │ warm-up batches │ measured: wait, hold, wait, hold, …
 *                                └── the next batches are read all the time ───────────
 * </pre>
 *
 * <pre>{@code
 * try (FileRun run = FileRun.open(FileRunOptions.of("posix", List.of("/data"), "/imagenetish"))) {
 *     FileRunReport report = run.measure(interval -> {});
 * }
 * }</pre>
 *
 * <p>One thread opens, measures and closes; any thread may {@link #stop()}.
 */
public final class FileRun implements AutoCloseable {
    /** Longer than a batch takes on anything; a longer one counts as that. */
    private static final long LONGEST_BATCH_NANOS = 3_600_000_000_000L;

    private static final Effort NOTHING = new Effort(0, 0, 0, 0);

    private final FileRunOptions options;
    private final Dataset data;
    private final int batchFiles;
    private final long largest;
    private @Nullable FileContent expected;

    private volatile boolean stopped;

    private FileRun(FileRunOptions options, Dataset data) {
        this.options = options;
        this.data = data;
        largest = data.largest();
        long fit = FileRunOptions.BATCH_BYTES / Math.max(1, largest);
        batchFiles =
                options.batchFiles() > 0 ? options.batchFiles() : Math.clamp(fit, 1, FileRunOptions.MOST_BATCH_FILES);
    }

    /**
     * Drops caches if asked to, opens the places and finds the files.
     *
     * @throws IllegalArgumentException if there is no such backend or place
     * @throws IOException if caches cannot be dropped, a place cannot be opened, or there is no file
     */
    public static FileRun open(FileRunOptions options) throws IOException {
        if (options.dropCaches()) {
            FileCaches.drop();
        }
        Dataset data = Dataset.at(options.places().toArray(String[]::new))
                .backend(options.backend())
                .settings(options.settings())
                .folder(options.folder())
                .open();
        return new FileRun(options, data);
    }

    /** What was asked for. */
    public FileRunOptions options() {
        return options;
    }

    /** Which way the data takes, one for each place. */
    public List<String> ways() {
        return data.ways();
    }

    /** What there is to read. */
    public FileRunReport.Set set() {
        return new FileRunReport.Set(
                data.files(), data.bytes(), largest, data.classes().size(), data.footprint());
    }

    /** Files of a batch. */
    public int batchFiles() {
        return batchFiles;
    }

    /**
     * Compares every file that is read with the same in a folder, as the kernel reads it there.
     *
     * @param folders which stand for the roots of the places, one for all or one for each
     * @throws IllegalArgumentException if it is another number of them
     * @throws IOException if one is no folder
     */
    public void verifyAgainst(List<Path> folders) throws IOException {
        expected = FolderContent.of(options.places().size(), folders);
    }

    /**
     * Compares every file that is read with what the generator of data sets makes for it.
     *
     * @throws IOException if the data set is none of the generator's shapes
     */
    public void verifyByShape() throws IOException {
        expected = ShapeContent.of(data);
    }

    /** Compares nothing any more. */
    void verifyNothing() {
        expected = null;
    }

    /** With what is compared; empty without. */
    public String verifiedAgainst() {
        FileContent content = expected;
        return content == null ? "" : content.description();
    }

    /**
     * Reads. Files that cannot be read are in the report. An interrupt ends it early, as {@link #stop()} does, and is dealt
     * with thereby.
     *
     * @param intervals told every {@link FileRunOptions#interval()} and at the end, between batches, on this thread
     * @throws IllegalArgumentException if a file is larger than allowed, or the shard has none
     * @throws IOException if there is not enough memory, or no queue, or what files should hold cannot be read
     */
    public FileRunReport measure(Consumer<FileRunReport.Interval> intervals) throws IOException {
        return measure(options, intervals);
    }

    /** The same with other numbers: order, epochs, batches, warming up. */
    FileRunReport measure(FileRunOptions how, Consumer<FileRunReport.Interval> intervals) throws IOException {
        long begun = System.nanoTime();
        // Before the reader: CUDA may wait for a kernel that reads.
        try (Checksums checksums = checksums(how);
                BatchReader reader = builder(how).open()) {
            return new Measurement(how, reader, checksums, System.nanoTime() - begun, intervals).run();
        }
    }

    /** What compares files in a GPU's memory; null if none are compared there. */
    private @Nullable Checksums checksums(FileRunOptions how) throws IOException {
        Target target = how.settings().target();
        return expected == null || target == null ? null : Checksums.open(target.gpu(), batchFiles);
    }

    private BatchReader.Builder builder(FileRunOptions how) {
        BatchReader.Builder builder = data.batches(batchFiles)
                .prefetch(how.prefetch())
                .shard(how.shard(), how.shards())
                .maxFileBytes(how.maxFileBytes())
                .keepFailures();
        Long seed = how.seed();
        if (seed != null) {
            builder.shuffle(seed);
        }
        if (how.batches() == 0 && how.warmupBatches() == 0) {
            return builder.epochs(how.epochs());
        }
        // What was read ahead when measuring began is made up for by what is when it ends.
        long ahead = how.warmupBatches() > 0 ? how.prefetch() : 0;
        return builder.endless().atMost(plus(plus(how.warmupBatches(), wanted(how, perEpoch(how))), ahead));
    }

    private static long wanted(FileRunOptions how, long batchesPerEpoch) {
        if (how.batches() > 0) {
            return how.batches();
        }
        return how.epochs() > Long.MAX_VALUE / batchesPerEpoch ? Long.MAX_VALUE : how.epochs() * batchesPerEpoch;
    }

    private long perEpoch(FileRunOptions how) {
        int files = data.files() / how.shards() + (how.shard() < data.files() % how.shards() ? 1 : 0);
        return Math.max(1, Math.ceilDiv(files, batchFiles));
    }

    private static long plus(long a, long b) {
        return a > Long.MAX_VALUE - b ? Long.MAX_VALUE : a + b;
    }

    /** Ends the run early, after the next batch: {@link #measure} reports what there is. Any thread may ask, at any time. */
    public void stop() {
        stopped = true;
    }

    /** Closes the places. Closing again does nothing. */
    @Override
    public void close() throws IOException {
        data.close();
    }

    /** One run's counts. */
    private final class Measurement {
        private final FileRunOptions how;
        private final BatchReader reader;
        private final long setupNanos;
        private final Consumer<FileRunReport.Interval> intervals;
        private final @Nullable FileVerification verification;
        private final Latency latency = new Latency(LONGEST_BATCH_NANOS);
        private final List<FileRunReport.Interval> told = new ArrayList<>();
        private final Failures failures = new Failures();

        private long failedFiles;

        // Of the measured time.
        private long batches;
        private long files;
        private long bytes;

        // As it was when measuring began, and when the last interval was told.
        private boolean measured;
        private long begun;
        private Effort effortBefore;
        private long waitBefore;
        private long verifyBefore;
        private long lastTold;
        private long lastBatches;
        private long lastBytes;
        private long lastCommands;

        Measurement(
                FileRunOptions how,
                BatchReader reader,
                @Nullable Checksums checksums,
                long setupNanos,
                Consumer<FileRunReport.Interval> intervals) {
            this.how = how;
            this.reader = reader;
            this.setupNanos = setupNanos;
            this.intervals = intervals;
            FileContent content = expected;
            verification = content == null
                    ? null
                    : new FileVerification(content, data, how.places().size(), reader, checksums);
            effortBefore = NOTHING;
        }

        FileRunReport run() throws IOException {
            boolean whole = false;
            try {
                for (long i = 0; i < how.warmupBatches(); i++) {
                    if (!read(false)) {
                        return report(0);
                    }
                }
                begin();
                long wanted = wanted(how, reader.batchesPerEpoch());
                while (batches < wanted && read(true)) {
                    tell(how.interval().toNanos());
                }
                whole = batches == wanted;
            } catch (InterruptedIOException | ClosedByInterruptException e) {
                // Whoever interrupts wants it to end early, and it does; closing is not to be interrupted too.
                Thread.interrupted();
            }
            stopped |= !whole;
            long now = System.nanoTime();
            tell(0);
            return report(now);
        }

        private void begin() {
            measured = true;
            begun = System.nanoTime();
            lastTold = begun;
            // The first batches may be read by now, and without warming up they are what is measured.
            effortBefore = how.warmupBatches() > 0 ? reader.effort() : NOTHING;
            lastCommands = effortBefore.commands();
            waitBefore = reader.waitNanos();
            verifyBefore = verifyNanos();
        }

        /** Reads a batch; false if it is to stop. */
        private boolean read(boolean counted) throws IOException {
            if (stopped) {
                return false;
            }
            try (Batch batch = reader.next()) {
                if (batch == null) {
                    return false;
                }
                int failed = failed(batch);
                failedFiles += failed;
                if (counted) {
                    batches++;
                    files += batch.size() - failed;
                    bytes += batch.bytes();
                    latency.record(batch.readNanos());
                }
                if (verification != null) {
                    verification.check(batch);
                }
                return true;
            }
        }

        private int failed(Batch batch) {
            int failed = 0;
            for (int i = 0; i < batch.size(); i++) {
                IOException problem = batch.problem(i);
                if (problem != null) {
                    failed++;
                    failures.add(Failures.text(problem));
                }
            }
            return failed;
        }

        private void tell(long least) {
            long now = System.nanoTime();
            long since = now - lastTold;
            if (how.interval().isZero() || since < least || batches == lastBatches) {
                return;
            }
            long commands = reader.effort().commands();
            FileRunReport.Interval interval = new FileRunReport.Interval(
                    (now - begun) / 1e9,
                    batches - lastBatches,
                    (commands - lastCommands) / (since / 1e9),
                    (bytes - lastBytes) / (since / 1e9));
            told.add(interval);
            intervals.accept(interval);
            lastTold = now;
            lastBatches = batches;
            lastBytes = bytes;
            lastCommands = commands;
        }

        private long verifyNanos() {
            return verification == null ? 0 : verification.nanos();
        }

        private FileRunReport report(long ended) {
            Effort effort = reader.effort();
            // Reading may have begun before this thread came to look at the clock.
            long reading = effort.readingNanos() - effortBefore.readingNanos();
            Dataset.OpeningTimes opening = data.openingTimes();
            return new FileRunReport(
                    how,
                    Math.min(batchFiles, reader.filesPerEpoch()),
                    data.ways(),
                    set(),
                    new FileRunReport.Times(
                            opening.indexNanos(),
                            opening.extentsNanos(),
                            setupNanos,
                            measured ? Math.max(ended - begun, reading) : 0,
                            effort.prepareNanos() - effortBefore.prepareNanos(),
                            reading,
                            measured ? reader.waitNanos() - waitBefore : 0,
                            verifyNanos() - verifyBefore),
                    new FileRunReport.Read(
                            batches,
                            files,
                            bytes,
                            effort.commands() - effortBefore.commands(),
                            effort.changed() - effortBefore.changed()),
                    latency.summary(),
                    verification == null ? null : verification.report(),
                    failedFiles,
                    failures.first(),
                    told,
                    stopped);
        }
    }
}
