package io.aisio.bench.report;

import java.util.ArrayList;
import java.util.Comparator;
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
        int high = 1 + bars.stream().mapToInt(bar -> bar.bounds().size()).max().orElse(0);
        // Above the highest there is room for all labels of a bar.
        double room = 1 - (high * Frame.LABEL - TOP + 4) / (HEIGHT - TOP - BOTTOM);
        Axis axis = Axis.upTo(Math.max(Math.max(most() / room, reach), bounds / room));
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
            double end = frame.y(below) - 4;
            List<Mark> upwards = bar.bounds().stream()
                    .sorted(Comparator.comparingDouble(Mark::value))
                    .toList();
            for (Mark bound : upwards) {
                double y = frame.y(bound.value());
                svg.line(bound.kind(), x - slot * 0.46, y, x + slot * 0.46, y);
                // No line goes through the number.
                end = y < end + 4 && y > end - Frame.LABEL ? y - 4 : end;
            }
            List<Double> labels = new ArrayList<>();
            svg.text("value", x, Frame.label(labels, end), Svg.Anchor.MIDDLE, scale.bare(below));
            for (Mark bound : upwards) {
                // Above the bar, whose colours it would not be read on.
                double y = Frame.label(labels, Math.min(end, frame.y(bound.value()) - 4));
                svg.text("mark", x, y, Svg.Anchor.MIDDLE, bound.label() + ", " + scale.bare(bound.value()));
            }
            svg.text("tick", x, HEIGHT - BOTTOM + 17, Svg.Anchor.MIDDLE, bar.name());
        }
        svg.text("axis", LEFT + frame.width() / 2, HEIGHT - 8, Svg.Anchor.MIDDLE, xLabel);
        frame.marks(svg, marks, scale);
        return svg.toString();
    }
}
