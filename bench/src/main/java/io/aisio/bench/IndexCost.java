package io.aisio.bench;

import io.aisio.linux.FileStatus;
import io.aisio.xal.Entry;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.FileType;
import io.aisio.xal.Index;
import io.aisio.xal.Xal;
import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import javax.management.JMException;
import javax.management.ObjectName;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/**
 * What an index of all files costs, beside what one does without: on the same image, in one run.
 *
 * <pre>
 *   image, made or found ──┬── ./aisio xal index, a fresh JVM each ──▶ seconds, bytes
 *                          ├── look-ups by path, in the index and on disk ──▶ nanoseconds
 *                          └── mounted: find │ xargs filefrag, xfs_bmap a file ──▶ seconds
 * </pre>
 *
 * A temporary image is removed by {@link #close()}.
 */
public final class IndexCost implements AutoCloseable {
    /** What the image takes of the disk, at most, for each file: its inode, its name, and what goes with them. */
    private static final long BYTES_A_FILE = 800;

    private static final long SPARE_BYTES = 256L << 20;
    /** A disk with less room than this is full: the smallest write that can fail here is larger. */
    private static final long FULL_BYTES = 1 << 20;

    /** How often one JVM makes the index before it counts as one that has done it, and after. */
    private static final int WARMING = 3;

    private static final int AGAIN = 5;

    /** Paths that are looked up: so many that neither they nor what they lead to stay in a cache. */
    private static final int PATHS = 1 << 16;
    /** How often all of them are, of which the median counts: the first are not compiled yet. */
    private static final int ROUNDS = 15;
    /** Paths that are looked up on disk, each of which reads a directory. */
    private static final int WALKED = 400;
    /** Files that xfs_bmap is started for. */
    private static final int MAPPED = 2_000;

    private static final String E2FSPROGS = "apt-get install e2fsprogs";
    private static final String XFSPROGS = "apt-get install xfsprogs";
    private static final String FINDUTILS = "apt-get install findutils";

    private final Path launcher;
    private final Path image;
    private final boolean temporary;
    private final Consumer<String> progress;

    private IndexCost(Path launcher, Path image, boolean temporary, Consumer<String> progress) {
        this.launcher = launcher;
        this.image = image;
        this.temporary = temporary;
        this.progress = progress;
    }

    /**
     * What was measured.
     *
     * @param files in the image, all regular
     * @param directories in the image, its root too
     * @param seconds that each fresh JVM took for the index, in the order of the starts
     * @param again that one JVM took for it, again and again, once it had done it a few times
     * @param bytesAFile of the index
     * @param found a look-up of an inode number by path in the index
     * @param mapped a look-up of the extents by path in the index
     * @param walked a look-up by path on disk
     * @param filefrag seconds of find and filefrag over the mounted file system; null if it could not be mounted
     * @param bmap seconds of an xfs_bmap for each file, from {@link #MAPPED} of them; null as above
     * @param load the machine's load average over the last minute, before anything began
     */
    public record Report(
            long files,
            long directories,
            List<Double> seconds,
            List<Double> again,
            double bytesAFile,
            Lookup found,
            Lookup mapped,
            Lookup walked,
            @Nullable Double filefrag,
            @Nullable Double bmap,
            String load) {
        /** Copies the lists. */
        public Report {
            seconds = List.copyOf(seconds);
            again = List.copyOf(again);
        }

        /** The median of the starts. */
        public double median() {
            return median(seconds);
        }

        /** The median of one JVM that has done it before. */
        public double warm() {
            return median(again);
        }

        private static double median(List<Double> values) {
            return values.stream().sorted().toList().get(values.size() / 2);
        }
    }

    /**
     * A look-up.
     *
     * @param nanos that one takes
     * @param bytes that one allocates on the heap
     */
    public record Lookup(double nanos, double bytes) {}

    /**
     * Finds the image, or makes it.
     *
     * @param launcher the script that starts the command line
     * @param image where it is kept; null for a temporary one
     * @param progress is told now and then how far it is, in a few words
     * @throws IOException if it cannot be made, with the next step
     */
    public static IndexCost of(
            Path launcher, @Nullable Path image, int files, int directories, Consumer<String> progress)
            throws IOException {
        Path folder = image == null
                ? Path.of(System.getProperty("java.io.tmpdir"))
                : Objects.requireNonNull(image.toAbsolutePath().getParent());
        Path path = image == null
                ? Files.createTempDirectory(folder, "aisio-bench-").resolve("image.xfs")
                : image;
        IndexCost cost = new IndexCost(launcher, path, image == null, progress);
        if (Files.notExists(path)) {
            try {
                make(path, folder, files, directories, progress);
            } catch (IOException | RuntimeException e) {
                cost.close();
                throw e;
            }
        }
        return cost;
    }

    private static void make(Path image, Path folder, int files, int directories, Consumer<String> progress)
            throws IOException {
        if (FileStatus.effectiveUser() != 0) {
            throw new IOException("making the image needs root, for it is mounted to be filled; next: as root, once,"
                    + " with --image FILE, which is kept");
        }
        long needed = files * BYTES_A_FILE + SPARE_BYTES;
        long usable = Files.getFileStore(folder).getUsableSpace();
        if (usable < needed) {
            throw new IOException("%s has %s free and the image needs %s: name another place with --image FILE"
                    .formatted(folder, ByteSize.format(usable), ByteSize.format(needed)));
        }
        // A file of the final name is whole.
        Path part = image.resolveSibling(image.getFileName() + ".part");
        try {
            ExtentImage.make(part, files, directories, progress);
            Files.move(part, image);
        } catch (InterruptedIOException e) {
            throw e;
        } catch (IOException e) {
            if (Files.getFileStore(folder).getUsableSpace() < FULL_BYTES) {
                throw new IOException(
                        "the disk of %s filled up: name another place with --image FILE".formatted(folder), e);
            }
            throw e;
        } finally {
            Files.deleteIfExists(part);
        }
    }

    /**
     * Measures.
     *
     * @param starts fresh JVMs, at least 1
     * @throws InterruptedIOException if the thread is interrupted; nothing stays mounted
     * @throws IOException if a step fails
     */
    public Report measure(int starts) throws IOException {
        String load = Files.readString(Path.of("/proc/loadavg")).split(" ", -1)[0];
        progress.accept("indexing once, so that the page cache has the image");
        JsonNode first = index();
        List<Double> seconds = new ArrayList<>();
        for (int start = 1; start <= starts; start++) {
            progress.accept("indexing in fresh JVM %d of %d".formatted(start, starts));
            seconds.add(index().get("seconds").asDouble());
        }
        List<Double> again = again();
        Lookup[] lookups = lookups();
        boolean root = FileStatus.effectiveUser() == 0;
        long files = first.get("files").asLong();
        return new Report(
                files,
                first.get("directories").asLong(),
                seconds,
                again,
                first.get("bytes").asDouble() / files,
                lookups[0],
                lookups[1],
                lookups[2],
                root ? filefrag() : null,
                root ? bmap() * files / Math.min(files, MAPPED) : null,
                load);
    }

    private JsonNode index() throws IOException {
        String printed = new Program(launcher).print("xal", "index", "--output", "json", image.toString());
        return new ObjectMapper().readTree(printed);
    }

    private List<Double> again() throws IOException {
        List<Double> seconds = new ArrayList<>();
        try (FileBlocks blocks = FileBlocks.open(image);
                Xal xal = Xal.open(blocks)) {
            for (int round = 1; round <= WARMING + AGAIN; round++) {
                progress.accept("indexing in one JVM, %d of %d".formatted(round, WARMING + AGAIN));
                long began = System.nanoTime();
                try (Index index = xal.index()) {
                    double took = (System.nanoTime() - began) / 1e9;
                    if (round > WARMING && index.files() > 0) {
                        seconds.add(took);
                    }
                }
            }
        }
        return seconds;
    }

    private Lookup[] lookups() throws IOException {
        progress.accept("looking files up");
        try (FileBlocks blocks = FileBlocks.open(image);
                Xal xal = Xal.open(blocks);
                Index index = xal.index()) {
            String[] paths = paths(index);
            return new Lookup[] {
                measure(paths, ROUNDS, index::find),
                measure(paths, ROUNDS, path -> index.extents(path).extents().size()),
                measure(
                        Arrays.copyOf(paths, Math.min(paths.length, WALKED)),
                        3,
                        path -> xal.lookup(path).inode().number()),
            };
        }
    }

    /** Paths of files at random. */
    private static String[] paths(Index index) throws IOException {
        SplittableRandom random = new SplittableRandom(7);
        List<String> chosen = new ArrayList<>();
        int[] seen = new int[1];
        index.walk("/", new Xal.Visitor() {
            @Override
            public void visit(Entry entry) {
                if (entry.type() == FileType.REGULAR) {
                    int at = random.nextInt(++seen[0]);
                    if (chosen.size() < PATHS) {
                        chosen.add(at, entry.path());
                    } else if (at < PATHS) {
                        chosen.set(at, entry.path());
                    }
                }
            }

            @Override
            public void damaged(String path, IOException problem) throws IOException {
                throw problem;
            }
        });
        if (chosen.isEmpty()) {
            throw new IOException("the image holds no files to look up");
        }
        return chosen.toArray(new String[0]);
    }

    private interface ByPath {
        long look(String path) throws IOException;
    }

    private static Lookup measure(String[] paths, int rounds, ByPath by) throws IOException {
        double[] nanos = new double[rounds];
        double bytes = 0;
        long sum = 0;
        for (int round = 0; round < rounds; round++) {
            if (Thread.currentThread().isInterrupted()) {
                throw new InterruptedIOException("interrupted");
            }
            // To ask allocates, too.
            long own = -allocatedBytes() + allocatedBytes();
            long allocated = allocatedBytes() + own;
            long began = System.nanoTime();
            for (String path : paths) {
                sum += by.look(path);
            }
            nanos[round] = (System.nanoTime() - began) / (double) paths.length;
            bytes = (allocatedBytes() - allocated) / (double) paths.length;
        }
        if (sum <= 0) {
            throw new IllegalStateException("nothing was found");
        }
        Arrays.sort(nanos);
        return new Lookup(nanos[rounds / 2], Math.max(0, Math.floor(bytes)));
    }

    /** Bytes that this thread allocated so far; the JVM tells it by name alone. */
    private static long allocatedBytes() {
        try {
            return (long) ManagementFactory.getPlatformMBeanServer()
                    .invoke(
                            new ObjectName(ManagementFactory.THREAD_MXBEAN_NAME),
                            "getThreadAllocatedBytes",
                            new Object[] {Thread.currentThread().threadId()},
                            new String[] {"long"});
        } catch (JMException e) {
            throw new IllegalStateException("this JVM does not count what a thread allocates", e);
        }
    }

    private double filefrag() throws IOException {
        requireTools("find", FINDUTILS, "filefrag", E2FSPROGS);
        progress.accept("find, and filefrag on all files, mounted: a minute or so");
        return timed("find \"$1\" -type f -print0 | xargs -0 filefrag -v");
    }

    private double bmap() throws IOException {
        requireTools("find", FINDUTILS, "xfs_bmap", XFSPROGS);
        progress.accept("xfs_bmap on %,d files, one by one".formatted(MAPPED));
        return timed("find \"$1\" -type f -print0 | head -z -n " + MAPPED + " | xargs -0 -n 1 xfs_bmap -v");
    }

    private static void requireTools(String... namesAndRemedies) throws IOException {
        for (int i = 0; i < namesAndRemedies.length; i += 2) {
            Program _ = Program.require(namesAndRemedies[i], namesAndRemedies[i + 1]);
        }
    }

    /** The seconds that a shell takes on the file system, mounted anew. */
    private double timed(String script) throws IOException {
        Program shell = Program.require("sh", "apt-get install dash");
        try (LoopMount mount = LoopMount.toRead(image)) {
            long began = System.nanoTime();
            shell.run("-c", script, "sh", mount.folder().toString());
            return (System.nanoTime() - began) / 1e9;
        }
    }

    /** Removes a temporary image. */
    @Override
    public void close() throws IOException {
        if (temporary) {
            Files.deleteIfExists(image);
            Files.deleteIfExists(Objects.requireNonNull(image.getParent()));
        }
    }
}
