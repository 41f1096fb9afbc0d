package io.aisio.bench.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where the numbers of a chart stand: within it, and none upon another. */
class LabelsTest {
    private static final Pattern TEXT = Pattern.compile(
            "<text class=\"(value|inside|mark)\" x=\"([\\d.]+)\" y=\"([\\d.-]+)\" text-anchor=\"(\\w+)\">([^<]*)<");
    private static final Pattern BAR =
            Pattern.compile("<rect class=\"bar s0\" x=\"10.0\" y=\"[\\d.]+\" width=\"([\\d.]+)\"");

    private static List<MatchResult> texts(String svg) {
        return TEXT.matcher(svg).results().toList();
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 10_000, 400_000, 550_000, 640_000, 700_000, 710_000, 720_000, 880_000, 990_000})
    void aBarsNumberIsWithinTheChart(double value) {
        for (String group :
                List.of("", "CPU threads 1", "a group of a name that is longer than half of the chart is")) {
            Point point = Point.of(List.of(value));
            String svg = new BarChart(
                            "T",
                            Quantity.of("iops"),
                            List.of(new BarChart.Row("tool", Map.of(group, point), "")),
                            List.of(group),
                            List.of(),
                            1_000_000)
                    .svg();
            MatchResult text = texts(svg).getFirst();
            double x = Double.parseDouble(text.group(2));
            double width = Svg.widthOf(text.group(5));
            double bar = Double.parseDouble(
                    BAR.matcher(svg).results().findFirst().orElseThrow().group(1));
            assertThat(text.group(5)).contains("IOPS");
            if (text.group(1).equals("inside")) {
                assertThat(text.group(4)).isEqualTo("end");
                assertThat(bar).isGreaterThanOrEqualTo(width);
            } else {
                assertThat(text.group(4)).isEqualTo("start");
                assertThat(x).isGreaterThan(10 + bar);
                assertThat(x + width).isLessThanOrEqualTo(480);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {10, 38, 41, 42, 42.4, 43, 45, 46.5, 50, 60, 100})
    void aBoundsLabelIsUponNeitherTheBarNorItsNumber(double bound) {
        String svg = new StackedBars(
                        "T",
                        "devices",
                        Quantity.of("bytes_per_second"),
                        List.of(new StackedBars.Bar(
                                "3",
                                List.of(14e6, 14e6, 14.5e6),
                                List.of(
                                        new Mark("model", bound * 1e6, "ceiling"),
                                        new Mark("other", 43e6, "ceiling")))),
                        List.of(),
                        0)
                .svg();
        List<Double> taken = new ArrayList<>();
        double top = Pattern.compile("<rect class=\"bar s2\" x=\"[\\d.]+\" y=\"([\\d.]+)\"")
                .matcher(svg)
                .results()
                .mapToDouble(bar -> Double.parseDouble(bar.group(1)))
                .min()
                .orElseThrow();
        for (MatchResult text : texts(svg)) {
            double y = Double.parseDouble(text.group(3));
            assertThat(y).as(text.group(5)).isLessThan(top).isGreaterThan(11);
            assertThat(taken)
                    .allSatisfy(other -> assertThat(Math.abs(other - y)).isGreaterThan(15.8));
            taken.add(y);
        }
        assertThat(taken).hasSize(3);
    }

    @Test
    void labelsMoveUpAboveThoseThatAreThere() {
        List<Double> taken = new ArrayList<>();
        assertThat(Frame.label(taken, 100)).isEqualTo(100);
        assertThat(Frame.label(taken, 98)).isEqualTo(84);
        assertThat(Frame.label(taken, 90)).isEqualTo(68);
        assertThat(Frame.label(taken, 20)).isEqualTo(20);
    }
}
