package io.aisio.bench;

import io.aisio.nvme.link.Ceiling;
import io.aisio.nvme.link.Ceiling.Limit;
import io.aisio.nvme.link.DataPath;
import io.aisio.nvme.link.PcieLink;
import io.aisio.xnvme.ByteSize;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Ceilings of the link model drawn: a bar of block characters for each size of I/O, or an SVG that follows the reader's
 * light or dark scheme.
 */
public final class LinkChart {
    private static final int BAR = 48;

    private static final int WIDTH = 960;
    private static final int HEIGHT = 520;
    private static final int LEFT = 72;
    private static final int RIGHT = 700;
    private static final int TOP = 72;
    private static final int BOTTOM = 448;
    /** Least distance of two labels' lines, in the units of the drawing. */
    private static final double LABEL_APART = 17;

    /** How far the axis goes beyond the line rate. */
    private static final double ABOVE = 1.06;

    private static final int MOST_TICKS = 8;

    private final DataPath path;
    private final boolean write;
    private final List<Ceiling> ceilings;

    /**
     * A chart of the ceilings of one path.
     *
     * @param write whether they are of writes, else of reads
     * @param ceilings at least one, by size of I/O
     */
    public LinkChart(DataPath path, boolean write, List<Ceiling> ceilings) {
        if (ceilings.isEmpty()) {
            throw new IllegalArgumentException("a chart of no I/O size; name one at least");
        }
        this.path = path;
        this.write = write;
        this.ceilings = List.copyOf(ceilings);
    }

    /** What a part of a path is called for people. */
    public static String name(Limit limit) {
        return switch (limit) {
            case ssd -> "the SSDs";
            case ssd_link -> "the SSDs' links";
            case switch_link -> "the switch's link";
            case gpu_link -> "the GPU's link";
        };
    }

    /** The path in a line: {@code 4 SSDs (gen5x4), GPU (gen5x16@64)}. */
    public static String describe(DataPath path) {
        StringBuilder text = new StringBuilder()
                .append(path.ssds())
                .append(path.ssds() == 1 ? " SSD (" : " SSDs (")
                .append(path.ssd())
                .append(')');
        if (path.switchLink() != null) {
            text.append(", switch (").append(path.switchLink()).append(')');
        }
        if (path.gpu() == null) {
            text.append(", host");
        } else {
            text.append(", GPU (")
                    .append(path.gpu())
                    .append(path.queuesOnGpu() ? ", queues in its memory)" : "), queues in the host's memory");
        }
        return text.toString();
    }

    /** A rate for people: {@code 45.71 GB/s}. */
    public static String bytesPerSecond(double rate) {
        return scaled(rate, "B/s");
    }

    /** A rate for people: {@code 11.159 M}. */
    public static String perSecond(double rate) {
        if (rate >= 1e6) {
            return String.format(Locale.ROOT, "%.3f M", rate / 1e6);
        }
        return rate >= 1e3
                ? String.format(Locale.ROOT, "%.3f k", rate / 1e3)
                : String.format(Locale.ROOT, "%.1f", rate);
    }

    private static String scaled(double rate, String unit) {
        int step = rate >= 1e9 ? 3 : rate >= 1e6 ? 2 : rate >= 1e3 ? 1 : 0;
        String prefix = " kMG".substring(step, step + 1).strip();
        return String.format(Locale.ROOT, "%.2f %s%s", rate / Math.pow(1000, step), prefix, unit);
    }

    /** The line rate of the last link, or of all links of SSDs where they are the last. */
    private double lineRate() {
        PcieLink gpu = path.gpu();
        PcieLink uplink = path.switchLink();
        if (gpu != null) {
            return gpu.lineBytesPerSecond();
        }
        return uplink != null
                ? uplink.lineBytesPerSecond()
                : path.ssds() * path.ssd().lineBytesPerSecond();
    }

    /** A line for each size of I/O: how much of the line rate is data, how much is protocol, how much is left. */
    public List<String> bars() {
        List<String> lines = new ArrayList<>();
        double line = lineRate();
        for (Ceiling ceiling : ceilings) {
            int data = (int) Math.round(BAR * ceiling.payloadBytesPerSecond() / line);
            int wire = Math.max(data, (int) Math.round(BAR * ceiling.wireBytesPerSecond() / line));
            lines.add(String.format(
                    Locale.ROOT,
                    "%8s %s%s%s %s",
                    ByteSize.format(ceiling.ioBytes()),
                    "█".repeat(data),
                    "▒".repeat(wire - data),
                    "·".repeat(Math.max(0, BAR - wire)),
                    bytesPerSecond(ceiling.payloadBytesPerSecond())));
        }
        lines.add(String.format(
                Locale.ROOT, "%8s █ data  ▒ protocol  · free, of the line rate of %s", "", bytesPerSecond(line)));
        return lines;
    }

    /** The drawing as SVG, which stands alone. */
    public String svg() {
        double most = lineRate() * ABOVE;
        StringBuilder svg = new StringBuilder();
        String title = "Ceilings of " + (write ? "writes" : "reads") + ": " + describe(path);
        svg.append(String.format(
                Locale.ROOT,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"title desc\""
                        + " font-family=\"system-ui, -apple-system, 'Segoe UI', sans-serif\" font-size=\"14\">%n"
                        + "  <title id=\"title\">%s</title>%n  <desc id=\"desc\">%s</desc>%n",
                WIDTH,
                HEIGHT,
                escaped(title),
                escaped(summary())));
        svg.append(STYLE);
        svg.append(String.format(
                Locale.ROOT,
                "  <defs><clipPath id=\"plot\"><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/></clipPath></defs>%n",
                LEFT,
                TOP,
                RIGHT - LEFT,
                BOTTOM - TOP));
        svg.append(String.format(Locale.ROOT, "  <rect class=\"plane\" width=\"%d\" height=\"%d\"/>%n", WIDTH, HEIGHT));
        text(svg, LEFT, 30, "head", title);
        text(svg, LEFT, 52, "second", "What full queues reach at most; measured numbers lie below.");
        axes(svg, most);
        List<Label> labels = new ArrayList<>();
        rule(svg, labels, lineRate(), most);
        for (Map.Entry<Limit, Double> part : ceilings.getLast().each().entrySet()) {
            List<Double> values = ceilings.stream()
                    .map(ceiling -> ceiling.each().getOrDefault(part.getKey(), 0.0) * ceiling.ioBytes())
                    .toList();
            line(svg, "part " + part.getKey(), values, most);
            boolean above = values.getLast() > most;
            labels.add(new Label(
                    above ? TOP : y(values.getLast(), most),
                    part.getKey().name(),
                    name(part.getKey()) + (above ? " alone, above" : " alone")));
        }
        List<Double> wire = ceilings.stream().map(Ceiling::wireBytesPerSecond).toList();
        line(svg, "wire", wire, most);
        labels.add(new Label(y(wire.getLast(), most), "wire", "on the wire " + bytesPerSecond(wire.getLast())));
        List<Double> data =
                ceilings.stream().map(Ceiling::payloadBytesPerSecond).toList();
        line(svg, "data", data, most);
        for (int i = 0; i < data.size(); i++) {
            svg.append(String.format(
                    Locale.ROOT,
                    "  <circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>%s</title></circle>%n",
                    x(i),
                    y(data.get(i), most),
                    escaped(told(ceilings.get(i)))));
        }
        labels.add(new Label(y(data.getLast(), most), "data", "data " + bytesPerSecond(data.getLast())));
        labels(svg, labels);
        return svg.append("</svg>\n").toString();
    }

    private String summary() {
        return String.join("; ", ceilings.stream().map(LinkChart::told).toList());
    }

    private static String told(Ceiling ceiling) {
        return "%s: %s IOPS, %s, limited by %s"
                .formatted(
                        ByteSize.format(ceiling.ioBytes()),
                        perSecond(ceiling.iops()),
                        bytesPerSecond(ceiling.payloadBytesPerSecond()),
                        name(ceiling.limitedBy()));
    }

    private void axes(StringBuilder svg, double most) {
        double step = step(most);
        for (double value = 0; value <= most; value += step) {
            double y = y(value, most);
            svg.append(String.format(Locale.ROOT, "  <path class=\"grid\" d=\"M%d %.1fH%d\"/>%n", LEFT, y, RIGHT));
            anchored(svg, LEFT - 8, y + 4, "end", axis(value, most));
        }
        for (int i = 0; i < ceilings.size(); i++) {
            anchored(
                    svg,
                    x(i),
                    BOTTOM + 20,
                    "middle",
                    ByteSize.format(ceilings.get(i).ioBytes()));
        }
        anchored(svg, (LEFT + RIGHT) / 2.0, BOTTOM + 46, "middle", "size of an I/O");
        svg.append(String.format(
                Locale.ROOT,
                "  <text class=\"second\" transform=\"translate(20 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>%n",
                (TOP + BOTTOM) / 2,
                unit(most)));
    }

    private static String unit(double most) {
        return most >= 1e9 ? "GB/s" : most >= 1e6 ? "MB/s" : "kB/s";
    }

    private static String axis(double value, double most) {
        double shown = value / (most >= 1e9 ? 1e9 : most >= 1e6 ? 1e6 : 1e3);
        return shown == Math.rint(shown) ? Long.toString((long) shown) : String.format(Locale.ROOT, "%.2g", shown);
    }

    /** 1, 2 or 5 times a power of ten, so that there are not too many. */
    private static double step(double most) {
        double power = Math.pow(10, Math.floor(Math.log10(most / MOST_TICKS)));
        for (int factor : new int[] {1, 2, 5}) {
            if (most / (power * factor) <= MOST_TICKS) {
                return power * factor;
            }
        }
        return power * 10;
    }

    private static void rule(StringBuilder svg, List<Label> labels, double rate, double most) {
        svg.append(
                String.format(Locale.ROOT, "  <path class=\"rule\" d=\"M%d %.1fH%d\"/>%n", LEFT, y(rate, most), RIGHT));
        labels.add(new Label(y(rate, most), "rule", "line rate " + bytesPerSecond(rate)));
    }

    private void line(StringBuilder svg, String style, List<Double> values, double most) {
        StringBuilder points = new StringBuilder();
        for (int i = 0; i < values.size(); i++) {
            points.append(String.format(Locale.ROOT, "%s%.1f %.1f", i == 0 ? "M" : "L", x(i), y(values.get(i), most)));
        }
        svg.append(String.format(
                Locale.ROOT, "  <path class=\"%s\" clip-path=\"url(#plot)\" d=\"%s\"/>%n", style, points));
    }

    private double x(int i) {
        return ceilings.size() == 1
                ? (LEFT + RIGHT) / 2.0
                : LEFT + 24 + (double) i * (RIGHT - LEFT - 48) / (ceilings.size() - 1);
    }

    private static double y(double value, double most) {
        return BOTTOM - value / most * (BOTTOM - TOP);
    }

    /** What stands beside the end of a line. */
    private record Label(double y, String style, String text) {}

    /** Labels from top to bottom, each at its line or just below the one before. */
    private static void labels(StringBuilder svg, List<Label> labels) {
        double next = TOP - LABEL_APART;
        for (Label label :
                labels.stream().sorted((a, b) -> Double.compare(a.y, b.y)).toList()) {
            double y = Math.max(label.y, next);
            svg.append(String.format(
                    Locale.ROOT,
                    "  <path class=\"key %s\" d=\"M%d %.1fL%d %.1f\"/>%n",
                    label.style,
                    RIGHT - 22,
                    label.y,
                    RIGHT + 10,
                    y));
            text(svg, RIGHT + 16, y + 4, "second", label.text);
            next = y + LABEL_APART;
        }
    }

    private static void text(StringBuilder svg, double x, double y, String style, String text) {
        svg.append(String.format(
                Locale.ROOT, "  <text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>%n", style, x, y, escaped(text)));
    }

    private static void anchored(StringBuilder svg, double x, double y, String anchor, String text) {
        svg.append(String.format(
                Locale.ROOT,
                "  <text class=\"second\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>%n",
                x,
                y,
                anchor,
                escaped(text)));
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }

    /** Colours, for a light scheme and a dark one. */
    private static final String STYLE = """
              <style>
                .plane { fill: #fcfcfb } text { fill: #0b0b0b } .second { fill: #52514e; font-size: 12px } .head { font-weight: 600 }
                path { fill: none } .grid { stroke: #e3e2dd } .rule { stroke: #8a8983 }
                .part { stroke-width: 1.5; stroke-dasharray: 5 4 } .data { stroke-width: 3 } .wire { stroke-width: 1.5 } .key { stroke-width: 1; stroke-dasharray: none }
                .data { stroke: #2a78d6 } .dot { fill: #2a78d6 } .wire { stroke: #c9501d }
                .ssd { stroke: #6f6e69 } .ssd_link { stroke: #4a3aa7 } .switch_link { stroke: #a0722a } .gpu_link { stroke: #12875d }
                @media (prefers-color-scheme: dark) {
                  .plane { fill: #161615 } text { fill: #fff } .second { fill: #c3c2b7 } .grid { stroke: #32322f } .rule { stroke: #9b9a94 }
                  .data { stroke: #5598e7 } .dot { fill: #5598e7 } .wire { stroke: #ec7f4f }
                  .ssd { stroke: #9b9a94 } .ssd_link { stroke: #9d90ee } .switch_link { stroke: #d3a55c } .gpu_link { stroke: #2cb888 }
                }
              </style>
            """;
}
