package io.aisio.fil;

import io.aisio.cuda.Gpu;
import io.aisio.fil.nio.Glob;
import io.aisio.fil.spi.Backend;
import io.aisio.fil.spi.Backend.Settings;
import io.aisio.fil.spi.Backend.Target;
import io.aisio.fil.spi.FileSource;
import io.aisio.fil.spi.FileTable;
import io.aisio.fil.spi.Selection;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Files to be read whole, again and again, from one or several places, whichever way the data takes.
 *
 * <pre>{@code
 * try (Dataset data = Dataset.open("emu:set.img", "/imagenetish");
 *      BatchReader batches = data.batches(256).shuffle(42).shard(rank, world).open()) {
 *     for (Batch batch : batches) train(batch);
 * }
 * }</pre>
 *
 * <p>A file's class is the folder in which it lies, its label the number of that folder among all that hold files, by name,
 * over all places. Files are numbered in the order of places, and within a place folder by folder in the order of names, so
 * that a number means the same file through every backend. What is kept of a file are some 50 bytes, outside of which memory
 * does not grow with the data set; finding the files may take more for a while.
 *
 * <p>Any thread may ask it. Its readers are closed before it.
 */
public final class Dataset implements AutoCloseable {
    private final String backend;
    private final List<FileSource> sources;
    private final List<FileTable> tables;
    /** The number of each source's first file, and behind them how many files there are. */
    private final int[] first;

    private final List<String> classes;
    /** Labels by source and folder. */
    private final int[][] labels;

    private final OpeningTimes times;

    /**
     * What opening took.
     *
     * @param placesNanos opening the places, in nanoseconds
     * @param indexNanos finding the files, in nanoseconds
     * @param extentsNanos finding out where they lie, and keeping it, in nanoseconds
     */
    public record OpeningTimes(long placesNanos, long indexNanos, long extentsNanos) {}

    private Dataset(String backend, List<FileSource> sources, List<FileTable> tables, String root, OpeningTimes times) {
        this.backend = backend;
        this.sources = List.copyOf(sources);
        this.tables = List.copyOf(tables);
        this.times = times;
        first = new int[tables.size() + 1];
        TreeSet<String> names = new TreeSet<>();
        for (int source = 0; source < tables.size(); source++) {
            FileTable table = tables.get(source);
            first[source + 1] = Math.addExact(first[source], table.files());
            for (String folder : table.folders()) {
                names.add(className(root, folder));
            }
        }
        classes = List.copyOf(names);
        labels = new int[tables.size()][];
        for (int source = 0; source < labels.length; source++) {
            labels[source] = tables.get(source).folders().stream()
                    .mapToInt(folder -> Collections.binarySearch(classes, className(root, folder)))
                    .toArray();
        }
    }

    /** A folder's path beneath the root of the data set; empty for the root itself. */
    private static String className(String root, String folder) {
        String prefix = root.equals("/") ? root : root + "/";
        return folder.equals(root) ? "" : folder.startsWith(prefix) ? folder.substring(prefix.length()) : folder;
    }

    /**
     * Opens all files beneath a folder of one place, by the backend that fits it.
     *
     * @param place as {@link #at} has it
     * @param folder as {@link Builder#folder} has it
     * @throws IOException as {@link Builder#open}
     */
    public static Dataset open(String place, String folder) throws IOException {
        return at(place).folder(folder).open();
    }

    /**
     * Begins with where the files are.
     *
     * @param places one or more: devices with a file system, such as {@code emu:set.img} or {@code 0000:01:00.0}, or folders;
     *     all of them as the backend has it. One that is meant twice is there twice
     */
    public static Builder at(String... places) {
        return new Builder(List.of(places));
    }

    /** The names of the backends that there are, with what each is. */
    public static List<String> backends() {
        return providers().values().stream()
                .map(backend -> backend.name() + ": " + backend.description())
                .toList();
    }

    private static Map<String, Backend> providers() {
        ModuleLayer layer = Dataset.class.getModule().getLayer();
        Map<String, Backend> found = new TreeMap<>();
        for (Backend backend :
                layer == null ? ServiceLoader.load(Backend.class) : ServiceLoader.load(layer, Backend.class)) {
            found.put(backend.name(), backend);
        }
        return found;
    }

    /** What is opened. Each method returns this. */
    public static final class Builder {
        private final List<String> places;
        private @Nullable String backend;
        private Settings settings = Settings.DEFAULT;
        private String root = "/";
        private @Nullable String glob;
        private @Nullable Pattern wanted;
        private @Nullable List<String> paths;

        private Builder(List<String> places) {
            this.places = places;
            if (places.isEmpty()) {
                throw new IllegalArgumentException("a data set is at one place at least");
            }
        }

        /**
         * The way to read, by its name. Without it, folders are read by {@code posix} and devices by {@code aisio-cpu}.
         */
        public Builder backend(String name) {
            backend = name;
            return this;
        }

        /** How to read. */
        public Builder settings(Settings how) {
            settings = how;
            return this;
        }

        /**
         * Into the memory of a GPU, rather than the host's: {@link Batch#address} is where its kernels find a file. To be
         * called after {@link #settings}, if that is.
         *
         * @param gpu to be closed after the data set
         */
        public Builder into(Gpu gpu) {
            settings = settings.into(Target.of(gpu));
            return this;
        }

        /**
         * All regular files beneath a folder.
         *
         * @param path from the root of each place; a {@code /} before it may be left out
         */
        public Builder folder(String path) {
            root = absolute(path);
            return this;
        }

        /**
         * Of the files beneath the folder those whose path from the folder on matches.
         *
         * @param pattern as {@link java.nio.file.FileSystem#getPathMatcher} has it, such as <code>class00?/*.bin</code>
         * @throws java.util.regex.PatternSyntaxException if it is none
         */
        public Builder glob(String pattern) {
            wanted = Glob.compile(pattern);
            glob = pattern;
            return this;
        }

        /**
         * These files alone, in this order.
         *
         * @param list paths from the root of each place; each must be at every place
         */
        public Builder paths(List<String> list) {
            paths = list.stream().map(Builder::absolute).toList();
            return this;
        }

        private static String absolute(String path) {
            String clean = ("/" + path).replaceAll("/+", "/");
            return clean.length() > 1 && clean.endsWith("/") ? clean.substring(0, clean.length() - 1) : clean;
        }

        /**
         * Opens the places and finds the files.
         *
         * @throws IllegalArgumentException if there is no such backend or place; one sentence for the person who typed it
         * @throws java.nio.file.NoSuchFileException if the folder or a listed file does not exist
         * @throws IOException if a place cannot be opened, something in it cannot be read, or there is no file at all
         */
        public Dataset open() throws IOException {
            if (paths != null && (glob != null || !root.equals("/"))) {
                throw new IllegalArgumentException("a data set is a list of paths, or what is beneath a folder");
            }
            String name = backend != null ? backend : fitting();
            Map<String, Backend> providers = providers();
            Backend provider = providers.get(name);
            if (provider == null) {
                throw new IllegalArgumentException(
                        "'%s' is no backend; there is %s".formatted(name, String.join(", ", providers.keySet())));
            }
            List<FileSource> sources = new ArrayList<>();
            try {
                return open(name, provider, sources);
            } catch (IOException | RuntimeException | Error e) {
                Closing.allAfter(e, sources);
                throw e;
            }
        }

        private Dataset open(String name, Backend provider, List<FileSource> sources) throws IOException {
            List<FileTable> tables = new ArrayList<>();
            long opening = 0;
            long index = 0;
            long begun = System.nanoTime();
            for (String place : places) {
                long before = System.nanoTime();
                FileSource source = provider.open(place, settings);
                sources.add(source);
                opening += System.nanoTime() - before;
                FileTable table = new FileTable();
                source.list(selection(), table);
                table.trim();
                tables.add(table);
                index += source.indexNanos();
            }
            long all = System.nanoTime() - begun;
            if (tables.stream().allMatch(table -> table.files() == 0)) {
                String which = paths != null
                        ? "of an empty list"
                        : "beneath " + root + (glob == null ? "" : " that matches '" + glob + "'");
                throw new IOException("%s: there is no file %s; a data set has one at least"
                        .formatted(String.join(", ", places), which));
            }
            return new Dataset(
                    name,
                    sources,
                    tables,
                    paths == null ? root : "/",
                    new OpeningTimes(opening, index, all - opening - index));
        }

        private String fitting() {
            List<Boolean> folders = places.stream()
                    .map(place -> Files.isDirectory(Path.of(place)))
                    .distinct()
                    .toList();
            if (folders.size() > 1) {
                throw new IllegalArgumentException("%s: some are folders and some are not; one data set has one backend"
                        .formatted(String.join(", ", places)));
            }
            return folders.getFirst() ? "posix" : "aisio-cpu";
        }

        private Selection selection() {
            if (paths != null) {
                return new Selection.Paths(paths);
            }
            Pattern pattern = wanted;
            int from = root.equals("/") ? 1 : root.length() + 1;
            Predicate<String> filter = pattern == null
                    ? any -> true
                    : path -> pattern.matcher(path.substring(from)).matches();
            return new Selection.Folder(root, filter);
        }
    }

    /** The name of the backend. */
    public String backend() {
        return backend;
    }

    /** Which way the data takes, for people; one for each place. */
    public List<String> ways() {
        return sources.stream()
                .map(source -> source.place() + ": " + source.path())
                .toList();
    }

    /** Which way the data takes, in one line for people. */
    public String path() {
        return sources.stream().map(FileSource::path).distinct().collect(Collectors.joining("; "));
    }

    /** How many files there are; they are numbered from 0. */
    public int files() {
        return first[sources.size()];
    }

    /** Bytes of all files. */
    public long bytes() {
        return tables.stream().mapToLong(FileTable::bytes).sum();
    }

    /** Bytes of the largest file. */
    public long largest() {
        long most = 0;
        for (FileTable table : tables) {
            for (int row = 0; row < table.files(); row++) {
                most = Math.max(most, table.size(row));
            }
        }
        return most;
    }

    /** Folders that hold files, by their paths beneath that of the data set, sorted: a label is an index of them. */
    public List<String> classes() {
        return classes;
    }

    /**
     * A file's path, from the root of its place.
     *
     * @throws IndexOutOfBoundsException if there is no such file
     */
    public String path(int file) {
        int source = source(file);
        return tables.get(source).path(file - first[source]);
    }

    /** Bytes of a file. */
    public long size(int file) {
        int source = source(file);
        return tables.get(source).size(file - first[source]);
    }

    /** A file's class, an index of {@link #classes()}. */
    public int label(int file) {
        int source = source(file);
        return labels[source][tables.get(source).folder(file - first[source])];
    }

    /** The place where a file is, by its number in the order in which they were given. */
    public int source(int file) {
        Objects.checkIndex(file, files());
        int source = 0;
        while (file >= first[source + 1]) {
            source++;
        }
        return source;
    }

    /** What opening took. */
    public OpeningTimes openingTimes() {
        return times;
    }

    /** Bytes of memory that are kept of the files. */
    public long footprint() {
        return tables.stream().mapToLong(FileTable::footprint).sum();
    }

    /** Begins with a reader of batches of so many files, the last of an epoch of fewer. */
    public BatchReader.Builder batches(int files) {
        return new BatchReader.Builder(this, files);
    }

    List<FileSource> sources() {
        return sources;
    }

    FileTable table(int source) {
        return tables.get(source);
    }

    /** The number of a source's first file. */
    int first(int source) {
        return first[source];
    }

    /** Closes all places. Closing again does nothing. */
    @Override
    public void close() throws IOException {
        Closing.all(sources);
    }
}
