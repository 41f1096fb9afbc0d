package io.aisio.bench.workflow;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A step of a workflow: a command, or one for each combination of its matrix.
 *
 * @param name of small letters, digits, _ and -
 * @param title in words
 * @param kind what it does
 * @param words program and arguments as {@link Template}s; those of {@code aisio} without the program
 * @param matrix parameter to values, or to a template of a list
 * @param only comparisons such as {@code cores <= devices}; combinations for which one is false are not there
 * @param repeat how often each combination runs, as a template
 * @param needs what it cannot run without
 * @param unless a command; where it succeeds, nothing is to be done
 * @param otherwise what a person has to do if it fails
 * @param optional whether the run goes on when it failed
 * @param destroysData whether what devices hold is lost
 * @param timeout how long one run of it may take
 * @param result what its raw output is
 */
record Step(
        String name,
        String title,
        Kind kind,
        List<String> words,
        Map<String, Object> matrix,
        List<Comparison> only,
        Object repeat,
        List<Need> needs,
        List<String> unless,
        String otherwise,
        boolean optional,
        boolean destroysData,
        Duration timeout,
        ResultFormat result) {
    private static final int TIMEOUT_SECONDS = 900;
    private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9_-]{0,40}");

    /** What a step does. */
    enum Kind {
        /** A program of the machine's. */
        RUN,
        /** A tool of ours. */
        AISIO,
        /** A program that only looks: that it fails is told, and stops nothing. */
        CHECK
    }

    /**
     * Two values compared. A list counts as how many it has.
     *
     * @param left a name or number
     * @param sign one of {@code <= < >= > == !=}
     * @param right a name or number
     */
    record Comparison(String left, String sign, String right) {
        private static final Pattern TEXT = Pattern.compile("\\s*(\\w+)\\s*(<=|<|>=|>|==|!=)\\s*(\\w+)\\s*");

        static Comparison parse(String place, String text) {
            Matcher parts = TEXT.matcher(text);
            if (!parts.matches()) {
                throw new IllegalArgumentException(
                        place + ": '" + text + "' is no comparison; such as 'cores <= devices'");
            }
            return new Comparison(parts.group(1), parts.group(2), parts.group(3));
        }

        boolean holds(String place, Map<String, Object> values) throws Template.TooFewException {
            double a = number(place, left, values);
            double b = number(place, right, values);
            return switch (sign) {
                case "<=" -> a <= b;
                case "<" -> a < b;
                case ">=" -> a >= b;
                case ">" -> a > b;
                case "==" -> a == b;
                default -> a != b;
            };
        }

        private static double number(String place, String word, Map<String, Object> values)
                throws Template.TooFewException {
            Object value = Character.isDigit(word.charAt(0)) ? word : Template.value(place, "${" + word + "}", values);
            if (value instanceof List<?> list) {
                return list.size();
            }
            try {
                return Double.parseDouble(value.toString());
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException(place + ": '" + word + "' is '" + value + "', no number", e);
            }
        }
    }

    /** Whether a step may be called so: its name is a folder's too. */
    static boolean isName(String name) {
        return NAME.matcher(name).matches();
    }

    static Step read(YamlMapping from) {
        String name = from.text("name");
        String place = from.place() + " '" + name + "'";
        if (!isName(name)) {
            throw new IllegalArgumentException(place + ": a name is of small letters, digits, _ and -");
        }
        List<Kind> kinds = new ArrayList<>();
        for (Kind kind : Kind.values()) {
            if (from.has(kind.name().toLowerCase(java.util.Locale.ROOT))) {
                kinds.add(kind);
            }
        }
        if (kinds.size() != 1) {
            throw new IllegalArgumentException(place + ": has one of 'run', 'aisio' and 'check'");
        }
        Kind kind = kinds.getFirst();
        String key = kind.name().toLowerCase(java.util.Locale.ROOT);
        if (!(from.any(key) instanceof List)) {
            throw new IllegalArgumentException(
                    place + ": '" + key + "' is a list of words, [program, argument, …]; no shell takes it apart");
        }
        List<String> words = from.words(key);
        if (words.isEmpty()) {
            throw new IllegalArgumentException(place + ": '" + key + "' is empty");
        }
        List<Comparison> only = from.words("only").stream()
                .map(text -> Comparison.parse(place, text))
                .toList();
        Object repeat = from.any("repeat");
        boolean destroys = from.flag("destructive");
        if (destroys && kind != Kind.AISIO) {
            throw new IllegalArgumentException(
                    place
                            + ": only our own tools may be destructive, for they look what a device holds before they write to it");
        }
        Step step = new Step(
                name,
                String.valueOf(from.textOr("title", name)),
                kind,
                words,
                from.values("matrix"),
                only,
                repeat == null ? 1 : repeat,
                needs(place, from),
                from.words("unless"),
                String.valueOf(from.textOr("otherwise", "")),
                from.flag("optional"),
                destroys,
                Duration.ofSeconds(from.number("timeout", TIMEOUT_SECONDS)),
                ResultFormat.read(place, from.any("result")));
        from.refuseOthers();
        return step;
    }

    private static List<Need> needs(String place, YamlMapping from) {
        List<Need> needs = new ArrayList<>();
        @Nullable Object all = from.any("needs");
        for (Object one : all instanceof List<?> list ? list : all == null ? List.of() : List.of(all)) {
            needs.add(
                    one instanceof String word
                            ? Need.word(place, word)
                            : Need.read(YamlMapping.of(place + ", needs", one)));
        }
        return Collections.unmodifiableList(needs);
    }

    /**
     * Every combination of the matrix, the last parameter changing fastest.
     *
     * @param most how many there may be
     * @throws IllegalArgumentException if there are more; they are counted before they are made
     */
    List<Map<String, Object>> combinations(Map<String, Object> values, long most) throws Template.TooFewException {
        Map<String, List<?>> axes = new LinkedHashMap<>();
        long count = 1;
        for (Map.Entry<String, Object> axis : matrix.entrySet()) {
            Object found = Template.value(name, axis.getValue(), values);
            List<?> points = found instanceof List<?> list ? list : List.of(found);
            axes.put(axis.getKey(), points);
            count *= points.size();
            if (count > most) {
                throw new IllegalArgumentException("step '" + name + "': its matrix and 'repeat' ask for too many runs;"
                        + " a workflow has " + Plan.MOST_TASKS + " at most; next: take shorter lists");
            }
        }
        List<Map<String, Object>> all = new ArrayList<>(List.of(Map.of()));
        for (Map.Entry<String, List<?>> axis : axes.entrySet()) {
            List<?> points = axis.getValue();
            List<Map<String, Object>> longer = new ArrayList<>();
            for (Map<String, Object> before : all) {
                for (Object point : points) {
                    Map<String, Object> after = new LinkedHashMap<>(before);
                    after.put(axis.getKey(), point);
                    longer.add(after);
                }
            }
            all = longer;
        }
        return all;
    }

    Set<String> axes() {
        return matrix.keySet();
    }
}
