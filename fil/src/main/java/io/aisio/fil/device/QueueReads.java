package io.aisio.fil.device;

import io.aisio.cuda.GpuMemory;
import io.aisio.fil.spi.Backend.Settings;
import io.aisio.fil.spi.BatchReads;
import io.aisio.fil.spi.FileTable;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.ByteSize;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Geometry;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Batches of whole files through queues of one device, straight into memory that it reaches.
 *
 * <pre>
 *   begin ─► slots, in turn ─► files ─► runs ─► commands ─► lanes, one after another for each file ─► one doorbell each
 *                                         └─► zeros                                     │
 *   drive ◄─ slots that are done ◄─ commands left of a slot ◄───────────────────────────┘
 * </pre>
 *
 * All batches under way share the queues, so that these are full from one batch to the next. Per command nothing is
 * allocated.
 */
public final class QueueReads implements BatchReads {
    private static final int PAGE = 4096;

    /** Bytes of a command, unless told otherwise or the device takes fewer. */
    private static final int IO_BYTES = 1 << 20;

    /** How often it is asked whether the file system was written to, in nanoseconds. */
    private static final long ASK_NANOS = 5_000_000;

    /** How long before something was read that may have been asked, to vouch for it, in nanoseconds. */
    private static final long VALID_NANOS = 10_000_000;

    /** How many blocks that takes at most. */
    private static final int MOST_SIGNS = 4;

    /** In place of a slot: a command of that question. */
    private static final int QUESTION = -1;

    private static final IOException[] NO_FAILURES = {};

    private final Device device;
    private final DeviceSource source;
    private final FileTable files;
    private final BatchMemory memory;
    private final Buffer buffer;
    private final long slotBytes;
    private final int lbaBytes;
    private final int lbaShift;
    private final int ioBytes;
    private final QueueLane[] lanes;
    private int nextLane;

    // Of each slot: what it reads, where in that the next command is made, and what is left.
    private final int[][] rows;
    private final long[][] at;
    private final int[] counts;
    private final int[] file;
    private final int[] run;
    private final long[] runDone;
    private final int[] commandsLeft;
    private final boolean[] cut;
    /** By file; without any as long as none failed. */
    private final @Nullable IOException[][] failures;

    /** Slots of which commands are still to be made, in turn: a ring. */
    private final int[] cutting;

    private int firstCutting;
    private int cuttingCount;

    /** Slots of which all commands are over, and when they were. They are told once it is known that nobody wrote meanwhile. */
    private final int[] over;

    private final long[] overNanos;
    private int overCount;

    // The question whether somebody has written to the file system: its signs are read now and then.
    private final Buffer signsBuffer;
    private final int signBytes;
    private List<Xal.Sign> signs;
    private long askedNanos = System.nanoTime() - VALID_NANOS;
    private int nextSign;
    /** Signs that are not read, of a question that is not answered. */
    private int signsLeft;

    private @Nullable IOException unread;

    /** When the question was asked that is answered; all that was read until a little later is what the answer says. */
    private long answeredNanos = askedNanos - VALID_NANOS;

    private boolean touched;
    /** Why there is no telling; null if there is. */
    private @Nullable IOException unknown;

    private long commands;
    private long prepareNanos;

    private QueueReads(
            Device device,
            DeviceSource source,
            FileTable files,
            BatchMemory memory,
            Buffer signsBuffer,
            long slotBytes,
            int slots,
            int ioBytes,
            QueueLane[] lanes) {
        this.device = device;
        this.source = source;
        this.files = files;
        this.memory = memory;
        this.signsBuffer = signsBuffer;
        buffer = memory.buffer();
        this.slotBytes = slotBytes;
        this.ioBytes = ioBytes;
        this.lanes = lanes;
        lbaBytes = device.geometry().lbaBytes();
        lbaShift = Integer.numberOfTrailingZeros(lbaBytes);
        rows = new int[slots][];
        at = new long[slots][];
        counts = new int[slots];
        file = new int[slots];
        run = new int[slots];
        runDone = new long[slots];
        commandsLeft = new int[slots];
        cut = new boolean[slots];
        failures = new IOException[slots][];
        cutting = new int[slots];
        over = new int[slots];
        overNanos = new long[slots];
        // In this order: what changes in between is told by the signs.
        signs = source.signs();
        touched = source.isTouched();
        signBytes = signBytes(device);
    }

    /** Opens what reads batches into the host's memory or, if the settings say so, a GPU's. */
    public static QueueReads open(
            Device device,
            Settings settings,
            DeviceSource source,
            FileTable files,
            int slots,
            long slotBytes,
            int batchFiles)
            throws IOException {
        Geometry geometry = device.geometry();
        int most = Math.min(settings.ioBytes() == 0 ? IO_BYTES : settings.ioBytes(), geometry.maxTransferBytes());
        int ioBytes = most & -geometry.lbaBytes();
        if (ioBytes == 0) {
            throw new IOException("%s has logical blocks of %d bytes: no command reads %s"
                    .formatted(device.name(), geometry.lbaBytes(), ByteSize.format(most)));
        }
        Buffer signs = device.allocate((long) MOST_SIGNS * signBytes(device));
        BatchMemory memory = null;
        QueueLane[] lanes = new QueueLane[settings.queues()];
        int opened = 0;
        try {
            memory = BatchMemory.allocate(device, settings.target(), slots * slotBytes);
            int depth = Math.min(settings.queueDepth(), geometry.maxQueueDepth());
            while (opened < lanes.length) {
                lanes[opened++] = QueueLane.open(device, depth);
            }
            return new QueueReads(device, source, files, memory, signs, slotBytes, slots, ioBytes, lanes);
        } catch (IOException | RuntimeException | Error e) {
            for (QueueLane lane : lanes) {
                if (lane != null) {
                    lane.closeAfter(e);
                }
            }
            signs.close();
            if (memory != null) {
                closeAfter(memory, e);
            }
            throw e;
        }
    }

    private static void closeAfter(BatchMemory memory, Throwable why) {
        try {
            memory.close();
        } catch (IOException e) {
            why.addSuppressed(e);
        }
    }

    private static int signBytes(Device device) {
        return Math.max(PAGE, device.geometry().lbaBytes());
    }

    @Override
    public MemorySegment memory() {
        return buffer.segment();
    }

    @Override
    public @Nullable GpuMemory gpuMemory() {
        return memory.gpu();
    }

    @Override
    public void begin(int slot, int[] itsRows, long[] itsAt, int n) {
        rows[slot] = itsRows;
        at[slot] = itsAt;
        counts[slot] = n;
        file[slot] = 0;
        run[slot] = 0;
        runDone[slot] = 0;
        commandsLeft[slot] = 0;
        cut[slot] = false;
        failures[slot] = NO_FAILURES;
        cutting[(firstCutting + cuttingCount++) % cutting.length] = slot;
        if (cuttingCount == 1) {
            makeCommands();
        }
    }

    @Override
    public int drive(int[] done, boolean wait) {
        boolean moved = false;
        for (QueueLane lane : lanes) {
            moved |= take(lane, lane.poll());
        }
        moved |= makeCommands();
        int n = tell(done);
        if (!moved && n == 0 && wait && lanes.length == 1) {
            moved = take(lanes[0], lanes[0].await());
            makeCommands();
            n = tell(done);
        }
        return moved || n > 0 ? n : -1;
    }

    /** Puts those slots that are over and vouched for into {@code done}; how many. */
    private int tell(int[] done) {
        int n = 0;
        int kept = 0;
        for (int i = 0; i < overCount; i++) {
            int slot = over[i];
            if (overNanos[i] - answeredNanos <= VALID_NANOS) {
                settle(slot);
                done[n++] = slot;
            } else {
                over[kept] = slot;
                overNanos[kept++] = overNanos[i];
            }
        }
        overCount = kept;
        return n;
    }

    /** Has the signs read if that is due, ahead of all commands that are still to be made, as far as there are free ones. */
    private void ask() {
        if (signsLeft == 0) {
            long now = System.nanoTime();
            if (now - askedNanos < ASK_NANOS) {
                return;
            }
            askedNanos = now;
            unread = null;
            nextSign = 0;
            signsLeft = signs.size();
            if (signsLeft == 0) {
                answeredNanos = now;
            }
        }
        while (nextSign < signs.size()) {
            QueueLane lane = lane();
            if (lane == null) {
                return;
            }
            int sign = nextSign++;
            try {
                long lba = signs.get(sign).position() >>> lbaShift;
                lane.read(signsBuffer, (long) sign * signBytes, signBytes, lba, QUESTION, sign);
            } catch (RuntimeException e) {
                signRead(new IOException(e.getMessage(), e));
                return;
            }
        }
    }

    private void signRead(@Nullable IOException why) {
        unread = why == null ? unread : why;
        if (--signsLeft == 0) {
            answer();
        }
    }

    /** The signs were read: they are what they were, or all is read anew of the file system. */
    private void answer() {
        unknown = unread;
        for (int i = 0; unknown == null && i < signs.size(); i++) {
            MemorySegment now = signsBuffer.segment().asSlice((long) i * signBytes, signBytes);
            if (now.mismatch(signs.get(i).content()) != -1) {
                try {
                    touched |= source.touched();
                } catch (IOException e) {
                    unknown = e;
                }
                signs = source.signs();
                break;
            }
        }
        answeredNanos = askedNanos;
    }

    private void isOver(int slot) {
        overNanos[overCount] = System.nanoTime();
        over[overCount++] = slot;
    }

    /** Takes {@code n} commands that are over. */
    private boolean take(QueueLane lane, int n) {
        for (int i = 0; i < n; i++) {
            int command = lane.over(i);
            int slot = lane.batch(command);
            IOException why = lane.failure(i);
            if (slot == QUESTION) {
                lane.free(command);
                signRead(why);
                continue;
            }
            if (why != null) {
                fail(
                        slot,
                        lane.file(command),
                        "%s at LBA %d".formatted(ByteSize.format(lane.bytes(command)), lane.lba(command)),
                        why);
            }
            lane.free(command);
            if (--commandsLeft[slot] == 0 && cut[slot]) {
                isOver(slot);
            }
        }
        return n > 0;
    }

    private void fail(int slot, int i, String what, IOException why) {
        fail(
                slot,
                i,
                new IOException(
                        "%s: %s, %s, could not be read: %s"
                                .formatted(device.name(), files.path(rows[slot][i]), what, why.getMessage()),
                        why));
    }

    private void fail(int slot, int i, IOException why) {
        if (failures[slot].length == 0) {
            failures[slot] = new IOException[counts[slot]];
        }
        if (failures[slot][i] == null) {
            failures[slot][i] = why;
        }
    }

    private boolean hasFailed(int slot, int i) {
        return failures[slot].length != 0 && failures[slot][i] != null;
    }

    /** Makes as many commands as the lanes take, and rings each lane once; whether there was one. */
    private boolean makeCommands() {
        ask();
        long before = commands;
        boolean ended = false;
        if (cuttingCount > 0) {
            long begun = System.nanoTime();
            while (cuttingCount > 0 && cut(cutting[firstCutting])) {
                int slot = cutting[firstCutting];
                firstCutting = (firstCutting + 1) % cutting.length;
                cuttingCount--;
                cut[slot] = true;
                if (commandsLeft[slot] == 0) {
                    isOver(slot);
                }
                ended = true;
            }
            prepareNanos += System.nanoTime() - begun;
        }
        for (QueueLane lane : lanes) {
            take(lane, lane.ring());
        }
        return ended || commands > before;
    }

    /** Makes commands of a slot; whether all are made. */
    private boolean cut(int slot) {
        for (; file[slot] < counts[slot]; file[slot]++) {
            int i = file[slot];
            int row = rows[slot][i];
            int runs = files.runs(row);
            while (run[slot] < runs && !hasFailed(slot, i)) {
                if (!cut(slot, i, row)) {
                    return false;
                }
                run[slot]++;
                runDone[slot] = 0;
            }
            run[slot] = 0;
            runDone[slot] = 0;
            nextLane = nextLane + 1 == lanes.length ? 0 : nextLane + 1;
        }
        return true;
    }

    /** Makes commands of a file's run; false if no lane takes one more. */
    private boolean cut(int slot, int i, int row) {
        long offset = files.runOffset(row, run[slot]);
        long position = files.runPosition(row, run[slot]);
        long length = files.runLength(row, run[slot]);
        long target = slot * slotBytes + at[slot][i] + offset;
        IOException danger = unsafe();
        if (danger != null) {
            fail(slot, i, "in memory that the device may still write to", danger);
            return true;
        }
        if (position == FileTable.ZEROS) {
            zero(slot, i, target, length);
            return true;
        }
        // The last block of a file is read whole. Any other must end where a block of the device does: what is read
        // beyond it would overwrite the next run.
        boolean last = offset + length == files.size(row);
        long mask = lbaBytes - 1L;
        if (((position | offset) & mask) != 0 || (!last && (length & mask) != 0)) {
            fail(
                    slot,
                    i,
                    length + " bytes at byte " + position,
                    new IOException("these are not whole logical blocks of " + lbaBytes + " bytes"));
            return true;
        }
        long whole = (length + mask) & ~mask;
        while (runDone[slot] < whole) {
            QueueLane lane = lane();
            if (lane == null) {
                return false;
            }
            long done = runDone[slot];
            int part = (int) Math.min(whole - done, ioBytes);
            try {
                lane.read(buffer, target + done, part, (position + done) >>> lbaShift, slot, i);
            } catch (RuntimeException e) {
                // No memory for the list of its pages, for example: other files, and other devices, go on.
                fail(slot, i, "a command of " + ByteSize.format(part), new IOException(e.getMessage(), e));
                return true;
            }
            runDone[slot] = done + part;
            commandsLeft[slot]++;
            commands++;
        }
        return true;
    }

    /** Why nothing may be read any more: the device may still write for commands that have failed; null if it does not. */
    private @Nullable IOException unsafe() {
        for (QueueLane lane : lanes) {
            if (lane.unsafe() != null) {
                return lane.unsafe();
            }
        }
        return null;
    }

    /** A lane with a free command, null if there is none; one that was given up only if all were. */
    private @Nullable QueueLane lane() {
        QueueLane lost = null;
        boolean anyLives = false;
        for (int tries = 0, n = nextLane; tries < lanes.length; tries++) {
            QueueLane lane = lanes[n];
            if (lane.isGivenUp()) {
                lost = lane.hasFree() ? lane : lost;
            } else if (lane.hasFree()) {
                return lane;
            } else {
                anyLives = true;
            }
            n = n + 1 == lanes.length ? 0 : n + 1;
        }
        return anyLives ? null : lost;
    }

    /** All commands of a slot are over. */
    private void settle(int slot) {
        requireUntouched(slot);
        for (int i = 0; i < counts[slot]; i++) {
            long size = files.size(rows[slot][i]);
            long end = slot * slotBytes + at[slot][i] + size;
            long rest = source.room(size) - size;
            if (rest > 0) {
                zero(slot, i, end, rest);
            }
        }
        try {
            memory.settle();
        } catch (IOException e) {
            for (int i = 0; i < counts[slot]; i++) {
                fail(slot, i, "its zeros", e);
            }
        }
    }

    private void zero(int slot, int i, long target, long length) {
        try {
            memory.zero(target, length);
        } catch (IOException e) {
            fail(slot, i, length + " bytes of zeros", e);
        }
    }

    /** Makes sure that what was read were the files: nobody has written to the file system, or not to them. */
    private void requireUntouched(int slot) {
        IOException why = unknown;
        for (int i = 0; (touched || why != null) && i < counts[slot]; i++) {
            if (why != null) {
                fail(slot, i, "perhaps changed by somebody else", why);
                continue;
            }
            try {
                source.requireSame(files, rows[slot][i]);
            } catch (IOException e) {
                fail(slot, i, e);
            }
        }
    }

    @Override
    public @Nullable IOException failure(int slot, int i) {
        return failures[slot].length == 0 ? null : failures[slot][i];
    }

    @Override
    public long length(int slot, int i) {
        return files.size(rows[slot][i]);
    }

    @Override
    public long commands() {
        return commands;
    }

    @Override
    public long prepareNanos() {
        return prepareNanos;
    }

    @Override
    public void close() throws IOException {
        IOException failure = null;
        for (QueueLane lane : lanes) {
            try {
                lane.close();
            } catch (IOException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        failure = failure == null ? unsafe() : failure;
        if (failure != null) {
            throw new IOException(
                    "%s: a queue could not be closed, so %s stay allocated, which the device may still write to: %s"
                            .formatted(device.name(), ByteSize.format(buffer.size()), failure.getMessage()),
                    failure);
        }
        signsBuffer.close();
        memory.close();
    }
}
