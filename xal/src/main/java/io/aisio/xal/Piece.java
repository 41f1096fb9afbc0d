package io.aisio.xal;

import java.util.ArrayList;
import java.util.List;

/**
 * A part of a file's bytes that is read in one way. The pieces of a file follow one another without a gap from its first
 * byte to its last.
 *
 * @param kind how it is read
 * @param offset in the file, in bytes
 * @param position on the device, in bytes; {@link #NOWHERE} for a hole and for what the device does not hold
 * @param length in bytes, at least 1; exact at the end of the file, so not a multiple of a block there
 */
public record Piece(Kind kind, long offset, long position, long length) {
    /** The position of what the device does not hold. */
    public static final long NOWHERE = -1;

    /** How a piece is read. */
    public enum Kind {
        /** From the device. */
        DATA,
        /** As zeros: no block is allocated. */
        HOLE,
        /** As zeros: blocks are allocated, what they hold is somebody's old data. */
        UNWRITTEN,
        /** Through the file system only: the device does not hold these bytes, or not as they are. */
        ELSEWHERE
    }

    /**
     * Cuts a file into its pieces.
     *
     * @param extents in the order of their offsets, without overlap; those behind the end of the file are left out
     * @param size of the file in bytes
     */
    static List<Piece> of(List<Extent> extents, long size) {
        List<Piece> pieces = new ArrayList<>(extents.size());
        long done = 0;
        for (Extent extent : extents) {
            if (extent.offset() >= size) {
                break;
            }
            if (extent.offset() > done) {
                pieces.add(new Piece(Kind.HOLE, done, NOWHERE, extent.offset() - done));
            }
            done = Math.min(extent.end(), size);
            pieces.add(new Piece(
                    kind(extent),
                    extent.offset(),
                    extent.located() ? extent.position() : NOWHERE,
                    done - extent.offset()));
        }
        if (done < size) {
            pieces.add(new Piece(Kind.HOLE, done, NOWHERE, size - done));
        }
        return pieces;
    }

    private static Kind kind(Extent extent) {
        if (extent.unwritten()) {
            return Kind.UNWRITTEN;
        }
        return extent.located() ? Kind.DATA : Kind.ELSEWHERE;
    }
}
