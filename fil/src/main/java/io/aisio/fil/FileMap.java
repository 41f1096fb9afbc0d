package io.aisio.fil;

import io.aisio.xal.Piece;
import java.io.IOException;
import java.util.List;

/**
 * Where each byte of a file lies. Pieces that follow one another on the device as in the file are one range, and so are
 * those that are zeros.
 */
final class FileMap {
    /** The first byte of each range, in the file, and behind them the file's size. */
    private final long[] offsets;
    /** Where each range begins on the device, in bytes; {@link Piece#NOWHERE} if it is zeros. */
    private final long[] positions;

    private final int count;

    private FileMap(long[] offsets, long[] positions, int count) {
        this.offsets = offsets;
        this.positions = positions;
        this.count = count;
    }

    /**
     * Merges a file's pieces.
     *
     * @param path how messages name the file
     * @param pieces from its first byte to its last, without a gap
     * @throws IllegalArgumentException if they are not
     * @throws IOException if the device does not hold one of them as it is
     */
    static FileMap of(String path, List<Piece> pieces) throws IOException {
        long[] offsets = new long[pieces.size() + 1];
        long[] positions = new long[pieces.size()];
        int count = 0;
        long end = 0;
        for (Piece piece : pieces) {
            if (piece.offset() != end || piece.length() < 1 || piece.length() > Long.MAX_VALUE - end) {
                throw new IllegalArgumentException(
                        "%s: a piece of %d bytes at byte %d, where one at byte %d was to follow"
                                .formatted(path, piece.length(), piece.offset(), end));
            }
            long position = switch (piece.kind()) {
                case DATA -> piece.position();
                case HOLE, UNWRITTEN -> Piece.NOWHERE;
                case ELSEWHERE ->
                    throw new IOException(
                            "%s: the device does not hold it as it is, from byte %d on: read it through a mount"
                                    .formatted(path, end));
            };
            if (piece.kind() == Piece.Kind.DATA && (position < 0 || position > Long.MAX_VALUE - piece.length())) {
                throw new IllegalArgumentException(
                        "%s: a piece of %d bytes at byte %d of the device".formatted(path, piece.length(), position));
            }
            boolean goesOn = count > 0
                    && (position == Piece.NOWHERE
                            ? positions[count - 1] == Piece.NOWHERE
                            : positions[count - 1] != Piece.NOWHERE
                                    && positions[count - 1] + (end - offsets[count - 1]) == position);
            if (!goesOn) {
                offsets[count] = end;
                positions[count++] = position;
            }
            end += piece.length();
        }
        offsets[count] = end;
        return new FileMap(offsets, positions, count);
    }

    /** The size of the file in bytes. */
    long size() {
        return offsets[count];
    }

    /** The range that holds a byte of the file. */
    int rangeAt(long offset) {
        int low = 0;
        int high = count - 1;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (offsets[middle] <= offset) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }

    /** Where a range ends in the file: the first byte that is not in it. */
    long end(int range) {
        return offsets[range + 1];
    }

    /** Where a byte of a range lies on the device; {@link Piece#NOWHERE} if it is zero. */
    long position(int range, long offset) {
        return positions[range] == Piece.NOWHERE ? Piece.NOWHERE : positions[range] + (offset - offsets[range]);
    }
}
