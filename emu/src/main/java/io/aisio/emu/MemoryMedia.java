package io.aisio.emu;

import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.nvme.spec.Status;
import java.lang.foreign.MemorySegment;

/** Media in anonymous memory, which costs nothing until it is first written. Gone when closed. */
final class MemoryMedia implements Media {
    private final Mapping mapping;
    private final MemorySegment memory;

    /** @throws LinuxException if the kernel does not give that much */
    MemoryMedia(long bytes) throws LinuxException {
        mapping = Mapping.anonymous(bytes);
        // Only an offer: without huge pages everything works, random reads of large media take several times as long.
        boolean _ = mapping.preferHugePages();
        memory = mapping.segment().asSlice(0, bytes);
    }

    @Override
    public long bytes() {
        return memory.byteSize();
    }

    @Override
    public String describe() {
        return "memory media";
    }

    @Override
    public int read(long position, MemorySegment target, long offset, long bytes) {
        MemorySegment.copy(memory, position, target, offset, bytes);
        return Status.SUCCESS;
    }

    @Override
    public int write(long position, MemorySegment source, long offset, long bytes) {
        MemorySegment.copy(source, offset, memory, position, bytes);
        return Status.SUCCESS;
    }

    @Override
    public int compare(long position, MemorySegment source, long offset, long bytes) {
        boolean same = MemorySegment.mismatch(memory, position, position + bytes, source, offset, offset + bytes) < 0;
        return same ? Status.SUCCESS : Status.COMPARE_FAILURE;
    }

    @Override
    public int zero(long position, long bytes) {
        try {
            mapping.zero(position, bytes);
            return Status.SUCCESS;
        } catch (LinuxException e) {
            return Status.WRITE_FAULT;
        }
    }

    @Override
    public int verify(long position, long bytes) {
        return Status.SUCCESS;
    }

    @Override
    public int flush() {
        return Status.SUCCESS;
    }

    @Override
    public void close() {
        mapping.close();
    }
}
