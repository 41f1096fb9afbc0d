package io.aisio.bench.report;

import io.aisio.bench.workflow.Figure;
import io.aisio.bench.workflow.Outcome;
import io.aisio.bench.workflow.RunRecord;
import io.aisio.bench.workflow.TaskRecord;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * A figure with what a run says for it.
 *
 * @param run whose results
 * @param figure as the workflow describes it
 */
record FigureView(RunRecord run, Figure figure) {
    /** A published value far beyond what was measured would press it to the ground: such a one is only in the table. */
    private static final double NEAR = 2.5;
    /** And one far below would lie on the axis. */
    private static final double FAR = 0.05;

    private List<TaskRecord> tasks(String step) {
        return run.tasks().stream()
                .filter(task -> task.step().equals(step) && matches(task))
                .toList();
    }

    private boolean matches(TaskRecord task) {
        return figure.where().entrySet().stream().allMatch(entry -> {
            Object value = task.parameters().get(entry.getKey());
            return value == null || value.toString().equals(entry.getValue().toString());
        });
    }

    private List<TaskRecord> done() {
        return figure.steps().stream()
                .flatMap(step -> tasks(step).stream())
                .filter(task -> task.outcome().values().containsKey(figure.y()))
                .toList();
    }

    /** Whether there is anything to draw. */
    boolean isEmpty() {
        return done().isEmpty();
    }

    /** Why nothing is to be drawn. */
    String missing() {
        return figure.steps().stream().map(this::missing).distinct().collect(Collectors.joining("; "));
    }

    private String missing(String step) {
        return tasks(step).stream()
                .filter(task -> task.state() != TaskRecord.State.DONE)
                .map(task -> task.state() == TaskRecord.State.WAITING ? "not run" : task.reason())
                .findFirst()
                .orElse("no run of these parameters was planned");
    }

    private double value(TaskRecord task) {
        return Objects.requireNonNull(task.outcome().values().get(figure.y()));
    }

    /** The largest value, so that two runs can have one axis. */
    double most() {
        return done().stream().mapToDouble(this::value).max().orElse(0);
    }

    private List<Mark> marks(double reach) {
        List<Mark> marks = new ArrayList<>();
        for (Figure.Published published : figure.published()) {
            double beside = published.value() / Math.max(most(), reach);
            if (published.x() == null && beside <= NEAR && beside >= FAR) {
                marks.add(new Mark(published.label(), published.value(), "published"));
            }
        }
        marks.addAll(ceilings(Map.of()));
        return marks;
    }

    /** Bounds that a step told for those values of the figure's own parameters; with none, those that hold for all. */
    private List<Mark> ceilings(Map<String, String> at) {
        List<Mark> marks = new ArrayList<>();
        for (Figure.Ceiling ceiling : figure.ceilings()) {
            run.tasks().stream()
                    .filter(task ->
                            task.step().equals(ceiling.step()) && place(task).equals(at))
                    .map(task -> task.outcome().values().get(ceiling.value()))
                    .filter(Objects::nonNull)
                    .findFirst()
                    .ifPresent(value -> marks.add(new Mark(ceiling.label(), value, "ceiling")));
        }
        return marks;
    }

    /** The values of the figure's own parameters that a task has. */
    private Map<String, String> place(TaskRecord task) {
        Map<String, String> values = new TreeMap<>();
        for (String name : List.of(figure.x(), figure.series())) {
            Object value = task.parameters().get(name);
            if (value != null) {
                values.put(name, value.toString());
            }
        }
        return values;
    }

    /**
     * The drawing.
     *
     * @param reach how far its axis goes at least
     */
    String svg(double reach) {
        List<Mark> marks = marks(reach);
        double far =
                Math.max(reach, marks.stream().mapToDouble(Mark::value).max().orElse(0) * 1.05);
        Quantity quantity = Quantity.of(figure.y());
        return switch (figure.chart()) {
            case LINES -> new LineChart(figure.title(), label(figure.x()), quantity, lines(), marks, far).svg();
            case BARS -> new BarChart(figure.title(), quantity, rows(), groups(), marks, far).svg();
            case STACKED -> new StackedBars(figure.title(), stackedLabel(), quantity, stacks(), marks, far).svg();
        };
    }

    private String stackedLabel() {
        return figure.series().isEmpty() ? label(figure.x()) : label(figure.x()) + " × " + label(figure.series());
    }

    private Map<String, TreeMap<Double, Point>> lines() {
        Map<String, TreeMap<Double, List<Double>>> all = new LinkedHashMap<>();
        for (TaskRecord task : done()) {
            String series = figure.series().isEmpty()
                    ? task.title()
                    : label(figure.series()) + " " + task.parameters().get(figure.series());
            all.computeIfAbsent(series, key -> new TreeMap<>())
                    .computeIfAbsent(number(task.parameters().get(figure.x())), key -> new ArrayList<>())
                    .add(value(task));
        }
        Map<String, TreeMap<Double, Point>> lines = new LinkedHashMap<>();
        all.forEach((name, values) -> {
            TreeMap<Double, Point> points = new TreeMap<>();
            values.forEach((x, some) -> points.put(x, Point.of(some)));
            lines.put(name, points);
        });
        return lines;
    }

    private static double number(@org.jspecify.annotations.Nullable Object value) {
        try {
            return Double.parseDouble(String.valueOf(value));
        } catch (NumberFormatException e) {
            return 0;
        }
    }

    private String group(TaskRecord task) {
        return figure.x().isEmpty()
                ? ""
                : label(figure.x()) + " " + task.parameters().get(figure.x());
    }

    private List<String> groups() {
        return done().stream().map(this::group).distinct().toList();
    }

    private List<BarChart.Row> rows() {
        List<BarChart.Row> rows = new ArrayList<>();
        for (String step : figure.steps()) {
            Map<String, List<Double>> values = new LinkedHashMap<>();
            for (TaskRecord task : tasks(step)) {
                if (task.outcome().values().containsKey(figure.y())) {
                    values.computeIfAbsent(group(task), key -> new ArrayList<>())
                            .add(value(task));
                }
            }
            Map<String, Point> bars = new LinkedHashMap<>();
            values.forEach((group, some) -> bars.put(group, Point.of(some)));
            String title =
                    tasks(step).stream().map(TaskRecord::title).findFirst().orElse(step);
            // What to do stands in the notes, where there is room.
            rows.add(
                    new BarChart.Row(title, bars, bars.isEmpty() ? missing(step).split("; next: ", 2)[0] : ""));
        }
        return rows;
    }

    private List<StackedBars.Bar> stacks() {
        Map<String, List<List<Double>>> all = new LinkedHashMap<>();
        Map<String, List<Mark>> bounds = new LinkedHashMap<>();
        for (TaskRecord task : done()) {
            String name = String.valueOf(task.parameters().get(figure.x()))
                    + (figure.series().isEmpty()
                            ? ""
                            : " × " + bytes(task.parameters().get(figure.series())));
            all.computeIfAbsent(name, key -> new ArrayList<>()).add(parts(task));
            Map<String, String> place = place(task);
            bounds.put(name, place.isEmpty() ? List.of() : ceilings(place));
        }
        List<StackedBars.Bar> bars = new ArrayList<>();
        all.forEach((name, runs) -> {
            List<Double> mean = new ArrayList<>();
            for (int i = 0; i < runs.getFirst().size(); i++) {
                int part = i;
                mean.add(runs.stream()
                        .filter(run -> part < run.size())
                        .mapToDouble(run -> run.get(part))
                        .average()
                        .orElse(0));
            }
            bars.add(new StackedBars.Bar(name, mean, bounds.getOrDefault(name, List.of())));
        });
        return bars;
    }

    /** 4096 as 4K, as sizes of an I/O are told. */
    private static String bytes(@org.jspecify.annotations.Nullable Object value) {
        double number = number(value);
        return number >= 1024 && number % 1024 == 0 ? Quantity.number(number / 1024) + "K" : String.valueOf(value);
    }

    private List<Double> parts(TaskRecord task) {
        List<Double> parts = new ArrayList<>();
        for (Outcome.Part part : task.outcome().parts()) {
            parts.add(part.values().getOrDefault(figure.y(), 0.0));
        }
        return parts.isEmpty() ? List.of(value(task)) : parts;
    }

    /** What the colours stand for, in their order. */
    List<String> legend() {
        return switch (figure.chart()) {
            case LINES -> List.copyOf(lines().keySet());
            case BARS -> groups().size() > 1 ? groups() : List.of();
            case STACKED -> {
                Set<String> names = new LinkedHashSet<>();
                int most = stacks().stream()
                        .mapToInt(bar -> bar.parts().size())
                        .max()
                        .orElse(0);
                for (int i = 1; i <= most; i++) {
                    names.add("device " + i);
                }
                yield List.copyOf(names);
            }
        };
    }

    /** A parameter's name in words. */
    static String label(String parameter) {
        return switch (parameter) {
            case "cores" -> "CPU cores";
            case "threads" -> "CPU threads";
            case "count" -> "devices";
            case "depth" -> "queue depth";
            case "size" -> "bytes an I/O";
            default -> parameter.replace('_', ' ');
        };
    }
}
