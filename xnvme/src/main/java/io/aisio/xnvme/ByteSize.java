package io.aisio.xnvme;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sizes as people write them: {@code 4096}, {@code 64KiB}, {@code 1TiB}. Powers of two only. */
public final class ByteSize {
    private static final Pattern SIZE = Pattern.compile("(\\d{1,19})([KMGTPE]iB|B)?");
    private static final String UNITS = "KMGTPE";

    private ByteSize() {}

    /**
     * Parses a size.
     *
     * @return bytes, 0 or more
     * @throws IllegalArgumentException if it is none, or more than 2^63 - 1
     */
    public static long parse(String text) {
        Matcher m = SIZE.matcher(text);
        try {
            if (m.matches()) {
                long number = Long.parseLong(m.group(1));
                String unit = m.group(2);
                int shift = unit == null ? 0 : 10 * (UNITS.indexOf(unit.charAt(0)) + 1);
                if (number << shift >>> shift == number && number << shift >= 0) {
                    return number << shift;
                }
            }
        } catch (NumberFormatException e) {
            // Nineteen digits can be too many: the message below says so.
        }
        throw new IllegalArgumentException(
                "'" + text + "' is no size: write bytes, or a number with KiB, MiB, GiB or TiB, such as 64MiB");
    }

    /** Formats a size with the largest unit that keeps it readable: {@code 1 GiB}, {@code 1.5 MiB}, {@code 512 B}. */
    public static String format(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        int unit = (63 - Long.numberOfLeadingZeros(bytes)) / 10;
        double value = (double) bytes / (1L << (10 * unit));
        String number =
                value == Math.rint(value) ? Long.toString((long) value) : String.format(Locale.ROOT, "%.1f", value);
        return number + " " + UNITS.charAt(unit - 1) + "iB";
    }
}
