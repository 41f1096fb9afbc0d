package io.aisio.bench.report;

import java.util.Locale;

/** A drawing: its shapes in the order drawn. Colours and fonts are the page's, by class. */
final class Svg {
    private final StringBuilder shapes = new StringBuilder();
    private final int width;
    private final int height;
    private final String title;

    /** @param title what is read to who cannot see it */
    Svg(int width, int height, String title) {
        this.width = width;
        this.height = height;
        this.title = title;
    }

    /** Where text stands relative to its point. */
    enum Anchor {
        START,
        MIDDLE,
        END
    }

    /** How much room a text takes at most, in the largest font that the page gives to numbers, a phone's. */
    static double widthOf(String text) {
        return text.codePointCount(0, text.length()) * 8.4;
    }

    static String escape(String text) {
        StringBuilder safe = new StringBuilder(text.length());
        text.codePoints().forEach(c -> {
            switch (c) {
                case '&' -> safe.append("&amp;");
                case '<' -> safe.append("&lt;");
                case '>' -> safe.append("&gt;");
                case '"' -> safe.append("&quot;");
                case '\'' -> safe.append("&#39;");
                default -> {
                    // XML has no other control characters.
                    if (c >= ' ' || c == '\n' || c == '\t') {
                        safe.appendCodePoint(c);
                    } else {
                        safe.append('\uFFFD');
                    }
                }
            }
        });
        return safe.toString();
    }

    void line(String kind, double x1, double y1, double x2, double y2) {
        add(String.format(
                Locale.ROOT,
                "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>",
                kind,
                x1,
                y1,
                x2,
                y2));
    }

    /** A rectangle, with a text that shows itself to who points at it. */
    void box(String kind, double x, double y, double w, double h, String tip) {
        add(String.format(
                Locale.ROOT,
                "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%s</title></rect>",
                kind,
                x,
                y,
                Math.max(0, w),
                Math.max(0, h),
                escape(tip)));
    }

    void dot(String kind, double x, double y, String tip) {
        add(String.format(
                Locale.ROOT,
                "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>%s</title></circle>",
                kind,
                x,
                y,
                escape(tip)));
    }

    void path(String kind, String points) {
        add(String.format(Locale.ROOT, "<polyline class=\"%s\" points=\"%s\"/>", kind, points));
    }

    void text(String kind, double x, double y, Anchor anchor, String text) {
        add(String.format(
                Locale.ROOT,
                "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>",
                kind,
                x,
                y,
                anchor.name().toLowerCase(Locale.ROOT),
                escape(text)));
    }

    /** Text that is read from below, for the label of an axis. */
    void upright(String kind, double x, double y, String text) {
        add(String.format(
                Locale.ROOT,
                "<text class=\"%s\" transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>",
                kind,
                x,
                y,
                escape(text)));
    }

    private void add(String shape) {
        shapes.append(shape).append('\n');
    }

    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">%n%s</svg>%n",
                width,
                height,
                escape(title),
                shapes);
    }
}
