package io.aisio.fil;

import io.aisio.xal.BlockReads;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Geometry;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.RetryingQueue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Reads of a device in flight on a queue of their own, straight into buffers that the device reaches. Each is cut into
 * commands of what the device transfers at most; one that fails is tried again ({@link RetryingQueue}).
 */
final class DeviceReads implements BlockReads {
    /** Buffers begin on pages, in bytes. */
    private static final long PAGE = 4096;

    private final Device device;
    private final Queue queue;
    private final Buffer memory;
    private final int slots;
    private final int bytes;
    private final long stride;

    /** Commands of the queue that are free. */
    private final int[] freeCommands;

    private int free;
    private final int[] slotByCommand;

    // Of each slot: where it reads, the commands that are not done, and the first failure.
    private final long[] positions;
    private final int[] lengths;
    /** Bytes that commands were made for. */
    private final int[] cut;

    private final int[] commandsLeft;
    private final boolean[] busy;
    private final @Nullable IOException[] failures;

    /** Slots of which commands are still to be made, in the order in which they were started: a ring. */
    private final int[] waiting;

    private int firstWaiting;
    private int waitingCount;

    /** Slots that ended and were not told of. */
    private final int[] done;

    private int doneCount;

    private final int[] submitSlots;
    private final long[] submitLbas;
    private final int[] completed;
    private int inFlight;
    private int ended = -1;
    private boolean closed;

    /** Why the queue tells no more of its commands, null as long as it does. */
    private @Nullable IOException lost;

    private DeviceReads(Device device, Queue queue, Buffer memory, int slots, int bytes, long stride) {
        this.device = device;
        this.queue = queue;
        this.memory = memory;
        this.slots = slots;
        this.bytes = bytes;
        this.stride = stride;
        int depth = queue.depth();
        freeCommands = new int[depth];
        for (int command = 0; command < depth; command++) {
            freeCommands[free++] = command;
        }
        slotByCommand = new int[depth];
        positions = new long[slots];
        lengths = new int[slots];
        cut = new int[slots];
        commandsLeft = new int[slots];
        busy = new boolean[slots];
        failures = new IOException[slots];
        waiting = new int[slots];
        done = new int[slots];
        submitSlots = new int[depth];
        submitLbas = new long[depth];
        completed = new int[depth];
    }

    static DeviceReads open(Device device, int slots, int bytes) throws IOException {
        Geometry geometry = device.geometry();
        if (slots < 1 || bytes < 1 || bytes % geometry.lbaBytes() != 0) {
            throw new IllegalArgumentException("%s: %d slots of %d bytes; at least 1, of multiples of %d"
                    .formatted(device.name(), slots, bytes, geometry.lbaBytes()));
        }
        long commands = (long) slots * Math.ceilDiv(bytes, geometry.maxTransferBytes());
        Queue queue = new RetryingQueue(device.openQueue((int) Math.min(commands, geometry.maxQueueDepth())));
        try {
            long stride = (bytes + PAGE - 1) & -PAGE;
            return new DeviceReads(device, queue, device.allocate(stride * slots), slots, bytes, stride);
        } catch (IOException | RuntimeException e) {
            queue.close();
            throw e;
        }
    }

    @Override
    public int slots() {
        return slots;
    }

    @Override
    public MemorySegment buffer(int slot) {
        return memory.segment().asSlice(Objects.checkIndex(slot, slots) * stride, bytes);
    }

    @Override
    public void start(int slot, long position, int length) throws IOException {
        requireOpen();
        int lba = device.geometry().lbaBytes();
        if (position < 0 || position % lba != 0 || length < lba || length % lba != 0 || length > bytes) {
            throw new IllegalArgumentException("%s: %d bytes at byte %d; multiples of %d are read, at most %d"
                    .formatted(device.name(), length, position, lba, bytes));
        }
        if (busy[Objects.checkIndex(slot, slots)]) {
            throw new IllegalStateException(device.name() + ": slot " + slot + " is in flight");
        }
        IOException gone = lost;
        if (gone != null) {
            throw new IOException(device.name() + ": its queue was given up: " + gone.getMessage(), gone);
        }
        busy[slot] = true;
        inFlight++;
        positions[slot] = position;
        lengths[slot] = length;
        cut[slot] = 0;
        commandsLeft[slot] = 0;
        failures[slot] = null;
        waiting[(firstWaiting + waitingCount++) % slots] = slot;
        submit();
    }

    /** Makes commands of the slots that wait for them, as many as the queue takes, and rings once. */
    private void submit() {
        Geometry geometry = device.geometry();
        int n = 0;
        while (waitingCount > 0 && free > 0) {
            int slot = waiting[firstWaiting];
            int part = Math.min(lengths[slot] - cut[slot], geometry.maxTransferBytes());
            int command = freeCommands[--free];
            queue.bindRead(command, memory, slot * stride + cut[slot], part);
            slotByCommand[command] = slot;
            submitSlots[n] = command;
            submitLbas[n++] = (positions[slot] + cut[slot]) / geometry.lbaBytes();
            commandsLeft[slot]++;
            cut[slot] += part;
            if (cut[slot] == lengths[slot]) {
                firstWaiting = (firstWaiting + 1) % slots;
                waitingCount--;
            }
        }
        if (n == 0) {
            return;
        }
        try {
            queue.submit(submitSlots, submitLbas, n);
        } catch (IOException e) {
            // The device has failed: each of these reads has, and await tells so.
            for (int i = 0; i < n; i++) {
                end(submitSlots[i], e);
            }
        }
    }

    /** A command is over; so is its read, if it was the last and none is to be made any more. */
    private void end(int command, @Nullable IOException failure) {
        freeCommands[free++] = command;
        int slot = slotByCommand[command];
        if (failure != null && failures[slot] == null) {
            failures[slot] = failure;
        }
        if (--commandsLeft[slot] == 0 && cut[slot] == lengths[slot]) {
            done[doneCount++] = slot;
        }
    }

    @Override
    public int await() throws IOException {
        requireOpen();
        if (inFlight == 0) {
            throw new IllegalStateException(device.name() + ": no read is in flight");
        }
        while (doneCount == 0) {
            takeCompleted();
            submit();
        }
        int slot = done[--doneCount];
        busy[slot] = false;
        inFlight--;
        ended = slot;
        IOException failure = failures[slot];
        if (failure != null) {
            throw new IOException(
                    "%s: %d bytes at byte %d could not be read: %s"
                            .formatted(device.name(), lengths[slot], positions[slot], failure.getMessage()),
                    failure);
        }
        return slot;
    }

    private void takeCompleted() {
        int n;
        try {
            n = queue.await(completed);
        } catch (IOException e) {
            giveUp(e);
            return;
        }
        for (int i = 0; i < n; i++) {
            int command = completed[i] < 0 ? ~completed[i] : completed[i];
            end(command, completed[i] < 0 ? queue.failure(command) : null);
        }
    }

    /** The queue tells no more: all reads have failed, and with the queue closed nothing is in flight. */
    private void giveUp(IOException why) {
        lost = why;
        try {
            queue.close();
        } catch (IOException e) {
            why.addSuppressed(e);
        }
        waitingCount = 0;
        doneCount = 0;
        for (int slot = 0; slot < slots; slot++) {
            if (busy[slot]) {
                failures[slot] = why;
                done[doneCount++] = slot;
            }
        }
    }

    @Override
    public int ended() {
        return ended;
    }

    @Override
    public int inFlight() {
        return inFlight;
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the reads of " + device.name() + " are closed");
        }
    }

    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        try {
            while (lost == null && queue.outstanding() > 0) {
                takeCompleted();
            }
        } finally {
            try {
                queue.close();
            } finally {
                memory.close();
            }
        }
    }
}
