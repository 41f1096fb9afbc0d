package io.aisio.emu;

import io.aisio.nvme.spec.Status;
import java.lang.foreign.MemorySegment;

/** Media that complete and move nothing: what is written is forgotten, a read leaves the buffer as it was. */
final class NullMedia implements Media {
    private final long bytes;

    NullMedia(long bytes) {
        this.bytes = bytes;
    }

    @Override
    public long bytes() {
        return bytes;
    }

    @Override
    public String describe() {
        return "null media";
    }

    @Override
    public boolean movesData() {
        return false;
    }

    @Override
    public boolean readsZeroes() {
        return false;
    }

    @Override
    public int read(long position, MemorySegment target, long offset, long length) {
        return Status.SUCCESS;
    }

    @Override
    public int write(long position, MemorySegment source, long offset, long length) {
        return Status.SUCCESS;
    }

    @Override
    public int compare(long position, MemorySegment source, long offset, long length) {
        return Status.SUCCESS;
    }

    @Override
    public int zero(long position, long length) {
        return Status.SUCCESS;
    }

    @Override
    public int verify(long position, long length) {
        return Status.SUCCESS;
    }

    @Override
    public int flush() {
        return Status.SUCCESS;
    }

    @Override
    public void close() {
        // Nothing is held.
    }
}
