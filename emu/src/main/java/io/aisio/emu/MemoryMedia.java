package io.aisio.emu;

import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.nvme.spec.Status;
import java.lang.foreign.MemorySegment;

/** Media in anonymous memory, which costs nothing until it is first written. Gone when closed. */
final class MemoryMedia implements Media {
    /** What compare handles at once: chosen to stay in a core's cache. */
    private static final long CHUNK = 64 << 10;

    private final Mapping mapping;
    private final MemorySegment memory;
    private final Mapping scratch;

    /** @throws LinuxException if the kernel does not give that much */
    MemoryMedia(long bytes) throws LinuxException {
        mapping = Mapping.anonymous(bytes);
        try {
            scratch = Mapping.anonymous(CHUNK);
        } catch (LinuxException e) {
            mapping.close();
            throw e;
        }
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
        for (long done = 0; done < bytes; done += CHUNK) {
            long part = Math.min(CHUNK, bytes - done);
            long from = position + done;
            // A copy is compared: others may cut the memory off, which ends a JVM that compares by a routine of its
            // own.
            MemorySegment.copy(source, offset + done, scratch.segment(), 0, part);
            if (MemorySegment.mismatch(memory, from, from + part, scratch.segment(), 0, part) >= 0) {
                return Status.COMPARE_FAILURE;
            }
        }
        return Status.SUCCESS;
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
        scratch.close();
    }
}
