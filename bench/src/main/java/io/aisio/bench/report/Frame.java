package io.aisio.bench.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The part of a chart in which values stand, with an axis upwards.
 *
 * @param left its edge
 * @param top its edge
 * @param width of it
 * @param height of it
 * @param axis upwards
 */
record Frame(double left, double top, double width, double height, Axis axis) {
    /** How many colours there are for series; the page names them. */
    static final int COLOURS = 8;

    private static final double LABEL_GAP = 46;
    /** From a label to the next above it, in the largest font that the page gives them, a phone's. */
    static final double LABEL = 16;

    double y(double value) {
        return top + height * (1 - value / axis.end());
    }

    void grid(Svg svg, Quantity.Scale scale, Quantity quantity) {
        for (double tick : axis.ticks()) {
            svg.line("grid", left, y(tick), left + width, y(tick));
            svg.text("tick", left - 6, y(tick) + 4, Svg.Anchor.END, scale.bare(tick));
        }
        svg.upright(
                "axis",
                left - LABEL_GAP,
                top + height / 2,
                quantity.label() + (scale.name().isEmpty() ? "" : " (" + scale.name() + ")"));
    }

    /**
     * Where a label stands that has others beneath it, so that none covers another.
     *
     * @param taken where labels stand already; this one is added
     * @param wanted where it would stand; it moves up as far as it must
     */
    static double label(List<Double> taken, double wanted) {
        double y = wanted;
        for (double other : taken.stream().sorted(Comparator.reverseOrder()).toList()) {
            if (Math.abs(other - y) < LABEL) {
                y = other - LABEL;
            }
        }
        taken.add(y);
        return y;
    }

    void marks(Svg svg, List<Mark> marks, Quantity.Scale scale) {
        List<Double> labels = new ArrayList<>();
        List<Mark> upwards =
                marks.stream().sorted(Comparator.comparingDouble(Mark::value)).toList();
        for (Mark mark : upwards) {
            if (mark.value() <= axis.end()) {
                svg.line(mark.kind(), left, y(mark.value()), left + width, y(mark.value()));
                svg.text(
                        "mark",
                        left + width - 2,
                        label(labels, y(mark.value()) - 4),
                        Svg.Anchor.END,
                        mark.label() + ", " + scale.format(mark.value()));
            }
        }
    }
}
