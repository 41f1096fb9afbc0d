package io.aisio.bench.workflow;

import com.fasterxml.jackson.annotation.JsonIgnore;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * One run of a step, as it is planned and as it went.
 *
 * @param number from 1
 * @param step its step
 * @param title of the step
 * @param parameters of the matrix
 * @param repetition from 1
 * @param command the command line on the target
 * @param unless a command; where it succeeds, nothing is to be done
 * @param check whether it only looks: that it fails stops nothing
 * @param optional whether the run goes on when it failed
 * @param otherwise what a person has to do if it fails; may be empty
 * @param timeoutSeconds how long it may take
 * @param result what its output is
 * @param state how far it is
 * @param reason why it was skipped or failed; else empty
 * @param started when, by the clock (ISO 8601, UTC); empty if it was not
 * @param seconds how long it took
 * @param outcome what it told; nothing of what is not done
 */
public record TaskRecord(
        int number,
        String step,
        String title,
        Map<String, Object> parameters,
        int repetition,
        List<String> command,
        List<String> unless,
        boolean check,
        boolean optional,
        String otherwise,
        long timeoutSeconds,
        ResultFormat result,
        State state,
        String reason,
        String started,
        double seconds,
        Outcome outcome) {
    /** How far a task is. */
    public enum State {
        /** Not begun, or not ended. */
        WAITING,
        /** Ended well. */
        DONE,
        /** Not run, for the reason told. */
        SKIPPED,
        /** Ended otherwise. */
        FAILED
    }

    /** Copies them; refuses what no run of ours has written. */
    public TaskRecord {
        // Runs that are older have none.
        otherwise = Objects.requireNonNullElse(otherwise, "");
        Objects.requireNonNull(title, "title");
        Objects.requireNonNull(result, "result");
        Objects.requireNonNull(state, "state");
        Objects.requireNonNull(reason, "reason");
        Objects.requireNonNull(started, "started");
        Objects.requireNonNull(outcome, "outcome");
        if (!Step.isName(step)) {
            // It is a folder's name too.
            throw new IllegalArgumentException("'" + step + "' is no step's name: small letters, digits, _ and -");
        }
        if (number < 1 || timeoutSeconds < 1) {
            throw new IllegalArgumentException("task " + number + " of " + timeoutSeconds + " s; expected both from 1");
        }
        parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
        command = List.copyOf(command);
        unless = List.copyOf(unless);
    }

    static TaskRecord waiting(
            int number,
            Step step,
            Map<String, Object> parameters,
            int repetition,
            List<String> command,
            List<String> unless) {
        return new TaskRecord(
                number,
                step.name(),
                step.title(),
                parameters,
                repetition,
                command,
                unless,
                step.kind() == Step.Kind.CHECK,
                step.optional(),
                step.otherwise(),
                step.timeout().toSeconds(),
                step.result(),
                State.WAITING,
                "",
                "",
                0,
                Outcome.NOTHING);
    }

    static TaskRecord skipped(int number, Step step, Map<String, Object> parameters, int repetition, String why) {
        return waiting(number, step, parameters, repetition, List.of(), List.of())
                .to(State.SKIPPED, why, "", 0, Outcome.NOTHING);
    }

    TaskRecord to(State next, String why, String at, double took, Outcome told) {
        return new TaskRecord(
                number,
                step,
                title,
                parameters,
                repetition,
                command,
                unless,
                check,
                optional,
                otherwise,
                timeoutSeconds,
                result,
                next,
                why,
                at,
                took,
                told);
    }

    /** Why it failed, and what to do then. */
    String failed(String why) {
        return why + (otherwise.isEmpty() ? "" : "; next: " + otherwise);
    }

    /** Whether it ends the run: it failed, and is neither a check nor optional. */
    boolean endsRun() {
        return state == State.FAILED && !check && !optional;
    }

    /** Where its files lie within the run's folder. */
    public String folder() {
        return String.format(Locale.ROOT, "steps/%04d-%s", number, step);
    }

    /** Step and parameters, as {@code iops cores=2 devices=4}. */
    @JsonIgnore
    public String label() {
        String values = parameters.entrySet().stream()
                .map(entry -> " " + entry.getKey() + "=" + entry.getValue())
                .collect(Collectors.joining());
        return step + values + (repetition > 1 ? " (" + repetition + ")" : "");
    }
}
