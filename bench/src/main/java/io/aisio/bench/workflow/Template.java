package io.aisio.bench.workflow;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Words with values in them: <code>${name}</code>, of a list also <code>${name[0:count]}</code>, its first ones, and
 * <code>${name[2]}</code>, one of it from 0. {@code count} is a number or a name. A list that is a whole word becomes
 * several words; within a word its parts are joined by commas. A word with <code>${name[*]}</code> is there once for each
 * of the list. No shell sees any of it.
 */
final class Template {
    private static final Pattern REFERENCE =
            Pattern.compile("\\$\\{([a-z][a-z0-9_]*)(?:\\[(?:0:([a-z0-9_]+)|([a-z0-9_]+))])?}");
    private static final Pattern EACH = Pattern.compile("\\$\\{([a-z][a-z0-9_]*)\\[\\*]}");
    /** How deep values may stand for values: chosen far beyond what anybody writes, to find circles. */
    private static final int DEPTH = 16;
    /** Half of what the kernel takes as one word of a command line ({@code MAX_ARG_STRLEN}, 128 KiB). */
    private static final int MOST_CHARACTERS = 64 << 10;
    /** Beyond any list of devices or values: lists of lists grow with each that is named. */
    private static final int MOST_PARTS = 100_000;

    private Template() {}

    /** More parts of a list are asked for than there are: a combination that this machine cannot run. */
    static final class TooFewException extends Exception {
        private static final long serialVersionUID = 1;

        private TooFewException(String name, long asked, int have) {
            super("needs " + asked + " of " + name + ", there " + (have == 1 ? "is 1" : "are " + have));
        }
    }

    /**
     * Words with their values.
     *
     * @param place how errors name them
     * @throws IllegalArgumentException if a name is unknown, or what stands between the braces is none
     */
    static List<String> words(String place, List<String> words, Map<String, Object> values) throws TooFewException {
        List<String> expanded = new ArrayList<>();
        for (String word : words) {
            Object value = value(place, word, values, 0);
            if (value instanceof List<?> list) {
                list.forEach(one -> expanded.add(one.toString()));
            } else {
                expanded.add(value.toString());
            }
        }
        return expanded;
    }

    /** A value with the values in it, lists within a list flattened. */
    static Object value(String place, Object raw, Map<String, Object> values) throws TooFewException {
        return value(place, raw, values, 0);
    }

    private static Object value(String place, Object raw, Map<String, Object> values, int depth)
            throws TooFewException {
        if (depth > DEPTH) {
            throw new IllegalArgumentException(place + ": '" + raw + "' stands for itself");
        }
        if (raw instanceof List<?> list) {
            List<Object> flat = new ArrayList<>();
            for (Object one : list) {
                Object value = value(place, one, values, depth + 1);
                flat.addAll(value instanceof List<?> inner ? inner : List.of(value));
                if (flat.size() > MOST_PARTS) {
                    throw new IllegalArgumentException(place + ": a list of more than " + MOST_PARTS + " values");
                }
            }
            return flat;
        }
        if (!(raw instanceof String text) || !text.contains("${")) {
            return raw;
        }
        Matcher each = EACH.matcher(text);
        if (each.find()) {
            return each(place, text, each, values, depth);
        }
        Matcher reference = REFERENCE.matcher(text);
        if (reference.matches()) {
            return referred(place, reference, values, depth);
        }
        StringBuilder joined = new StringBuilder();
        int from = 0;
        while (reference.find()) {
            joined.append(text, from, reference.start());
            Object value = referred(place, reference, values, depth);
            joined.append(
                    value instanceof List<?> list
                            ? list.stream().map(Object::toString).collect(Collectors.joining(","))
                            : value);
            from = reference.end();
            requireShort(place, text, joined.length());
        }
        String rest = text.substring(from);
        if (rest.contains("${")) {
            throw new IllegalArgumentException(
                    place + ": '" + text + "' is not understood; ${name}, ${name[0:count]}, ${name[2]} or ${name[*]}");
        }
        requireShort(place, text, joined.length() + rest.length());
        return joined.append(rest).toString();
    }

    private static void requireShort(String place, String text, int length) {
        if (length > MOST_CHARACTERS) {
            throw new IllegalArgumentException(place + ": '" + text + "' becomes longer than " + MOST_CHARACTERS
                    + " characters; next: take a shorter list");
        }
    }

    /** The word once for each of a list. */
    private static List<Object> each(String place, String text, Matcher each, Map<String, Object> values, int depth)
            throws TooFewException {
        Object value = named(place, each.group(1), values, depth);
        List<Object> words = new ArrayList<>();
        if (value instanceof List<?> none && none.isEmpty()) {
            // A program that is told of no device may take all.
            throw new TooFewException(each.group(1), 1, 0);
        }
        for (Object one : value instanceof List<?> list ? list : List.of(value)) {
            Object before = value(place, text.substring(0, each.start()), values, depth + 1);
            Object after = value(place, text.substring(each.end()), values, depth + 1);
            if (before instanceof List || after instanceof List) {
                throw new IllegalArgumentException(place + ": '" + text + "': one list with [*] in a word");
            }
            String word = before.toString() + one + after;
            requireShort(place, text, word.length());
            words.add(word);
        }
        return words;
    }

    private static Object referred(String place, Matcher reference, Map<String, Object> values, int depth)
            throws TooFewException {
        String name = reference.group(1);
        Object value = named(place, name, values, depth);
        String count = reference.group(2);
        String index = reference.group(3);
        if (count == null && index == null) {
            return value;
        }
        List<?> list = value instanceof List<?> many ? many : List.of(value);
        long asked = whole(place, count != null ? count : index, values, depth);
        if (asked < 0) {
            throw new IllegalArgumentException(
                    place + ": " + name + "[" + asked + "]: expected a whole number from 0 within the brackets");
        }
        if (count != null ? asked > list.size() : asked >= list.size()) {
            throw new TooFewException(name, count != null ? asked : asked + 1, list.size());
        }
        int last = (int) asked + (count != null ? 0 : 1);
        return count != null ? List.copyOf(list.subList(0, last)) : list.get(last - 1);
    }

    private static Object named(String place, String name, Map<String, Object> values, int depth)
            throws TooFewException {
        Object value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException(place + ": no parameter '" + name + "'; there are "
                    + values.keySet().stream().sorted().collect(Collectors.joining(", ")));
        }
        return value(place, value, values, depth + 1);
    }

    private static long whole(String place, @Nullable String text, Map<String, Object> values, int depth)
            throws TooFewException {
        String said = String.valueOf(text);
        Object value = Character.isDigit(said.charAt(0)) ? said : named(place, said, values, depth);
        try {
            return Long.parseLong(value.toString());
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(place + ": '" + said + "' is '" + value + "', no whole number", e);
        }
    }
}
