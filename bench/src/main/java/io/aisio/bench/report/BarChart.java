package io.aisio.bench.report;

import java.util.List;
import java.util.Map;

/**
 * Bars from left to right, one under another, so that names have room: a name, and beneath it a bar for each group.
 *
 * @param title what it shows
 * @param quantity along the axis
 * @param rows in order
 * @param groups their names in order; one, perhaps without a name, if there are no groups
 * @param marks values to compare with
 * @param reach how far the axis goes at least
 */
record BarChart(String title, Quantity quantity, List<Row> rows, List<String> groups, List<Mark> marks, double reach) {
    private static final int WIDTH = 480;
    private static final int LEFT = 10;
    private static final int RIGHT = 16;
    private static final int NAME = 19;
    private static final int BAR = 17;
    private static final int GAP = 9;
    private static final int BOTTOM = 46;
    /** Between a bar's end and its number. */
    private static final int PAD = 5;

    /**
     * A name with its bars.
     *
     * @param name of what was measured
     * @param bars group to value
     * @param missing why there is none; empty if there is
     */
    record Row(String name, Map<String, Point> bars, String missing) {}

    double most() {
        return rows.stream()
                .flatMap(row -> row.bars.values().stream())
                .mapToDouble(Point::max)
                .max()
                .orElse(0);
    }

    String svg() {
        int height = BOTTOM + GAP;
        for (Row row : rows) {
            height += NAME + GAP + BAR * Math.max(1, row.bars.size());
        }
        Axis axis = Axis.upTo(Math.max(most() * 1.02, reach));
        Quantity.Scale scale = quantity.scale(axis.end());
        double width = WIDTH - LEFT - RIGHT;
        Svg svg = new Svg(WIDTH, height, title);
        double bottom = height - BOTTOM;
        for (double tick : axis.ticks()) {
            double x = LEFT + width * tick / axis.end();
            svg.line("grid", x, GAP, x, bottom);
            svg.text("tick", x, bottom + 16, Svg.Anchor.MIDDLE, scale.bare(tick));
        }
        svg.text(
                "axis",
                LEFT + width / 2,
                height - 8,
                Svg.Anchor.MIDDLE,
                quantity.label() + (scale.name().isEmpty() ? "" : " (" + scale.name() + ")"));
        for (Mark mark : marks) {
            if (mark.value() <= axis.end()) {
                double x = LEFT + width * mark.value() / axis.end();
                svg.line(mark.kind(), x, GAP, x, bottom);
            }
        }
        double y = GAP;
        for (Row row : rows) {
            svg.text("name", LEFT, y + 14, Svg.Anchor.START, row.name);
            y += NAME;
            if (row.bars.isEmpty()) {
                svg.text("missing", LEFT + 2, y + 12, Svg.Anchor.START, "– " + row.missing);
                y += BAR;
            }
            for (Map.Entry<String, Point> bar : row.bars.entrySet()) {
                double part = bar.getValue().mean() / axis.end();
                String group = bar.getKey();
                double length = width * part;
                String value = quantity.format(bar.getValue().mean());
                String whole = (group.isEmpty() ? "" : group + ": ") + value;
                // A number that fits on neither side stands there without the name, which the bar's colour and tip
                // tell.
                String text = Math.max(length, width + RIGHT - length) - PAD < Svg.widthOf(whole) ? value : whole;
                boolean inside = width + RIGHT - length - PAD < Svg.widthOf(text);
                svg.box(
                        "bar s" + Math.max(0, groups.indexOf(group)) % Frame.COLOURS,
                        LEFT,
                        y,
                        length,
                        BAR - 3,
                        row.name + ", " + whole);
                svg.text(
                        inside ? "inside" : "value",
                        LEFT + length + (inside ? -PAD : PAD),
                        y + 11,
                        inside ? Svg.Anchor.END : Svg.Anchor.START,
                        text);
                y += BAR;
            }
            y += GAP;
        }
        return svg.toString();
    }
}
