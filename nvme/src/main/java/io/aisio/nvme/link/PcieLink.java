package io.aisio.nvme.link;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One PCI Express link, of which each direction is a wire of its own. As text: {@code gen5x4}; {@code gen5x16@64}, whose
 * packets carry at most 64 bytes; {@code gen5x4/1000}, a thousand times slower than there is, which shows the same shape
 * on a machine that could not keep up.
 *
 * <p>Generations 1 and 2 write a byte as ten bits, 3 to 5 sixteen bytes as 130, 6 and 7 a byte as eight, in flits of 256
 * bytes of which 236 are packets (PCI Express Base Specification 6.0, sections 4.2.1, 4.2.2 and 4.2.3).
 *
 * @param generation 1 to 7
 * @param lanes 1, 2, 4, 8 or 16
 * @param maxPayload the largest payload that packets on this link carry, in bytes, a power of two from 64 to 4096: the
 *     Max_Payload_Size that is set (from 128), or less where a root complex splits packets that it forwards
 * @param slowdown how many times slower than the generation says, 1 to {@value #MAX_SLOWDOWN}
 */
public record PcieLink(int generation, int lanes, int maxPayload, int slowdown) {
    /** The largest slowdown: chosen so that a link of one lane still moves some hundred kilobytes a second. */
    public static final int MAX_SLOWDOWN = 1_000_000;

    /** A usual Max_Payload_Size. */
    public static final int DEFAULT_MAX_PAYLOAD = 256;

    /** Header of a request that names a 64-bit address: four doublewords (section 2.2.4.1). */
    static final int REQUEST_HEADER = 16;
    /** Header of a completion: three doublewords (section 2.2.9). */
    static final int COMPLETION_HEADER = 12;

    /** Transfers a second on one lane, in 10^9; a transfer is a bit. */
    private static final double[] GIGATRANSFERS = {2.5, 5, 8, 16, 32, 64, 128};

    private static final int FIRST_OF_BLOCKS = 3;
    private static final int FIRST_OF_FLITS = 6;
    private static final double GIGA = 1e9;

    /** STP, sequence number, LCRC and END; or the STP token, which holds the number, and LCRC: eight bytes either way. */
    private static final int FRAMING = 8;
    /** A data link layer packet with its framing. */
    private static final int DLLP = 8;
    /**
     * Packets for which the receiver sends one acknowledgement and one update of flow control. Chosen: the specification
     * only limits how long it may wait (section 3.6.2.1). Were it two or sixteen, the ceilings of I/Os of 4 KiB would change
     * by less than one percent.
     */
    private static final int TLPS_PER_UPDATE = 4;

    /** Blocks between two SKP ordered sets, each a block itself, at the most (section 4.2.8). */
    private static final int SKP_BLOCKS = 375;
    /** Symbols between two SKP ordered sets, each of four symbols, at the least (section 4.2.8). */
    private static final int SKP_SYMBOLS = 1180;

    private static final int SKP_BYTES = 4;
    private static final double FLIT_BYTES = 256;
    private static final double FLIT_TLP_BYTES = 236;

    private static final Pattern TEXT =
            Pattern.compile("gen([1-7])x(1|2|4|8|16)(?:@(64|128|256|512|1024|2048|4096))?(?:/(\\d{1,7}))?");

    /** Checks every value. */
    public PcieLink {
        if (generation < 1 || generation > GIGATRANSFERS.length) {
            throw new IllegalArgumentException("PCIe generation " + generation + "; there is 1 to 7");
        }
        if (lanes < 1 || lanes > 16 || Integer.bitCount(lanes) != 1) {
            throw new IllegalArgumentException(lanes + " lanes; a link has 1, 2, 4, 8 or 16");
        }
        if (maxPayload < 64 || maxPayload > 4096 || Integer.bitCount(maxPayload) != 1) {
            throw new IllegalArgumentException(
                    "packets of " + maxPayload + " bytes; they carry a power of two from 64 to 4096");
        }
        if (slowdown < 1 || slowdown > MAX_SLOWDOWN) {
            throw new IllegalArgumentException("a link " + slowdown + " times slower; it can be 1 to " + MAX_SLOWDOWN);
        }
    }

    /** A link as fast as its generation, with packets of {@value #DEFAULT_MAX_PAYLOAD} bytes. */
    public static PcieLink of(int generation, int lanes) {
        return new PcieLink(generation, lanes, DEFAULT_MAX_PAYLOAD, 1);
    }

    /**
     * Parses {@code gen5x4}, {@code gen5x16@64}, {@code gen5x4/1000} or {@code gen5x16@64/1000}.
     *
     * @throws IllegalArgumentException if it is none of them
     */
    public static PcieLink parse(String text) {
        Matcher m = TEXT.matcher(text);
        if (!m.matches()) {
            throw new IllegalArgumentException("'" + text
                    + "' is no link: write the generation (1 to 7) and lanes (1, 2,"
                    + " 4, 8, 16) as gen5x4; then the largest payload of a packet if it is not "
                    + DEFAULT_MAX_PAYLOAD + ", as gen5x16@64; and how many times slower it is to be, as gen5x4/1000");
        }
        return new PcieLink(
                Integer.parseInt(m.group(1)),
                Integer.parseInt(m.group(2)),
                m.group(3) == null ? DEFAULT_MAX_PAYLOAD : Integer.parseInt(m.group(3)),
                m.group(4) == null ? 1 : Integer.parseInt(m.group(4)));
    }

    /** The same with another largest payload. */
    public PcieLink withMaxPayload(int bytes) {
        return new PcieLink(generation, lanes, bytes, slowdown);
    }

    /** Its text form. */
    @Override
    public String toString() {
        return "gen" + generation + "x" + lanes + (maxPayload == DEFAULT_MAX_PAYLOAD ? "" : "@" + maxPayload)
                + (slowdown == 1 ? "" : "/" + slowdown);
    }

    /** Bits a second on the wire as bytes, each direction: what is called the line rate, 64e9 of {@code gen5x16}. */
    public double lineBytesPerSecond() {
        return GIGATRANSFERS[generation - 1] * GIGA * lanes / Byte.SIZE / slowdown;
    }

    /** Bytes a second of packets and what frames them, each direction: without the encoding and SKP ordered sets. */
    public double bytesPerSecond() {
        double part;
        if (generation >= FIRST_OF_FLITS) {
            part = FLIT_TLP_BYTES / FLIT_BYTES;
        } else if (generation >= FIRST_OF_BLOCKS) {
            part = 128.0 / 130 * (1 - 1.0 / SKP_BLOCKS);
        } else {
            part = 8.0 / 10 * (1 - (double) SKP_BYTES / (SKP_BYTES + SKP_SYMBOLS));
        }
        return lineBytesPerSecond() * part;
    }

    /** The most that plain writes of full packets move, in bytes a second: no commands, no queues. */
    public double writeBytesPerSecond() {
        return bytesPerSecond() * maxPayload / (maxPayload + requestBytes());
    }

    /** Whether packets travel in flits, which frame, check and acknowledge them. */
    private boolean flits() {
        return generation >= FIRST_OF_FLITS;
    }

    /** What a request costs beside its payload. */
    int requestBytes() {
        return REQUEST_HEADER + (flits() ? 0 : FRAMING);
    }

    /** What a completion costs beside its payload. */
    int completionBytes() {
        return COMPLETION_HEADER + (flits() ? 0 : FRAMING);
    }

    /** What a packet costs in the other direction: its share of acknowledgements and updates of flow control. */
    double replyBytes() {
        return flits() ? 0 : 2.0 * DLLP / TLPS_PER_UPDATE;
    }

    /** Packets that carry so many bytes. */
    long packets(long bytes) {
        return (bytes + maxPayload - 1) / maxPayload;
    }
}
