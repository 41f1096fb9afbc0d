package io.aisio.bench.workflow;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A figure of the report, as the workflow's file describes it. Public for the report and its JSON alone.
 *
 * @param experiment under which heading it stands
 * @param title what it shows
 * @param chart how
 * @param steps whose results; of bars one bar each
 * @param x the parameter along the axis; of bars, that of their groups; may be empty
 * @param y the value, by its name in the results
 * @param series the parameter of which each value has a line; may be empty
 * @param where parameters that must have that value
 * @param published what others measured, shown as marks
 * @param ceilings values of results that bound what is possible, drawn as lines
 * @param says what it means
 */
public record Figure(
        String experiment,
        String title,
        Chart chart,
        List<String> steps,
        String x,
        String y,
        String series,
        Map<String, Object> where,
        List<Published> published,
        List<Ceiling> ceilings,
        String says) {
    /** Copies them. */
    public Figure {
        Objects.requireNonNull(experiment, "experiment");
        Objects.requireNonNull(title, "title");
        Objects.requireNonNull(chart, "chart");
        Objects.requireNonNull(x, "x");
        Objects.requireNonNull(y, "y");
        Objects.requireNonNull(series, "series");
        Objects.requireNonNull(says, "says");
        steps = List.copyOf(steps);
        where = Collections.unmodifiableMap(new LinkedHashMap<>(where));
        published = List.copyOf(published);
        ceilings = List.copyOf(ceilings);
    }

    /** How a figure is drawn. */
    public enum Chart {
        /** Lines over a parameter. */
        LINES,
        /** Bars side by side. */
        BARS,
        /** Bars of the devices' parts upon each other. */
        STACKED
    }

    /**
     * A value that others published.
     *
     * @param label what it is of
     * @param value in the unit of y
     * @param x where along the axis; null for everywhere
     * @param source who says so
     */
    public record Published(
            String label, double value, @Nullable Object x, String source) {}

    /**
     * A bound: one for all, or, of a step with a matrix of the figure's parameters, one for each bar.
     *
     * @param label what bounds
     * @param step whose result tells it
     * @param value its name in that result
     */
    public record Ceiling(String label, String step, String value) {}

    static Figure read(YamlMapping from, List<Step> steps) {
        List<String> of = from.words("steps");
        for (String step : of) {
            require(from, steps, step);
        }
        if (of.isEmpty()) {
            throw new IllegalArgumentException(from.place() + ": 'steps' is missing");
        }
        Chart chart;
        String name = from.text("chart");
        try {
            chart = Chart.valueOf(name.toUpperCase(java.util.Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(from.place() + ": no chart '" + name + "'; lines, bars or stacked", e);
        }
        List<Published> published =
                from.mappings("published").stream().map(Figure::published).toList();
        List<Ceiling> ceilings = from.mappings("ceilings").stream()
                .map(one -> ceiling(one, steps))
                .toList();
        Figure figure = new Figure(
                from.text("experiment"),
                from.text("title"),
                chart,
                of,
                String.valueOf(from.textOr("x", "")),
                from.text("y"),
                String.valueOf(from.textOr("series", "")),
                from.values("where"),
                published,
                ceilings,
                String.valueOf(from.textOr("says", "")));
        from.refuseOthers();
        return figure;
    }

    private static void require(YamlMapping from, List<Step> steps, String name) {
        if (steps.stream().noneMatch(step -> step.name().equals(name))) {
            throw new IllegalArgumentException(from.place() + ": no step '" + name + "'");
        }
    }

    private static Published published(YamlMapping from) {
        double value;
        try {
            value = Double.parseDouble(from.text("value"));
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(from.place() + ": 'value' is no number", e);
        }
        Published published =
                new Published(from.text("label"), value, from.any("x"), String.valueOf(from.textOr("source", "")));
        from.refuseOthers();
        return published;
    }

    private static Ceiling ceiling(YamlMapping from, List<Step> steps) {
        Ceiling ceiling = new Ceiling(from.text("label"), from.text("step"), from.text("value"));
        require(from, steps, ceiling.step);
        from.refuseOthers();
        return ceiling;
    }
}
