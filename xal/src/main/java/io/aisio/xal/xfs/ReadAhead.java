package io.aisio.xal.xfs;

import io.aisio.xal.BlockReads;
import io.aisio.xal.BlockSource;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Blocks that are read before they are asked for, many at a time: who knows what it will need says so first, and then
 * asks in the same order. What was not expected, or could not be read with what is beside it, is read when it is asked
 * for. One thread owns it.
 */
final class ReadAhead implements Blocks {
    /** Reads in flight: enough to keep a device busy from two threads. */
    private static final int SLOTS = 16;
    /** Bytes of one read, a multiple of all sizes of directory blocks. */
    private static final int BYTES = 64 * 1024;

    private final BlockSource source;
    private final MetadataReader rest;
    private final BlockReads reads;
    /** What is expected and not begun. */
    private final Deque<Range> expected = new ArrayDeque<>();
    /** What was begun, in order, and its slot. */
    private final Deque<Begun> begun = new ArrayDeque<>();

    private final @Nullable Begun[] bySlot = new Begun[SLOTS];

    private record Range(long from, long to) {}

    /** A read that was begun. */
    private static final class Begun {
        final long from;
        final long to;
        final int slot;
        boolean ended;
        boolean failed;

        Begun(long from, long to, int slot) {
            this.from = from;
            this.to = to;
            this.slot = slot;
        }

        boolean holds(long position, int length) {
            return from <= position && position + length <= to;
        }
    }

    /**
     * @param reads of the source, which {@link #open} opened; the caller's, to be closed when this is used no more
     * @param rest reads what was not expected, of the same source
     */
    ReadAhead(BlockSource source, BlockReads reads, MetadataReader rest) {
        this.source = source;
        this.reads = reads;
        this.rest = rest;
    }

    /** Opens reads for one; null if the source has no way left to read by, and has given others. */
    static @Nullable BlockReads open(Ways ways) throws IOException {
        return ways.open(SLOTS, BYTES);
    }

    /** Says what will be asked for next, behind all that was said before. */
    void expect(long position, long length) throws IOException {
        long unit = source.alignment();
        long from = position - position % unit;
        long to = Math.min(rest.size(), Math.ceilDiv(position + length, unit) * unit);
        if (from < to) {
            expected.addLast(new Range(from, to));
            begin();
        }
    }

    private void begin() throws IOException {
        for (int slot = 0; slot < SLOTS && !expected.isEmpty(); slot++) {
            if (bySlot[slot] == null) {
                Range range = expected.removeFirst();
                long end = Math.min(range.to(), range.from() + BYTES);
                if (end < range.to()) {
                    expected.addFirst(new Range(end, range.to()));
                }
                reads.start(slot, range.from(), (int) (end - range.from()));
                Begun one = new Begun(range.from(), end, slot);
                bySlot[slot] = one;
                begun.addLast(one);
            }
        }
    }

    @Override
    public MemorySegment read(long position, int length) throws IOException {
        if (!isBegun(position, length)) {
            return rest.read(position, length);
        }
        while (!begun.getFirst().holds(position, length)) {
            end(begun.removeFirst());
            begin();
        }
        Begun one = begun.getFirst();
        await(one);
        return one.failed ? rest.read(position, length) : reads.buffer(one.slot).asSlice(position - one.from, length);
    }

    private boolean isBegun(long position, int length) {
        for (Begun one : begun) {
            if (one.holds(position, length)) {
                return true;
            }
        }
        return false;
    }

    private void end(Begun one) throws IOException {
        await(one);
        bySlot[one.slot] = null;
    }

    private void await(Begun wanted) throws IOException {
        while (!wanted.ended) {
            boolean failed = false;
            try {
                int _ = reads.await();
            } catch (InterruptedIOException e) {
                throw e;
            } catch (IOException e) {
                // Told when it is asked for and cannot be read alone either.
                failed = true;
            }
            Begun one = Objects.requireNonNull(bySlot[reads.ended()], "a read ended that was not begun");
            one.ended = true;
            one.failed = failed;
        }
    }

    /** Expects nothing any more. */
    void forget() throws IOException {
        expected.clear();
        while (!begun.isEmpty()) {
            end(begun.removeFirst());
        }
    }
}
