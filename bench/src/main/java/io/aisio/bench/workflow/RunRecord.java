package io.aisio.bench.workflow;

import com.fasterxml.jackson.annotation.JsonIgnore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * A run: what {@code run.json} holds, whose schema is {@code docs/workflow-run.schema.json}.
 *
 * @param schema {@link #SCHEMA}
 * @param id name of the run and of its folder
 * @param workflow name of the workflow
 * @param title of the workflow
 * @param description of the workflow
 * @param target where it runs
 * @param software whether all that it measures are controllers in software
 * @param quick whether it is a short run
 * @param started when (ISO 8601, UTC)
 * @param finished when all tasks had ended, none with what ends a run; empty until then
 * @param parameters their values
 * @param machine what the target is
 * @param tasks in order
 * @param figures of the report
 */
public record RunRecord(
        String schema,
        String id,
        String workflow,
        String title,
        String description,
        String target,
        boolean software,
        boolean quick,
        String started,
        String finished,
        Map<String, Object> parameters,
        Map<String, String> machine,
        List<TaskRecord> tasks,
        List<Figure> figures) {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    public static final String SCHEMA = "aisio.workflow.run/1";

    /** Copies them. */
    public RunRecord {
        Objects.requireNonNull(id, "id");
        Objects.requireNonNull(workflow, "workflow");
        Objects.requireNonNull(title, "title");
        Objects.requireNonNull(description, "description");
        Objects.requireNonNull(target, "target");
        Objects.requireNonNull(started, "started");
        Objects.requireNonNull(finished, "finished");
        parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
        machine = Collections.unmodifiableMap(new LinkedHashMap<>(machine));
        tasks = List.copyOf(tasks);
        figures = List.copyOf(figures);
    }

    /** With a task that went on. */
    RunRecord with(TaskRecord task) {
        List<TaskRecord> changed = new ArrayList<>(tasks);
        changed.set(task.number() - 1, task);
        return with(changed, finished);
    }

    RunRecord with(List<TaskRecord> changed, String end) {
        return new RunRecord(
                schema,
                id,
                workflow,
                title,
                description,
                target,
                software,
                quick,
                started,
                end,
                parameters,
                machine,
                changed,
                figures);
    }

    /** How many tasks are so far. */
    public long count(TaskRecord.State state) {
        return tasks.stream().filter(task -> task.state() == state).count();
    }

    /** Whether nothing is left to be done and nothing failed. */
    @JsonIgnore
    public boolean isOk() {
        return count(TaskRecord.State.WAITING) == 0 && count(TaskRecord.State.FAILED) == 0;
    }

    /** How long what waits will take: as long as the same step took, else as all took; nothing before any is done. */
    Duration remaining() {
        double seconds = 0;
        for (TaskRecord task : tasks) {
            if (task.state() == TaskRecord.State.WAITING) {
                seconds += mean(task.step());
            }
        }
        return Duration.ofMillis(Math.round(seconds * 1000));
    }

    private double mean(String step) {
        return tasks.stream()
                .filter(task ->
                        task.state() == TaskRecord.State.DONE && task.step().equals(step))
                .mapToDouble(TaskRecord::seconds)
                .average()
                .orElseGet(() -> tasks.stream()
                        .filter(task -> task.state() == TaskRecord.State.DONE)
                        .mapToDouble(TaskRecord::seconds)
                        .average()
                        .orElse(0));
    }
}
