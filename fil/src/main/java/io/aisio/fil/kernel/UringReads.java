package io.aisio.fil.kernel;

import io.aisio.fil.spi.BatchReads;
import io.aisio.linux.LinuxException;
import java.io.IOException;
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
    /** Why files are read no more: no ring is left, or one may still write to memory that the next batch would get. */
    private @Nullable IOException lost;

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
        } catch (IOException | RuntimeException | Error e) {
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

    /** {@inheritDoc} Where the kernel takes no more commands, a ring's files have failed, and the others read on. */
    @Override
    public int drive(int[] done, boolean wait) {
        boolean moved = failsRest();
        for (FileRing ring : rings) {
            try {
                moved |= ring.advance(wait && rings.size() == 1);
            } catch (LinuxException e) {
                lose(ring, e);
                moved = true;
            }
        }
        if (!moved && wait && !batches.anyEnded()) {
            moved = awaitOne();
        }
        int n = batches.takeEnded(done);
        return n > 0 || moved ? n : -1;
    }

    /** Waits for a ring that has commands in flight, another one each time; false if none has. */
    private boolean awaitOne() {
        for (int i = 0; i < rings.size(); i++) {
            turn = (turn + 1) % rings.size();
            FileRing ring = rings.get(turn);
            try {
                if (ring.awaits()) {
                    return true;
                }
            } catch (LinuxException e) {
                lose(ring, e);
                return true;
            }
        }
        return false;
    }

    private void lose(FileRing ring, LinuxException why) {
        LinuxException unclosed = ring.lose(why);
        if (unclosed != null) {
            why.addSuppressed(unclosed);
        }
        if (unclosed != null || rings.stream().allMatch(FileRing::isLost)) {
            lost = why;
        }
        // Before another ring takes one.
        boolean _ = failsRest();
    }

    /** Fails the files that no ring has taken, if none may any more; whether there were any. */
    private boolean failsRest() {
        IOException why = lost;
        boolean any = false;
        while (why != null && batches.next()) {
            batches.fail(batches.slot(), batches.index(), why);
            any = true;
        }
        return any;
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

    @Override
    public long changed() {
        return batches.changed();
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
