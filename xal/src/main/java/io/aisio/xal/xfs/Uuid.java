package io.aisio.xal.xfs;

import java.lang.foreign.MemorySegment;

/** The UUID of a file system, which every block of its metadata repeats. */
record Uuid(long high, long low) {
    static Uuid read(MemorySegment s, long offset) {
        return new Uuid(OnDisk.i64(s, offset), OnDisk.i64(s, offset + Long.BYTES));
    }

    @Override
    public String toString() {
        return new java.util.UUID(high, low).toString();
    }
}
