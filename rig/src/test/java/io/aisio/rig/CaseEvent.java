package io.aisio.rig;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What {@link CaseRunner} tells the host of a case, as a line on standard output. Lines that are none are what a case
 * prints.
 *
 * <pre>{@code
 *   ##rig TAB passed TAB OneControllerCases.loadsEveryModule TAB 1234 TAB text, its line ends as \n
 * }</pre>
 *
 * @param kind what happened
 * @param name the case
 * @param millis how long it took; 0 when it begins
 * @param text why it failed or was skipped; empty otherwise
 */
record CaseEvent(Kind kind, String name, long millis, String text) {
    private static final String MARK = "##rig";
    private static final Pattern LINE =
            Pattern.compile(MARK + "\t(BEGINS|PASSED|FAILED|SKIPPED)\t([^\t]+)\t(\\d{1,9})\t(.*)");

    /** What can happen to a case: it begins, and then one of the others. */
    enum Kind {
        BEGINS,
        PASSED,
        FAILED,
        SKIPPED
    }

    /** The line, without its end. */
    String line() {
        return String.join("\t", MARK, kind.name(), name, Long.toString(millis), escape(text));
    }

    /** What a line tells; empty if it is not one of ours, or has none at its end. */
    static Optional<CaseEvent> parse(String line) {
        int start = line.indexOf(MARK + "\t");
        if (start < 0) {
            return Optional.empty();
        }
        Matcher fields = LINE.matcher(line.substring(start));
        return fields.matches()
                ? Optional.of(new CaseEvent(
                        Kind.valueOf(fields.group(1)),
                        fields.group(2),
                        Long.parseLong(fields.group(3)),
                        unescape(fields.group(4))))
                : Optional.empty();
    }

    private static String escape(String text) {
        return text.replace("\\", "\\\\").replace("\r", "").replace("\n", "\\n");
    }

    private static String unescape(String text) {
        return text.translateEscapes();
    }
}
