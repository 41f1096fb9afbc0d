package io.aisio.cuda;

import io.aisio.nvme.ForeignQueues;
import io.aisio.nvme.LentQueuePair;
import io.aisio.nvme.MappedQueuePair;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Sqe;
import io.aisio.upcie.MappedBar;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.DeviceUri;
import io.aisio.xnvme.spi.LeasedDevice;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * A queue pair that a kernel on a GPU drives: it writes commands, rings the doorbells and takes completions. The host creates
 * the queues, and deletes them. {@code aisio/nvme.cuh} is the other side: {@link #address()} is the {@code aisio::Queue} that it
 * begins with.
 *
 * <p>One kernel at a time drives it, and has ended before it is closed.
 */
public final class GpuQueuePair implements AutoCloseable {
    /** Where the rings are. */
    public enum Placement {
        /** In the GPU's memory: the controller fetches commands there, and puts completions there. */
        DEVICE,
        /** In the host's memory, which the GPU reaches too. */
        HOST
    }

    /** The most commands that a kernel has in flight on one queue pair: {@code AISIO_SLOTS}, a thread each. */
    public static final int MOST_SLOTS = 1024;

    /** How long a command may take, unless told otherwise. */
    public static final Duration DEADLINE = Duration.ofSeconds(10);

    private static final Duration LONGEST_DEADLINE = Duration.ofHours(1);

    /** {@code CU_DEVICE_ATTRIBUTE_CLOCK_RATE}, in kHz (cuda.h). */
    private static final int CLOCK_RATE = 13;

    private static final int PAGE = 4096;

    // The structure aisio::Queue of aisio/nvme.cuh.
    static final int STATE_BYTES = 128;
    static final int SUBMISSION = 0;
    static final int COMPLETION = 8;
    static final int TAIL_DOORBELL = 16;
    static final int HEAD_DOORBELL = 24;
    static final int ENTRIES = 32;
    static final int ID = 36;
    static final int FLAGS = 40;
    static final int NSID = 44;
    static final int DEADLINE_CYCLES = 48;
    static final int LOST = 56;
    static final int TAIL = 64;
    static final int HEAD = 68;
    static final int PHASE = 72;
    static final int STOPPED = 76;
    static final int EVIDENCE = 80;
    static final int IN_FLIGHT = 88;

    /** The controller runs on this GPU. */
    static final int LOCAL = 1;
    /** The completion queue is in the host's memory. */
    static final int FAR = 2;

    static final int RUNNING = 0;
    static final int LATE = 1;
    static final int BAD_COMPLETION = 2;
    static final int GONE = 3;
    static final int TOO_WIDE = 4;

    private final String name;
    private final int depth;
    private final int id;
    private final GpuMemory state;
    private final PinnedMemory lost;
    private final @Nullable ForeignQueues lent;
    private final Deque<AutoCloseable> resources;
    private boolean closed;

    private GpuQueuePair(
            String name,
            int depth,
            int id,
            GpuMemory state,
            PinnedMemory lost,
            @Nullable ForeignQueues lent,
            Deque<AutoCloseable> resources) {
        this.name = name;
        this.depth = depth;
        this.id = id;
        this.state = state;
        this.lost = lost;
        this.lent = lent;
        this.resources = resources;
    }

    /** Where the rings of a device's queue pairs are best: in the GPU's memory, if the controller reaches it. */
    public static Placement placement(Device device) {
        return device instanceof GpuDevice || isOnBus(device) ? Placement.DEVICE : Placement.HOST;
    }

    private static boolean isOnBus(Device device) {
        return DeviceUri.parse(device.name()).scheme().equals("pci");
    }

    /** The same, with commands that may take {@link #DEADLINE}. */
    public static GpuQueuePair open(Device device, Gpu gpu, int depth, Placement placement) throws IOException {
        return open(device, gpu, depth, placement, DEADLINE);
    }

    /**
     * Creates a queue pair.
     *
     * @param device a controller on the bus, {@code gpu:}, or {@code emu:} or a lease, which reach rings in the host's memory only
     * @param depth commands in flight at most, 1 to {@link #MOST_SLOTS}: as many threads drive it, so whole warps are best
     * @param deadline how long a command may take before the kernel gives the queue pair up
     * @throws UnsupportedOperationException if the device has no queue pairs that a GPU could drive; one sentence
     * @throws IOException if the controller refuses, or there is no memory
     */
    public static GpuQueuePair open(Device device, Gpu gpu, int depth, Placement placement, Duration deadline)
            throws IOException {
        if (!deadline.isPositive() || deadline.compareTo(LONGEST_DEADLINE) > 0) {
            throw new IllegalArgumentException(
                    "a deadline of " + deadline + "; up to " + LONGEST_DEADLINE + " is possible");
        }
        int most = Math.min(MOST_SLOTS, device.geometry().maxQueueDepth());
        if (depth < 1 || depth > most) {
            throw new IllegalArgumentException("%s: a queue pair of depth %d for a GPU; 1 to %d are possible"
                    .formatted(device.name(), depth, most));
        }
        Deque<AutoCloseable> resources = new ArrayDeque<>();
        try {
            return switch (device) {
                case GpuDevice own -> onGpu(own, gpu, depth, placement, deadline, resources);
                case NvmeDevice nvme -> onController(nvme, gpu, depth, placement, deadline, resources);
                case LeasedDevice leased -> onLease(leased, gpu, depth, placement, deadline, resources);
                default ->
                    throw new UnsupportedOperationException(device.name()
                            + " has no queue pairs that a GPU could drive: its data goes through " + device.path()
                            + "; next: a controller on the bus, gpu:, emu: or a lease of one (homi:)");
            };
        } catch (IOException | RuntimeException e) {
            if (device instanceof NvmeDevice nvme && nvme.controller().mayStillAccessMemory()) {
                // It may have been told of the rings: they stay.
                throw e;
            }
            try {
                closeAll(resources);
            } catch (IOException | RuntimeException again) {
                e.addSuppressed(again);
            }
            throw e;
        }
    }

    private static GpuQueuePair onGpu(
            GpuDevice device,
            Gpu gpu,
            int depth,
            Placement placement,
            Duration deadline,
            Deque<AutoCloseable> resources)
            throws IOException {
        if (gpu.id() != device.gpu().id()) {
            throw new UnsupportedOperationException(
                    "%s runs on GPU %d, and its queue pairs can be driven there only, not by GPU %d"
                            .formatted(device.name(), device.gpu().id(), gpu.id()));
        }
        int entries = depth + 1;
        long submissionBytes = whole((long) entries * Sqe.BYTES);
        long ringBytes = submissionBytes + whole((long) entries * Cqe.BYTES);
        long rings;
        if (placement == Placement.DEVICE) {
            rings = keep(resources, gpu.allocate(ringBytes)).address();
        } else {
            rings = keep(resources, gpu.allocatePinned(ringBytes)).address();
        }
        // Doorbells are on lines of their own, behind the state.
        GpuMemory state = keep(resources, gpu.allocate(3L * STATE_BYTES));
        PinnedMemory lost = keep(resources, gpu.allocatePinned(PAGE));
        long doorbells = state.address() + STATE_BYTES;
        int flags = LOCAL | (placement == Placement.HOST ? FAR : 0);
        ResidentController.Served served =
                device.controller().serve(rings, rings + submissionBytes, doorbells, doorbells + STATE_BYTES, entries);
        resources.push(served);
        write(
                gpu,
                state,
                lost,
                new long[] {rings, rings + submissionBytes, doorbells, doorbells + STATE_BYTES},
                new int[] {entries, served.id(), flags, 1},
                deadline);
        return new GpuQueuePair(device.name(), depth, served.id(), state, lost, null, resources);
    }

    private static GpuQueuePair onController(
            NvmeDevice device,
            Gpu gpu,
            int depth,
            Placement placement,
            Duration deadline,
            Deque<AutoCloseable> resources)
            throws IOException {
        MappedBar bar = device.doorbells();
        if (bar == null) {
            throw new UnsupportedOperationException(
                    device.name() + ": its doorbells are not mapped into this process, so no GPU can ring them");
        }
        if (device.controller().movesDoorbells()) {
            throw new UnsupportedOperationException(device.name()
                    + " lends its doorbells to other processes, which replaces pages that a GPU would have registered;"
                    + " next: open the controller without the option shared");
        }
        boolean onBus = isOnBus(device);
        if (placement == Placement.DEVICE && !onBus) {
            throw new UnsupportedOperationException(
                    device.name()
                            + " is a software controller, which reaches rings in the host's memory only; next: the queue memory 'host'");
        }
        int entries = depth + 1;
        GpuMemory state = keep(resources, gpu.allocate(STATE_BYTES));
        PinnedMemory lost = keep(resources, gpu.allocatePinned(PAGE));
        Ring submission = ring(device, gpu, (long) entries * Sqe.BYTES, placement, resources);
        Ring completion = ring(device, gpu, (long) entries * Cqe.BYTES, placement, resources);
        Doorbells doorbells = keep(resources, Doorbells.open(gpu, bar, onBus));
        LentQueuePair lent =
                keep(resources, device.lendQueuePair(submission.buffer.memory(), completion.buffer.memory(), depth));
        write(
                gpu,
                state,
                lost,
                new long[] {
                    submission.address,
                    completion.address,
                    doorbells.address(lent.tailDoorbell()),
                    doorbells.address(lent.headDoorbell())
                },
                new int[] {lent.entries(), lent.qid(), placement == Placement.HOST ? FAR : 0, device.nsid()},
                deadline);
        return new GpuQueuePair(device.name(), depth, lent.qid(), state, lost, lent, resources);
    }

    /** The rings and doorbells are memory of the process that has the controller, mapped into this one. */
    private static GpuQueuePair onLease(
            LeasedDevice device,
            Gpu gpu,
            int depth,
            Placement placement,
            Duration deadline,
            Deque<AutoCloseable> resources)
            throws IOException {
        if (placement == Placement.DEVICE) {
            throw new UnsupportedOperationException(
                    device.name()
                            + " is leased, and its rings are memory of the host's that both processes map; next: the queue memory 'host'");
        }
        GpuMemory state = keep(resources, gpu.allocate(STATE_BYTES));
        PinnedMemory lost = keep(resources, gpu.allocatePinned(PAGE));
        MappedQueuePair mapped = keep(resources, device.mapQueuePair(depth));
        PinnedMemory rings = keep(resources, gpu.register(mapped.rings().segment()));
        PinnedMemory doorbells = keep(resources, gpu.register(mapped.doorbells()));
        write(
                gpu,
                state,
                lost,
                new long[] {
                    rings.address(),
                    rings.address() + QueuePair.completionRingAt(depth),
                    doorbells.address() + mapped.tailDoorbell(),
                    doorbells.address() + mapped.headDoorbell()
                },
                new int[] {depth + 1, mapped.qid(), FAR, device.nsid()},
                deadline);
        return new GpuQueuePair(device.name(), depth, mapped.qid(), state, lost, mapped, resources);
    }

    /** A ring: as the device sees it, and where the GPU finds it. */
    private record Ring(Buffer buffer, long address) {}

    private static Ring ring(
            NvmeDevice device, Gpu gpu, long bytes, Placement placement, Deque<AutoCloseable> resources)
            throws IOException {
        if (placement == Placement.DEVICE) {
            GpuMemory memory = keep(resources, gpu.allocate(bytes));
            return new Ring(keep(resources, device.map(memory)), memory.address());
        }
        Buffer buffer = keep(resources, device.allocate(bytes));
        return new Ring(buffer, keep(resources, gpu.register(buffer.segment())).address());
    }

    private static void write(
            Gpu gpu, GpuMemory state, PinnedMemory lost, long[] places, int[] numbers, Duration deadline)
            throws CudaException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment queue = arena.allocate(STATE_BYTES);
            for (int i = 0; i < places.length; i++) {
                queue.set(ValueLayout.JAVA_LONG, SUBMISSION + 8L * i, places[i]);
            }
            for (int i = 0; i < numbers.length; i++) {
                queue.set(ValueLayout.JAVA_INT, ENTRIES + 4L * i, numbers[i]);
            }
            queue.set(ValueLayout.JAVA_LONG, DEADLINE_CYCLES, cycles(gpu, deadline));
            queue.set(ValueLayout.JAVA_LONG, LOST, lost.address());
            queue.set(ValueLayout.JAVA_INT, PHASE, 1);
            state.write(0, queue);
        }
    }

    /** Clock cycles of a multiprocessor at its highest clock: at a lower one they take longer. */
    static long cycles(Gpu gpu, Duration time) throws CudaException {
        long kiloHertz = gpu.ask(
                driver -> driver.deviceAttribute(CLOCK_RATE, gpu.context().device()));
        return Math.multiplyExact(time.toNanos(), kiloHertz) / 1_000_000;
    }

    private static long whole(long bytes) {
        return (bytes + PAGE - 1) & -PAGE;
    }

    private static <T extends AutoCloseable> T keep(Deque<AutoCloseable> resources, T resource) {
        resources.push(resource);
        return resource;
    }

    /** The device's name. */
    public String name() {
        return name;
    }

    /** Commands in flight at most. */
    public int depth() {
        return depth;
    }

    /** The queue identifier. */
    public int id() {
        return id;
    }

    /** Where a kernel finds its {@code aisio::Queue}. */
    public long address() {
        return state.address();
    }

    /**
     * Looks whether the queues are gone, as after a reset of the controller, and tells the kernel then, which gives them up at
     * its next look. For whoever waits for a kernel to call now and then.
     *
     * @return whether they are gone
     */
    public boolean look() {
        if (lent == null || !lent.isLost()) {
            return false;
        }
        lost.segment().set(ValueLayout.JAVA_INT, 0, 1);
        return true;
    }

    /**
     * Why the last kernel gave the queue pair up: one that was given up is to be closed. Asked for once the kernel has ended.
     *
     * @return null if it did not
     * @throws CudaException if the GPU fails
     */
    public @Nullable NvmeException failure() throws CudaException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment queue = arena.allocate(STATE_BYTES);
            state.read(0, queue);
            int stopped = queue.get(ValueLayout.JAVA_INT, STOPPED);
            if (stopped == RUNNING) {
                return null;
            }
            long evidence = queue.get(ValueLayout.JAVA_LONG, EVIDENCE);
            NvmeException why = new NvmeException("%s: queue %d: %s; %d commands never came back"
                    .formatted(
                            name,
                            id,
                            switch (stopped) {
                                case LATE -> "the command with CID %d was not answered in time".formatted(evidence);
                                case BAD_COMPLETION ->
                                    "the controller completed CID %d, which is of no command in flight"
                                            .formatted(evidence >>> 32 & 0xFFFF);
                                case GONE -> "the controller was reset, which took the queues";
                                case TOO_WIDE ->
                                    "%d threads drove it, and it has room for %d commands".formatted(evidence, depth);
                                default -> "given up for a reason that is unknown here, " + stopped;
                            },
                            queue.get(ValueLayout.JAVA_INT, IN_FLIGHT)));
            if (lent != null && lent.loss() != null) {
                why.initCause(lent.loss());
            }
            return why;
        }
    }

    /** Commands that never came back to the last kernel, because it gave the queue pair up. */
    int inFlight() throws CudaException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment word = arena.allocate(ValueLayout.JAVA_INT);
            state.read(IN_FLIGHT, word);
            return word.get(ValueLayout.JAVA_INT, 0);
        }
    }

    /**
     * Deletes the queues, then frees their memory. Closing again does nothing.
     *
     * @throws IOException if the controller did not delete them; memory that it may still write to is kept
     */
    @Override
    public synchronized void close() throws IOException {
        if (!closed) {
            closed = true;
            closeAll(resources);
        }
    }

    /** The last first. Once queues may still be there, what comes before them in the list stays. */
    private static void closeAll(Deque<AutoCloseable> resources) throws IOException {
        while (!resources.isEmpty()) {
            AutoCloseable resource = resources.pop();
            try {
                resource.close();
                if (resource instanceof ForeignQueues pair && pair.mayStillAccessMemory()) {
                    throw new NvmeException(
                            "the controller failed and could not be stopped: memory that it may still write to"
                                    + " is kept until this program ends");
                }
            } catch (IOException | RuntimeException e) {
                if (resource instanceof ForeignQueues pair && !pair.mayStillAccessMemory()) {
                    closeRest(resources, e);
                }
                throw e;
            } catch (Exception e) {
                throw new AssertionError("closes with an exception that nothing here declares", e);
            }
        }
    }

    private static void closeRest(Deque<AutoCloseable> resources, Exception why) {
        try {
            closeAll(resources);
        } catch (IOException | RuntimeException more) {
            why.addSuppressed(more);
        }
    }

    @Override
    public String toString() {
        return name + ": queue " + id;
    }
}
