package io.aisio.bench.report;

import java.util.Locale;

/**
 * What a value of a result is, by its name: how it is called and written.
 *
 * @param label in words
 * @param unit after the scale's prefix; may be empty
 * @param first what one of the value is in units, such as 1e-9 of nanoseconds in seconds
 * @param prefixed whether thousands and parts have prefixes (k, M, µ)
 */
record Quantity(String label, String unit, double first, boolean prefixed) {
    private static final String[] PREFIXES = {"n", "µ", "m", "", "k", "M", "G", "T"};
    private static final int NO_PREFIX = 3;

    /**
     * A scale for values of about one size.
     *
     * @param factor what a value is multiplied with
     * @param name what stands behind the number; may be empty
     */
    record Scale(double factor, String name) {
        String format(double value) {
            return number(value * factor) + (name.isEmpty() ? "" : " " + name);
        }

        String bare(double value) {
            return number(value * factor);
        }
    }

    static Quantity of(String name) {
        return switch (name) {
            case "iops" -> new Quantity("I/O operations a second", "IOPS", 1, true);
            case "bytes_per_second" -> new Quantity("Bandwidth", "B/s", 1, true);
            case "files_per_second" -> new Quantity("Files a second", "files/s", 1, true);
            case "cpu_percent" -> new Quantity("CPU of the process", "%", 1, false);
            case "driver_cpu_percent" -> new Quantity("CPU of the driving threads", "%", 1, false);
            case "cpu_ns_per_io" -> new Quantity("CPU time per I/O", "s", 1e-9, true);
            case "cycles_per_io" -> new Quantity("Cycles per I/O", "", 1, false);
            case "latency_mean_ns" -> new Quantity("Mean latency", "s", 1e-9, true);
            case "latency_p50_ns" -> new Quantity("Latency, median", "s", 1e-9, true);
            case "latency_p99_ns" -> new Quantity("Latency, 99 %", "s", 1e-9, true);
            case "latency_p999_ns" -> new Quantity("Latency, 99.9 %", "s", 1e-9, true);
            case "latency_p9999_ns" -> new Quantity("Latency, 99.99 %", "s", 1e-9, true);
            default -> new Quantity(name.replace('_', ' '), "", 1, true);
        };
    }

    /** The scale in which a value is a number between 1 and 1000, as far as there are prefixes. */
    Scale scale(double value) {
        double units = Math.abs(value * first);
        if (!prefixed || units == 0 || !Double.isFinite(units)) {
            return new Scale(first, unit);
        }
        int power = (int) Math.floor(Math.log10(units) / 3 + 1e-9);
        int index = Math.clamp(power + NO_PREFIX, 0, PREFIXES.length - 1);
        return new Scale(first * Math.pow(1000, NO_PREFIX - index), PREFIXES[index] + unit);
    }

    /** A value as it is written alone. */
    String format(double value) {
        return scale(value).format(value);
    }

    /** Three digits that count. */
    static String number(double value) {
        double size = Math.abs(value);
        int digits = size >= 99.95 || size == 0 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
        String text = String.format(Locale.ROOT, "%." + digits + "f", value);
        return text.contains(".") ? text.replaceFirst("\\.?0+$", "") : text;
    }
}
