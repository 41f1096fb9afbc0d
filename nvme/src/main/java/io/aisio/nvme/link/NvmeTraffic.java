package io.aisio.nvme.link;

import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Sqe;

/**
 * What one command puts on a link, each way, as an SSD and its driver are wont to work. Nothing interrupts.
 *
 * <pre>
 *                     from the SSD                         to the SSD
 *    data, a read     writes of the data
 *    data, a write    read requests                        completions with the data
 *    queues           read requests of SQE and PRP list,   completions with them,
 *                     write of the CQE                     writes of the two doorbells
 *    always           replies to what came                 replies to what came
 * </pre>
 *
 * Data lies in whole pages of 4096 bytes: a PRP list is read for more than two (NVM Express Base Specification 2.0,
 * section 4.1.1).
 *
 * @param maxReadRequest the most bytes that the SSD asks for at once (Max_Read_Request_Size), a power of two from 128 to
 *     4096
 * @param fetch SQEs that it fetches at once, 1 to 64: by one request, or as many as {@code maxReadRequest} makes of it
 * @param batch commands for which the driver rings each doorbell once, 1 to 65536
 */
public record NvmeTraffic(int maxReadRequest, int fetch, int batch) {
    /** Each command by itself, read requests of 512 bytes. */
    public static final NvmeTraffic SINGLE = new NvmeTraffic(512, 1, 1);

    /** The largest I/O, in bytes: what an SQE can name with blocks of 4096 bytes. */
    public static final long MAX_BYTES = 1L << 28;

    private static final int PAGE = 4096;
    private static final int PRP = Long.BYTES;
    private static final int DOORBELL = Integer.BYTES;
    /** The submission queue's tail, and the completion queue's head. */
    private static final double DOORBELLS = 2;

    /** Checks every value. */
    public NvmeTraffic {
        if (maxReadRequest < 128 || maxReadRequest > 4096 || Integer.bitCount(maxReadRequest) != 1) {
            throw new IllegalArgumentException(
                    "read requests of " + maxReadRequest + " bytes; they are a power of two from 128 to 4096");
        }
        if (fetch < 1 || fetch > 64) {
            throw new IllegalArgumentException(fetch + " SQEs fetched at once; it can be 1 to 64");
        }
        if (batch < 1 || batch > 65_536) {
            throw new IllegalArgumentException(batch + " commands a doorbell; it can be 1 to 65536");
        }
    }

    /**
     * Bytes on the wire from the SSD, framing and replies included.
     *
     * @param write whether the command writes
     * @param bytes of the I/O, 0 for a command without data
     * @param queues whether the queues' traffic crosses this link too
     */
    public double fromSsd(PcieLink link, boolean write, long bytes, boolean queues) {
        return payloadFromSsd(write, bytes, queues)
                + packetsFromSsd(link, write, bytes, queues) * link.requestBytes()
                + packetsToSsd(link, write, bytes, queues) * link.replyBytes();
    }

    /** Bytes on the wire to the SSD, as {@link #fromSsd}. */
    public double toSsd(PcieLink link, boolean write, long bytes, boolean queues) {
        double doorbells = doorbells(queues);
        double completions = packetsToSsd(link, write, bytes, queues) - doorbells;
        return payloadToSsd(write, bytes, queues)
                + completions * link.completionBytes()
                + doorbells * link.requestBytes()
                + packetsFromSsd(link, write, bytes, queues) * link.replyBytes();
    }

    /** What the packets from the SSD carry. */
    static double payloadFromSsd(boolean write, long bytes, boolean queues) {
        return (write ? 0 : bytes) + (queues ? Cqe.BYTES : 0);
    }

    /** What the packets to the SSD carry. */
    double payloadToSsd(boolean write, long bytes, boolean queues) {
        double payload = write ? bytes : 0;
        return queues ? payload + Sqe.BYTES + listBytes(bytes) + doorbells(true) * DOORBELL : payload;
    }

    /** Packets from the SSD: all are requests. */
    double packetsFromSsd(PcieLink link, boolean write, long bytes, boolean queues) {
        double packets = write ? requests(bytes) : link.packets(bytes);
        if (queues) {
            // The write of the CQE is the last.
            packets += (double) requests((long) fetch * Sqe.BYTES) / fetch + requests(listBytes(bytes)) + 1;
        }
        return packets;
    }

    /** Packets to the SSD: completions, and the doorbells. */
    double packetsToSsd(PcieLink link, boolean write, long bytes, boolean queues) {
        double packets = write ? link.packets(bytes) : 0;
        if (queues) {
            packets += (double) link.packets((long) fetch * Sqe.BYTES) / fetch + link.packets(listBytes(bytes));
        }
        return packets + doorbells(queues);
    }

    private double doorbells(boolean queues) {
        return queues ? DOORBELLS / batch : 0;
    }

    private long requests(long bytes) {
        return (bytes + maxReadRequest - 1) / maxReadRequest;
    }

    /** Bytes of the PRP list: the first page is in PRP entry 1, and a second one in entry 2. */
    private static long listBytes(long bytes) {
        long pages = (bytes + PAGE - 1) / PAGE;
        return pages > 2 ? (pages - 1) * PRP : 0;
    }
}
