package io.aisio.bench;

import java.util.Arrays;
import java.util.stream.Collectors;

/** In which order and direction a run walks its devices; the names are fio's. */
public enum IoPattern {
    /** Reads, one block after the other. */
    READ(false, 100),
    /** Writes, one block after the other. */
    WRITE(false, 0),
    /** Reads anywhere. */
    RANDREAD(true, 100),
    /** Writes anywhere. */
    RANDWRITE(true, 0),
    /** Reads and writes mixed, each one block after the other. */
    RW(false, 50),
    /** Reads and writes mixed, anywhere. */
    RANDRW(true, 50);

    private final boolean random;
    private final int readPercent;

    IoPattern(boolean random, int readPercent) {
        this.random = random;
        this.readPercent = readPercent;
    }

    /**
     * Parses a pattern's name.
     *
     * @throws IllegalArgumentException naming the patterns that there are
     */
    public static IoPattern parse(String text) {
        for (IoPattern pattern : values()) {
            if (pattern.toString().equals(text)) {
                return pattern;
            }
        }
        throw new IllegalArgumentException("'" + text + "' is no I/O pattern; there is "
                + Arrays.stream(values()).map(IoPattern::toString).collect(Collectors.joining(", ")));
    }

    /** Whether the next I/O may be anywhere, rather than behind the last one. */
    public boolean random() {
        return random;
    }

    /** How many of a hundred I/Os read, unless the run says otherwise: 0, 50 or 100. */
    public int readPercent() {
        return readPercent;
    }

    /** Whether reads and writes are mixed. */
    public boolean mixed() {
        return readPercent == 50;
    }

    /** Its name as fio and xnvmeperf write it. */
    @Override
    public String toString() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }
}
