package io.aisio.homi.view;

import java.util.Locale;

/** Writes metrics in Prometheus' text format, version 0.0.4: a family's lines together, each with its labels. */
final class PrometheusText {
    /** What to say in the header {@code Content-Type}. */
    static final String CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

    /** What a family is. */
    enum Type {
        /** Only ever more, until what it counts is gone. */
        COUNTER,
        /** More or less. */
        GAUGE
    }

    private final StringBuilder text = new StringBuilder(4096);
    private String family = "";

    /**
     * Begins a family; its samples follow.
     *
     * @param name of letters, digits and underscores, with the unit; a counter's ends with {@code _total}
     * @param help one sentence
     */
    PrometheusText family(String name, Type type, String help) {
        family = name;
        text.append("# HELP ").append(name).append(' ');
        escape(help, false);
        text.append("\n# TYPE ").append(name).append(' ');
        text.append(type.name().toLowerCase(Locale.ROOT)).append('\n');
        return this;
    }

    /** Adds a sample that is a whole number, exact up to 2^53. */
    PrometheusText sample(long value, String... labels) {
        return sample((double) value, labels);
    }

    /**
     * Adds a sample to the family.
     *
     * @param labels names and values in turn; a value is any text
     */
    PrometheusText sample(double value, String... labels) {
        if (labels.length % 2 != 0) {
            throw new IllegalArgumentException("a label without a value: " + String.join(", ", labels));
        }
        text.append(family);
        for (int i = 0; i < labels.length; i += 2) {
            text.append(i == 0 ? '{' : ',').append(labels[i]).append("=\"");
            escape(labels[i + 1], true);
            text.append('"');
        }
        text.append(labels.length == 0 ? " " : "} ");
        if (value == Math.rint(value) && Math.abs(value) < 1L << 53) {
            text.append((long) value);
        } else {
            text.append(value);
        }
        text.append('\n');
        return this;
    }

    /** What has no line of its own in the format: a label's value may hold anything, a name that a client chose too. */
    private void escape(String value, boolean label) {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '\\' -> text.append("\\\\");
                case '\n' -> text.append("\\n");
                case '"' -> text.append(label ? "\\\"" : "\"");
                default -> text.append(c);
            }
        }
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
