package io.aisio.fil;

import io.aisio.fil.BatchReader.Effort;
import io.aisio.fil.spi.BatchReads;
import io.aisio.xnvme.Backoff;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/** The thread behind a {@link BatchReader}: it fills batches, and closes what reads when all is closed. */
final class BatchMover implements Runnable {
    private final Dataset data;
    private final Order order;
    private final int batchFiles;
    private final long batchesPerEpoch;
    private final long epochs;
    private final List<BatchReads> reads;
    private final BatchExchange exchange;

    private long epoch = -1;
    /** The next batch of the epoch. */
    private long number;
    /** Batches that may still begin. */
    private long left;

    /** Slots by their numbers, once they were used. */
    private final BatchSlot[] bySlot;

    /** Batches that a source has under way. */
    private final int[] underWay;

    /** Where the next file of a source goes. */
    private final long[] used;

    private final int[] done;
    private int batchesUnderWay;
    private long readingNanos;
    private long readingSince;

    BatchMover(
            Dataset data,
            Order order,
            int batchFiles,
            long batchesPerEpoch,
            long epochs,
            long most,
            List<BatchReads> reads,
            BatchExchange exchange,
            int slots) {
        this.data = data;
        this.order = order;
        this.batchFiles = batchFiles;
        this.batchesPerEpoch = batchesPerEpoch;
        this.epochs = epochs;
        left = most;
        this.reads = reads;
        this.exchange = exchange;
        number = batchesPerEpoch;
        bySlot = new BatchSlot[slots];
        underWay = new int[reads.size()];
        used = new long[reads.size()];
        done = new int[slots];
    }

    @Override
    public void run() {
        Throwable broken = null;
        try {
            move();
        } catch (RuntimeException | Error e) {
            broken = e;
        }
        // The batches that are ready, or held, stay what they are until all is closed.
        exchange.end(broken);
        closeReads();
    }

    private void closeReads() {
        try {
            Closing.all(reads);
        } catch (IOException e) {
            exchange.closingFailed(e);
        }
    }

    private void move() {
        int looks = 0;
        while (!exchange.isClosed()) {
            boolean moved = beginAll();
            if (batchesUnderWay > 0) {
                moved |= drive();
            } else if (!hasMore()) {
                return;
            } else {
                exchange.awaitFree();
            }
            looks = moved ? 0 : looks + 1;
            if (looks > 0 && batchesUnderWay > 0) {
                Backoff.pause(looks);
            }
        }
    }

    private boolean hasMore() {
        return left > 0 && (number < batchesPerEpoch || epoch + 1 < epochs);
    }

    /** Begins batches as long as there are free ones. */
    private boolean beginAll() {
        boolean begun = false;
        while (hasMore()) {
            BatchSlot slot = exchange.takeFree();
            if (slot == null) {
                break;
            }
            begin(slot);
            begun = true;
        }
        return begun;
    }

    private void begin(BatchSlot slot) {
        if (number == batchesPerEpoch) {
            epoch++;
            number = 0;
            order.begin(epoch);
        }
        long from = number * batchFiles;
        int n = (int) Math.min(batchFiles, order.size() - from);
        slot.begin(epoch, number++);
        left--;
        Arrays.fill(used, 0);
        for (int i = 0; i < n; i++) {
            int file = order.file((int) from + i);
            int source = data.source(file);
            int row = file - data.first(source);
            slot.add(file, source, row, used[source]);
            used[source] += data.sources().get(source).room(data.table(source).size(row));
        }
        bySlot[slot.number] = slot;
        if (batchesUnderWay++ == 0) {
            readingSince = System.nanoTime();
        }
        slot.sourcesLeft = 0;
        for (int source = 0; source < used.length; source++) {
            if (slot.counts[source] > 0) {
                slot.sourcesLeft++;
                underWay[source]++;
                reads.get(source).begin(slot.number, slot.rows[source], slot.at[source], slot.counts[source]);
            }
        }
    }

    /** Lets each source with something to read go on; whether one did. */
    private boolean drive() {
        int active = 0;
        for (int batches : underWay) {
            active += batches > 0 ? 1 : 0;
        }
        boolean moved = false;
        for (int source = 0; source < underWay.length; source++) {
            if (underWay[source] > 0) {
                // One that reads alone may wait in its own way, for an interrupt perhaps.
                int n = reads.get(source).drive(done, active == 1);
                moved |= n >= 0;
                for (int i = 0; i < n; i++) {
                    underWay[source]--;
                    BatchSlot slot = bySlot[done[i]];
                    if (--slot.sourcesLeft == 0) {
                        finish(slot);
                    }
                }
            }
        }
        return moved;
    }

    private void finish(BatchSlot slot) {
        slot.settle(reads);
        long now = System.nanoTime();
        long reading = readingNanos + (now - readingSince);
        if (--batchesUnderWay == 0) {
            readingNanos = reading;
        }
        long commands = 0;
        long prepare = 0;
        long changed = 0;
        for (BatchReads each : reads) {
            commands += each.commands();
            prepare += each.prepareNanos();
            changed += each.changed();
        }
        exchange.ready(slot, new Effort(commands, prepare, reading, changed));
    }
}
