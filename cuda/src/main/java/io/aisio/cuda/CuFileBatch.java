package io.aisio.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.aisio.linux.Errno;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Objects;

/**
 * Requests of cuFile that are made together and end in any order. One thread at a time; it may be used again once all of
 * them have ended.
 */
public final class CuFileBatch implements AutoCloseable {
    private static final long NANOS = 1_000_000_000;

    private final CuFile cuFile;
    private final long handle;
    private final int most;
    /** The library looks at it until the batch is closed. */
    private final Arena arena = Arena.ofShared();

    private final MemorySegment params;
    private final MemorySegment events;
    private final MemorySegment count = arena.allocate(JAVA_INT);
    /** {@code struct timespec}: seconds and nanoseconds. */
    private final MemorySegment timeout = arena.allocate(16, 8);

    private final Liveness liveness = new Liveness("a batch of cuFile");
    private int added;
    private int underWay;

    CuFileBatch(CuFile cuFile, long handle, int most) {
        this.cuFile = cuFile;
        this.handle = handle;
        this.most = most;
        params = arena.allocate(most * CuFileLibrary.PARAMS_BYTES, 8);
        events = arena.allocate(most * CuFileLibrary.EVENTS_BYTES, 8);
    }

    /** Told of a request that has ended. */
    @FunctionalInterface
    public interface Completion {
        /**
         * A request has ended.
         *
         * @param tag as the request has it
         * @param bytes that were moved; negative if it failed: a negated errno or cuFile error
         */
        void done(long tag, long bytes);
    }

    /**
     * Adds a read, to be made by {@link #submit}. File and memory stay open until it has ended.
     *
     * @param offset in the memory, in bytes
     * @param position in the file, in bytes
     * @param tag any number, by which its end is told
     * @throws IllegalStateException if the batch is full, or requests of it are under way
     * @throws IndexOutOfBoundsException if the range is not within the memory
     */
    public void read(CuFileHandle file, GpuMemory into, long offset, long position, long bytes, long tag) {
        add(CuFileLibrary.OPCODE_READ, file, into, offset, position, bytes, tag);
    }

    /** Adds a write, as a read is added. */
    public void write(CuFileHandle file, GpuMemory from, long offset, long position, long bytes, long tag) {
        add(CuFileLibrary.OPCODE_WRITE, file, from, offset, position, bytes, tag);
    }

    private void add(
            int opcode, CuFileHandle file, GpuMemory memory, long offset, long position, long bytes, long tag) {
        Objects.checkFromIndexSize(offset, bytes, memory.size());
        if (added == most) {
            throw new IllegalStateException("the batch has " + most + " requests already, its most");
        }
        if (underWay > 0) {
            throw new IllegalStateException(underWay + " requests of the batch are under way");
        }
        MemorySegment one = params.asSlice(added * CuFileLibrary.PARAMS_BYTES, CuFileLibrary.PARAMS_BYTES);
        one.set(JAVA_INT, CuFileLibrary.PARAMS_MODE, CuFileLibrary.MODE_BATCH);
        one.set(JAVA_LONG, CuFileLibrary.PARAMS_BASE, memory.address());
        one.set(JAVA_LONG, CuFileLibrary.PARAMS_FILE_OFFSET, position);
        one.set(JAVA_LONG, CuFileLibrary.PARAMS_DEVICE_OFFSET, offset);
        one.set(JAVA_LONG, CuFileLibrary.PARAMS_SIZE, bytes);
        one.set(JAVA_LONG, CuFileLibrary.PARAMS_HANDLE, file.handle());
        one.set(JAVA_INT, CuFileLibrary.PARAMS_OPCODE, opcode);
        one.set(JAVA_LONG, CuFileLibrary.PARAMS_COOKIE, tag);
        added++;
    }

    /**
     * Makes all requests that were added; nothing if none was.
     *
     * @throws CudaException if cuFile refuses; none of them is made then
     */
    public void submit() throws CudaException {
        liveness.enter();
        try {
            if (added > 0) {
                int all = added;
                added = 0;
                Boolean _ = cuFile.ask(() -> {
                    cuFile.library().batchSubmit(handle, all, params);
                    return Boolean.TRUE;
                });
                underWay = all;
            }
        } finally {
            liveness.leave();
        }
    }

    /**
     * Waits until some have ended, and tells of them.
     *
     * @param least how many; of those under way, if there are less
     * @param longest how long to wait for them
     * @return of how many was told
     * @throws IOException if cuFile fails
     */
    public int await(int least, Duration longest, Completion each) throws IOException {
        liveness.enter();
        try {
            if (underWay == 0) {
                return 0;
            }
            count.set(JAVA_INT, 0, underWay);
            timeout.set(JAVA_LONG, 0, longest.toNanos() / NANOS);
            timeout.set(JAVA_LONG, 8, longest.toNanos() % NANOS);
            int wanted = Math.clamp(least, 0, underWay);
            Boolean _ = cuFile.ask(() -> {
                cuFile.library().batchStatus(handle, wanted, count, events, timeout);
                return Boolean.TRUE;
            });
            int told = count.get(JAVA_INT, 0);
            if (told < 0 || told > underWay) {
                throw new IOException("cuFileBatchIOGetStatus tells of " + told + " requests, of " + underWay);
            }
            underWay -= told;
            for (int i = 0; i < told; i++) {
                MemorySegment one = events.asSlice(i * CuFileLibrary.EVENTS_BYTES, CuFileLibrary.EVENTS_BYTES);
                long moved = one.get(JAVA_LONG, CuFileLibrary.EVENTS_RET);
                boolean complete = one.get(JAVA_INT, CuFileLibrary.EVENTS_STATUS) == CuFileLibrary.STATUS_COMPLETE;
                each.done(one.get(JAVA_LONG, CuFileLibrary.EVENTS_COOKIE), complete || moved < 0 ? moved : -Errno.EIO);
            }
            return told;
        } finally {
            liveness.leave();
        }
    }

    /** Gives up what has not ended, and the batch. Closing again does nothing. */
    @Override
    public void close() {
        liveness.close(() -> {
            try {
                Boolean _ = cuFile.ask(() -> {
                    if (underWay > 0) {
                        cuFile.library().batchCancel(handle);
                    }
                    return Boolean.TRUE;
                });
            } catch (CudaException _) {
                // What cannot be cancelled ends with the batch, which waits for it.
            }
            cuFile.library().batchDestroy(handle);
            arena.close();
            cuFile.forgetOne();
        });
    }
}
