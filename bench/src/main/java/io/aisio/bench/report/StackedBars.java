package io.aisio.bench.report;

import java.util.List;
import java.util.stream.Stream;

/**
 * Bars upwards, each of parts upon one another, with lines that bound all of them, or one.
 *
 * @param title what it shows
 * @param xLabel of the axis
 * @param quantity upwards
 * @param bars in order
 * @param marks bounds, and values to compare with
 * @param reach how far the axis goes at least
 */
record StackedBars(String title, String xLabel, Quantity quantity, List<Bar> bars, List<Mark> marks, double reach) {
    private static final int WIDTH = 480;
    private static final int HEIGHT = 300;
    private static final int LEFT = 62;
    private static final int RIGHT = 14;
    private static final int TOP = 18;
    private static final int BOTTOM = 46;

    /**
     * A bar.
     *
     * @param name beneath it
     * @param parts from the bottom
     * @param bounds what bounds it alone, with its label
     */
    record Bar(String name, List<Double> parts, List<Mark> bounds) {
        double sum() {
            return parts.stream().mapToDouble(Double::doubleValue).sum();
        }
    }

    double most() {
        return bars.stream().mapToDouble(Bar::sum).max().orElse(0);
    }

    String svg() {
        double bounds = Stream.concat(marks.stream(), bars.stream().flatMap(bar -> bar.bounds().stream()))
                .filter(mark -> mark.kind().equals("ceiling"))
                .mapToDouble(Mark::value)
                .max()
                .orElse(0);
        Axis axis = Axis.upTo(Math.max(Math.max(most() * 1.08, reach), bounds * 1.05));
        Quantity.Scale scale = quantity.scale(axis.end());
        Svg svg = new Svg(WIDTH, HEIGHT, title);
        Frame frame = new Frame(LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM, axis);
        frame.grid(svg, scale, quantity);
        double slot = frame.width() / Math.max(1, bars.size());
        double thick = Math.min(70, slot * 0.62);
        for (int i = 0; i < bars.size(); i++) {
            Bar bar = bars.get(i);
            double x = frame.left() + slot * (i + 0.5);
            double below = 0;
            for (int part = 0; part < bar.parts().size(); part++) {
                double value = bar.parts().get(part);
                svg.box(
                        "bar s" + part % Frame.COLOURS,
                        x - thick / 2,
                        frame.y(below + value),
                        thick,
                        frame.y(below) - frame.y(below + value),
                        bar.name() + ", device " + (part + 1) + ": " + quantity.format(value));
                below += value;
            }
            for (Mark bound : bar.bounds()) {
                double y = frame.y(bound.value());
                svg.line(bound.kind(), x - slot * 0.46, y, x + slot * 0.46, y);
                // Above the line, and so not in the way of the bar's own value beneath it.
                svg.text("mark", x, y - 4, Svg.Anchor.MIDDLE, bound.label() + ", " + scale.bare(bound.value()));
            }
            svg.text("value", x, frame.y(below) - 4, Svg.Anchor.MIDDLE, scale.bare(below));
            svg.text("tick", x, HEIGHT - BOTTOM + 17, Svg.Anchor.MIDDLE, bar.name());
        }
        svg.text("axis", LEFT + frame.width() / 2, HEIGHT - 8, Svg.Anchor.MIDDLE, xLabel);
        frame.marks(svg, marks, scale);
        return svg.toString();
    }
}
