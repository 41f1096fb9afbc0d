package io.aisio.xal.xfs;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.aisio.xal.BlockSource;
import io.aisio.xal.Xal;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Blocks that change whenever somebody writes to a file system, as they were: its first ones, which have the superblock, and
 * those at the head of its log, where the next change is logged. A few reads tell whether anything was written since.
 */
final class Witness {
    /** Bytes of each, unless the device's logical blocks are larger. */
    private static final int BYTES = 4096;

    private final long[] positions;
    private final byte[][] contents;

    private Witness(long[] positions, byte[][] contents) {
        this.positions = positions;
        this.contents = contents;
    }

    /** Reads the blocks at some positions, in bytes. */
    static Witness of(BlockSource source, long... positions) throws IOException {
        int bytes = bytes(source);
        long[] aligned = Arrays.stream(positions)
                .map(position -> Math.min(position & -bytes, source.size() - bytes))
                .toArray();
        return new Witness(aligned, read(source, aligned));
    }

    /** Whether they are as they were. */
    boolean saysTheSame(BlockSource source) throws IOException {
        return Arrays.deepEquals(contents, read(source, positions));
    }

    /** The blocks themselves. */
    List<Xal.Sign> signs() {
        return IntStream.range(0, positions.length)
                .mapToObj(i -> new Xal.Sign(
                        positions[i], MemorySegment.ofArray(contents[i]).asReadOnly()))
                .toList();
    }

    private static int bytes(BlockSource source) {
        return Math.max(BYTES, source.alignment());
    }

    private static byte[][] read(BlockSource source, long[] positions) throws IOException {
        byte[][] contents = new byte[positions.length][];
        try (Arena arena = Arena.ofConfined()) {
            int bytes = bytes(source);
            var target = arena.allocate(bytes, bytes);
            for (int i = 0; i < positions.length; i++) {
                source.read(positions[i], target);
                contents[i] = target.toArray(JAVA_BYTE);
            }
        }
        return contents;
    }
}
