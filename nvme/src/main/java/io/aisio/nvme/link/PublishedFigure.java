package io.aisio.nvme.link;

import java.util.List;

/**
 * A figure that the AiSIO project published of its machine, and what the model says of it.
 *
 * <p>The machine: a Dell R760 with two Intel Xeon Gold 6442Y, Samsung PM1753 SSDs of four lanes of generation 5, an NVIDIA
 * H100 of sixteen; random reads. What an SSD does of 512 bytes, {@link #SSD_IOPS}, goes in as it was measured on one alone,
 * and with it each figure of that size is one of the SSDs, not of the links.
 *
 * @param name what was measured
 * @param unit of both values
 * @param published what was measured
 * @param model what the model says
 * @param note what the comparison rests on
 */
public record PublishedFigure(String name, String unit, double published, double model, String note) {
    /** Random reads of 512 bytes a second of one SSD alone, of blocks that were never written. */
    public static final double SSD_IOPS = 3_857_938;

    /** The link of an SSD; that its packets carry 256 bytes is assumed. */
    public static final PcieLink SSD_LINK = PcieLink.of(5, 4);
    /** The link of the GPU, where the root complex is assumed to split what it forwards into 64 bytes. */
    public static final PcieLink GPU_LINK = PcieLink.of(5, 16).withMaxPayload(64);

    private static final double GIGA = 1e9;
    private static final double MEGA = 1e6;

    /** How far the model is off, as a part of what was published. */
    public double deviation() {
        return model / published - 1;
    }

    /** All of them. */
    public static List<PublishedFigure> all() {
        Ceiling small = read(toGpu(4), 512);
        Ceiling page = read(toGpu(4), 4096);
        Ceiling pages = read(toGpu(4), 8192);
        Ceiling sixteen = read(toGpu(16), 512);
        DataPath byGpu = toGpu(16).withQueuesOnGpu();
        DataPath toHost = DataPath.toHost(16, SSD_LINK).withSsdIops(SSD_IOPS);
        String split = "64-byte packets on the GPU's link";
        String counted = "and a counter that adds 18 bytes a packet";
        String measured = "the SSDs' measured rate";
        return List.of(
                of("4 SSDs to the GPU, 512 B", "M IOPS", 15.433, small.iops() / MEGA, measured),
                of("the same, payload", "GB/s", 7.90, small.payloadBytesPerSecond() / GIGA, measured),
                of("the same, counted by the GPU", "GB/s", 10.12, small.countedBytesPerSecond() / GIGA, counted),
                of("4 SSDs to the GPU, 4 KiB", "M IOPS", 11.028, page.iops() / MEGA, split),
                of("the same, payload", "GB/s", 45.17, page.payloadBytesPerSecond() / GIGA, split),
                of("the same, counted by the GPU", "GB/s", 57.84, page.countedBytesPerSecond() / GIGA, counted),
                of("4 SSDs to the GPU, 8 KiB", "M IOPS", 5.514, pages.iops() / MEGA, split),
                of("the same, payload", "GB/s", 45.17, pages.payloadBytesPerSecond() / GIGA, split),
                of("the same, counted by the GPU", "GB/s", 57.84, pages.countedBytesPerSecond() / GIGA, counted),
                of("counted over payload, 512 B", "", 1.280, small.countedRatio(), counted),
                of("counted over payload, 4 KiB", "", 1.280, page.countedRatio(), counted),
                of("16 SSDs to the GPU, 512 B", "M IOPS", 61.7, sixteen.iops() / MEGA, measured),
                of("the same, counted by the GPU", "GB/s", 40.46, sixteen.countedBytesPerSecond() / GIGA, counted),
                of(
                        "16 SSDs, driven by the GPU, 512 B",
                        "M IOPS",
                        61.5,
                        read(byGpu, 512).iops() / MEGA,
                        measured),
                of(
                        "the same, 4 KiB (44 to 45 GB/s)",
                        "GB/s",
                        44.5,
                        read(byGpu, 4096).payloadBytesPerSecond() / GIGA,
                        split + ", queues in its memory"),
                of(
                        "16 SSDs to the host, 4 KiB (215 GiB/s)",
                        "GB/s",
                        230.9,
                        read(toHost, 4096).payloadBytesPerSecond() / GIGA,
                        "256-byte packets on the SSDs' links"),
                of(
                        "p2pBandwidthLatencyTest",
                        "GB/s",
                        56.135,
                        GPU_LINK.withMaxPayload(PcieLink.DEFAULT_MAX_PAYLOAD).writeBytesPerSecond() / GIGA,
                        "256-byte packets, which nobody splits"),
                of("line rate", "GB/s", 64, GPU_LINK.lineBytesPerSecond() / GIGA, "the specification"));
    }

    private static DataPath toGpu(int ssds) {
        return DataPath.toHost(ssds, SSD_LINK).withSsdIops(SSD_IOPS).withGpu(GPU_LINK);
    }

    private static Ceiling read(DataPath path, long bytes) {
        return path.ceiling(false, bytes);
    }

    private static PublishedFigure of(String name, String unit, double published, double model, String note) {
        return new PublishedFigure(name, unit, published, model, note);
    }
}
