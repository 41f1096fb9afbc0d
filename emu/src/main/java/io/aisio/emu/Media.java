package io.aisio.emu;

import io.aisio.nvme.spec.Status;
import java.lang.foreign.MemorySegment;

/**
 * What the bytes of a namespace are kept on. The controller checks ranges and addresses first; a medium moves bytes, and
 * answers with {@link Status#SUCCESS} or the status of what went wrong. Used by the controller's thread alone.
 *
 * <p>A method throws {@link IllegalStateException} if the memory that it is given has been freed meanwhile.
 */
sealed interface Media extends AutoCloseable permits NullMedia, MemoryMedia, FileMedia {
    /** Size in bytes. */
    long bytes();

    /** What it is, for people: {@code null media}. */
    String describe();

    /** Whether reads and writes move data at all; if not, they are not called. */
    default boolean movesData() {
        return true;
    }

    /** Whether a range that was zeroed reads as zeroes. */
    default boolean readsZeroes() {
        return true;
    }

    /** Reads {@code bytes} at {@code position} to {@code offset} of {@code target}. */
    int read(long position, MemorySegment target, long offset, long bytes);

    /** Writes {@code bytes} at {@code position} from {@code offset} of {@code source}. */
    int write(long position, MemorySegment source, long offset, long bytes);

    /** Compares: {@link Status#COMPARE_FAILURE} if the bytes differ. */
    int compare(long position, MemorySegment source, long offset, long bytes);

    /** Makes a range read as zeroes, freeing what kept it where that is possible. */
    int zero(long position, long bytes);

    /** Reads a range without moving it anywhere. */
    int verify(long position, long bytes);

    /** Makes what was written durable. */
    int flush();

    @Override
    void close();
}
