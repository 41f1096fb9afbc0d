package io.aisio.bench.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Lines over a number, with a bar from the least to the most repetition at each point.
 *
 * @param title what it shows
 * @param xLabel of the axis
 * @param quantity along the other
 * @param lines name to points by x, in order
 * @param marks values to compare with; those beyond the axis are left out, as the figure's table has them all
 * @param reach how far the axis goes at least; 0 for as far as the points do
 */
record LineChart(
        String title,
        String xLabel,
        Quantity quantity,
        Map<String, TreeMap<Double, Point>> lines,
        List<Mark> marks,
        double reach) {
    private static final int WIDTH = 480;
    private static final int HEIGHT = 300;
    private static final int LEFT = 62;
    private static final int RIGHT = 14;
    private static final int TOP = 14;
    private static final int BOTTOM = 46;

    /** The largest value that it shows. */
    double most() {
        return lines.values().stream()
                .flatMap(line -> line.values().stream())
                .mapToDouble(Point::max)
                .max()
                .orElse(0);
    }

    String svg() {
        Axis axis = Axis.upTo(Math.max(most() * 1.05, reach));
        Quantity.Scale scale = quantity.scale(axis.end());
        Svg svg = new Svg(WIDTH, HEIGHT, title);
        Frame frame = new Frame(LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM, axis);
        frame.grid(svg, scale, quantity);
        List<Double> xs = lines.values().stream()
                .flatMap(line -> line.keySet().stream())
                .distinct()
                .sorted()
                .toList();
        for (double x : xs) {
            svg.text("tick", at(frame, xs, x), HEIGHT - BOTTOM + 17, Svg.Anchor.MIDDLE, Quantity.number(x));
        }
        svg.text("axis", LEFT + frame.width() / 2, HEIGHT - 8, Svg.Anchor.MIDDLE, xLabel);
        frame.marks(svg, marks, scale);
        int index = 0;
        for (Map.Entry<String, TreeMap<Double, Point>> line : lines.entrySet()) {
            List<String> corners = new ArrayList<>();
            for (Map.Entry<Double, Point> one : line.getValue().entrySet()) {
                corners.add(String.format(
                        Locale.ROOT,
                        "%.1f,%.1f",
                        at(frame, xs, one.getKey()),
                        frame.y(one.getValue().mean())));
            }
            svg.path("line s" + index % Frame.COLOURS, String.join(" ", corners));
            for (Map.Entry<Double, Point> one : line.getValue().entrySet()) {
                Point point = one.getValue();
                double x = at(frame, xs, one.getKey());
                if (point.count() > 1) {
                    svg.line("spread s" + index % Frame.COLOURS, x, frame.y(point.min()), x, frame.y(point.max()));
                }
                svg.dot(
                        "dot s" + index % Frame.COLOURS,
                        x,
                        frame.y(point.mean()),
                        line.getKey() + ", " + xLabel + " " + Quantity.number(one.getKey()) + ": "
                                + quantity.format(point.mean()));
            }
            index++;
        }
        return svg.toString();
    }

    /** Places along the axis are even: parameters double more often than they grow by one. */
    private static double at(Frame frame, List<Double> xs, double x) {
        double part = xs.size() == 1 ? 0.5 : (double) xs.indexOf(x) / (xs.size() - 1);
        return frame.left() + frame.width() * (0.06 + 0.88 * part);
    }
}
