package io.aisio.bench;

import io.aisio.fil.Dataset;
import io.aisio.fil.spi.Backend.Settings;
import io.aisio.fil.spi.Backend.Target;
import io.aisio.linux.FileStatus;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * {@code filperf compare}: every backend on one data set, in one run, beside what the device itself gives.
 *
 * <pre>
 *   image, made or given ──┬── emu: ────────── aisio-…          verified once, then measured
 *                          │        └───────── ceiling          in rounds, all of them in each,
 *                          └── mounted ─────── posix, io_uring  each second one backwards
 * </pre>
 *
 * <p>Without root nothing is mounted: what reads folders then gets one that holds copies of the same files, which is another
 * file system and is told. What cannot be measured is a row with the reason.
 *
 * <p>One thread runs it; any may {@link #stop()}. Mounts and temporary files are gone when {@link #run} ends, however it does.
 */
public final class FileComparison {
    /** The row of random reads of the device, beside which the others are to be seen. */
    public static final String CEILING = "ceiling";

    /** The backend that the others' ratios are of: the better of its ways. */
    public static final String BASE = "posix";

    /** What begins the name of a controller that is on the GPU itself, so that no processor is on the way. */
    private static final String GPU = "gpu:";

    /** The seed of every round's shuffles. */
    private static final long SEED = RunOptions.DEFAULT_SEED;

    private static final Duration CEILING_RAMP = Duration.ofMillis(200);

    /** Batches before each measurement: their memory is new to it. */
    private static final long WARMUP_BATCHES = 10;
    /** How often a candidate is read before it counts: the first time code is not compiled, nor the image mapped. */
    private static final int WARMUP_RUNS = 3;

    private static final int BLOCK_BYTES = 4096;

    private final Options options;
    private final Consumer<String> progress;
    private final List<String> notes = new ArrayList<>();
    private volatile boolean stopped;

    /**
     * What is compared.
     *
     * @param shape what is made; null if there is an image
     * @param image with an XFS, which is only read; null for one that is made
     * @param folder of the data set in it
     * @param work where temporary files go
     * @param backends which to compare; empty for all that there are
     * @param rounds how often each is measured, at least 1
     * @param least how long a measurement takes at least; it reads as many whole epochs as that takes
     * @param batchFiles files of a batch; 0 for as many as fit {@link FileRunOptions#BATCH_BYTES}
     * @param prefetch batches that are read while one is held
     * @param queues of a place
     * @param queueDepth of each
     * @param ioBytes of a command at most; 0 for the most that a place takes
     * @param emu options of the software controller, with {@code &} between; empty for none
     * @param target a GPU into which all read that can; null for the host's memory, and for those that read there
     * @param gpuQueues of a place, of the backend whose queues a GPU drives
     */
    public record Options(
            @Nullable DatasetShape shape,
            @Nullable Path image,
            String folder,
            Path work,
            List<String> backends,
            int rounds,
            Duration least,
            int batchFiles,
            int prefetch,
            int queues,
            int queueDepth,
            int ioBytes,
            String emu,
            @Nullable Target target,
            int gpuQueues) {
        /** Checks them. */
        public Options {
            backends = List.copyOf(backends);
            if ((shape == null) == (image == null)) {
                throw new IllegalArgumentException("either a data set is made or an image is given");
            }
            if (rounds < 1) {
                throw new IllegalArgumentException("--rounds " + rounds + ": at least 1");
            }
            if (least.toMillis() < 10) {
                throw new IllegalArgumentException("--runtime: at least 0.01 seconds, of each measurement");
            }
            if (batchFiles < 0 || prefetch < 1 || queues < 1 || queueDepth < 1 || ioBytes < 0) {
                throw new IllegalArgumentException(
                        "--batch-size, --prefetch, --queues, --queue-depth and --iosize are at least 1");
            }
        }

        /** The same into a GPU; null for the host's memory. */
        public Options into(@Nullable Target where, int queuesOfGpu) {
            return new Options(
                    shape,
                    image,
                    folder,
                    work,
                    backends,
                    rounds,
                    least,
                    batchFiles,
                    prefetch,
                    queues,
                    queueDepth,
                    ioBytes,
                    emu,
                    where,
                    queuesOfGpu);
        }
    }

    /**
     * One measurement.
     *
     * @param filesPerSecond whole files; 0 of the ceiling, which has none
     * @param bytesPerSecond of content
     * @param iops commands or calls a second
     * @param batchNanos the median of how long a batch took; 0 of the ceiling
     * @param slowestBatchNanos its 99th percentile
     */
    public record Sample(
            double filesPerSecond, double bytesPerSecond, double iops, double batchNanos, double slowestBatchNanos) {}

    /**
     * One way to read.
     *
     * @param name such as {@code posix, buffered}
     * @param place what was opened
     * @param path which way the data took; empty if it was not measured
     * @param missing why it was not measured; empty if it was
     * @param verification what was compared; null of the ceiling, or if it was not measured
     * @param failed files that could not be read
     * @param epochs of each measurement
     * @param samples one a round
     */
    public record Row(
            String name,
            String place,
            String path,
            String missing,
            FileRunReport.@Nullable Verification verification,
            long failed,
            long epochs,
            List<Sample> samples) {
        /** Copies the list. */
        public Row {
            samples = List.copyOf(samples);
        }

        /** The median of the rounds. */
        public double median(ToDoubleFunction<Sample> of) {
            return FileComparison.median(samples.stream().map(of::applyAsDouble).toList());
        }

        /** Whether all files were read and were the same; the ceiling has none, and may be missing. */
        private boolean ok() {
            return name.equals(CEILING) || (failed == 0 && verification != null && verification.ok());
        }
    }

    /**
     * What was seen.
     *
     * @param options what was asked for
     * @param image that was read
     * @param set the data set
     * @param commandBytes of the ceiling's reads: those of a command of aisio-cpu on average, in whole blocks
     * @param load the machine's load average over the last minute, before anything began
     * @param rows in the order in which they are shown
     * @param notes what else a person should know
     */
    public record Report(
            Options options,
            Path image,
            FileRunReport.Set set,
            long commandBytes,
            String load,
            List<Row> rows,
            List<String> notes) {
        /** Copies the lists. */
        public Report {
            rows = List.copyOf(rows);
            notes = List.copyOf(notes);
        }

        /** Whether all files that were read were the same everywhere. */
        public boolean ok() {
            return rows.stream().allMatch(Row::ok);
        }

        /**
         * A row's files a second as a part of those of {@link #BASE}, by whichever of its ways is faster: the median of the
         * rounds' ratios. NaN if either is missing.
         */
        public double ofBase(Row row) {
            Row base = rows.stream()
                    .filter(one -> one.name.startsWith(BASE) && !one.samples.isEmpty())
                    .max((a, b) -> Double.compare(a.median(Sample::filesPerSecond), b.median(Sample::filesPerSecond)))
                    .orElse(null);
            return row.name.equals(CEILING) ? Double.NaN : ratio(row, base, Sample::filesPerSecond);
        }

        /** A row's bytes a second as a part of the {@link #CEILING}'s: the median of the rounds' ratios. NaN as above. */
        public double ofCeiling(Row row) {
            Row ceiling = rows.stream()
                    .filter(one -> one.name.equals(CEILING))
                    .findFirst()
                    .orElse(null);
            return ratio(row, ceiling, Sample::bytesPerSecond);
        }

        private static double ratio(Row row, @Nullable Row other, ToDoubleFunction<Sample> of) {
            if (other == null || row.samples.isEmpty() || other.samples.size() != row.samples.size()) {
                return Double.NaN;
            }
            List<Double> ratios = new ArrayList<>();
            for (int i = 0; i < row.samples.size(); i++) {
                ratios.add(of.applyAsDouble(row.samples.get(i)) / of.applyAsDouble(other.samples.get(i)));
            }
            return FileComparison.median(ratios);
        }
    }

    /** A row while it is measured. */
    private static final class Candidate {
        final String name;
        final FileRunOptions how;
        String path = "";
        String missing = "";
        FileRunReport.@Nullable Verification verification;
        long failed;
        long epochs = 1;
        double commandBytes;

        FileRunReport.@Nullable Set set;

        @Nullable
        FileRun run;

        /** Whether it is open only while it is read: its controller would take what others are measured with. */
        final boolean alone;

        final List<Sample> samples = new ArrayList<>();

        Candidate(String name, FileRunOptions how) {
            this.name = name;
            this.how = how;
            alone = how.places().getFirst().startsWith(GPU);
        }

        FileRun open() throws IOException {
            FileRun opened = run;
            if (opened == null) {
                opened = FileRun.open(how);
                run = opened;
            }
            return opened;
        }

        void closeIfAlone() throws IOException {
            FileRun opened = run;
            if (alone && opened != null) {
                run = null;
                opened.close();
            }
        }

        Row row() {
            return new Row(name, String.join(", ", how.places()), path, missing, verification, failed, epochs, samples);
        }
    }

    /** Closes what candidates have open. */
    private record Closing(List<Candidate> candidates) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            IOException failure = null;
            for (Candidate candidate : candidates) {
                try {
                    if (candidate.run != null) {
                        candidate.run.close();
                    }
                } catch (IOException e) {
                    if (failure == null) {
                        failure = e;
                    } else {
                        failure.addSuppressed(e);
                    }
                } catch (RuntimeException e) {
                    // The others are closed all the same: an open file would hold the mount.
                    IOException what = new IOException(candidate.name + " could not be closed: " + e.getMessage(), e);
                    if (failure == null) {
                        failure = what;
                    } else {
                        failure.addSuppressed(what);
                    }
                }
            }
            if (failure != null) {
                throw failure;
            }
        }
    }

    /** What each way has to have, -1 as long as that is not known. */
    private long files = -1;

    private long bytes;

    private FileComparison(Options options, Consumer<String> progress) {
        this.options = options;
        this.progress = progress;
    }

    /**
     * Begins with nothing done.
     *
     * @param progress is told what goes on, in a few words
     */
    public static FileComparison of(Options options, Consumer<String> progress) {
        return new FileComparison(options, progress);
    }

    /** Ends {@link #run} soon, with an exception. Any thread may ask, at any time. */
    public void stop() {
        stopped = true;
    }

    /**
     * Makes what is missing, verifies and measures.
     *
     * @throws IllegalArgumentException if there is no backend of a name
     * @throws InterruptedIOException if it is stopped or this thread is interrupted
     * @throws IOException if the image cannot be made or read, or what was mounted not be unmounted
     */
    public Report run() throws IOException {
        checkBackends();
        String load = Files.readString(Path.of("/proc/loadavg")).split(" ", -1)[0];
        try (TemporaryFolder work = TemporaryFolder.in(options.work, "aisio-filperf-")) {
            Path image = options.image;
            DatasetShape shape = options.shape;
            if (image == null) {
                image = work.path().resolve("image.xfs");
                DatasetImage.make(Objects.requireNonNull(shape), image, false, progress);
            }
            if (image.toString().indexOf('?') >= 0) {
                throw new IllegalArgumentException(
                        "'" + image + "': a '?' begins the options of emu:IMAGE; name a path without");
            }
            String device = "emu:" + image + "?readonly" + (options.emu.isEmpty() ? "" : "&" + options.emu);
            try (LoopMount mount = mount(image)) {
                Path folder = mount != null ? mount.folder() : copies(image, work);
                return compare(image, device, folder, load);
            }
        }
    }

    /** The image mounted; null if that cannot be, which is noted. */
    private @Nullable LoopMount mount(Path image) throws IOException {
        String why = "needs root";
        if (FileStatus.effectiveUser() == 0) {
            try {
                return LoopMount.toRead(image);
            } catch (InterruptedIOException e) {
                throw e;
            } catch (IOException e) {
                why = Failures.text(e);
            }
        }
        notes.add("the image is not mounted (" + why + "): rows of folders read copies of the files in " + options.work
                + ", which is another file system"
                + (options.shape == null
                        ? "; they were copied by the same extents that aisio-cpu reads, so that is what it is compared with"
                        : ""));
        return null;
    }

    /** A folder with the same files. */
    private Path copies(Path image, TemporaryFolder work) throws IOException {
        Path folder = work.path().resolve("files");
        if (options.shape != null) {
            DatasetFolder.make(options.shape, folder, false, progress);
            return folder;
        }
        progress.accept("copying the files out of the image");
        FileCopies.make(image, options.folder, folder);
        return folder;
    }

    private Report compare(Path image, String device, Path folder, String load) throws IOException {
        List<Candidate> candidates = candidates(image, device, folder);
        try (Closing _ = new Closing(candidates)) {
            return compare(image, device, folder, load, candidates);
        }
    }

    private Report compare(Path image, String device, Path folder, String load, List<Candidate> candidates)
            throws IOException {
        for (Candidate candidate : candidates) {
            verify(candidate, folder);
        }
        List<Candidate> measured =
                candidates.stream().filter(one -> one.missing.isEmpty()).toList();
        Candidate first = measured.stream().findFirst().orElse(null);
        if (first == null) {
            throw new IOException("nothing could be read: "
                    + candidates.stream()
                            .map(one -> one.name + ": " + one.missing)
                            .findFirst()
                            .orElse(""));
        }
        FileRunReport.Set set = Objects.requireNonNull(first.set);
        long commandBytes = commandBytes(measured, device);
        Candidate ceiling = new Candidate(CEILING, FileRunOptions.of("", List.of(device), options.folder));
        try (Run reads = ceiling(ceiling, commandBytes)) {
            // Once uncounted, as the others were.
            measure(ceiling, reads, -1);
            for (int round = 0; round < options.rounds; round++) {
                round(measured, ceiling, reads, round);
            }
        }
        List<Row> rows = new ArrayList<>(candidates.stream().map(Candidate::row).toList());
        rows.add(ceiling.row());
        return new Report(options, image, set, commandBytes, load, rows, notes);
    }

    private void round(List<Candidate> measured, Candidate ceiling, @Nullable Run reads, int round) throws IOException {
        List<Candidate> order = new ArrayList<>(measured);
        boolean backwards = round % 2 == 1;
        if (backwards) {
            Collections.reverse(order);
            measure(ceiling, reads, round);
        }
        for (Candidate candidate : order) {
            progress.accept("round %d of %d: %s".formatted(round + 1, options.rounds, candidate.name));
            FileRunReport report = read(candidate, SEED + round, candidate.epochs, WARMUP_BATCHES);
            candidate.closeIfAlone();
            candidate.failed += report.failedFiles();
            candidate.samples.add(sample(report));
        }
        if (!backwards) {
            measure(ceiling, reads, round);
        }
    }

    private static List<String> backends() {
        return Dataset.backends().stream()
                .map(described -> described.substring(0, described.indexOf(':')))
                .toList();
    }

    private void checkBackends() {
        List<String> names = backends();
        for (String wanted : options.backends) {
            if (!names.contains(wanted)) {
                throw new IllegalArgumentException(
                        "'%s' is no backend; there is %s".formatted(wanted, String.join(", ", names)));
            }
        }
    }

    /** What there is, and which of it may be wanted. */
    private List<Candidate> candidates(Path image, String device, Path folder) {
        Settings host = new Settings(false, false, options.queues, options.queueDepth, options.ioBytes);
        Settings buffered = new Settings(false, true, options.queues, options.queueDepth, options.ioBytes);
        Settings gpu = host.into(options.target);
        Map<String, Candidate> all = new LinkedHashMap<>();
        for (String name : backends()) {
            if (FileRunOptions.INTO_GPU.contains(name) && options.target == null) {
                continue;
            }
            switch (name) {
                case "cufile" -> add(all, name, name, gpu, folder.toString());
                case FileRunOptions.DRIVEN_BY_GPU -> {
                    Settings driven = new Settings(
                            false, false, options.gpuQueues, options.queueDepth, options.ioBytes, options.target);
                    add(all, name, name, driven, device);
                    String onGpu = GPU + image + "?id="
                            + Objects.requireNonNull(options.target).gpu().id();
                    if (options.emu.isEmpty()) {
                        add(all, name + ", " + GPU, name, driven, onGpu);
                    } else {
                        notes.add(name + ", " + GPU + " is left out: the controller on the GPU has no " + options.emu);
                    }
                }
                case "aisio-p2p" -> add(all, name, name, gpu, device);
                default -> {
                    if (FileRunOptions.OF_FOLDERS.contains(name)) {
                        add(all, name + ", direct", name, gpu, folder.toString());
                        add(all, name + ", buffered", name, buffered.into(options.target), folder.toString());
                    } else {
                        add(all, name, name, host, device);
                    }
                }
            }
        }
        return List.copyOf(all.values());
    }

    private void add(Map<String, Candidate> all, String row, String backend, Settings settings, String place) {
        if (options.backends.isEmpty() || options.backends.contains(backend)) {
            FileRunOptions how = FileRunOptions.of(backend, List.of(place), options.folder)
                    .with(settings)
                    .withBatches(options.batchFiles, options.prefetch);
            all.put(row, new Candidate(row, how));
        }
    }

    /** Compares all files of a candidate once, finds out how many epochs a measurement has, and warms it up thereby. */
    private void verify(Candidate candidate, Path folder) throws IOException {
        progress.accept("verifying " + candidate.name);
        try {
            FileRun run = candidate.open();
            requireWhole(run.set());
            if (options.shape != null) {
                run.verifyByShape();
            } else {
                run.verifyAgainst(List.of(folder));
            }
            FileRunReport report = read(candidate, SEED, 1, 0);
            String place = candidate.how.places().getFirst() + ": ";
            String way = report.ways().getFirst();
            candidate.path = way.startsWith(place) ? way.substring(place.length()) : way;
            candidate.verification = report.verification();
            candidate.failed = report.failedFiles();
            if (report.failedFiles() > 0) {
                notes.add(candidate.name + ": " + report.failures().getFirst());
            }
            run.verifyNothing();
            candidate.set = run.set();
            candidate.closeIfAlone();
            warmUp(candidate);
        } catch (InterruptedIOException e) {
            throw e;
        } catch (IOException | IllegalArgumentException e) {
            candidate.missing = Failures.text(e);
        }
    }

    /** Each way has the same files: those of the shape, or of the way that came first. */
    private void requireWhole(FileRunReport.Set set) throws IOException {
        DatasetShape shape = options.shape;
        if (files < 0) {
            files = shape == null ? set.files() : shape.files();
            bytes = shape == null ? set.bytes() : shape.bytes();
        }
        if (set.files() != files || set.bytes() != bytes) {
            throw new IOException("it has %d files of %d bytes, where there are %d of %d"
                    .formatted(set.files(), set.bytes(), files, bytes));
        }
    }

    /** Reads until it takes long enough, and finds out thereby how many epochs that is. */
    private void warmUp(Candidate candidate) throws IOException {
        progress.accept("warming up " + candidate.name);
        for (int i = 0; i < WARMUP_RUNS; i++) {
            FileRunReport report = read(candidate, SEED, candidate.epochs, WARMUP_BATCHES);
            FileRunReport.Read read = report.read();
            candidate.commandBytes = (double) read.bytes() / Math.max(1, read.commands());
            double part = (double) options.least.toNanos()
                    / Math.max(1, report.times().totalNanos());
            candidate.epochs = Math.max(1, (long) Math.ceil(candidate.epochs * part));
        }
        candidate.closeIfAlone();
    }

    private FileRunReport read(Candidate candidate, long seed, long epochs, long warmup) throws IOException {
        checkStopped();
        FileRunReport report = candidate.open().measure(candidate.how.shuffled(seed, epochs, warmup), interval -> {});
        if (report.stopped()) {
            throw new InterruptedIOException("interrupted while " + candidate.name + " was measured");
        }
        return report;
    }

    private void checkStopped() throws InterruptedIOException {
        if (stopped || Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException("interrupted");
        }
    }

    private static Sample sample(FileRunReport report) {
        Map<Double, Long> percentiles = report.batchLatency().percentiles();
        return new Sample(
                report.filesPerSecond(),
                report.bytesPerSecond(),
                report.iops(),
                percentiles.getOrDefault(50.0, 0L),
                percentiles.getOrDefault(99.0, 0L));
    }

    /** What a command of the device's own row carries, in whole blocks. */
    private long commandBytes(List<Candidate> measured, String device) {
        double bytes = measured.stream()
                .filter(one -> one.how.places().contains(device))
                .mapToDouble(one -> one.commandBytes)
                .findFirst()
                .orElse(BLOCK_BYTES);
        return Math.max(1, Math.round(bytes / BLOCK_BYTES)) * BLOCK_BYTES;
    }

    /** Random reads of the device; null if it does not take them so. */
    private @Nullable Run ceiling(Candidate ceiling, long bytes) throws IOException {
        checkStopped();
        RunOptions how = new RunOptions(
                ceiling.how.places(),
                IoPattern.RANDREAD,
                100,
                options.queueDepth,
                bytes,
                options.least,
                CEILING_RAMP,
                options.queues,
                null,
                false,
                Duration.ZERO,
                SEED,
                false);
        try {
            return Run.open(how);
        } catch (IllegalArgumentException e) {
            // A data set's queues are cut to what the device has; these are refused.
            ceiling.missing = Failures.text(e);
            return null;
        }
    }

    private void measure(Candidate ceiling, @Nullable Run reads, int round) throws IOException {
        checkStopped();
        if (reads == null) {
            return;
        }
        progress.accept(
                round < 0
                        ? "warming up " + CEILING
                        : "round %d of %d: %s".formatted(round + 1, options.rounds, CEILING));
        RunReport report = reads.measure(interval -> {});
        checkStopped();
        if (!report.ok()) {
            throw new IOException(CEILING + ": " + report.failures().getFirst());
        }
        ceiling.path = report.devices().getFirst().path();
        if (round >= 0) {
            ceiling.samples.add(new Sample(0, report.bytesPerSecond(), report.iops(), 0, 0));
        }
    }

    private static double median(List<Double> values) {
        if (values.isEmpty()) {
            return Double.NaN;
        }
        List<Double> sorted = values.stream().sorted().toList();
        return (sorted.get((sorted.size() - 1) / 2) + sorted.get(sorted.size() / 2)) / 2;
    }
}
