package io.aisio.nvme.link;

import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;

/**
 * The most that a {@link DataPath} lets through, for one size of I/O.
 *
 * @param ioBytes of one I/O
 * @param iops commands a second
 * @param wireBytesPerSecond what crosses the last link of the path, in the direction of the data: everything but encoding
 *     and SKP ordered sets
 * @param countedBytesPerSecond what a GPU's counter tells of the same (NVIDIA's DCGM, fields 1009 and 1010): payload and
 *     {@value #COUNTED_BYTES} bytes a packet
 * @param limitedBy what sets it
 * @param each what each part of the path would let through were it alone, in commands a second
 */
public record Ceiling(
        long ioBytes,
        double iops,
        double wireBytesPerSecond,
        double countedBytesPerSecond,
        Limit limitedBy,
        Map<Limit, Double> each) {
    /**
     * What a GPU's counter adds to the payload of a packet. Found, not specified: it is what published measurements give
     * (see docs/link-model.md), and may be the header and the sequence number.
     */
    public static final int COUNTED_BYTES = 18;

    /** A part of the path. */
    public enum Limit {
        /** What the SSDs do, whatever their links. */
        ssd,
        /** The links of all SSDs together. */
        ssd_link,
        /** The link of the switch that the SSDs are on. */
        switch_link,
        /** The link of the GPU. */
        gpu_link
    }

    /** Makes the map unmodifiable; it stays in the order of the path. */
    public Ceiling {
        each = Collections.unmodifiableMap(new EnumMap<>(each));
    }

    /** Bytes of data a second. */
    public double payloadBytesPerSecond() {
        return iops * ioBytes;
    }

    /** How many bytes are on the wire for one of data. */
    public double wireRatio() {
        return wireBytesPerSecond / payloadBytesPerSecond();
    }

    /** How many bytes a GPU's counter counts for one of data. */
    public double countedRatio() {
        return countedBytesPerSecond / payloadBytesPerSecond();
    }
}
