package io.aisio.nvme.link;

import io.aisio.nvme.link.Ceiling.Limit;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The links that data takes from SSDs to the memory of the host or of a GPU, or back.
 *
 * <pre>
 *    SSD ──┐
 *    SSD ──┼── switch ──── root complex ──┬── the host's memory
 *    SSD ──┘                              └── GPU
 * </pre>
 *
 * A root complex may split packets that it forwards from one device to another (PCI Express Base Specification, section
 * 1.3.1), a switch may not: {@link PcieLink#maxPayload} of the GPU's link says how large they are there. A GPU that is on
 * the same switch as the SSDs is told by leaving the switch's own link out.
 *
 * @param ssds how many SSDs are driven at once, 1 to {@value #MAX_SSDS}
 * @param ssd the link of each
 * @param ssdIops commands a second that one SSD can do at most whatever its link, 0 for no limit: measured, not computed
 * @param switchLink the link that the SSDs share, by which their switch is attached; null if they are not on one
 * @param gpu the link of the GPU that the data goes to or comes from; null for the host's memory
 * @param queuesOnGpu whether the queues are in the GPU's memory, which then rings the doorbells; else in the host's
 * @param traffic how SSDs and driver work
 */
public record DataPath(
        int ssds,
        PcieLink ssd,
        double ssdIops,
        @Nullable PcieLink switchLink,
        @Nullable PcieLink gpu,
        boolean queuesOnGpu,
        NvmeTraffic traffic) {
    /** The most SSDs: chosen, more than a machine has. */
    public static final int MAX_SSDS = 1024;

    /** Checks every value. */
    public DataPath {
        if (ssds < 1 || ssds > MAX_SSDS) {
            throw new IllegalArgumentException(ssds + " SSDs; it can be 1 to " + MAX_SSDS);
        }
        if (!(ssdIops >= 0 && ssdIops <= Integer.MAX_VALUE)) {
            throw new IllegalArgumentException(
                    ssdIops + " commands a second of an SSD; it can be 0 to " + Integer.MAX_VALUE);
        }
        if (queuesOnGpu && gpu == null) {
            throw new IllegalArgumentException("queues in the memory of a GPU that is not on the path");
        }
    }

    /** SSDs whose data goes to the host's memory, each as fast as its link. */
    public static DataPath toHost(int ssds, PcieLink ssd) {
        return new DataPath(ssds, ssd, 0, null, null, false, NvmeTraffic.SINGLE);
    }

    /** The same with the data in a GPU's memory, and the queues in the host's. */
    public DataPath withGpu(PcieLink link) {
        return new DataPath(ssds, ssd, ssdIops, switchLink, link, queuesOnGpu, traffic);
    }

    /** The same with the queues in the GPU's memory. */
    public DataPath withQueuesOnGpu() {
        return new DataPath(ssds, ssd, ssdIops, switchLink, gpu, true, traffic);
    }

    /** The same with the SSDs on a switch that is attached by this link. */
    public DataPath withSwitch(PcieLink link) {
        return new DataPath(ssds, ssd, ssdIops, link, gpu, queuesOnGpu, traffic);
    }

    /** The same with SSDs that do at most so many commands a second each; 0 for no limit. */
    public DataPath withSsdIops(double commands) {
        return new DataPath(ssds, ssd, commands, switchLink, gpu, queuesOnGpu, traffic);
    }

    /** The same with SSDs and a driver that work in another way. */
    public DataPath withTraffic(NvmeTraffic other) {
        return new DataPath(ssds, ssd, ssdIops, switchLink, gpu, queuesOnGpu, other);
    }

    /**
     * The most that it lets through.
     *
     * @param write whether the SSDs are written, else read
     * @param ioBytes size of an I/O, 1 to {@link NvmeTraffic#MAX_BYTES}
     */
    public Ceiling ceiling(boolean write, long ioBytes) {
        if (ioBytes < 1 || ioBytes > NvmeTraffic.MAX_BYTES) {
            throw new IllegalArgumentException(
                    "an I/O of " + ioBytes + " bytes; it can be 1 to " + NvmeTraffic.MAX_BYTES);
        }
        Map<Limit, Double> each = new EnumMap<>(Limit.class);
        if (ssdIops > 0) {
            each.put(Limit.ssd, ssds * ssdIops);
        }
        each.put(Limit.ssd_link, ssds * iops(ssd, write, ioBytes, true));
        PcieLink last = ssd;
        if (switchLink != null) {
            last = switchLink;
            each.put(Limit.switch_link, iops(last, write, ioBytes, true));
        }
        if (gpu != null) {
            last = gpu;
            each.put(Limit.gpu_link, iops(last, write, ioBytes, queuesOnGpu));
        }
        Limit least = Limit.ssd_link;
        double iops = Double.POSITIVE_INFINITY;
        for (Map.Entry<Limit, Double> part : each.entrySet()) {
            if (part.getValue() < iops) {
                iops = part.getValue();
                least = part.getKey();
            }
        }
        boolean queues = gpu == null || queuesOnGpu;
        return new Ceiling(
                ioBytes,
                iops,
                iops * wireBytes(last, write, ioBytes, queues),
                iops * countedBytes(last, write, ioBytes, queues),
                least,
                each);
    }

    private double iops(PcieLink link, boolean write, long bytes, boolean queues) {
        double most = Math.max(traffic.fromSsd(link, write, bytes, queues), traffic.toSsd(link, write, bytes, queues));
        return link.bytesPerSecond() / most;
    }

    private double wireBytes(PcieLink link, boolean write, long bytes, boolean queues) {
        return write ? traffic.toSsd(link, true, bytes, queues) : traffic.fromSsd(link, false, bytes, queues);
    }

    private double countedBytes(PcieLink link, boolean write, long bytes, boolean queues) {
        double packets = write
                ? traffic.packetsToSsd(link, true, bytes, queues)
                : traffic.packetsFromSsd(link, false, bytes, queues);
        double payload =
                write ? traffic.payloadToSsd(true, bytes, queues) : NvmeTraffic.payloadFromSsd(false, bytes, queues);
        return payload + packets * Ceiling.COUNTED_BYTES;
    }
}
