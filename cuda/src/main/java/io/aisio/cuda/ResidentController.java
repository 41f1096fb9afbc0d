package io.aisio.cuda;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * The host's side of the software controller that runs on a GPU ({@code resident.cu}): a kernel with a block for each queue pair,
 * which runs as long as there is one.
 */
final class ResidentController implements AutoCloseable {
    /** Chosen: how long the kernel may take to begin or end serving, which takes it microseconds. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    // The structure aisio::Serve.
    private static final int SERVE_BYTES = 64;
    private static final int COMMAND = 0;
    private static final int STATE = 4;
    private static final int PLACES = 8;
    private static final int ENTRIES = 40;
    private static final int ID = 44;

    // The structure aisio::ResidentParameters.
    private static final int PARAMETERS_BYTES = 80;
    // The structure aisio::Reach.
    private static final int REACHES = 32;
    private static final int REACH_BEGIN = 8;
    private static final int REACH_END = REACH_BEGIN + REACHES * 8;
    private static final int REACH_BYTES = REACH_END + REACHES * 8;

    private static final VarHandle INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    /**
     * What it is like.
     *
     * @param media address of the media; 0 if it has none
     * @param lbas logical blocks
     * @param lbaShift of their size
     * @param maxBlocks of one command
     * @param queues queue pairs at most
     * @param threads commands at once of each, whole warps
     * @param latency of a command, of the median one if they vary
     * @param spread how much longer the slowest twentieth takes than the fastest, 1 if all take the same
     * @param fault what goes wrong, if anything does
     */
    record Shape(
            long media,
            long lbas,
            int lbaShift,
            int maxBlocks,
            int queues,
            int threads,
            Duration latency,
            double spread,
            @Nullable Fault fault) {}

    /** What goes wrong with commands that begin at an LBA. */
    record Fault(Kind kind, long lba) {
        enum Kind {
            /** Answered with Unrecovered Read Error. */
            ERROR(1),
            /** Never answered. */
            DROP(2),
            /** Answered with another CID. */
            WRONGCID(3);

            /** As the kernel has it. */
            private final int number;

            Kind(int number) {
                this.number = number;
            }
        }
    }

    private final Gpu gpu;
    private final String name;
    private final Shape shape;
    private final GpuMemory parameters;
    private final GpuMemory reach;
    private final PinnedMemory control;
    private final PinnedMemory stop;
    private final GpuStream stream;
    private final Kernel kernel;
    private final BitSet serving = new BitSet();
    private int reaches;
    private final long[] begins = new long[REACHES];
    private final long[] ends = new long[REACHES];
    private @Nullable Resident resident;

    ResidentController(Gpu gpu, String name, Shape shape) throws CudaException {
        this.gpu = gpu;
        this.name = name;
        this.shape = shape;
        kernel = gpu.kernels().kernel(shape.media == 0 ? "aisio_resident_null" : "aisio_resident");
        int room = kernel.maxBlocksPerMultiprocessor(shape.threads, 0) * gpu.multiprocessors();
        if (shape.queues > room) {
            throw CudaException.absent(
                    "%s: %d queue pairs of %d commands do not fit %s at once, only %d do; next: fewer by ?queues= or ?depth="
                            .formatted(name, shape.queues, shape.threads, gpu, room));
        }
        // In one page each, so that what the kernel polls is near.
        parameters = gpu.allocate(PARAMETERS_BYTES);
        reach = gpu.allocate(REACH_BYTES);
        control = gpu.allocatePinned((long) shape.queues * SERVE_BYTES);
        stop = gpu.allocatePinned(Integer.BYTES);
        stream = gpu.openStream();
        writeParameters();
    }

    private void writeParameters() throws CudaException {
        Fault fault = shape.fault;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment p = arena.allocate(PARAMETERS_BYTES);
            p.set(ValueLayout.JAVA_LONG, 0, control.address());
            p.set(ValueLayout.JAVA_LONG, 8, stop.address());
            p.set(ValueLayout.JAVA_LONG, 16, shape.media);
            p.set(ValueLayout.JAVA_LONG, 24, reach.address());
            p.set(ValueLayout.JAVA_LONG, 32, shape.lbas);
            p.set(ValueLayout.JAVA_LONG, 40, GpuQueuePair.cycles(gpu, shape.latency));
            p.set(ValueLayout.JAVA_LONG, 48, 1);
            p.set(ValueLayout.JAVA_LONG, 56, fault == null ? -1 : fault.lba);
            p.set(ValueLayout.JAVA_FLOAT, 64, sigma(shape.spread));
            p.set(ValueLayout.JAVA_INT, 68, shape.lbaShift);
            p.set(ValueLayout.JAVA_INT, 72, shape.maxBlocks);
            p.set(ValueLayout.JAVA_INT, 76, fault == null ? 0 : fault.kind.number);
            parameters.write(0, p);
        }
    }

    /** Of the logarithm of a latency: its 5th and 95th percentile are 1.645 of them to each side of the median. */
    static float sigma(double spread) {
        return (float) (Math.log(spread) / (2 * 1.6449));
    }

    /** A queue pair that is served until it is closed. */
    final class Served implements AutoCloseable {
        private final int index;
        private boolean closed;

        private Served(int index) {
            this.index = index;
        }

        /** The queue identifier. */
        int id() {
            return index + 1;
        }

        /** Returns once the controller leaves the queues alone. */
        @Override
        public void close() throws IOException {
            synchronized (ResidentController.this) {
                if (!closed) {
                    closed = true;
                    try {
                        advance(index);
                    } finally {
                        serving.clear(index);
                        if (serving.isEmpty()) {
                            end();
                        }
                    }
                }
            }
        }
    }

    /**
     * Has a queue pair served whose memory is there, with completions zeroed.
     *
     * @throws IOException if all are in use, or the kernel does not take it
     */
    synchronized Served serve(long submission, long completion, long tailDoorbell, long headDoorbell, int entries)
            throws IOException {
        int index = serving.nextClearBit(0);
        if (index >= shape.queues) {
            throw new IOException("%s: all %d queue pairs are in use; next: more by ?queues=%d"
                    .formatted(name, shape.queues, 2 * shape.queues));
        }
        MemorySegment serve = control.segment().asSlice((long) index * SERVE_BYTES, SERVE_BYTES);
        long[] places = {submission, completion, tailDoorbell, headDoorbell};
        for (int i = 0; i < places.length; i++) {
            serve.set(ValueLayout.JAVA_LONG, PLACES + 8L * i, places[i]);
        }
        serve.set(ValueLayout.JAVA_INT, ENTRIES, entries);
        serve.set(ValueLayout.JAVA_INT, ID, index + 1);
        if (serving.isEmpty()) {
            begin();
        }
        serving.set(index);
        Served served = new Served(index);
        try {
            advance(index);
            return served;
        } catch (IOException e) {
            // As it was: the next command for this block is again one to serve.
            long at = (long) index * SERVE_BYTES + COMMAND;
            INT.setRelease(control.segment(), at, (int) INT.getAcquire(control.segment(), at) + 1);
            serving.clear(index);
            try {
                if (serving.isEmpty()) {
                    end();
                }
            } catch (IOException again) {
                e.addSuppressed(again);
            }
            throw e;
        }
    }

    private void begin() throws IOException {
        if (resident != null) {
            throw new IOException("%s: the controller on %s has not ended since it was told to".formatted(name, gpu));
        }
        INT.setRelease(stop.segment(), 0L, 0);
        // The kernel counts commands from 0 when it begins.
        for (int i = 0; i < shape.queues; i++) {
            control.segment().set(ValueLayout.JAVA_INT, (long) i * SERVE_BYTES + COMMAND, 0);
            control.segment().set(ValueLayout.JAVA_INT, (long) i * SERVE_BYTES + STATE, 0);
        }
        Resident opened = gpu.resident();
        try {
            stream.launch(kernel, shape.queues, shape.threads, 0, parameters);
            resident = opened;
        } catch (CudaException | RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    /** Gives the next command for a queue pair, and waits until it is carried out. */
    private void advance(int index) throws IOException {
        MemorySegment memory = control.segment();
        long at = (long) index * SERVE_BYTES;
        int wanted = (int) INT.getAcquire(memory, at + COMMAND) + 1;
        INT.setRelease(memory, at + COMMAND, wanted);
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while ((int) INT.getAcquire(memory, at + STATE) != wanted) {
            if (stream.isDone()) {
                throw new IOException(name + ": the controller's kernel has ended");
            }
            if (System.nanoTime() - deadline > 0) {
                throw new IOException("%s: the controller on %s does not answer; is the GPU full of other work?"
                        .formatted(name, gpu));
            }
            Thread.onSpinWait();
        }
    }

    /** Ends the kernel; one that does not end is left, and what it may still touch stays allocated. */
    private void end() throws IOException {
        Resident running = resident;
        if (running == null) {
            return;
        }
        INT.setRelease(stop.segment(), 0L, 1);
        boolean interrupted = false;
        boolean ended = false;
        long began = System.nanoTime();
        while (!ended && System.nanoTime() - began < PATIENCE.toNanos()) {
            try {
                ended = stream.synchronizeSleeping(PATIENCE);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (!ended) {
            throw new IOException(
                    "%s: the controller on %s does not end; what it uses stays allocated".formatted(name, gpu));
        }
        resident = null;
        running.close();
    }

    /** Lets commands name a range of the GPU's memory. */
    synchronized void reach(long begin, long end) throws IOException {
        if (reaches == REACHES) {
            throw new IOException(name + ": " + REACHES + " pieces of memory are mapped, and no more can be");
        }
        begins[reaches] = begin;
        ends[reaches] = end;
        reaches++;
        writeReach();
    }

    /** Takes a range back. Nothing that names it may be in flight. */
    synchronized void forget(long begin) throws CudaException {
        for (int i = 0; i < reaches; i++) {
            if (begins[i] == begin) {
                // Empty before it is another: no kernel that looks meanwhile sees one with the other's end.
                ends[i] = 0;
                writeReach();
                reaches--;
                begins[i] = begins[reaches];
                writeReach();
                ends[i] = ends[reaches];
                writeReach();
                return;
            }
        }
    }

    /** The ranges, then how many they are: what stands already is written over by the same. */
    private void writeReach() throws CudaException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment r = arena.allocate(REACH_BYTES);
            r.set(ValueLayout.JAVA_INT, 0, reaches);
            for (int i = 0; i < reaches; i++) {
                r.set(ValueLayout.JAVA_LONG, REACH_BEGIN + 8L * i, begins[i]);
                r.set(ValueLayout.JAVA_LONG, REACH_END + 8L * i, ends[i]);
            }
            reach.write(REACH_BEGIN, r.asSlice(REACH_BEGIN));
            reach.write(0, r.asSlice(0, Integer.BYTES));
        }
    }

    /** Ends the kernel, if it runs, and frees what is its own. */
    @Override
    public synchronized void close() throws IOException {
        if (!serving.isEmpty()) {
            throw new IllegalStateException(name + " cannot be closed before its queue pairs " + serving);
        }
        stream.close();
        stop.close();
        control.close();
        reach.close();
        parameters.close();
    }
}
