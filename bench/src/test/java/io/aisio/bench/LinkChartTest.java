package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.aisio.nvme.link.Ceiling;
import io.aisio.nvme.link.DataPath;
import io.aisio.nvme.link.PcieLink;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class LinkChartTest {
    private static final DataPath PATH = DataPath.toHost(4, PcieLink.of(5, 4))
            .withSsdIops(3.857938e6)
            .withGpu(PcieLink.of(5, 16).withMaxPayload(64));

    private static LinkChart chart(DataPath path, long... sizes) {
        List<Ceiling> ceilings = Stream.of(sizes)
                .flatMapToLong(java.util.Arrays::stream)
                .mapToObj(size -> path.ceiling(false, size))
                .toList();
        return new LinkChart(path, false, ceilings);
    }

    @Test
    void barsAreInProportion() {
        List<String> bars = chart(PATH, 512, 4096).bars();
        // 7.9 and 45.7 of 64 GB/s, of 48 places; on the wire 10.9 and 62.8.
        assertThat(bars).hasSize(3);
        assertThat(bars.get(0)).contains("512 B", "7.90 GB/s");
        assertThat(bars.get(0).chars().filter(c -> c == '█')).hasSize(6);
        assertThat(bars.get(0).chars().filter(c -> c == '▒')).hasSize(2);
        assertThat(bars.get(0).chars().filter(c -> c == '·')).hasSize(40);
        assertThat(bars.get(1).chars().filter(c -> c == '█')).hasSize(34);
        assertThat(bars.get(1).chars().filter(c -> c == '▒')).hasSize(13);
        assertThat(bars.get(2)).contains("line rate of 64.00 GB/s");
    }

    @Test
    void theDrawingHasAPointForEachSizeWithinItsFrame() {
        for (DataPath path : List.of(
                PATH,
                PATH.withSwitch(PcieLink.of(5, 8)),
                DataPath.toHost(1, PcieLink.parse("gen1x1/1000000")),
                DataPath.toHost(1024, PcieLink.of(7, 16)))) {
            Locale usual = Locale.getDefault();
            String svg;
            try {
                // Where numbers have commas, drawings do not.
                Locale.setDefault(Locale.GERMANY);
                svg = chart(path, 512, 4096, 131072).svg();
            } finally {
                Locale.setDefault(usual);
            }
            assertThat(svg).startsWith("<svg").endsWith("</svg>\n").contains("prefers-color-scheme: dark");
            assertThat(svg).contains("size of an I/O", "B/s</text>").doesNotContain("NaN", "Infinity");
            List<String> points =
                    svg.lines().filter(line -> line.contains("<circle")).toList();
            assertThat(points).hasSize(3).allSatisfy(point -> {
                double y = Double.parseDouble(point.replaceAll(".* cy=\"([^\"]*)\".*", "$1"));
                assertThat(y).isBetween(72.0, 448.0);
            });
        }
    }

    @Test
    void oneSizeIsDrawnToo() {
        assertThat(chart(PATH, 4096).svg()).contains("4 KiB: 11.159 M IOPS, 45.71 GB/s, limited by the GPU's link");
    }

    @Test
    void refusesToDrawNothing() {
        assertThatIllegalArgumentException().isThrownBy(() -> new LinkChart(PATH, false, List.of()));
    }
}
