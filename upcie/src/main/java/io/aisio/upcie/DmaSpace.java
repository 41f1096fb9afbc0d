package io.aisio.upcie;

import io.aisio.linux.Mapping;
import java.io.IOException;

/** What a function can reach of this process's memory: regions that are made and given up whole. */
interface DmaSpace {
    /** A region of memory, and where the function finds it. */
    final class Region {
        private final Mapping mapping;
        private final long pieceBytes;
        private final long[] iovas;

        /**
         * @param mapping the memory
         * @param pieceBytes that lie in a row for the function, a power of two; or all of them
         * @param iovas where the function finds each piece
         */
        Region(Mapping mapping, long pieceBytes, long... iovas) {
            this.mapping = mapping;
            this.pieceBytes = pieceBytes;
            this.iovas = iovas;
        }

        Mapping mapping() {
            return mapping;
        }

        long bytes() {
            return mapping.segment().byteSize();
        }

        /** Bytes in a row for the function, from each multiple of this on. */
        long pieceBytes() {
            return pieceBytes;
        }

        /** Where the function finds a byte. */
        long iova(long offset) {
            return iovas.length == 1 ? iovas[0] + offset : iovas[(int) (offset / pieceBytes)] + offset % pieceBytes;
        }
    }

    /** The size of a usual region; a larger one is a multiple of it. */
    long regionBytes();

    /**
     * Makes a region of zeroed memory.
     *
     * @param bytes a multiple of {@link #regionBytes}
     * @throws IOException if there is no memory, or the function cannot be let to it; the message says the next step
     */
    Region map(long bytes) throws IOException;

    /** Memory of another device that the function was let to. */
    interface PeerRegion {
        /** Where the function finds a byte. */
        long iova(long offset);

        /** Takes it away from the function. */
        void release();
    }

    /**
     * Lets the function reach memory of another device.
     *
     * @throws UnsupportedOperationException if there is no way to that; the message is one sentence
     * @throws IOException if the system refuses; the message says the next step
     */
    PeerRegion map(PeerMemory memory) throws IOException;

    /** Takes the memory away from the function, and frees it. */
    void unmap(Region region);
}
