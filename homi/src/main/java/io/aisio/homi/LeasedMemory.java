package io.aisio.homi;

import io.aisio.linux.Mapping;
import io.aisio.upcie.DmaMemory;
import java.lang.foreign.MemorySegment;

/** Memory of a lease, mapped here, that the device finds in one run or more. */
final class LeasedMemory implements DmaMemory {
    private final Mapping mapping;
    /** Where each run begins, in bytes from the start, ascending from 0; one more than runs, the last being the end. */
    private final long[] starts;
    /** Where the device finds each. */
    private final long[] addresses;
    /** Takes it from the device; whether it may be unmapped then. */
    private final Release release;

    private boolean closed;

    /** Takes memory from the device. */
    interface Release {
        /** Whether the device leaves it alone from here on. */
        boolean release();
    }

    LeasedMemory(Mapping mapping, long[] starts, long[] addresses, Release release) {
        this.mapping = mapping;
        this.starts = starts;
        this.addresses = addresses;
        this.release = release;
    }

    @Override
    public MemorySegment segment() {
        return mapping.segment();
    }

    @Override
    public long iova(long offset) {
        if (offset < 0 || offset >= starts[starts.length - 1]) {
            throw new IndexOutOfBoundsException("byte " + offset + " of " + starts[starts.length - 1]);
        }
        int run = java.util.Arrays.binarySearch(starts, offset);
        int of = run >= 0 ? run : -run - 2;
        return addresses[of] + offset - starts[of];
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            if (release.release()) {
                mapping.close();
            }
        }
    }
}
