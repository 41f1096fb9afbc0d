package io.aisio.xal.xfs;

import io.aisio.xal.BlockSource;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A source of blocks read in large aligned windows, the latest of which are kept on the heap. Any thread may call it.
 *
 * <p>What it returns must not be written: others see the same bytes.
 */
final class MetadataReader implements Blocks, AutoCloseable {
    /** Bytes of a window: an inode chunk (64 inodes) of the usual 512 bytes each, or eight usual directory blocks. */
    private static final int WINDOW = 32 * 1024;
    /** Windows kept: 4 MiB in all, so that the inodes of a directory are found again when it is walked by name. */
    private static final int KEPT = 128;
    /** The buffer's alignment: enough for a source that reads by direct I/O. */
    private static final int PAGE = 4096;

    private final BlockSource source;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(WINDOW, PAGE);
    private final LinkedHashMap<Long, MemorySegment> windows = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, MemorySegment> eldest) {
            return size() > KEPT;
        }
    };

    /**
     * @throws IllegalArgumentException if the source reads in units that do not divide a window
     */
    MetadataReader(BlockSource source) {
        if (source.alignment() < 1 || WINDOW % source.alignment() != 0) {
            arena.close();
            throw new IllegalArgumentException(source.name() + " reads multiples of " + source.alignment()
                    + " bytes; the file system is read by divisors of " + WINDOW);
        }
        this.source = source;
    }

    /** Bytes that can be read: those of the source that fill whole units. */
    long size() {
        return source.size() - source.size() % source.alignment();
    }

    /**
     * {@inheritDoc} They stay as they are. A window that cannot be read whole hides no part of it that can.
     *
     * @param position with {@code position + length} at most {@link #size()}
     * @throws IllegalStateException if it is closed
     */
    @Override
    public synchronized MemorySegment read(long position, int length) throws IOException {
        long offset = position % WINDOW;
        if (offset + length <= WINDOW) {
            return part(position - offset, offset, length);
        }
        MemorySegment whole = MemorySegment.ofArray(new byte[length]);
        for (int done = 0; done < length; ) {
            long at = (position + done) % WINDOW;
            int n = (int) Math.min(length - done, WINDOW - at);
            MemorySegment.copy(part(position + done - at, at, n), 0, whole, done, n);
            done += n;
        }
        return whole;
    }

    private MemorySegment part(long start, long offset, int length) throws IOException {
        try {
            return window(start).asSlice(offset, length);
        } catch (InterruptedIOException e) {
            throw e;
        } catch (IOException e) {
            int unit = source.alignment();
            long from = offset - offset % unit;
            MemorySegment target = buffer.asSlice(0, Math.ceilDiv(offset + length, (long) unit) * unit - from);
            source.read(start + from, target);
            return MemorySegment.ofArray(target.toArray(ValueLayout.JAVA_BYTE)).asSlice(offset - from, length);
        }
    }

    private MemorySegment window(long start) throws IOException {
        MemorySegment window = windows.get(start);
        if (window == null) {
            MemorySegment target = buffer.asSlice(0, Math.min(WINDOW, size() - start));
            source.read(start, target);
            window = MemorySegment.ofArray(target.toArray(ValueLayout.JAVA_BYTE));
            windows.put(start, window);
        }
        return window;
    }

    /** Frees the buffer. Closing again does nothing. */
    @Override
    public synchronized void close() {
        if (arena.scope().isAlive()) {
            windows.clear();
            arena.close();
        }
    }
}
