package io.aisio.homi;

import io.aisio.nvme.QueuePair;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Tells the daemon once a second what went through the queue pairs of a lease, so that people see it: nobody believes it for
 * anything else. The queues' owners are not held up: they count as they go, and this looks.
 *
 * <p>Latency is not measured for each command. Little's law has it: commands in flight, looked at often and summed over time,
 * are the time that all of them spent together.
 */
final class QueueTally implements AutoCloseable {
    /** How often it is looked how many commands are in flight. */
    private static final long LOOK_NANOS = 20_000_000;
    /** How often the daemon is told. */
    private static final long TELL_NANOS = 1_000_000_000;

    private final HomiClient client;
    private final String name;
    private final IntSupplier lbaBytes;
    private final Map<Long, Row> rows = new ConcurrentHashMap<>();
    private @Nullable Thread thread;
    private volatile boolean closed;

    /** A queue pair, and what was told of it. */
    private static final class Row {
        final QueuePair pair;
        /** What was there when it was told last. */
        QueuePair.Counts before = new QueuePair.Counts(0, 0, 0, 0, 0, 0, 0);

        long reads;
        long writes;
        long others;
        long bytesRead;
        long bytesWritten;
        long latencyNanos;
        boolean told;

        Row(QueuePair pair) {
            this.pair = pair;
        }

        /** Takes what is complete since, of the kinds and sizes that were bound since, or before if none was. */
        boolean take(int lbaBytes) {
            QueuePair.Counts now = pair.counts();
            long done = now.completed() - before.completed();
            if (done == 0 && told) {
                return false;
            }
            long allBefore = before.reads() + before.writes() + before.others();
            boolean bound = now.reads() + now.writes() + now.others() > allBefore;
            long r = now.reads() - (bound ? before.reads() : 0);
            long w = now.writes() - (bound ? before.writes() : 0);
            long o = now.others() - (bound ? before.others() : 0);
            long readBlocks = now.readBlocks() - (bound ? before.readBlocks() : 0);
            long writeBlocks = now.writeBlocks() - (bound ? before.writeBlocks() : 0);
            double all = Math.max(1, r + w + o);
            long doneReads = Math.round(done * (r / all));
            long doneWrites = Math.min(done - doneReads, Math.round(done * (w / all)));
            reads += doneReads;
            writes += doneWrites;
            others += done - doneReads - doneWrites;
            bytesRead += r == 0 ? 0 : Math.round((double) doneReads * readBlocks / r * lbaBytes);
            bytesWritten += w == 0 ? 0 : Math.round((double) doneWrites * writeBlocks / w * lbaBytes);
            before = now;
            told = true;
            return true;
        }
    }

    /**
     * @param name of the device, for the thread's
     * @param lbaBytes size of a logical block of the namespace
     */
    QueueTally(HomiClient client, String name, IntSupplier lbaBytes) {
        this.client = client;
        this.name = name;
        this.lbaBytes = lbaBytes;
    }

    /** Tells of a queue pair from now on. */
    synchronized void add(long number, QueuePair pair) {
        rows.put(number, new Row(pair));
        if (thread == null && !closed) {
            thread = Thread.ofPlatform().daemon().name(name + ", counters").start(this::run);
        }
    }

    /** Tells of it no more. */
    void remove(long number) {
        rows.remove(number);
    }

    private void run() {
        long looked = System.nanoTime();
        long told = looked;
        while (!closed) {
            LockSupport.parkNanos(LOOK_NANOS);
            long now = System.nanoTime();
            for (Row row : rows.values()) {
                row.latencyNanos += row.pair.outstanding() * (now - looked);
            }
            looked = now;
            if (now - told >= TELL_NANOS) {
                told = now;
                tellAll();
            }
        }
    }

    private void tellAll() {
        for (Map.Entry<Long, Row> entry : rows.entrySet()) {
            Row row = entry.getValue();
            if (row.take(lbaBytes.getAsInt())) {
                ObjectNode counters = HomiClient.params()
                        .put("queue", entry.getKey())
                        .put("reads", row.reads)
                        .put("writes", row.writes)
                        .put("flushes", row.others)
                        .put("failed", row.before.failed())
                        .put("bytesRead", row.bytesRead)
                        .put("bytesWritten", row.bytesWritten)
                        .put("latencyNanos", row.latencyNanos);
                try {
                    client.tell("counters", counters);
                } catch (IOException | IllegalStateException e) {
                    // The connection is gone, which whoever uses the lease is told.
                    closed = true;
                    return;
                }
            }
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        if (thread != null) {
            LockSupport.unpark(thread);
        }
    }
}
