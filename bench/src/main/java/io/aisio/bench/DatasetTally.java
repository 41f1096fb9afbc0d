package io.aisio.bench;

import io.aisio.xnvme.ByteSize;
import java.io.InterruptedIOException;
import java.util.concurrent.atomic.LongAdder;

/** How much of a data set is written or compared, and whether to go on: what threads that write and the one that waits share. */
final class DatasetTally {
    private final String verb;
    private final long files;
    private final long bytes;
    private final long began = System.nanoTime();
    private final LongAdder filesDone = new LongAdder();
    private final LongAdder bytesDone = new LongAdder();
    private volatile boolean stopped;

    /** @param verb what is done, such as {@code writing} */
    DatasetTally(String verb, DatasetShape shape) {
        this.verb = verb;
        files = shape.files();
        bytes = shape.bytes();
    }

    long files() {
        return files;
    }

    long bytes() {
        return bytes;
    }

    /** Counts a file that is done with. */
    void fileDone() {
        filesDone.increment();
    }

    /**
     * Counts bytes of files.
     *
     * @throws InterruptedIOException if no more are wanted
     */
    void passed(long count) throws InterruptedIOException {
        bytesDone.add(count);
        if (stopped) {
            throw new InterruptedIOException("stopped");
        }
    }

    /** Ends it soon. */
    void stop() {
        stopped = true;
    }

    boolean stopped() {
        return stopped;
    }

    /** Seconds since it began. */
    double seconds() {
        return (System.nanoTime() - began) / 1e9;
    }

    /** How far it is, for people. */
    String line() {
        long done = bytesDone.sum();
        return "%s: %,d of %,d files, %s of %s, %s/s"
                .formatted(
                        verb,
                        filesDone.sum(),
                        files,
                        ByteSize.format(done),
                        ByteSize.format(bytes),
                        ByteSize.format((long) (done / Math.max(seconds(), 1e-3))));
    }
}
