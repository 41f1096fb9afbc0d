package io.aisio.fil.gpu;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.aisio.cuda.Gpu;
import io.aisio.cuda.GpuMemory;
import io.aisio.cuda.GpuQueuePair;
import io.aisio.cuda.GpuStream;
import io.aisio.cuda.Kernel;
import io.aisio.cuda.PinnedMemory;
import io.aisio.cuda.Resident;
import io.aisio.linux.Mapping;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.ByteSize;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.spi.LeasedDevice;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The kernel {@code aisio_epoch} while it runs, with all that it works on: the memory of batches, the tables of files, the
 * addresses of pages, its queue pairs, and what it shares with this process.
 */
final class EpochKernel implements AutoCloseable {
    private static final int WARP = 32;
    private static final int WIDEST = 1024;

    /** How often a command is made anew that may succeed then. */
    private static final int RETRIES = 4;

    /** How long the kernel may take to end once it was told to: longer than any command's deadline. */
    private static final Duration END = Duration.ofSeconds(60);

    private static final VarHandle INT = JAVA_INT.varHandle();

    private final String place;
    private final Deque<AutoCloseable> resources;
    private final List<GpuQueuePair> pairs;
    private final GpuStream stream;
    private final GpuMemory memory;
    private final Buffer buffer;
    private final Shared shared;
    private @Nullable IOException failure;
    /** Whether a queue pair could not be deleted. */
    private boolean unsafe;

    private boolean closed;

    private EpochKernel(
            String place,
            Deque<AutoCloseable> resources,
            List<GpuQueuePair> pairs,
            GpuStream stream,
            GpuMemory memory,
            Buffer buffer,
            Shared shared) {
        this.place = place;
        this.resources = resources;
        this.pairs = pairs;
        this.stream = stream;
        this.memory = memory;
        this.buffer = buffer;
        this.shared = shared;
    }

    /**
     * What it is made for.
     *
     * @param slots batches under way at once
     * @param slotBytes bytes of each
     * @param batchFiles files of each at most
     * @param ioBytes bytes of a command at most
     * @param unit bytes of which a file takes whole multiples
     * @param queues queue pairs, a block of the kernel each
     * @param depth commands in flight on each, cut to what there can be
     */
    record Shape(int slots, long slotBytes, int batchFiles, int ioBytes, int unit, int queues, int depth) {}

    /** What host and GPU share: parts of one piece of the host's memory. */
    private record Shared(PinnedMemory memory, int slots, int batchFiles) {
        /** So that no two parts share a cache line. */
        private static final long LINE = 128;

        private static long up(long bytes) {
            return (bytes + LINE - 1) & -LINE;
        }

        static long bytes(int slots, int batchFiles) {
            return LINE
                    + up(slots * EpochLayout.BATCH_BYTES)
                    + up((long) slots * Long.BYTES)
                    + up((long) slots * batchFiles * EpochLayout.WANTED_BYTES)
                    + up((long) slots * batchFiles * EpochLayout.FAILURE_BYTES);
        }

        long posts() {
            return LINE;
        }

        long done() {
            return posts() + up(slots * EpochLayout.BATCH_BYTES);
        }

        long wants() {
            return done() + up((long) slots * Long.BYTES);
        }

        long failures() {
            return wants() + up((long) slots * batchFiles * EpochLayout.WANTED_BYTES);
        }

        MemorySegment part(long at) {
            return memory.segment().asSlice(at);
        }
    }

    /** Gives out parts of a piece of the GPU's memory, one behind the other. */
    private static final class Parts {
        private static final long ALIGNMENT = 4096;

        private long end;

        long next(long bytes) {
            long at = end;
            end = (at + Math.max(1, bytes) + ALIGNMENT - 1) & -ALIGNMENT;
            return at;
        }
    }

    /**
     * Gets all that it works on, and launches it.
     *
     * @throws IOException if there is not that much memory, no queue pair, or the kernel cannot be launched
     */
    static EpochKernel launch(Device device, Gpu gpu, EpochTable table, Shape shape) throws IOException {
        Deque<AutoCloseable> resources = new ArrayDeque<>();
        List<GpuQueuePair> pairs = new ArrayList<>();
        try {
            return launch(device, gpu, table, shape, resources, pairs);
        } catch (UnsupportedOperationException e) {
            IOException why = new IOException(e.getMessage(), e);
            closeAll(pairs, resources, why);
            throw why;
        } catch (IOException | RuntimeException | Error e) {
            closeAll(pairs, resources, e);
            throw e;
        }
    }

    private static EpochKernel launch(
            Device device,
            Gpu gpu,
            EpochTable table,
            Shape shape,
            Deque<AutoCloseable> resources,
            List<GpuQueuePair> pairs)
            throws IOException {
        // The driver may wait for a kernel that runs when code is loaded or memory allocated: all of it comes before.
        Kernel kernel = gpu.kernels().kernel("aisio_epoch");
        int threads = threads(shape.depth, device.geometry().maxQueueDepth(), kernel.maxThreads());
        int possible = gpu.multiprocessors() * kernel.maxBlocksPerMultiprocessor(threads, 0) - 1;
        if (shape.queues > possible) {
            throw new IOException(
                    "%d queues of depth %d are more than the %d that %s drives at once: ask for fewer (--gpu-nqueues)"
                            .formatted(shape.queues, threads, possible, gpu.name()));
        }
        int slots = shape.slots;
        int batchFiles = shape.batchFiles;

        GpuMemory memory;
        Buffer buffer;
        if (device instanceof LeasedDevice) {
            // It is somebody else's, and reaches nothing but memory that he has given.
            long bytes = Math.ceilDiv(slots * shape.slotBytes, Mapping.PAGE_SIZE) * Mapping.PAGE_SIZE;
            buffer = keep(resources, device.allocate(bytes));
            memory = keep(resources, gpu.registerAsMemory(buffer.segment()));
        } else {
            memory = keep(resources, gpu.allocate(slots * shape.slotBytes));
            buffer = keep(resources, device.map(memory));
        }
        PageLists pages = new PageLists(memory.size());
        Parts parts = new Parts();
        long lists = parts.next(pages.bytes());
        long places = parts.next(pages.placesBytes());
        long files = parts.next(table.filesBytes());
        long runs = parts.next(table.runsBytes());
        long queues = parts.next((long) shape.queues * Long.BYTES);
        long state = parts.next(EpochLayout.STATE_BYTES);
        long batches = parts.next(slots * EpochLayout.BATCH_BYTES);
        long wanted = parts.next((long) slots * batchFiles * EpochLayout.WANTED_BYTES);
        long left = parts.next((long) slots * Integer.BYTES);
        long failed = parts.next((long) slots * Integer.BYTES);
        long marks = parts.next((long) slots * batchFiles * Integer.BYTES);
        long parameters = parts.next(EpochLayout.PARAMETERS_BYTES);
        GpuMemory own = keep(resources, gpu.allocate(parts.end));
        Shared shared =
                new Shared(keep(resources, gpu.allocatePinned(Shared.bytes(slots, batchFiles))), slots, batchFiles);

        GpuQueuePair.Placement placement = GpuQueuePair.placement(device);
        // The controller reads lists of addresses where it reads its queues best.
        Buffer entries = keep(
                resources,
                placement == GpuQueuePair.Placement.DEVICE ? device.map(own) : device.allocate(pages.bytes()));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment made = arena.allocate(pages.bytes(), Long.BYTES);
            pages.write(buffer.memory(), made);
            own.write(lists, made);
            if (placement == GpuQueuePair.Placement.HOST) {
                entries.segment().copyFrom(made);
            }
            MemorySegment where = arena.allocate(pages.placesBytes(), Long.BYTES);
            pages.writePlaces(entries.memory(), where);
            own.write(places, where);
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment made = arena.allocate(Math.max(Long.BYTES, table.filesBytes()), Long.BYTES);
            table.writeFiles(made);
            own.write(files, made);
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment made = arena.allocate(Math.max(Long.BYTES, table.runsBytes()), Long.BYTES);
            table.writeRuns(made);
            own.write(runs, made);
        }
        GpuStream stream = keep(resources, gpu.openStream());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment each = arena.allocate(JAVA_LONG, shape.queues);
            for (int i = 0; i < shape.queues; i++) {
                GpuQueuePair pair = GpuQueuePair.open(device, gpu, threads, placement);
                pairs.add(pair);
                each.setAtIndex(JAVA_LONG, i, pair.address());
            }
            own.write(queues, each);
            MemorySegment p = arena.allocate(EpochLayout.PARAMETERS_BYTES, Long.BYTES);
            long base = own.address();
            p.set(JAVA_LONG, EpochLayout.QUEUES, base + queues);
            p.set(JAVA_LONG, EpochLayout.FILES, base + files);
            p.set(JAVA_LONG, EpochLayout.RUNS, base + runs);
            p.set(JAVA_LONG, EpochLayout.PAGES, base + lists);
            p.set(JAVA_LONG, EpochLayout.LISTS, base + places);
            p.set(JAVA_LONG, EpochLayout.MEMORY, memory.address());
            long here = shared.memory.address();
            p.set(JAVA_LONG, EpochLayout.CONTROL, here);
            p.set(JAVA_LONG, EpochLayout.POSTS, here + shared.posts());
            p.set(JAVA_LONG, EpochLayout.WANTS, here + shared.wants());
            p.set(JAVA_LONG, EpochLayout.DONE, here + shared.done());
            p.set(JAVA_LONG, EpochLayout.FAILURES, here + shared.failures());
            p.set(JAVA_LONG, EpochLayout.STATE, base + state);
            p.set(JAVA_LONG, EpochLayout.BATCHES, base + batches);
            p.set(JAVA_LONG, EpochLayout.WANTED, base + wanted);
            p.set(JAVA_LONG, EpochLayout.LEFT, base + left);
            p.set(JAVA_LONG, EpochLayout.FAILED, base + failed);
            p.set(JAVA_LONG, EpochLayout.MARKS, base + marks);
            p.set(JAVA_INT, EpochLayout.QUEUE_COUNT, shape.queues);
            p.set(JAVA_INT, EpochLayout.SLOTS, slots);
            p.set(JAVA_INT, EpochLayout.BATCH_FILE_COUNT, batchFiles);
            p.set(JAVA_INT, EpochLayout.IO_BYTES, shape.ioBytes);
            p.set(
                    JAVA_INT,
                    EpochLayout.LBA_SHIFT,
                    Integer.numberOfTrailingZeros(device.geometry().lbaBytes()));
            p.set(JAVA_INT, EpochLayout.UNIT, shape.unit);
            p.set(JAVA_INT, EpochLayout.SECOND, Math.toIntExact(pages.second()));
            p.set(JAVA_INT, EpochLayout.RETRIES, RETRIES);
            own.write(parameters, p);
        }
        Resident _ = keep(resources, gpu.resident());
        stream.launch(kernel, shape.queues + 1, threads, 0, own.address() + parameters);
        return new EpochKernel(device.name(), resources, pairs, stream, memory, buffer, shared);
    }

    private static <T extends AutoCloseable> T keep(Deque<AutoCloseable> resources, T resource) {
        resources.addFirst(resource);
        return resource;
    }

    /** Threads of a block, which is as many commands of a queue: whole warps. */
    static int threads(int depth, int deviceDepth, int most) throws IOException {
        int possible = Math.min(Math.min(deviceDepth, most), WIDEST) & -WARP;
        if (possible == 0) {
            throw new IOException("the device has queues of " + deviceDepth + " commands; a GPU's take " + WARP);
        }
        return Math.min(Math.ceilDiv(Math.min(depth, WIDEST), WARP) * WARP, possible);
    }

    /** The batches' memory. */
    GpuMemory memory() {
        return memory;
    }

    /** The same as the device sees it. */
    Buffer buffer() {
        return buffer;
    }

    MemorySegment control() {
        return shared.part(0);
    }

    MemorySegment posts() {
        return shared.part(shared.posts());
    }

    MemorySegment wants() {
        return shared.part(shared.wants());
    }

    MemorySegment done() {
        return shared.part(shared.done());
    }

    MemorySegment failures() {
        return shared.part(shared.failures());
    }

    /**
     * Why the kernel has ended by itself; null if it runs. When it has, its queues are deleted, so that the device writes
     * nothing any more when this tells.
     */
    @Nullable
    IOException failure() {
        if (failure != null || closed) {
            return failure;
        }
        IOException why = null;
        try {
            for (GpuQueuePair pair : pairs) {
                boolean _ = pair.look();
            }
            if (stream.isDone()) {
                endResident();
                why = reason();
            }
        } catch (IOException e) {
            why = e;
        }
        if (why != null) {
            failure = why;
            closePairs(why);
        }
        return why;
    }

    /** The kernel has ended: what queue pairs give back, registered memory of the host's too, is given back at once. */
    private void endResident() {
        for (AutoCloseable each : resources) {
            if (each instanceof Resident resident) {
                resident.close();
            }
        }
    }

    /** Why it ended: because of the queue that gave up first, if that is known. */
    private IOException reason() throws IOException {
        int stopped = (int) INT.getAcquire(control(), EpochLayout.CONTROL_STOPPED);
        int queue = control().get(JAVA_INT, EpochLayout.CONTROL_QUEUE);
        IOException why = stopped == 0 ? null : pairs.get(queue).failure();
        return why != null ? why : new IOException(place + ": the kernel that reads ended, and does not say why");
    }

    /** Deletes the queue pairs; what cannot be is suppressed, and the device may still write to memory then. */
    private void closePairs(Throwable why) {
        for (GpuQueuePair pair : pairs) {
            try {
                pair.close();
            } catch (IOException | RuntimeException e) {
                unsafe = true;
                why.addSuppressed(e);
            }
        }
        pairs.clear();
    }

    /**
     * Ends it, whatever is under way, and frees all.
     *
     * @throws IOException if it does not end, or a queue pair cannot be deleted: then memory stays allocated, which the device
     *     may still write to
     */
    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        INT.setRelease(control(), EpochLayout.CONTROL_STOP, 1);
        boolean interrupted = false;
        boolean ended = false;
        long until = System.nanoTime() + END.toNanos();
        while (!ended && System.nanoTime() - until < 0) {
            try {
                ended = stream.synchronizeSleeping(END);
            } catch (InterruptedException e) {
                interrupted = true;
            } catch (IOException e) {
                // What it was doing is over, if badly.
                ended = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        IOException why = new IOException("%s: the kernel that reads did not end within %d s, so %s stay allocated"
                .formatted(place, END.toSeconds(), ByteSize.format(memory.size())));
        if (!ended) {
            throw why;
        }
        IOException unclosed = new IOException(
                "%s: a queue pair could not be deleted, so %s stay allocated, which the device may still write to"
                        .formatted(place, ByteSize.format(memory.size())));
        endResident();
        closePairs(unclosed);
        if (unsafe) {
            throw unclosed;
        }
        closeAll(pairs, resources, unclosed);
        if (unclosed.getSuppressed().length > 0) {
            throw new IOException(place + ": " + unclosed.getSuppressed()[0].getMessage(), unclosed.getSuppressed()[0]);
        }
    }

    private static void closeAll(List<GpuQueuePair> pairs, Deque<AutoCloseable> resources, Throwable why) {
        for (GpuQueuePair pair : pairs) {
            try {
                pair.close();
            } catch (IOException | RuntimeException e) {
                // Memory that its commands may still write to is not freed.
                why.addSuppressed(e);
                return;
            }
        }
        for (AutoCloseable each : resources) {
            try {
                each.close();
            } catch (Exception e) {
                why.addSuppressed(e);
            }
        }
    }
}
