package io.aisio.nvme.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.aisio.nvme.link.Ceiling.Limit;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class DataPathTest {
    private static final int CASES = 20_000;
    private static final int[] LANES = {1, 2, 4, 8, 16};

    private static final PcieLink SSD = PcieLink.of(5, 4);
    private static final PcieLink GPU = PcieLink.of(5, 16).withMaxPayload(64);

    /** docs/link-model.md has it by hand: a read of 4 KiB on the link of an SSD. */
    @Test
    void aReadOfAPageCostsWhatAHandComputes() {
        NvmeTraffic single = NvmeTraffic.SINGLE;
        // 16 writes of 256 + 24, the read of an SQE of 24, a CQE of 16 + 24, replies to 3 packets of 4.
        assertThat(single.fromSsd(SSD, false, 4096, true)).isEqualTo(16 * 280 + 24 + 40 + 3 * 4);
        // An SQE of 64 + 20, two doorbells of 4 + 24, replies to 18 packets.
        assertThat(single.toSsd(SSD, false, 4096, true)).isEqualTo(84 + 2 * 28 + 18 * 4);
        // On the GPU's link 64 writes of 64 + 24, and their replies.
        assertThat(single.fromSsd(GPU, false, 4096, false)).isEqualTo(64 * 88);
        assertThat(single.toSsd(GPU, false, 4096, false)).isEqualTo(64 * 4);
    }

    @Test
    void aWriteOfAPageCostsWhatAHandComputes() {
        NvmeTraffic single = NvmeTraffic.SINGLE;
        // 8 read requests of 512 bytes, the SQE's, a CQE, replies to 16 completions, the SQE's and 2 doorbells.
        assertThat(single.fromSsd(SSD, true, 4096, true)).isEqualTo(9 * 24 + 40 + 19 * 4);
        // 16 completions of 256 + 20, the SQE, the doorbells, replies to 10 packets.
        assertThat(single.toSsd(SSD, true, 4096, true)).isEqualTo(16 * 276 + 84 + 2 * 28 + 10 * 4);
    }

    /** 128 KiB are 32 pages: a list of 31 entries of 8 bytes, one read and one completion of it. */
    @Test
    void aListIsReadForMoreThanTwoPages() {
        NvmeTraffic single = NvmeTraffic.SINGLE;
        assertThat(single.toSsd(SSD, false, 8192, true)).isEqualTo(84 + 2 * 28 + 34 * 4);
        assertThat(single.toSsd(SSD, false, 131072, true)).isEqualTo(84 + 31 * 8 + 20 + 2 * 28 + 515 * 4);
        assertThat(single.fromSsd(SSD, false, 131072, true)).isEqualTo(512 * 280 + 2 * 24 + 40 + 4 * 4);
    }

    @Test
    void fetchesAndDoorbellsAreShared() {
        NvmeTraffic shared = new NvmeTraffic(512, 8, 32);
        assertThat(shared.fromSsd(SSD, false, 512, true))
                .isCloseTo(2 * 280 + 24 / 8.0 + 40 + (2 / 8.0 + 2 / 32.0) * 4, within(1e-9));
        assertThat(shared.toSsd(SSD, false, 512, true))
                .isCloseTo(64 + 2 * 20 / 8.0 + 2 * 28 / 32.0 + (2 + 1 / 8.0 + 1) * 4, within(1e-9));
    }

    /** 16 SQEs are 1024 bytes: two requests of 512, eight of 128. */
    @Test
    void aFetchIsAsManyRequestsAsItsBytesTake() {
        assertThat(new NvmeTraffic(512, 16, 1).fromSsd(SSD, false, 512, true))
                .isCloseTo(2 * 280 + 2 * 24 / 16.0 + 40 + (4 / 16.0 + 2) * 4, within(1e-9));
        assertThat(new NvmeTraffic(128, 16, 1).fromSsd(SSD, false, 512, true))
                .isCloseTo(2 * 280 + 8 * 24 / 16.0 + 40 + (4 / 16.0 + 2) * 4, within(1e-9));
    }

    @Test
    void aFlushIsItsQueuesAlone() {
        assertThat(NvmeTraffic.SINGLE.fromSsd(SSD, true, 0, true)).isEqualTo(24 + 40 + 3 * 4);
        assertThat(NvmeTraffic.SINGLE.fromSsd(GPU, true, 0, false)).isZero();
        assertThat(NvmeTraffic.SINGLE.toSsd(GPU, true, 0, false)).isZero();
    }

    @Test
    void threeSsdsAreNearlyEnoughForAGpu() {
        DataPath four = DataPath.toHost(4, SSD).withGpu(GPU);
        DataPath three = DataPath.toHost(3, SSD).withGpu(GPU);
        Ceiling of3 = three.ceiling(false, 4096);
        Ceiling of4 = four.ceiling(false, 4096);
        assertThat(of3.limitedBy()).isEqualTo(Limit.ssd_link);
        assertThat(of4.limitedBy()).isEqualTo(Limit.gpu_link);
        assertThat(of3.iops() / of4.iops()).isBetween(0.92, 0.99);
        // Each further one up to there adds a third.
        assertThat(DataPath.toHost(2, SSD).withGpu(GPU).ceiling(false, 4096).iops() / of3.iops())
                .isCloseTo(2.0 / 3, within(1e-9));
    }

    @Test
    void tellsWhatEachPartWouldLetThrough() {
        Ceiling ceiling = DataPath.toHost(8, SSD)
                .withSsdIops(3e6)
                .withSwitch(PcieLink.of(5, 8))
                .withGpu(GPU)
                .ceiling(false, 4096);
        assertThat(ceiling.each().keySet())
                .containsExactly(Limit.ssd, Limit.ssd_link, Limit.switch_link, Limit.gpu_link);
        assertThat(ceiling.each()).containsEntry(Limit.ssd, 24e6);
        assertThat(ceiling.limitedBy()).isEqualTo(Limit.switch_link);
        assertThat(ceiling.iops()).isEqualTo(ceiling.each().get(Limit.switch_link));
    }

    /** What was published, within 3 percent; each name is that of a figure. */
    @ParameterizedTest
    @MethodSource("published")
    void holdsWhatWasPublished(PublishedFigure figure) {
        assertThat(figure.deviation()).as(figure.toString()).isBetween(-0.03, 0.03);
    }

    static Iterable<PublishedFigure> published() {
        return PublishedFigure.all();
    }

    /** Which packets fit both what the GPU's link moved and what its counter told: those of 64 bytes alone. */
    @Test
    void noOtherPacketsFitWhatWasPublished() {
        for (int payload : new int[] {128, 256, 512}) {
            double moved = GPU.withMaxPayload(payload).writeBytesPerSecond() / 1e9;
            assertThat(moved / 45.17 - 1).as("packets of %d bytes", payload).isGreaterThan(0.15);
        }
        assertThat(GPU.writeBytesPerSecond() / 1e9 / 45.17 - 1).isBetween(0.0, 0.03);
    }

    @Test
    void isNeverAboveTheLineRateAndConservesBytes() {
        Random random = new Random(1);
        for (int i = 0; i < CASES; i++) {
            DataPath path = path(random);
            boolean write = random.nextBoolean();
            long bytes = bytes(random);
            Ceiling ceiling = path.ceiling(write, bytes);
            String what = path + (write ? " writes " : " reads ") + bytes + ": " + ceiling;
            double payload = ceiling.payloadBytesPerSecond();
            assertThat(ceiling.iops()).as(what).isPositive();
            assertThat(payload).as(what).isLessThan(ceiling.countedBytesPerSecond());
            assertThat(payload).as(what).isLessThan(ceiling.wireBytesPerSecond());
            assertThat(payload).as(what).isLessThan(path.ssds() * path.ssd().lineBytesPerSecond());
            PcieLink gpu = path.gpu();
            PcieLink uplink = path.switchLink();
            if (uplink != null) {
                assertThat(payload).as(what).isLessThan(uplink.lineBytesPerSecond());
            }
            if (gpu != null) {
                assertThat(ceiling.wireBytesPerSecond())
                        .as(what)
                        .isLessThanOrEqualTo(gpu.bytesPerSecond() * (1 + 1e-12))
                        .isLessThan(gpu.lineBytesPerSecond());
            }
            double least = ceiling.each().values().stream()
                    .mapToDouble(Double::doubleValue)
                    .min()
                    .orElseThrow();
            assertThat(ceiling.iops())
                    .as(what)
                    .isEqualTo(least)
                    .isEqualTo(ceiling.each().get(ceiling.limitedBy()));
        }
    }

    @Test
    void moreIsNeverLess() {
        Random random = new Random(2);
        for (int i = 0; i < CASES; i++) {
            DataPath path = path(random);
            boolean write = random.nextBoolean();
            long bytes = bytes(random);
            double iops = path.ceiling(write, bytes).iops();
            String what = path + (write ? " writes " : " reads ") + bytes;
            if (path.ssds() < DataPath.MAX_SSDS) {
                assertThat(of(path, path.ssds() + 1, path.ssd())
                                .ceiling(write, bytes)
                                .iops())
                        .as(what)
                        .isGreaterThanOrEqualTo(iops);
            }
            if (path.ssd().lanes() < 16) {
                PcieLink wider = new PcieLink(
                        path.ssd().generation(),
                        path.ssd().lanes() * 2,
                        path.ssd().maxPayload(),
                        1);
                assertThat(of(path, path.ssds(), wider).ceiling(write, bytes).iops())
                        .as(what)
                        .isGreaterThanOrEqualTo(iops);
            }
            if (path.ssd().generation() < 7) {
                PcieLink faster = new PcieLink(
                        path.ssd().generation() + 1,
                        path.ssd().lanes(),
                        path.ssd().maxPayload(),
                        1);
                assertThat(of(path, path.ssds(), faster).ceiling(write, bytes).iops())
                        .as(what)
                        .isGreaterThanOrEqualTo(iops);
            }
            // A larger I/O takes longer, and moves no fewer bytes if it is of whole packets and read requests.
            assertThat(path.ceiling(write, bytes + 1).iops()).as(what).isLessThanOrEqualTo(iops);
            if (bytes % 4096 == 0 && bytes > 16384) {
                double before = path.ceiling(write, bytes).payloadBytesPerSecond();
                assertThat(path.ceiling(write, bytes * 2).payloadBytesPerSecond())
                        .as(what)
                        .isGreaterThanOrEqualTo(before * (1 - 1e-12));
            }
            // A slower link is that much slower, exactly.
            PcieLink slow = new PcieLink(
                    path.ssd().generation(), path.ssd().lanes(), path.ssd().maxPayload(), 10);
            DataPath alone = DataPath.toHost(path.ssds(), path.ssd());
            assertThat(DataPath.toHost(path.ssds(), slow).ceiling(write, bytes).iops() * 10)
                    .as(what)
                    .isCloseTo(
                            alone.ceiling(write, bytes).iops(),
                            within(alone.ceiling(write, bytes).iops() * 1e-12));
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, NvmeTraffic.MAX_BYTES + 1})
    void refusesAnIoThatThereIsNot(long bytes) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> DataPath.toHost(1, SSD).ceiling(false, bytes));
    }

    @Test
    void refusesWhatMakesNoSense() {
        assertThatIllegalArgumentException().isThrownBy(() -> DataPath.toHost(0, SSD));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> DataPath.toHost(1, SSD).withQueuesOnGpu());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> DataPath.toHost(1, SSD).withSsdIops(Double.NaN));
        assertThatIllegalArgumentException().isThrownBy(() -> new NvmeTraffic(100, 1, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> new NvmeTraffic(512, 0, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> new NvmeTraffic(512, 1, 0));
    }

    private static DataPath of(DataPath path, int ssds, PcieLink ssd) {
        return new DataPath(
                ssds, ssd, path.ssdIops(), path.switchLink(), path.gpu(), path.queuesOnGpu(), path.traffic());
    }

    private static DataPath path(Random random) {
        PcieLink gpu = random.nextInt(3) == 0 ? null : link(random);
        return new DataPath(
                1 + random.nextInt(16),
                link(random),
                random.nextInt(3) == 0 ? 1e6 : 0,
                random.nextInt(3) == 0 ? link(random) : null,
                gpu,
                gpu != null && random.nextBoolean(),
                new NvmeTraffic(128 << random.nextInt(6), 1 + random.nextInt(8), 1 + random.nextInt(64)));
    }

    private static PcieLink link(Random random) {
        return new PcieLink(1 + random.nextInt(7), LANES[random.nextInt(LANES.length)], 64 << random.nextInt(7), 1);
    }

    private static long bytes(Random random) {
        return random.nextBoolean() ? 512L << random.nextInt(14) : 1 + random.nextInt(1 << 20);
    }
}
