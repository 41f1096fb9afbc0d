package io.aisio.xnvme;

import io.aisio.linux.Mapping;
import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Memory that only this process uses, and the kernel for it: its addresses are the process's own. */
record HostMemory(Mapping mapping) implements DmaMemory {
    static Buffer buffer(long bytes) throws IOException {
        return new Buffer(new HostMemory(Mapping.anonymous(bytes)));
    }

    @Override
    public MemorySegment segment() {
        return mapping.segment();
    }

    @Override
    public long iova(long offset) {
        return mapping.segment().address() + offset;
    }

    @Override
    public void close() {
        mapping.close();
    }
}
