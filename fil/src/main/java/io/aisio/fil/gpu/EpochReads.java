package io.aisio.fil.gpu;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.aisio.cuda.Gpu;
import io.aisio.cuda.GpuMemory;
import io.aisio.fil.device.DeviceSource;
import io.aisio.fil.spi.Backend.Settings;
import io.aisio.fil.spi.BatchReads;
import io.aisio.fil.spi.FileTable;
import io.aisio.nvme.spec.Status;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.ByteSize;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Geometry;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Batches of whole files that a GPU asks for itself, by queues that a kernel drives, into its memory.
 *
 * <pre>
 *   begin ─► rows, places ─► shared ─► kernel aisio_epoch: items ─► queues ─► device ─► GPU's memory
 *   drive ◄─ batches done ◄─ shared ◄──────────────────────────────────┘
 * </pre>
 *
 * This process posts a batch and looks whether one is done; commands it makes none. When a queue does not answer any more, the
 * kernel ends, and with it all that was to be read.
 */
final class EpochReads implements BatchReads {
    /** Bytes of a command, unless told otherwise or the device takes fewer. */
    private static final int IO_BYTES = 1 << 20;

    /** How long before something was read it may have been asked whether somebody wrote, to vouch for it, in nanoseconds. */
    private static final long VALID_NANOS = 10_000_000;

    /** How often it is looked whether the kernel still runs, when nothing else happens, in nanoseconds. */
    private static final long KERNEL_NANOS = 10_000_000;

    /** How many blocks that takes at most. */
    private static final int MOST_SIGNS = 4;

    /** How long it sleeps between two looks, in nanoseconds: short beside a batch, long beside what a look costs. */
    private static final long SLEEP_NANOS = 50_000;

    private static final IOException[] NO_FAILURES = {};
    private static final VarHandle INT = JAVA_INT.varHandle();
    private static final VarHandle LONG = JAVA_LONG.varHandle();

    private final Device device;
    private final DeviceSource source;
    private final FileTable files;
    private final EpochTable table;
    private final EpochKernel kernel;
    private final int batchFiles;
    private final long slotBytes;

    // Of each slot: what it reads, which batch that is, and what became of it.
    private final int[][] rows;
    private final int[] counts;
    private final int[] sequences;
    private final boolean[] underWay;
    private final boolean[] dirty;
    private final @Nullable IOException[][] failures;

    /** Slots of which all is over, and when it was. */
    private final int[] over;

    private final long[] overNanos;
    private int overCount;

    /** Batches that were posted. */
    private int posted;

    private final Buffer signsBuffer;
    private List<Xal.Sign> signs;
    private long answeredNanos = System.nanoTime() - 2 * VALID_NANOS;
    private boolean touched;
    /** Why there is no telling whether somebody wrote; null if there is. */
    private @Nullable IOException unknown;

    private long kernelNanos = System.nanoTime();
    /** Why nothing is read any more. */
    private @Nullable IOException lost;

    private long commands;
    private long prepareNanos;

    private EpochReads(
            Device device,
            DeviceSource source,
            FileTable files,
            EpochTable table,
            EpochKernel kernel,
            Buffer signsBuffer,
            int slots,
            long slotBytes,
            int batchFiles) {
        this.device = device;
        this.source = source;
        this.files = files;
        this.table = table;
        this.kernel = kernel;
        this.signsBuffer = signsBuffer;
        this.slotBytes = slotBytes;
        this.batchFiles = batchFiles;
        rows = new int[slots][];
        counts = new int[slots];
        sequences = new int[slots];
        underWay = new boolean[slots];
        dirty = new boolean[slots];
        failures = new IOException[slots][];
        over = new int[slots];
        overNanos = new long[slots];
        // In this order: what changes in between is told by the signs.
        signs = source.signs();
        touched = source.isTouched();
    }

    static EpochReads open(
            Device device,
            Settings settings,
            DeviceSource source,
            FileTable files,
            int slots,
            long slotBytes,
            int batchFiles)
            throws IOException {
        Gpu gpu = settings.requireGpu("aisio-gpu").gpu();
        Geometry geometry = device.geometry();
        int most = Math.min(
                Math.min(settings.ioBytes() == 0 ? IO_BYTES : settings.ioBytes(), IO_BYTES),
                geometry.maxTransferBytes());
        int ioBytes = most & -geometry.lbaBytes();
        if (ioBytes == 0) {
            throw new IOException("%s has logical blocks of %d bytes: no command reads %s"
                    .formatted(device.name(), geometry.lbaBytes(), ByteSize.format(most)));
        }
        long begun = System.nanoTime();
        EpochTable table = new EpochTable(files, geometry.lbaBytes(), ioBytes);
        Buffer signs = device.allocate((long) MOST_SIGNS * signBytes(device));
        try {
            EpochKernel kernel = EpochKernel.launch(
                    device,
                    gpu,
                    table,
                    new EpochKernel.Shape(
                            slots,
                            slotBytes,
                            batchFiles,
                            ioBytes,
                            source.unit(),
                            settings.queues(),
                            settings.queueDepth()));
            EpochReads reads =
                    new EpochReads(device, source, files, table, kernel, signs, slots, slotBytes, batchFiles);
            reads.prepareNanos = System.nanoTime() - begun;
            return reads;
        } catch (IOException | RuntimeException | Error e) {
            signs.close();
            throw e;
        }
    }

    private static int signBytes(Device device) {
        return Math.max(4096, device.geometry().lbaBytes());
    }

    @Override
    public MemorySegment memory() {
        return kernel.buffer().segment();
    }

    @Override
    public GpuMemory gpuMemory() {
        return kernel.memory();
    }

    @Override
    public void begin(int slot, int[] itsRows, long[] itsAt, int n) {
        long begun = System.nanoTime();
        rows[slot] = itsRows;
        counts[slot] = n;
        failures[slot] = NO_FAILURES;
        MemorySegment wants = kernel.wants();
        long at = (long) slot * batchFiles * EpochLayout.WANTED_BYTES;
        long items = 0;
        for (int i = 0; i < n; i++) {
            int row = itsRows[i];
            wants.set(JAVA_LONG, at + EpochLayout.WANTED_AT, slot * slotBytes + itsAt[i]);
            wants.set(JAVA_INT, at + EpochLayout.WANTED_ROW, row);
            wants.set(JAVA_INT, at + EpochLayout.WANTED_FIRST_ITEM, (int) items);
            at += EpochLayout.WANTED_BYTES;
            items += table.items(row);
            commands += table.commands(row);
            if (table.items(row) == 0 && files.size(row) > 0) {
                fail(
                        slot,
                        i,
                        new IOException("%s: %s lies on no whole logical blocks of %d bytes"
                                .formatted(
                                        device.name(),
                                        files.path(row),
                                        device.geometry().lbaBytes())));
            }
        }
        IOException why = lost;
        if (why == null && items > Integer.MAX_VALUE) {
            why = new IOException(device.name() + ": a batch of " + items + " commands is more than there can be");
        }
        if (why != null) {
            failAll(slot, why);
            isOver(slot);
        } else if (items == 0) {
            isOver(slot);
        } else {
            post(slot, n, (int) items);
        }
        prepareNanos += System.nanoTime() - begun;
    }

    private void post(int slot, int n, int items) {
        if (dirty[slot]) {
            kernel.failures()
                    .asSlice(
                            (long) slot * batchFiles * EpochLayout.FAILURE_BYTES,
                            (long) batchFiles * EpochLayout.FAILURE_BYTES)
                    .fill((byte) 0);
            dirty[slot] = false;
        }
        MemorySegment posts = kernel.posts();
        long at = Integer.remainderUnsigned(posted, rows.length) * EpochLayout.BATCH_BYTES;
        posts.set(JAVA_INT, at + EpochLayout.BATCH_SLOT, slot);
        posts.set(JAVA_INT, at + EpochLayout.BATCH_FILES, n);
        posts.set(JAVA_INT, at + EpochLayout.BATCH_ITEMS, items);
        posts.set(JAVA_INT, at + EpochLayout.BATCH_SEQUENCE, posted);
        sequences[slot] = posted++;
        underWay[slot] = true;
        INT.setRelease(kernel.control(), EpochLayout.CONTROL_POSTED, posted);
    }

    private void isOver(int slot) {
        underWay[slot] = false;
        overNanos[overCount] = System.nanoTime();
        over[overCount++] = slot;
    }

    /** {@inheritDoc} It waits asleep: what it looks for comes once a batch. */
    @Override
    public int drive(int[] done, boolean wait) {
        boolean moved = false;
        for (int slot = 0; slot < underWay.length; slot++) {
            if (underWay[slot]) {
                long word = (long) LONG.getAcquire(kernel.done(), (long) slot * Long.BYTES);
                if ((int) (word >>> 32) == sequences[slot] + 1) {
                    if ((int) word != 0) {
                        takeFailures(slot);
                    }
                    isOver(slot);
                    moved = true;
                }
            }
        }
        if (!moved && lost == null) {
            moved = looksAfterKernel();
        }
        int n = tell(done);
        if (moved || n > 0) {
            return n;
        }
        if (wait) {
            LockSupport.parkNanos(SLEEP_NANOS);
        }
        return -1;
    }

    private void takeFailures(int slot) {
        dirty[slot] = true;
        MemorySegment all = kernel.failures();
        for (int i = 0; i < counts[slot]; i++) {
            long at = ((long) slot * batchFiles + i) * EpochLayout.FAILURE_BYTES;
            int status = all.get(JAVA_INT, at + EpochLayout.FAILURE_STATUS);
            if (status != 0) {
                fail(
                        slot,
                        i,
                        new IOException("%s: %s, %s at LBA %d, could not be read: %s"
                                .formatted(
                                        device.name(),
                                        files.path(rows[slot][i]),
                                        ByteSize.format(all.get(JAVA_INT, at + EpochLayout.FAILURE_LENGTH)),
                                        all.get(JAVA_LONG, at + EpochLayout.FAILURE_LBA),
                                        new Status(status))));
            }
        }
    }

    /** Looks now and then whether the kernel still runs. If not, nothing is read any more, and all that was to be has failed. */
    private boolean looksAfterKernel() {
        long now = System.nanoTime();
        if (now - kernelNanos < KERNEL_NANOS) {
            return false;
        }
        kernelNanos = now;
        IOException why = kernel.failure();
        if (why == null) {
            return false;
        }
        lost = why;
        for (int slot = 0; slot < underWay.length; slot++) {
            if (underWay[slot]) {
                failAll(slot, why);
                isOver(slot);
            }
        }
        return true;
    }

    private void failAll(int slot, IOException why) {
        for (int i = 0; i < counts[slot]; i++) {
            fail(
                    slot,
                    i,
                    new IOException(
                            "%s: %s could not be read: %s"
                                    .formatted(device.name(), files.path(rows[slot][i]), why.getMessage()),
                            why));
        }
    }

    private void fail(int slot, int i, IOException why) {
        if (failures[slot].length == 0) {
            failures[slot] = new IOException[counts[slot]];
        }
        if (failures[slot][i] == null) {
            failures[slot][i] = why;
        }
    }

    /** Puts those slots that are over, once they are vouched for, into {@code done}; how many. */
    private int tell(int[] done) {
        int n = overCount;
        for (int i = 0; i < n; i++) {
            if (overNanos[i] - answeredNanos > VALID_NANOS) {
                ask();
                break;
            }
        }
        for (int i = 0; i < n; i++) {
            requireUntouched(over[i]);
            done[i] = over[i];
        }
        overCount = 0;
        return n;
    }

    /** Reads the signs: they are what they were, or all is read anew of the file system. */
    private void ask() {
        long asked = System.nanoTime();
        int bytes = signBytes(device);
        try {
            unknown = null;
            for (int i = 0; i < signs.size(); i++) {
                Xal.Sign sign = signs.get(i);
                device.read(sign.position() / device.geometry().lbaBytes(), signsBuffer, (long) i * bytes, bytes);
                MemorySegment now = signsBuffer.segment().asSlice((long) i * bytes, bytes);
                if (now.mismatch(sign.content()) != -1) {
                    touched |= source.touched();
                    signs = source.signs();
                    break;
                }
            }
        } catch (IOException e) {
            unknown = e;
        }
        answeredNanos = asked;
    }

    /** Makes sure that what was read were the files: nobody has written to the file system, or not to them. */
    private void requireUntouched(int slot) {
        IOException why = unknown;
        for (int i = 0; (touched || why != null) && i < counts[slot]; i++) {
            try {
                if (why != null) {
                    throw new IOException(
                            "%s: %s, perhaps changed by somebody else, could not be read: %s"
                                    .formatted(device.name(), files.path(rows[slot][i]), why.getMessage()),
                            why);
                }
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

    /** {@inheritDoc} It is what making the tables and posting batches took. */
    @Override
    public long prepareNanos() {
        return prepareNanos;
    }

    @Override
    public void close() throws IOException {
        try {
            kernel.close();
        } finally {
            signsBuffer.close();
        }
    }
}
