package io.aisio.bench.workflow;

import io.aisio.bench.DataAtRisk;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a run will do: every task with its command line, before anything is run.
 *
 * @param values what the parameters are
 * @param tasks in order; of a step's repetitions, all combinations before the next one
 */
public record Plan(Map<String, Object> values, List<TaskRecord> tasks) {
    private static final DateTimeFormatter ID_TIME =
            DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);

    /** More tasks than anyone waits for: a matrix that was not meant. */
    static final int MOST_TASKS = 100_000;

    /**
     * Plans.
     *
     * @param id of the run, which is the value {@code run}; {@code home} is where AiSIO lies
     * @param machine what the target is
     * @throws IllegalArgumentException if the workflow names what there is not
     */
    public static Plan of(Workflow workflow, Workflow.Choices choices, String id, MachineFacts machine, Target target) {
        Map<String, Object> raw = new LinkedHashMap<>(machine.values());
        raw.put("run", id);
        raw.put("home", target.home());
        raw.putAll(workflow.values(choices));
        Map<String, Object> values = new TreeMap<>();
        for (String name : workflow.parameters().keySet()) {
            try {
                values.put(name, Template.value("parameter '" + name + "'", "${" + name + "}", raw));
            } catch (Template.TooFewException e) {
                values.put(name, List.of());
            }
        }
        raw.putAll(values);
        List<TaskRecord> tasks = new ArrayList<>();
        for (Step step : workflow.steps()) {
            addTasks(tasks, step, raw, choices, machine, target);
        }
        return new Plan(values, tasks);
    }

    private static void addTasks(
            List<TaskRecord> tasks,
            Step step,
            Map<String, Object> values,
            Workflow.Choices choices,
            MachineFacts machine,
            Target target) {
        String place = "step '" + step.name() + "'";
        try {
            int repeat = repeat(place, step, values);
            List<Map<String, Object>> combinations = step.combinations(values, MOST_TASKS / repeat);
            for (int repetition = 1; repetition <= repeat; repetition++) {
                for (Map<String, Object> combination : combinations) {
                    Map<String, Object> all = new LinkedHashMap<>(values);
                    all.putAll(combination);
                    boolean wanted = true;
                    for (Step.Comparison only : step.only()) {
                        wanted &= only.holds(place, all);
                    }
                    if (wanted) {
                        tasks.add(task(
                                tasks.size() + 1, place, step, combination, repetition, all, choices, machine, target));
                    }
                    if (tasks.size() > MOST_TASKS) {
                        throw new IllegalArgumentException(place + ": more than " + MOST_TASKS + " runs");
                    }
                }
            }
        } catch (Template.TooFewException e) {
            tasks.add(TaskRecord.skipped(tasks.size() + 1, step, Map.of(), 1, String.valueOf(e.getMessage())));
        }
    }

    private static int repeat(String place, Step step, Map<String, Object> values) throws Template.TooFewException {
        Object value = Template.value(place, step.repeat(), values);
        try {
            int repeat = Integer.parseInt(value.toString());
            if (repeat >= 1 && repeat <= MOST_TASKS) {
                return repeat;
            }
        } catch (NumberFormatException e) {
            // The message below says what is expected.
        }
        throw new IllegalArgumentException(
                place + ": 'repeat' is '" + value + "'; expected a whole number from 1 to " + MOST_TASKS);
    }

    private static TaskRecord task(
            int number,
            String place,
            Step step,
            Map<String, Object> combination,
            int repetition,
            Map<String, Object> values,
            Workflow.Choices choices,
            MachineFacts machine,
            Target target) {
        for (Need need : step.needs()) {
            String missing = need.missing(machine, choices).orElse("");
            if (!missing.isEmpty()) {
                return TaskRecord.skipped(number, step, combination, repetition, missing);
            }
        }
        if (step.destroysData() && !choices.destroyData()) {
            return TaskRecord.skipped(
                    number,
                    step,
                    combination,
                    repetition,
                    "destroys what the devices hold; next: add " + DataAtRisk.FLAG + " if that is meant");
        }
        try {
            List<String> words = new ArrayList<>(Template.words(place, step.words(), values));
            if (step.kind() == Step.Kind.AISIO) {
                words.addFirst(target.launcher());
                if (step.destroysData()) {
                    // Where the tool's own guard stands.
                    words.add(DataAtRisk.FLAG);
                }
            }
            return TaskRecord.waiting(
                    number, step, combination, repetition, words, Template.words(place, step.unless(), values));
        } catch (Template.TooFewException e) {
            return TaskRecord.skipped(number, step, combination, repetition, String.valueOf(e.getMessage()));
        }
    }

    /**
     * The run as it is before it begins.
     *
     * @param at when
     */
    public RunRecord record(
            Workflow workflow, Workflow.Choices choices, String id, Instant at, MachineFacts machine, Target target) {
        return new RunRecord(
                RunRecord.SCHEMA,
                id,
                workflow.name(),
                workflow.title(),
                workflow.description(),
                target.name(),
                Workflow.isSoftware(values),
                choices.quick(),
                at.truncatedTo(ChronoUnit.SECONDS).toString(),
                "",
                values,
                machine.facts(),
                tasks,
                workflow.figures());
    }

    /** A name for a run that begins at that time. */
    public static String id(Workflow workflow, Instant at) {
        return workflow.name() + "-" + ID_TIME.format(at);
    }

    /** How many are skipped, by reason. */
    public Map<String, Long> skipped() {
        Map<String, Long> reasons = new LinkedHashMap<>();
        tasks.stream()
                .filter(task -> task.state() == TaskRecord.State.SKIPPED)
                .sorted(Comparator.comparingInt(TaskRecord::number))
                .forEach(task -> reasons.merge(task.step() + ": " + task.reason(), 1L, Long::sum));
        return reasons;
    }
}
