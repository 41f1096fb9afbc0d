package io.aisio.fil;

import io.aisio.xnvme.Buffer;
import java.lang.foreign.MemorySegment;

/**
 * The one place in which {@link DirectFile} writes to its caller's buffer itself, where no device does: zeros of holes, and
 * what was read beside because it lies badly. Memory that this process cannot write to, as that of a GPU, needs another
 * way for these two, and nothing else.
 */
final class Landing {
    private final Buffer buffer;

    Landing(Buffer buffer) {
        this.buffer = buffer;
    }

    /**
     * Refuses if the buffer is closed; its memory may be somebody else's by then.
     *
     * @param path how messages name the file that is read
     */
    void requireOpen(String path) {
        if (!buffer.segment().scope().isAlive()) {
            throw new IllegalStateException(path + ": the buffer that it is read into is closed");
        }
    }

    /** Copies bytes that were read beside. */
    void copy(MemorySegment from, long fromOffset, long offset, long bytes) {
        MemorySegment.copy(from, fromOffset, buffer.segment(), offset, bytes);
    }

    /** Writes zeros. */
    void zero(long offset, long bytes) {
        buffer.segment().asSlice(offset, bytes).fill((byte) 0);
    }
}
