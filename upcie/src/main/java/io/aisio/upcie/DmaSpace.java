package io.aisio.upcie;

import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
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

    /**
     * Makes a file of zeroed memory, of which the function is to reach all, and which another process can have too.
     *
     * @param bytes at least 1
     * @return the file, sealed, of at least so many bytes; {@link #map(OpenFile, Mapping)} comes next
     * @throws UnsupportedOperationException if there is no way to that; the message is one sentence
     * @throws IOException if there is no memory; the message says the next step
     */
    OpenFile shared(long bytes) throws IOException;

    /**
     * Lets the function reach memory that another process has too.
     *
     * @param file of {@link #shared}, or a user's that has been looked at
     * @param mapping of it from its start on; it becomes the region's, unless this fails
     * @throws IOException if the function cannot be let to it; the message says the next step
     */
    Region map(OpenFile file, Mapping mapping) throws IOException;

    /** Takes the memory away from the function, and frees it. */
    void unmap(Region region);
}
