package io.aisio.bench;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.IntToLongFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What a data set for benchmarks holds: which files in which folders, how large, and what is in them. All of it follows
 * from a few numbers, so that a set is the same everywhere, and known again without being stored.
 *
 * <pre>
 *   name ── cksum ──▶ class001, how many files ── 13 steps a file ──▶ size, key, counter ── AES-256-CTR ──▶ bytes
 * </pre>
 *
 * {@code imagenetish}, {@code tiktokish} and {@code filesize8gib} are, byte for byte, the sets of those names that AiSIO's
 * C tools are measured with. {@code lmcacheish} has the folders, names and sizes of the one that OpenDS is measured with;
 * that one's bytes are random and were never published, so they come from the same generator as the others' here.
 * {@code tiny} is for questions of scale. docs/datasets.md has each.
 */
public final class DatasetShape {
    /** What the data of a file takes on a file system, in multiples of: the block of XFS and ext4. */
    static final int BLOCK_BYTES = 4096;

    /** Files of {@code tiny} unless another number is asked for. */
    public static final int TINY_FILES = 1_000_000;

    private static final int TINY_FILES_PER_CLASS = 1_000;
    /** Names have eight digits, and so have the largest sets. */
    private static final int MOST_TINY_FILES = 99_999_999;

    private static final String IMAGENETISH = "imagenetish";
    private static final String TIKTOKISH = "tiktokish";
    private static final String FILESIZE8GIB = "filesize8gib";
    private static final String LMCACHEISH = "lmcacheish";
    private static final String TINY = "tiny";

    /** What of a set becomes less when it is scaled. */
    private enum Scaling {
        FILES,
        SIZES
    }

    /** How files are numbered and named within their class. */
    private enum Naming {
        /** {@code class001_00000001.bin}. */
        CLASS_AND_NUMBER,
        /** {@code chunk_00000.kvcache}. */
        CHUNK
    }

    private final String name;
    private final String about;
    private final List<DatasetClass> classes;
    private final Naming naming;
    private final Scaling scaling;
    private final long leastBytes;
    private final long mostBytes;
    private final double sizeScale;

    private DatasetShape(
            String name,
            String about,
            List<DatasetClass> classes,
            Naming naming,
            Scaling scaling,
            long leastBytes,
            long mostBytes,
            double sizeScale) {
        this.name = name;
        this.about = about;
        this.classes = List.copyOf(classes);
        this.naming = naming;
        this.scaling = scaling;
        this.leastBytes = leastBytes;
        this.mostBytes = mostBytes;
        this.sizeScale = sizeScale;
    }

    /** All shapes, whole. */
    public static List<DatasetShape> all() {
        return List.of(
                seeded(
                        IMAGENETISH,
                        "images: very many files of some 110 KiB",
                        1000,
                        1000,
                        1400,
                        75_000,
                        150_000,
                        Scaling.FILES),
                seeded(TIKTOKISH, "short videos: files of 7 to 8 MiB", 32, 14, 14, 7_340_032, 8_388_608, Scaling.FILES),
                seeded(FILESIZE8GIB, "large files of 8 GiB each", 2, 10, 10, 8L << 30, 8L << 30, Scaling.SIZES),
                lmcacheish(),
                tiny(TINY_FILES));
    }

    /**
     * The shape of a name.
     *
     * @throws IllegalArgumentException naming those that there are
     */
    public static DatasetShape of(String name) {
        return all().stream()
                .filter(shape -> shape.name.equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("there is no data set of the shape '" + name
                        + "': name one of "
                        + all().stream().map(DatasetShape::name).collect(Collectors.joining(", "))));
    }

    /**
     * Many files of a block each, in classes of 1,000.
     *
     * @param files 1 to 99,999,999
     * @throws IllegalArgumentException if it is another number
     */
    public static DatasetShape tiny(int files) {
        if (files < 1 || files > MOST_TINY_FILES) {
            throw new IllegalArgumentException(
                    "%d files: a set of tiny files has 1 to %d".formatted(files, MOST_TINY_FILES));
        }
        List<DatasetClass> classes = new ArrayList<>();
        for (int done = 0; done < files; done += TINY_FILES_PER_CLASS) {
            int number = classes.size() + 1;
            classes.add(DatasetClass.of(TINY, number, Math.min(TINY_FILES_PER_CLASS, files - done), 1));
        }
        return new DatasetShape(
                TINY,
                "very many files of 4 KiB; --files says how many",
                classes,
                Naming.CLASS_AND_NUMBER,
                Scaling.FILES,
                BLOCK_BYTES,
                BLOCK_BYTES,
                1);
    }

    /** Classes are numbered from 1 on, and so are files in each; both ranges include their ends. */
    private static DatasetShape seeded(
            String name,
            String about,
            int classes,
            int leastFiles,
            int mostFiles,
            long leastBytes,
            long mostBytes,
            Scaling scaling) {
        List<DatasetClass> all = IntStream.rangeClosed(1, classes)
                .mapToObj(number -> {
                    int seed = DatasetClass.seed(name, DatasetClass.name(number));
                    int files = leastFiles + Integer.remainderUnsigned(seed, mostFiles - leastFiles + 1);
                    return DatasetClass.of(name, number, files, 1);
                })
                .toList();
        return new DatasetShape(name, about, all, Naming.CLASS_AND_NUMBER, scaling, leastBytes, mostBytes, 1);
    }

    /**
     * Chunks of a cache of keys and values as LMCache writes them to files for a model of 28 layers, 4 heads of 128 for
     * each of key and value, and 2 bytes a number: 256 tokens a chunk, behind a header of a page. They are numbered
     * through all folders.
     */
    private static DatasetShape lmcacheish() {
        int files = 1820;
        int folders = 8;
        int perFolder = (files + folders - 1) / folders;
        long header = 4096;
        long chunk = 2L * 28 * 4 * 128 * 2 * 256;
        List<DatasetClass> classes = IntStream.range(0, folders)
                .mapToObj(number -> DatasetClass.of(
                        LMCACHEISH, number, Math.min(perFolder, files - number * perFolder), number * perFolder))
                .toList();
        return new DatasetShape(
                LMCACHEISH,
                "chunks of a KV cache: files of 14 MiB and 4 KiB",
                classes,
                Naming.CHUNK,
                Scaling.FILES,
                header + chunk,
                header + chunk,
                1);
    }

    /**
     * A part of the set. Its files are those of the whole set that come first.
     *
     * <ul>
     *   <li>Of {@code filesize8gib} all files stay, and each is the beginning of the whole one: the factor times as
     *       long, rounded down to 4,096 bytes, at least 4,096.
     *   <li>Of any other, each class keeps the factor times as many of its files, rounded; if that is less than one file
     *       for the smallest class, the first classes stay with one file each, the factor times as many classes as there
     *       are files in the set, rounded, at least one.
     * </ul>
     *
     * @param factor above 0, at most 1
     * @throws IllegalArgumentException if it is another number
     */
    public DatasetShape scaled(double factor) {
        if (!(factor > 0 && factor <= 1)) {
            throw new IllegalArgumentException("a data set is scaled by more than 0 and at most 1, not by " + factor);
        }
        if (scaling == Scaling.SIZES) {
            return with(classes, sizeScale * factor);
        }
        int smallest = classes.stream().mapToInt(DatasetClass::files).min().orElseThrow();
        if (smallest * factor >= 1) {
            return with(
                    classes.stream()
                            .map(one -> one.first((int) Math.max(1, Math.round(one.files() * factor))))
                            .toList(),
                    sizeScale);
        }
        long wanted = Math.clamp(Math.round(files() * factor), 1, classes.size());
        return with(classes.stream().limit(wanted).map(one -> one.first(1)).toList(), sizeScale);
    }

    private DatasetShape with(List<DatasetClass> fewer, double smaller) {
        return new DatasetShape(name, about, fewer, naming, scaling, leastBytes, mostBytes, smaller);
    }

    /** Its name, which is also what its content is seeded with. */
    public String name() {
        return name;
    }

    /** What it stands for, in a few words. */
    public String about() {
        return about;
    }

    /** Its classes, in the order of their numbers. */
    public List<DatasetClass> classes() {
        return classes;
    }

    /** How many files it has. */
    public long files() {
        return classes.stream().mapToLong(DatasetClass::files).sum();
    }

    /** The size of all its files, in bytes. Every size is worked out, which takes some nanoseconds a file. */
    public long bytes() {
        return sum(this::size);
    }

    /** What its files take in whole blocks, in bytes. */
    long blockBytes() {
        return sum(state -> (size(state) + BLOCK_BYTES - 1) & -BLOCK_BYTES);
    }

    /** The smallest size that a file can have, in bytes. */
    public long leastBytes() {
        return scaledSize(leastBytes);
    }

    /** The largest size that a file can have, in bytes. */
    public long mostBytes() {
        return scaledSize(mostBytes);
    }

    /** The largest size that a file of the whole set can have, in bytes. */
    long mostWholeBytes() {
        return mostBytes;
    }

    private long sum(IntToLongFunction ofState) {
        long sum = 0;
        for (DatasetClass one : classes) {
            int state = one.state();
            for (int i = 0; i < one.files(); i++) {
                sum += ofState.applyAsLong(state);
                state = DatasetFile.after(state);
            }
        }
        return sum;
    }

    private long size(int state) {
        long span = mostBytes - leastBytes + 1;
        return scaledSize(leastBytes + Integer.toUnsignedLong(DatasetFile.step(state)) % span);
    }

    private long scaledSize(long whole) {
        return sizeScale == 1 ? whole : Math.max(BLOCK_BYTES, (long) (whole * sizeScale) & -BLOCK_BYTES);
    }

    /** Its files, class by class, in the order of their numbers; made one by one. */
    public Iterator<DatasetFile> iterator() {
        return new Files(classes);
    }

    /** The files of one of its classes. */
    Iterator<DatasetFile> filesOf(DatasetClass one) {
        return new Files(List.of(one));
    }

    private final class Files implements Iterator<DatasetFile> {
        private final List<DatasetClass> of;
        private int at;
        private int done;
        private int state;

        Files(List<DatasetClass> of) {
            this.of = of;
            state = of.getFirst().state();
        }

        @Override
        public boolean hasNext() {
            return at < of.size();
        }

        @Override
        public DatasetFile next() {
            if (!hasNext()) {
                throw new NoSuchElementException(name + " has no more files");
            }
            DatasetClass one = of.get(at);
            DatasetFile file = new DatasetFile(path(one, one.firstNumber() + done), size(state), state);
            state = DatasetFile.after(state);
            if (++done == one.files()) {
                done = 0;
                if (++at < of.size()) {
                    state = of.get(at).state();
                }
            }
            return file;
        }
    }

    private String path(DatasetClass one, int number) {
        // Not by a format, which is slower than all the rest: a set has a million names.
        return switch (naming) {
            case CLASS_AND_NUMBER -> one.name() + "/" + one.name() + "_" + digits(number, 8) + ".bin";
            case CHUNK -> one.name() + "/chunk_" + digits(number, 5) + ".kvcache";
        };
    }

    private static String digits(int number, int width) {
        String text = Integer.toString(number);
        return "0".repeat(Math.max(0, width - text.length())) + text;
    }

    @Override
    public String toString() {
        return name + ", " + files() + " files";
    }
}
