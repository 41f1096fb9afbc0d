package io.aisio.fil.kernel;

import io.aisio.fil.spi.BatchReads;
import io.aisio.linux.LinuxException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads as many files at once as its rings have commands, in the order in which they were asked for. */
final class UringReads implements BatchReads {
    private final BatchSlots batches;
    private final List<FileRing> rings;
    /** The ring that is waited for next, if there are several. */
    private int turn;

    private UringReads(BatchSlots batches, List<FileRing> rings) {
        this.batches = batches;
        this.rings = rings;
    }

    static UringReads open(Folder folder, BatchSlots batches, int queues, int depth) throws IOException {
        List<FileRing> rings = new ArrayList<>();
        try {
            for (int i = 0; i < queues; i++) {
                rings.add(FileRing.open(folder, batches, depth));
            }
        } catch (IOException | RuntimeException e) {
            for (FileRing ring : rings) {
                try {
                    ring.close();
                } catch (IOException again) {
                    e.addSuppressed(again);
                }
            }
            throw e;
        }
        return new UringReads(batches, rings);
    }

    @Override
    public MemorySegment memory() {
        return batches.memory();
    }

    @Override
    public void begin(int slot, int[] rows, long[] at, int n) {
        batches.begin(slot, rows, at, n);
    }

    /**
     * {@inheritDoc}
     *
     * @throws UncheckedIOException if the kernel takes no more commands
     */
    @Override
    public int drive(int[] done, boolean wait) {
        try {
            boolean moved = false;
            for (FileRing ring : rings) {
                moved |= ring.advance(wait && rings.size() == 1);
            }
            if (!moved && wait && !batches.anyEnded()) {
                moved = awaitOne();
            }
            int n = batches.takeEnded(done);
            return n > 0 || moved ? n : -1;
        } catch (LinuxException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Waits for a ring that has commands in flight, another one each time; false if none has. */
    private boolean awaitOne() throws LinuxException {
        for (int i = 0; i < rings.size(); i++) {
            turn = (turn + 1) % rings.size();
            if (rings.get(turn).awaits()) {
                return true;
            }
        }
        return false;
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
        long all = 0;
        for (FileRing ring : rings) {
            all += ring.commands();
        }
        return all;
    }

    /** {@inheritDoc} It is what opening files and making commands took. */
    @Override
    public long prepareNanos() {
        long all = 0;
        for (FileRing ring : rings) {
            all += ring.prepareNanos();
        }
        return all;
    }

    /** {@inheritDoc} Memory that the kernel may still write to stays. */
    @Override
    public void close() throws IOException {
        IOException failure = null;
        for (FileRing ring : rings) {
            try {
                ring.close();
            } catch (IOException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
        batches.close();
    }
}
