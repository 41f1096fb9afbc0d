package io.aisio.bench;

/** Processors as people write them: {@code 0-3,8}. */
final class CpuRanges {
    private CpuRanges() {}

    /** @param cpus ascending */
    static String format(int[] cpus) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < cpus.length; i++) {
            int first = i;
            while (i + 1 < cpus.length && cpus[i + 1] == cpus[i] + 1) {
                i++;
            }
            text.append(text.isEmpty() ? "" : ",").append(cpus[first]);
            if (i > first) {
                text.append('-').append(cpus[i]);
            }
        }
        return text.toString();
    }
}
