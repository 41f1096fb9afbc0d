package io.aisio.fil.device;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.RetryingQueue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One queue and what its commands are for. A command is free, or one of a batch's file from {@link #read} until it is taken
 * and {@linkplain #free freed}. What fails is told like what is complete, whether the device tells it or tells nothing any
 * more.
 */
final class QueueLane {
    private final Queue queue;
    private final int[] freeCommands;
    private int free;

    // Of each command: the batch and the file, and what is read.
    private final int[] batch;
    private final int[] file;
    private final int[] bytes;
    private final long[] lba;
    private final boolean[] inFlight;

    // Commands that are not submitted yet.
    private final int[] slots;
    private final long[] lbas;
    private int pending;

    private final int[] over;

    /** Why all that is over has failed; null if each command tells for itself. */
    private @Nullable IOException lost;

    /** Why the queue was given up; null as long as it tells of its commands. */
    private @Nullable IOException closedFor;

    /** Why the queue could not be closed, so that the device may still write to memory; null if nothing is known of that. */
    private @Nullable IOException unsafe;

    private QueueLane(Queue queue) {
        this.queue = queue;
        int depth = queue.depth();
        freeCommands = new int[depth];
        for (int command = 0; command < depth; command++) {
            freeCommands[free++] = command;
        }
        batch = new int[depth];
        file = new int[depth];
        bytes = new int[depth];
        lba = new long[depth];
        inFlight = new boolean[depth];
        slots = new int[depth];
        lbas = new long[depth];
        over = new int[depth];
    }

    static QueueLane open(Device device, int depth) throws IOException {
        return new QueueLane(new RetryingQueue(device.openQueue(depth)));
    }

    boolean hasFree() {
        return free > 0;
    }

    /** Whether the queue tells nothing any more, so that all that is read by it fails at once. */
    boolean isGivenUp() {
        return closedFor != null;
    }

    /** Makes a command, to be submitted with the next {@link #ring}; of a queue that was given up that tells that it failed. */
    void read(Buffer buffer, long target, int length, long from, int itsBatch, int itsFile) {
        int command = freeCommands[free - 1];
        if (closedFor == null) {
            queue.bindRead(command, buffer, target, length);
        }
        free--;
        batch[command] = itsBatch;
        file[command] = itsFile;
        bytes[command] = length;
        lba[command] = from;
        slots[pending] = command;
        lbas[pending++] = from;
    }

    /** Submits what was made; how many commands are over at once because the device has failed. */
    int ring() {
        if (pending == 0) {
            return 0;
        }
        int n = pending;
        pending = 0;
        IOException why = closedFor;
        if (why == null) {
            try {
                queue.submit(slots, lbas, n);
                for (int i = 0; i < n; i++) {
                    inFlight[slots[i]] = true;
                }
                return 0;
            } catch (IOException e) {
                why = e;
            }
        }
        lost = why;
        System.arraycopy(slots, 0, over, 0, n);
        return n;
    }

    /** How many commands are over by now. */
    int poll() {
        lost = null;
        if (closedFor != null || queue.outstanding() == 0) {
            return 0;
        }
        try {
            return queue.poll(over);
        } catch (UncheckedIOException e) {
            return giveUp(Objects.requireNonNull(e.getCause()));
        }
    }

    /** The same, waiting for one if any is in flight. */
    int await() {
        lost = null;
        if (closedFor != null || queue.outstanding() == 0) {
            return 0;
        }
        try {
            return queue.await(over);
        } catch (IOException e) {
            return giveUp(e);
        }
    }

    /** The queue tells no more: with it closed nothing is in flight, and all that was has failed. */
    private int giveUp(IOException why) {
        closedFor = why;
        lost = why;
        closeAfter(why);
        int n = 0;
        for (int command = 0; command < inFlight.length; command++) {
            if (inFlight[command]) {
                over[n++] = command;
            }
        }
        return n;
    }

    /** The i-th command that is over. */
    int over(int i) {
        return over[i] < 0 ? ~over[i] : over[i];
    }

    /** Why the i-th command that is over has failed; null if it has not. */
    @Nullable
    IOException failure(int i) {
        return lost != null ? lost : over[i] < 0 ? queue.failure(~over[i]) : null;
    }

    int batch(int command) {
        return batch[command];
    }

    int file(int command) {
        return file[command];
    }

    int bytes(int command) {
        return bytes[command];
    }

    long lba(int command) {
        return lba[command];
    }

    void free(int command) {
        inFlight[command] = false;
        freeCommands[free++] = command;
    }

    /** Why the device may still write to memory, though nothing is in flight by what this tells; null if it does not. */
    @Nullable
    IOException unsafe() {
        return unsafe;
    }

    /** Closes the queue because of something; what that throws is suppressed in it, and kept as {@link #unsafe}. */
    void closeAfter(Throwable why) {
        try {
            close();
        } catch (IOException e) {
            why.addSuppressed(e);
        }
    }

    void close() throws IOException {
        try {
            queue.close();
        } catch (IOException e) {
            unsafe = e;
            throw e;
        } catch (RuntimeException e) {
            unsafe = new IOException(e.getMessage(), e);
            throw unsafe;
        }
    }
}
