package io.aisio.microbench;

import io.aisio.xal.Entry;
import io.aisio.xal.FileExtents;
import io.aisio.xal.Volume;
import io.aisio.xal.backend.InodeBatch;
import io.aisio.xal.backend.NameBatch;
import io.aisio.xal.index.IndexReader;
import io.aisio.xal.index.IndexWriter;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * Look-ups of random files in an index of 1.2 million files in 1,000 directories, each with a name of 22 bytes that no
 * other has, and one extent. How long it took to fill and how much memory a file takes is printed when it is made.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class IndexBenchmark {
    private static final int DIRECTORIES = 1_000;
    private static final int FILES = 1_200;

    /** Paths that are looked up: so many that neither they nor what they lead to stay in a cache. */
    private static final int PATHS = 1 << 18;

    /** An index, filled as a backend fills it. */
    @State(Scope.Thread)
    @SuppressWarnings("NullAway.Init") // JMH calls the set-up before anything else.
    public static class Filled {
        IndexWriter writer;
        IndexReader reader;
        String[] paths;
        int next;

        /** Fills the index. */
        @Setup(Level.Trial)
        public void fill() throws IOException {
            Volume volume = new Volume("xfs", "made up", "on disk", "", "", 4096, 1L << 30, -1, -1, List.of());
            long begun = System.nanoTime();
            writer = IndexWriter.create(volume, null);
            reader = writer.reader();
            writer.beginReading(1);
            InodeBatch inodes = new InodeBatch();
            NameBatch names = new NameBatch();
            inodes.addInode(1, 0, 040755, 2, 0, 1);
            for (int directory = 0; directory < DIRECTORIES; directory++) {
                long number = number(directory);
                inodes.addInode(number, 0, 040755, 2, 0, 1);
                add(names, "directory" + directory, number);
                for (int file = 1; file <= FILES; file++) {
                    inodes.addInode(number + file, 7, 0100644, 1, 40_960, 3);
                    inodes.addExtent(0, (number + file) * 40_960, 40_960, 0);
                }
                writer.inodes(inodes);
                inodes.clear();
            }
            writer.names(1, names);
            for (int directory = 0; directory < DIRECTORIES; directory++) {
                names.clear();
                for (int file = 1; file <= FILES; file++) {
                    add(names, name(directory, file), number(directory) + file);
                }
                writer.names(number(directory), names);
            }
            writer.endReading();
            long files = reader.files();
            System.out.printf(
                    "%d files: filled in %d ms, %.1f bytes a file%n",
                    files, (System.nanoTime() - begun) / 1_000_000, (double) reader.bytes() / files);
            SplittableRandom random = new SplittableRandom(7);
            paths = new String[PATHS];
            for (int i = 0; i < PATHS; i++) {
                int directory = random.nextInt(DIRECTORIES);
                paths[i] = "/directory" + directory + "/" + name(directory, 1 + random.nextInt(FILES));
            }
        }

        private static long number(int directory) {
            return 1_000L + (long) directory * (FILES + 1);
        }

        private static String name(int directory, int file) {
            return "some-image-%06d-%04d".formatted(directory, file);
        }

        private static void add(NameBatch names, String name, long number) {
            byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
            names.add(MemorySegment.ofArray(bytes), 0, bytes.length, number, 0);
        }

        String path() {
            next = (next + 1) & (PATHS - 1);
            return paths[next];
        }

        /** Gives the memory back. */
        @TearDown(Level.Trial)
        public void close() throws IOException {
            reader.close();
            writer.close();
        }
    }

    /** The number of a file. */
    @Benchmark
    public long find(Filled state) throws IOException {
        return state.reader.find(state.path());
    }

    /** All that its inode says. */
    @Benchmark
    public Entry lookup(Filled state) throws IOException {
        return state.reader.lookup(state.path());
    }

    /** Its extents. */
    @Benchmark
    public FileExtents extents(Filled state) throws IOException {
        return state.reader.extents(state.path());
    }
}
