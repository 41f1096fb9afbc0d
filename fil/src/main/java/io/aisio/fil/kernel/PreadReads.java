package io.aisio.fil.kernel;

import io.aisio.fil.kernel.FileRead.Opening;
import io.aisio.fil.spi.BatchReads;
import io.aisio.linux.ReadableFiles;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Reads one file after another, on the thread that drives it: each turn one file at most, or a part of a large one. */
final class PreadReads implements BatchReads {
    /** Of one turn: other places wait meanwhile. */
    private static final int TURN_BYTES = 4 << 20;

    private final BatchSlots batches;
    private final ReadableFiles files = new ReadableFiles(1);
    private final FileRead file;
    private final int block;
    private final int most;

    private boolean reading;
    private long commands;
    private long prepareNanos;

    PreadReads(Folder folder, BatchSlots batches) {
        this.batches = batches;
        file = new FileRead(folder, batches, files, 0);
        block = folder.block();
        most = folder.commandBytes();
    }

    @Override
    public MemorySegment memory() {
        return batches.memory();
    }

    @Override
    public void begin(int slot, int[] rows, long[] at, int n) {
        batches.begin(slot, rows, at, n);
    }

    /** {@inheritDoc} It reads itself, and so has no use for waiting. */
    @Override
    public int drive(int[] done, boolean wait) {
        boolean moved = reading || opens();
        if (reading) {
            read();
        }
        int n = batches.takeEnded(done);
        return n > 0 || moved ? n : -1;
    }

    /** Opens the next file; false if there is none. */
    private boolean opens() {
        if (!batches.next()) {
            return false;
        }
        long begun = System.nanoTime();
        reading = file.open(batches.slot(), batches.index()) == Opening.OPEN;
        prepareNanos += System.nanoTime() - begun;
        return true;
    }

    private void read() {
        long end = file.next + TURN_BYTES;
        while (file.next < file.size()) {
            if (file.next >= end) {
                return;
            }
            int bytes = file.bytes(file.next, most);
            long n = files.read(0, batches.memory(), file.offset(file.next), bytes, file.next);
            commands++;
            if (n < 0) {
                file.failLater("pread", file.next, (int) -n);
                break;
            }
            // What was read in part is read on, from where a block begins.
            boolean whole = n >= file.size() - file.next;
            long step = whole ? n : n - n % block;
            if (step == 0) {
                file.endsEarly();
                break;
            }
            file.next += step;
        }
        reading = !file.settles();
    }

    @Override
    public @Nullable IOException failure(int slot, int i) {
        return batches.failure(slot, i);
    }

    @Override
    public long length(int slot, int i) {
        return batches.length(slot, i);
    }

    @Override
    public long commands() {
        return commands;
    }

    @Override
    public long changed() {
        return batches.changed();
    }

    /** {@inheritDoc} It is what opening took. */
    @Override
    public long prepareNanos() {
        return prepareNanos;
    }

    @Override
    public void close() {
        files.close();
        batches.close();
    }
}
