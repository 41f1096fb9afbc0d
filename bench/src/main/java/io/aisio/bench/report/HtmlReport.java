package io.aisio.bench.report;

import static io.aisio.bench.report.Svg.escape;

import io.aisio.bench.workflow.Figure;
import io.aisio.bench.workflow.RunRecord;
import io.aisio.bench.workflow.ShellWords;
import io.aisio.bench.workflow.TaskRecord;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** A run, or two side by side, as one HTML file: no script, no network, light or dark as the reader has it, printable. */
public final class HtmlReport {
    private static final List<String> COLUMNS = List.of(
            "iops",
            "bytes_per_second",
            "files_per_second",
            "latency_mean_ns",
            "latency_p50_ns",
            "latency_p99_ns",
            "latency_p999_ns",
            "cpu_percent",
            "cpu_ns_per_io",
            "cycles_per_io");

    private final StringBuilder html = new StringBuilder(1 << 16);

    private HtmlReport() {}

    /** A run's report. */
    public static String of(RunRecord run) {
        return new HtmlReport().page(run, null);
    }

    /**
     * Two runs' report.
     *
     * @param run what it is about
     * @param other what it is compared with
     */
    public static String compare(RunRecord run, RunRecord other) {
        return new HtmlReport().page(run, other);
    }

    private String page(RunRecord run, @Nullable RunRecord other) {
        html.append("""
                <!DOCTYPE html>
                <html lang="en">
                <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                """);
        html.append("<title>")
                .append(escape(run.workflow()))
                .append(": ")
                .append(escape(run.id()))
                .append("</title>\n");
        html.append("<style>\n").append(style()).append("</style>\n</head>\n<body>\n<main>\n");
        head(run, other);
        figures(run, other);
        steps(run, other);
        machine(run, other);
        html.append("</main>\n</body>\n</html>\n");
        return html.toString();
    }

    private static String style() {
        try (InputStream css =
                Objects.requireNonNull(HtmlReport.class.getResourceAsStream("report.css"), "report.css is not there")) {
            return new String(css.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("report.css", e);
        }
    }

    private void head(RunRecord run, @Nullable RunRecord other) {
        html.append("<header>\n<h1>").append(escape(run.title())).append("</h1>\n");
        paragraph("lead", run.description());
        html.append("<dl class=\"facts\">\n");
        fact("Run", run.id());
        if (other != null) {
            fact("Compared with", other.id());
        }
        fact("Machine", run.machine().getOrDefault("cpu.model", "?") + ", " + run.target());
        fact("Started", run.started() + (run.finished().isEmpty() ? " (not finished)" : " to " + run.finished()));
        fact(
                "Steps",
                run.count(TaskRecord.State.DONE) + " done, " + run.count(TaskRecord.State.SKIPPED) + " skipped, "
                        + run.count(TaskRecord.State.FAILED) + " failed, " + run.count(TaskRecord.State.WAITING)
                        + " not run");
        html.append("</dl>\n");
        if (run.software()) {
            paragraph(
                    "note",
                    "Measured on controllers in software, which run on the same processors as what drives them. It shows"
                            + " the shape of an experiment and what this machine's processors do, not what a drive does.");
        }
        if (run.quick()) {
            paragraph("note", "A short run: few repetitions of about a second each.");
        }
        html.append("</header>\n");
    }

    private void fact(String name, String value) {
        html.append("<div><dt>")
                .append(escape(name))
                .append("</dt><dd>")
                .append(escape(value))
                .append("</dd></div>\n");
    }

    private void paragraph(String kind, String text) {
        if (!text.isEmpty()) {
            html.append("<p class=\"")
                    .append(kind)
                    .append("\">")
                    .append(escape(text))
                    .append("</p>\n");
        }
    }

    private void figures(RunRecord run, @Nullable RunRecord other) {
        Map<String, List<Figure>> experiments = new LinkedHashMap<>();
        run.figures()
                .forEach(figure -> experiments
                        .computeIfAbsent(figure.experiment(), key -> new ArrayList<>())
                        .add(figure));
        experiments.forEach((experiment, figures) -> {
            html.append("<section>\n<h2>").append(escape(experiment)).append("</h2>\n<div class=\"figures\">\n");
            figures.forEach(figure -> figure(figure, run, other));
            html.append("</div>\n");
            Set<String> steps = new LinkedHashSet<>();
            figures.forEach(figure -> steps.addAll(figure.steps()));
            table(steps, run, other);
            html.append("</section>\n");
        });
    }

    private void figure(Figure figure, RunRecord run, @Nullable RunRecord other) {
        FigureView view = new FigureView(run, figure);
        html.append("<figure>\n<figcaption>").append(escape(figure.title())).append("</figcaption>\n");
        if (other == null) {
            drawn(view, 0);
        } else {
            FigureView old = new FigureView(other, figure);
            // As much as a chart adds above its largest value, so that both have the same axis.
            double reach = 1.1 * Math.max(view.most(), old.most());
            html.append("<div class=\"pair\">\n<div><p class=\"whose\">")
                    .append(escape(run.id()))
                    .append("</p>\n");
            drawn(view, reach);
            html.append("</div>\n<div><p class=\"whose\">")
                    .append(escape(other.id()))
                    .append("</p>\n");
            drawn(old, reach);
            html.append("</div>\n</div>\n");
        }
        paragraph("says", figure.says());
        published(figure);
        html.append("</figure>\n");
    }

    private void drawn(FigureView view, double reach) {
        if (view.isEmpty()) {
            paragraph("missing", "Not measured: " + view.missing());
            return;
        }
        html.append(view.svg(reach));
        List<String> legend = view.legend();
        if (!legend.isEmpty()) {
            html.append("<ul class=\"legend\">");
            for (int i = 0; i < legend.size(); i++) {
                html.append("<li><svg viewBox=\"0 0 12 12\" aria-hidden=\"true\"><rect class=\"bar s")
                        .append(i % Frame.COLOURS)
                        .append("\" width=\"12\" height=\"12\"/></svg>")
                        .append(escape(legend.get(i)))
                        .append("</li>");
            }
            html.append("</ul>\n");
        }
    }

    private void published(Figure figure) {
        if (figure.published().isEmpty()) {
            return;
        }
        Quantity quantity = Quantity.of(figure.y());
        html.append("<p class=\"published\"><b>Published</b> (")
                .append(escape(figure.published().getFirst().source()))
                .append("): ");
        List<String> values = new ArrayList<>();
        for (Figure.Published one : figure.published()) {
            values.add(escape(one.label()
                    + (one.x() == null ? "" : ", " + FigureView.label(figure.x()) + " " + one.x()) + ": "
                    + quantity.format(one.value())
                    + (values.isEmpty() || one.source().isEmpty() ? "" : " (" + one.source() + ")")));
        }
        html.append(String.join("; ", values)).append("</p>\n");
    }

    /** What stands for a row: a step and its parameters. */
    private record Key(String step, String title, Map<String, Object> parameters) {
        String text() {
            List<String> words = new ArrayList<>();
            parameters.forEach((name, value) -> words.add(FigureView.label(name) + " " + value));
            return String.join(", ", words);
        }

        /** Equal in two runs, whatever the title. */
        String same() {
            return step + parameters;
        }
    }

    private static Map<Key, Map<String, Point>> rows(Set<String> steps, RunRecord run) {
        Map<Key, Map<String, List<Double>>> all = new LinkedHashMap<>();
        for (TaskRecord task : run.tasks()) {
            if (steps.contains(task.step()) && task.state() == TaskRecord.State.DONE) {
                Map<String, List<Double>> row = all.computeIfAbsent(
                        new Key(task.step(), task.title(), task.parameters()), key -> new LinkedHashMap<>());
                task.outcome()
                        .values()
                        .forEach((name, value) -> row.computeIfAbsent(name, key -> new ArrayList<>())
                                .add(value));
            }
        }
        Map<Key, Map<String, Point>> rows = new LinkedHashMap<>();
        all.forEach((key, values) -> {
            Map<String, Point> points = new LinkedHashMap<>();
            values.forEach((name, some) -> points.put(name, Point.of(some)));
            rows.put(key, points);
        });
        return rows;
    }

    private void table(Set<String> steps, RunRecord run, @Nullable RunRecord other) {
        Map<Key, Map<String, Point>> rows = rows(steps, run);
        rows.values().removeIf(Map::isEmpty);
        if (!rows.isEmpty()) {
            if (other == null) {
                numbers(rows);
            } else {
                ratios(rows, rows(steps, other));
            }
        }
        Set<String> notes = new LinkedHashSet<>();
        for (TaskRecord task : run.tasks()) {
            if (steps.contains(task.step())) {
                if (task.state() == TaskRecord.State.SKIPPED || task.state() == TaskRecord.State.FAILED) {
                    notes.add(task.title() + ": " + (task.state() == TaskRecord.State.FAILED ? "failed: " : "skipped: ")
                            + task.reason());
                }
                notes.addAll(task.outcome().notes());
            }
        }
        if (!notes.isEmpty()) {
            html.append("<ul class=\"notes\">");
            notes.forEach(note -> html.append("<li>").append(escape(note)).append("</li>"));
            html.append("</ul>\n");
        }
    }

    private void numbers(Map<Key, Map<String, Point>> rows) {
        List<String> columns = COLUMNS.stream()
                .filter(name ->
                        name.equals("cycles_per_io") || rows.values().stream().anyMatch(row -> row.containsKey(name)))
                .toList();
        html.append("<div class=\"scroll\"><table>\n<thead><tr><th>Step</th><th>Parameters</th><th>Runs</th>");
        columns.forEach(name -> html.append("<th class=\"n\">")
                .append(escape(Quantity.of(name).label()))
                .append("</th>"));
        html.append("</tr></thead>\n<tbody>\n");
        rows.forEach((key, row) -> {
            html.append("<tr><td>")
                    .append(escape(key.title))
                    .append("</td><td>")
                    .append(escape(key.text()));
            html.append("</td><td class=\"n\">")
                    .append(row.values().stream().mapToLong(Point::count).max().orElse(0))
                    .append("</td>");
            for (String name : columns) {
                Point point = row.get(name);
                html.append("<td class=\"n\">")
                        .append(point == null ? "–" : escape(shown(name, point)))
                        .append("</td>");
            }
            html.append("</tr>\n");
        });
        html.append("</tbody>\n</table></div>\n");
    }

    /** A mean, and how far the repetitions are from it. */
    private static String shown(String name, Point point) {
        double far = Math.max(point.max() - point.mean(), point.mean() - point.min());
        String spread = point.count() < 2 || point.mean() == 0
                ? ""
                : String.format(Locale.ROOT, " ±%.0f %%", 100 * far / Math.abs(point.mean()));
        return Quantity.of(name).format(point.mean()) + spread;
    }

    private void ratios(Map<Key, Map<String, Point>> rows, Map<Key, Map<String, Point>> others) {
        Map<String, Map<String, Point>> same = new LinkedHashMap<>();
        others.forEach((key, row) -> same.put(key.same(), row));
        html.append("<div class=\"scroll\"><table>\n<thead><tr><th>Step</th><th>Parameters</th><th>Value</th>"
                + "<th class=\"n\">This run</th><th class=\"n\">The other</th><th class=\"n\">Ratio</th></tr></thead>\n"
                + "<tbody>\n");
        rows.forEach((key, row) -> {
            Map<String, Point> before = same.getOrDefault(key.same(), Map.of());
            for (String name : List.of("iops", "bytes_per_second", "latency_p99_ns", "cpu_ns_per_io")) {
                Point one = row.get(name);
                Point two = before.get(name);
                if (one != null) {
                    html.append("<tr><td>")
                            .append(escape(key.title))
                            .append("</td><td>")
                            .append(escape(key.text()));
                    html.append("</td><td>").append(escape(Quantity.of(name).label()));
                    html.append("</td><td class=\"n\">").append(escape(shown(name, one)));
                    html.append("</td><td class=\"n\">").append(two == null ? "–" : escape(shown(name, two)));
                    html.append("</td><td class=\"n\">")
                            .append(
                                    two == null || two.mean() == 0
                                            ? "–"
                                            : String.format(Locale.ROOT, "%.2f", one.mean() / two.mean()))
                            .append("</td></tr>\n");
                }
            }
        });
        html.append("</tbody>\n</table></div>\n");
    }

    /** All steps by name: what ran, how long, with which command. */
    private void steps(RunRecord run, @Nullable RunRecord other) {
        html.append("<section>\n<h2>Steps</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>Step</th>"
                + "<th class=\"n\">Done</th><th class=\"n\">Skipped</th><th class=\"n\">Failed</th>"
                + "<th class=\"n\">Seconds</th><th>A command, or why not</th></tr></thead>\n<tbody>\n");
        Map<String, List<TaskRecord>> steps = new LinkedHashMap<>();
        run.tasks()
                .forEach(task -> steps.computeIfAbsent(task.step(), key -> new ArrayList<>())
                        .add(task));
        steps.forEach((name, tasks) -> {
            html.append("<tr><td>").append(escape(tasks.getFirst().title())).append("</td>");
            for (TaskRecord.State state :
                    List.of(TaskRecord.State.DONE, TaskRecord.State.SKIPPED, TaskRecord.State.FAILED)) {
                html.append("<td class=\"n\">")
                        .append(tasks.stream()
                                .filter(task -> task.state() == state)
                                .count())
                        .append("</td>");
            }
            html.append("<td class=\"n\">")
                    .append(Quantity.number(
                            tasks.stream().mapToDouble(TaskRecord::seconds).sum()))
                    .append("</td><td><code>");
            TaskRecord shown = tasks.stream()
                    .filter(task -> task.state() == TaskRecord.State.FAILED)
                    .findFirst()
                    .orElse(tasks.getFirst());
            html.append(escape(
                            shown.state() == TaskRecord.State.SKIPPED || shown.state() == TaskRecord.State.FAILED
                                    ? shown.reason()
                                    : ShellWords.shown(shown.command())))
                    .append("</code></td></tr>\n");
        });
        html.append("</tbody>\n</table></div>\n");
        if (other != null) {
            paragraph("note", "Steps are those of " + run.id() + ".");
        }
        html.append("</section>\n");
    }

    private void machine(RunRecord run, @Nullable RunRecord other) {
        html.append("<section>\n<h2>Machine and parameters</h2>\n<div class=\"scroll\"><table class=\"machine\">\n");
        html.append("<thead><tr><th>What</th><th>").append(escape(run.id())).append("</th>");
        if (other != null) {
            html.append("<th>").append(escape(other.id())).append("</th>");
        }
        html.append("</tr></thead>\n<tbody>\n");
        rows(run.machine(), other == null ? null : other.machine(), "");
        Map<String, String> parameters = texts(run.parameters());
        rows(parameters, other == null ? null : texts(other.parameters()), "parameter ");
        html.append("</tbody>\n</table></div>\n</section>\n");
    }

    private static Map<String, String> texts(Map<String, Object> values) {
        Map<String, String> texts = new LinkedHashMap<>();
        values.forEach((name, value) -> texts.put(name, value.toString()));
        return texts;
    }

    private void rows(Map<String, String> facts, @Nullable Map<String, String> others, String before) {
        Set<String> names = new TreeSet<>(facts.keySet());
        if (others != null) {
            names.addAll(others.keySet());
        }
        for (String name : names) {
            String value = facts.getOrDefault(name, "–");
            html.append("<tr><td>")
                    .append(escape(before + name))
                    .append("</td><td>")
                    .append(escape(value))
                    .append("</td>");
            if (others != null) {
                String beside = others.getOrDefault(name, "–");
                html.append(beside.equals(value) ? "<td>" : "<td class=\"differs\">")
                        .append(escape(beside))
                        .append("</td>");
            }
            html.append("</tr>\n");
        }
    }
}
