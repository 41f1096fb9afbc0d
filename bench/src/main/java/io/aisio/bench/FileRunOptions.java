package io.aisio.bench;

import io.aisio.fil.spi.Backend.Settings;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What {@code filperf run} is asked to do. Checked as far as that is possible before a place is opened; messages name the
 * command line's options.
 *
 * @param places devices or folders, as the backend has them; at least one
 * @param folder of the data set, from the root of each place
 * @param backend the way to read, by its name
 * @param settings how it reads
 * @param batchFiles files of a batch; 0 for as many as {@link #BATCH_BYTES} hold, at most {@link #MOST_BATCH_FILES}
 * @param batches how many are measured, running on into further epochs; 0 for whole epochs
 * @param epochs how many are measured if {@code batches} is 0
 * @param warmupBatches that are read before measuring begins
 * @param prefetch batches that are read while one is held
 * @param seed of the shuffle of each epoch; null for the files' own order
 * @param shard which part of each epoch, from 0
 * @param shards how many parts there are
 * @param maxFileBytes what is larger is refused
 * @param dropCaches whether the kernel is told to forget what it has cached before all begins; takes root
 * @param interval how often it is told how it goes, or zero for never
 */
public record FileRunOptions(
        List<String> places,
        String folder,
        String backend,
        Settings settings,
        int batchFiles,
        long batches,
        long epochs,
        long warmupBatches,
        int prefetch,
        @Nullable Long seed,
        int shard,
        int shards,
        long maxFileBytes,
        boolean dropCaches,
        Duration interval) {
    /** The backend unless another is named. */
    public static final String DEFAULT_BACKEND = "aisio-cpu";

    /** Backends whose places are folders; those of all others are devices. */
    public static final Set<String> OF_FOLDERS = Set.of("posix", "io_uring", "cufile");

    /** Backends that read into the memory of a GPU, and nowhere else. */
    public static final Set<String> INTO_GPU = Set.of("aisio-p2p", "aisio-gpu", "cufile");

    /** The one of them whose queues a GPU drives. */
    public static final String DRIVEN_BY_GPU = "aisio-gpu";

    /** Its queues unless told otherwise. */
    public static final int DEFAULT_GPU_QUEUES = 4;

    /** Batches ahead unless told otherwise: those of {@link io.aisio.fil.BatchReader}. */
    public static final int DEFAULT_PREFETCH = 2;

    /** Files of a batch unless told otherwise: as many of the largest as this holds, so that any data set fits memory. */
    public static final long BATCH_BYTES = 32L << 20;

    /** … and no more than this. */
    public static final int MOST_BATCH_FILES = 1024;

    /** Checks the numbers. */
    public FileRunOptions {
        places = List.copyOf(places);
        if (places.isEmpty()) {
            throw new IllegalArgumentException("no place given; name a device with a file system, or a folder");
        }
        if (batchFiles < 0) {
            throw new IllegalArgumentException("--batch-size " + batchFiles + ": a batch has at least 1 file");
        }
        if (batches < 0) {
            throw new IllegalArgumentException(
                    "--batches " + batches + ": at least 1; without it, whole epochs are read");
        }
        if (epochs < 1) {
            throw new IllegalArgumentException("--epochs " + epochs + ": at least 1");
        }
        if (warmupBatches < 0) {
            throw new IllegalArgumentException("--warmup " + warmupBatches + ": batches, 0 or more");
        }
        if (prefetch < 1) {
            throw new IllegalArgumentException("--prefetch " + prefetch + ": at least 1 batch is read ahead");
        }
        if (shards < 1 || shard < 0 || shard >= shards) {
            throw new IllegalArgumentException(
                    "--shard " + shard + "/" + shards + ": shards are counted from 0, such as 0/4 to 3/4");
        }
        if (maxFileBytes < 1) {
            throw new IllegalArgumentException("--max-file-size " + maxFileBytes + ": at least 1 byte");
        }
        if (interval.isNegative()) {
            throw new IllegalArgumentException("an interval of " + interval + ": 0 or more");
        }
    }

    /** One epoch of a data set in its own order, with all that is left out as it is by default. */
    public static FileRunOptions of(String backend, List<String> places, String folder) {
        return new FileRunOptions(
                places,
                folder,
                backend,
                Settings.DEFAULT,
                0,
                0,
                1,
                0,
                DEFAULT_PREFETCH,
                null,
                0,
                1,
                Long.MAX_VALUE,
                false,
                Duration.ZERO);
    }

    /** The same with other settings of the backend. */
    public FileRunOptions with(Settings how) {
        return new FileRunOptions(
                places,
                folder,
                backend,
                how,
                batchFiles,
                batches,
                epochs,
                warmupBatches,
                prefetch,
                seed,
                shard,
                shards,
                maxFileBytes,
                dropCaches,
                interval);
    }

    /** The same with batches of another size. */
    public FileRunOptions withBatches(int files, int ahead) {
        return new FileRunOptions(
                places,
                folder,
                backend,
                settings,
                files,
                batches,
                epochs,
                warmupBatches,
                ahead,
                seed,
                shard,
                shards,
                maxFileBytes,
                dropCaches,
                interval);
    }

    /** The same for a number of epochs, shuffled, after some batches to warm up. */
    public FileRunOptions shuffled(long withSeed, long count, long warmup) {
        return new FileRunOptions(
                places,
                folder,
                backend,
                settings,
                batchFiles,
                batches,
                count,
                warmup,
                prefetch,
                withSeed,
                shard,
                shards,
                maxFileBytes,
                dropCaches,
                interval);
    }
}
