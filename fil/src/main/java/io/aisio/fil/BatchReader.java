package io.aisio.fil;

import io.aisio.fil.spi.BatchReads;
import io.aisio.fil.spi.FileSource;
import io.aisio.fil.spi.FileTable;
import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.Flow;
import org.jspecify.annotations.Nullable;

/**
 * Reads a data set in batches of whole files, the next ones while the caller has this one.
 *
 * <pre>
 *   Order ─► files of a batch ─► BatchReads of each place ─► ready, in order ─► next() ─► caller ─► close() ─┐
 *      ▲                                                                                                   │
 *      └──────────────────────────────────── slots ◄──────────────────────────────────────────────────────┘
 * </pre>
 *
 * <p>A thread of its own owns the queues and moves all of it; with the caller it exchanges batches alone. Batches come in the
 * order of the epoch, whichever is read first. One thread at a time asks for batches; any may close them.
 */
public final class BatchReader implements Iterable<Batch>, AutoCloseable {
    private final Dataset data;
    private final Order order;
    private final int batchFiles;
    private final boolean dropLast;
    private final boolean keepFailures;
    private final BatchExchange exchange;
    private final Thread mover;

    private volatile long waitNanos;

    /** The batch that an iterator gave last. */
    private @Nullable Batch iterated;

    private @Nullable BatchPublisher publisher;

    /** How batches are read. Each method returns this. */
    public static final class Builder {
        private static final int MOST_AHEAD = 1000;

        private final Dataset data;
        private final int files;
        private boolean shuffled;
        private long seed;
        private int shard;
        private int shards = 1;
        private long epochs = 1;
        private long atMost = Long.MAX_VALUE;
        private int prefetch = 2;
        private boolean dropLast;
        private boolean keepFailures;
        private long maxFileBytes = Long.MAX_VALUE;

        Builder(Dataset data, int files) {
            if (files < 1) {
                throw new IllegalArgumentException(files + " files in a batch: there is 1 at least");
            }
            this.data = data;
            this.files = files;
        }

        /** Shuffles the files of each epoch anew, in an order that follows from the seed alone, on every machine. */
        public Builder shuffle(long withSeed) {
            shuffled = true;
            seed = withSeed;
            return this;
        }

        /**
         * Reads one of several parts of each epoch: disjoint, together all, of equal length but for one file.
         *
         * @param index 0 to {@code count - 1}
         */
        public Builder shard(int index, int count) {
            if (count < 1 || index < 0 || index >= count) {
                throw new IllegalArgumentException("shard " + index + " of " + count + ": they are counted from 0");
            }
            shard = index;
            shards = count;
            return this;
        }

        /** How often all is read, at least 1; once unless told otherwise. */
        public Builder epochs(long count) {
            if (count < 1) {
                throw new IllegalArgumentException(count + " epochs: there is 1 at least");
            }
            epochs = count;
            return this;
        }

        /** Reads on for ever, epoch after epoch. */
        public Builder endless() {
            epochs = Long.MAX_VALUE;
            return this;
        }

        /** Ends after so many batches, at least 1, wherever in an epoch that is; nothing is read beyond them. */
        public Builder atMost(long batches) {
            if (batches < 1) {
                throw new IllegalArgumentException(batches + " batches: there is 1 at least");
            }
            atMost = batches;
            return this;
        }

        /** Batches that are read while the caller has one, 1 to 1000; 2 unless told otherwise. */
        public Builder prefetch(int batches) {
            if (batches < 1 || batches > MOST_AHEAD) {
                throw new IllegalArgumentException(batches + " batches ahead: 1 to " + MOST_AHEAD + " are possible");
            }
            prefetch = batches;
            return this;
        }

        /** Leaves the last batch of an epoch out if it has fewer files than the others. */
        public Builder dropLast() {
            dropLast = true;
            return this;
        }

        /**
         * Hands batches out of which a file could not be read: {@link Batch#problem} has why, and its length is 0. Without
         * this, {@link BatchReader#next} throws in place of such a batch.
         */
        public Builder keepFailures() {
            keepFailures = true;
            return this;
        }

        /** Bytes of a file at most: what is larger is refused, so that memory has a bound. */
        public Builder maxFileBytes(long bytes) {
            if (bytes < 1) {
                throw new IllegalArgumentException(bytes + " bytes of a file at most: 1 at least");
            }
            maxFileBytes = bytes;
            return this;
        }

        /**
         * Gets memory and queues, and begins to read.
         *
         * @throws IllegalArgumentException if a file is larger than allowed, or the shard has no file; one sentence for people
         * @throws IOException if there is not that much memory, or no queue
         */
        public BatchReader open() throws IOException {
            Order order = new Order(data.files(), shuffled, seed, shard, shards);
            int most = Math.min(files, order.size());
            if (order.size() == 0 || (dropLast && order.size() < files)) {
                throw new IllegalArgumentException("shard %d of %d has %d of %d files: no batch of %d"
                        .formatted(shard, shards, order.size(), data.files(), files));
            }
            int slots = prefetch + 1;
            long[] slotBytes = new long[data.sources().size()];
            for (int source = 0; source < slotBytes.length; source++) {
                slotBytes[source] = slotBytes(source, most);
            }
            List<BatchReads> reads = new ArrayList<>();
            try {
                for (int source = 0; source < slotBytes.length; source++) {
                    reads.add(openReads(source, slots, slotBytes[source], most));
                }
                return new BatchReader(this, order, most, reads, slots, slotBytes);
            } catch (IOException | RuntimeException | Error e) {
                Closing.allAfter(e, reads);
                throw e;
            }
        }

        private BatchReads openReads(int source, int slots, long slotBytes, int most) throws IOException {
            FileSource place = data.sources().get(source);
            try {
                if (slotBytes > Long.MAX_VALUE / slots) {
                    throw new IOException("that is more than there can be");
                }
                return place.openReads(data.table(source), slots, slotBytes, most);
            } catch (IOException e) {
                int largest = data.first(source) + largest(data.table(source));
                throw new IOException(
                        "%s: %d batches of %d files need memory for the largest ones, %s each: %s; the largest is %s, %s; smaller batches or fewer ahead need less"
                                .formatted(
                                        place.place(),
                                        slots,
                                        most,
                                        ByteSize.format(slotBytes),
                                        e.getMessage(),
                                        data.path(largest),
                                        ByteSize.format(data.size(largest))),
                        e);
            }
        }

        private static int largest(FileTable table) {
            int largest = 0;
            for (int row = 1; row < table.files(); row++) {
                largest = table.size(row) > table.size(largest) ? row : largest;
            }
            return largest;
        }

        /** What a batch takes of a source at most: its largest files. */
        private long slotBytes(int source, int most) {
            FileSource place = data.sources().get(source);
            FileTable table = data.table(source);
            long[] rooms = new long[table.files()];
            for (int row = 0; row < rooms.length; row++) {
                long size = table.size(row);
                if (size > maxFileBytes || size > Long.MAX_VALUE - place.unit()) {
                    throw new IllegalArgumentException("%s: %s has %d bytes, more than the %d that a file may have"
                            .formatted(place.place(), table.path(row), size, maxFileBytes));
                }
                rooms[row] = place.room(size);
            }
            Arrays.sort(rooms);
            long bytes = 0;
            for (int i = Math.max(0, rooms.length - most); i < rooms.length; i++) {
                bytes = bytes + rooms[i] < bytes ? Long.MAX_VALUE : bytes + rooms[i];
            }
            return Math.max(bytes, place.unit());
        }
    }

    private BatchReader(Builder how, Order order, int batchFiles, List<BatchReads> reads, int slots, long[] slotBytes) {
        data = how.data;
        this.order = order;
        this.batchFiles = batchFiles;
        dropLast = how.dropLast;
        keepFailures = how.keepFailures;
        List<BatchSlot> pieces = new ArrayList<>();
        exchange = new BatchExchange();
        for (int slot = 0; slot < slots; slot++) {
            pieces.add(new BatchSlot(slot, batchFiles, reads, slotBytes));
        }
        exchange.offer(pieces);
        long count = batchesPerEpoch();
        mover = Thread.ofPlatform()
                .name("aisio-batches")
                .daemon()
                .unstarted(new BatchMover(
                        how.data, order, batchFiles, count, how.epochs, how.atMost, reads, exchange, slots));
        mover.start();
    }

    /** How many batches an epoch has. */
    public long batchesPerEpoch() {
        return dropLast ? order.size() / batchFiles : Math.ceilDiv(order.size(), batchFiles);
    }

    /** Files of an epoch: those of the shard. */
    public int filesPerEpoch() {
        return order.size();
    }

    /**
     * The next batch, waiting for it. The caller closes it. Whoever holds as many batches as are read ahead, and one more, waits
     * until one of them is closed.
     *
     * @return null once all epochs are read
     * @throws IOException if a file of the batch could not be read, naming file, place and device; the batch after it is what
     *     the next call gives
     * @throws InterruptedIOException if the thread was interrupted, and is again
     */
    public @Nullable Batch next() throws IOException {
        BatchSlot slot = take();
        if (slot == null) {
            return null;
        }
        Batch batch = new Batch(exchange, data, slot);
        IOException problem = keepFailures ? null : batch.problem();
        if (problem != null) {
            batch.close();
            throw problem;
        }
        return batch;
    }

    private @Nullable BatchSlot take() throws IOException {
        long begun = System.nanoTime();
        try {
            return exchange.take();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting for a batch");
        } finally {
            waitNanos = waitNanos() + (System.nanoTime() - begun);
        }
    }

    /** How long callers have waited for batches, in nanoseconds. */
    public long waitNanos() {
        return waitNanos;
    }

    /** What reading has taken so far; as it was when the last batch became ready. */
    public Effort effort() {
        return exchange.effort();
    }

    /**
     * What reading takes.
     *
     * @param commands to devices, or calls
     * @param prepareNanos looking extents up and making commands, in nanoseconds; 0 where that is not told from reading
     * @param readingNanos time in which a batch or several were being read, in nanoseconds
     * @param changed files that had changed since they were listed, and were read as they are now
     */
    public record Effort(long commands, long prepareNanos, long readingNanos, long changed) {
        static final Effort NONE = new Effort(0, 0, 0, 0);
    }

    /**
     * The batches that are left. Each is closed when the next one is asked for, or another iterator, and at the end; so a loop may
     * be left at any batch. A batch that cannot be read is an {@link UncheckedIOException}.
     */
    @Override
    public Iterator<Batch> iterator() {
        closeIterated();
        return new Iterator<>() {
            private @Nullable Batch following;

            @Override
            public boolean hasNext() {
                if (following == null) {
                    closeIterated();
                    try {
                        following = BatchReader.this.next();
                        iterated = following;
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                }
                return following != null;
            }

            @Override
            public Batch next() {
                Batch batch = hasNext() ? following : null;
                if (batch == null) {
                    throw new NoSuchElementException();
                }
                following = null;
                return batch;
            }
        };
    }

    private void closeIterated() {
        if (iterated != null) {
            iterated.close();
            iterated = null;
        }
    }

    /**
     * The batches that are left, to one subscriber, who closes each. They are told on a thread of their own.
     */
    public synchronized Flow.Publisher<Batch> publisher() {
        if (publisher == null) {
            publisher = new BatchPublisher(this);
        }
        return publisher;
    }

    /**
     * Ends reading, waits for what is under way, and frees all memory: that of batches which are held too. Closing again does
     * nothing.
     *
     * @throws IOException if a queue or its memory could not be given back in order
     */
    @Override
    public void close() throws IOException {
        exchange.close();
        synchronized (this) {
            if (publisher != null) {
                publisher.close();
            }
        }
        boolean interrupted = false;
        while (true) {
            try {
                mover.join();
                break;
            } catch (InterruptedException e) {
                // Its memory must not be freed beneath a device: this ends with the commands that are under way.
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        exchange.throwClosing();
    }
}
