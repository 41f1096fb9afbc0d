package io.aisio.homi.ublk;

import io.aisio.homi.daemon.Metered;
import java.util.concurrent.atomic.AtomicLong;

/** What a queue has answered: counted by its thread, read by any. */
final class Counts {
    private final AtomicLong reads = new AtomicLong();
    private final AtomicLong writes = new AtomicLong();
    private final AtomicLong flushes = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private final AtomicLong bytesRead = new AtomicLong();
    private final AtomicLong bytesWritten = new AtomicLong();
    private final AtomicLong latency = new AtomicLong();

    private static void add(AtomicLong count, long more) {
        // One thread writes.
        count.setOpaque(count.getPlain() + more);
    }

    void read(long bytes, long nanos) {
        add(reads, 1);
        add(bytesRead, bytes);
        add(latency, nanos);
    }

    void wrote(long bytes, long nanos) {
        add(writes, 1);
        add(bytesWritten, bytes);
        add(latency, nanos);
    }

    void flushed(long nanos) {
        add(flushes, 1);
        add(latency, nanos);
    }

    void failed() {
        add(failed, 1);
    }

    /** Both together. */
    Metered.Counters plus(Metered.Counters others) {
        return new Metered.Counters(
                false,
                reads.getOpaque() + others.reads(),
                writes.getOpaque() + others.writes(),
                flushes.getOpaque() + others.flushes(),
                failed.getOpaque() + others.failed(),
                bytesRead.getOpaque() + others.bytesRead(),
                bytesWritten.getOpaque() + others.bytesWritten(),
                latency.getOpaque() + others.latencyNanos());
    }
}
