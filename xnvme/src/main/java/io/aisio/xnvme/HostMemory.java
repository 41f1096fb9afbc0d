package io.aisio.xnvme;

import io.aisio.linux.Mapping;
import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Memory that only this process uses, and the kernel for it: it has no address for a controller. */
record HostMemory(Mapping mapping) implements DmaMemory {
    static Buffer buffer(long bytes) throws IOException {
        return new Buffer(new HostMemory(Mapping.anonymous(bytes)));
    }

    @Override
    public MemorySegment segment() {
        return mapping.segment();
    }

    /**
     * {@inheritDoc}
     *
     * @throws UnsupportedOperationException always: a controller that takes an address of the process's for one of its own
     *     would write somewhere else
     */
    @Override
    public long iova(long offset) {
        throw new UnsupportedOperationException(
                "the buffer is memory of this process's own, which no controller reaches; it is to be allocated by the device");
    }

    @Override
    public void close() {
        mapping.close();
    }
}
