package io.aisio.fil.nio;

import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * A glob, made a regular expression: the language of {@link java.nio.file.FileSystem#getPathMatcher}, and where that leaves
 * something open, as the JDK has it on Linux.
 */
public final class Glob {
    private final String glob;
    private final StringBuilder regex = new StringBuilder();
    private int at;
    private boolean inGroup;

    private Glob(String glob) {
        this.glob = glob;
    }

    /**
     * Compiles a glob.
     *
     * @throws PatternSyntaxException if it is none
     */
    public static Pattern compile(String glob) {
        return Pattern.compile(new Glob(glob).translate(), Pattern.DOTALL);
    }

    private String translate() {
        while (at < glob.length()) {
            char c = glob.charAt(at++);
            switch (c) {
                case '\\' -> literal(escaped());
                case '[' -> bracket();
                case '{' -> openGroup();
                case '}' -> closeGroup();
                case ',' -> regex.append(inGroup ? ")|(?:" : ",");
                case '*' -> star();
                case '?' -> regex.append("[^/]");
                default -> literal(c);
            }
        }
        if (inGroup) {
            throw bad("a '{' without its '}'");
        }
        return regex.toString();
    }

    private char escaped() {
        if (at == glob.length()) {
            throw bad("nothing behind the '\\'");
        }
        return glob.charAt(at++);
    }

    private void literal(char c) {
        if (".^$+{}[]|()*?\\".indexOf(c) >= 0) {
            regex.append('\\');
        }
        regex.append(c);
    }

    private void star() {
        if (next('*')) {
            regex.append(".*");
        } else {
            regex.append("[^/]*");
        }
    }

    private void openGroup() {
        if (inGroup) {
            throw bad("a group in a group");
        }
        inGroup = true;
        regex.append("(?:(?:");
    }

    private void closeGroup() {
        if (inGroup) {
            regex.append("))");
            inGroup = false;
        } else {
            regex.append("\\}");
        }
    }

    /** {@code [abc]}, {@code [a-c]}, {@code [!abc]}: one character, never a slash. A hyphen is itself at either end. */
    private void bracket() {
        regex.append("[[^/]&&[");
        if (next('!')) {
            regex.append('^');
        }
        boolean any = false;
        if (next('-')) {
            regex.append("\\-");
        }
        char low = 0;
        while (true) {
            if (at == glob.length()) {
                throw bad("a '[' without its ']'");
            }
            char c = glob.charAt(at++);
            if (c == ']') {
                break;
            }
            if (c == '/') {
                throw bad("a slash between '[' and ']'");
            }
            if (c != '-') {
                inClass(c);
                low = c;
                any = true;
                continue;
            }
            boolean last = at == glob.length() || glob.charAt(at) == ']';
            if (!any || (!last && glob.charAt(at) < low)) {
                throw bad("a '-' that is between no two characters in their order");
            }
            if (last) {
                inClass('-');
            } else {
                regex.append('-');
                inClass(glob.charAt(at++));
            }
            any = false;
        }
        regex.append("]]");
    }

    private void inClass(char c) {
        if ("[]&^-\\".indexOf(c) >= 0) {
            regex.append('\\');
        }
        regex.append(c);
    }

    private boolean next(char c) {
        if (at < glob.length() && glob.charAt(at) == c) {
            at++;
            return true;
        }
        return false;
    }

    private PatternSyntaxException bad(String what) {
        return new PatternSyntaxException(what, glob, at - 1);
    }
}
