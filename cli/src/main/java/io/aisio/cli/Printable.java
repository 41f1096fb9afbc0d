package io.aisio.cli;

/** Text that came from a device or a command line, made fit to be shown: nothing in it moves, colours or ends a line. */
final class Printable {
    /** A byte of a file's name that is not UTF-8 is this and the byte, see {@link io.aisio.xal.Entry}. */
    private static final char BYTE = '\uDC00';

    private static final int LAST_BYTE = BYTE + 0xFF;

    private Printable() {}

    /**
     * The text, in which a control character or a byte outside of UTF-8 is two hexadecimal digits after a backslash and
     * an x, and a character that formats others (U+202E turns the line round) is four after a backslash and a u.
     */
    static String of(String text) {
        if (text.codePoints().allMatch(Printable::isHarmless)) {
            return text;
        }
        StringBuilder shown = new StringBuilder();
        text.codePoints().forEach(c -> append(shown, c));
        return shown.toString();
    }

    /** Whether a character is only itself on a terminal. */
    static boolean isHarmless(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            default -> true;
        };
    }

    /** Whether it stands for a byte outside of UTF-8. */
    static boolean isByte(int codePoint) {
        return codePoint >= BYTE && codePoint <= LAST_BYTE;
    }

    private static void append(StringBuilder shown, int c) {
        if (isHarmless(c)) {
            shown.appendCodePoint(c);
        } else if (c <= 0xFF || isByte(c)) {
            shown.append(String.format("\\x%02x", c & 0xFF));
        } else {
            shown.append(String.format("\\u%04x", c));
        }
    }
}
