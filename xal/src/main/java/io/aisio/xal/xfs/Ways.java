package io.aisio.xal.xfs;

import io.aisio.xal.BlockReads;
import io.aisio.xal.BlockSource;
import java.io.IOException;
import java.io.InterruptedIOException;
import org.jspecify.annotations.Nullable;

/**
 * The ways in which threads that share a work read a source, each by one of its own. There may be fewer than threads: a device
 * has so many queues, and others have some of them. Any thread may call.
 */
final class Ways {
    private final BlockSource source;
    private boolean given;

    Ways(BlockSource source) {
        this.source = source;
    }

    /**
     * Opens reads for a thread; null if there are no more, and another thread got some, which does the work.
     *
     * @param bytes rounded up to what the source is aligned to
     * @throws IOException if nobody got any
     */
    synchronized @Nullable BlockReads open(int slots, int bytes) throws IOException {
        try {
            BlockReads reads = source.reads(slots, Math.ceilDiv(bytes, source.alignment()) * source.alignment());
            given = true;
            return reads;
        } catch (InterruptedIOException e) {
            throw e;
        } catch (IOException e) {
            if (given) {
                return null;
            }
            throw e;
        }
    }
}
