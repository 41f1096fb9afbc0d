package io.aisio.xnvme.spi;

import io.aisio.xnvme.Geometry;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** What commands of a {@link CallQueue} go to: each is one call that returns when it is done. */
public interface CallTarget {
    /** The device's name. */
    String name();

    /** The device's shape. */
    Geometry geometry();

    /** Reads whole blocks. */
    void read(long lba, MemorySegment target) throws IOException;

    /** Writes whole blocks. */
    void write(long lba, MemorySegment source) throws IOException;

    /** Told that a queue is closed. */
    void queueClosed();
}
