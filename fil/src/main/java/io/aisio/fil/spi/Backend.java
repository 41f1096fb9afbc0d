package io.aisio.fil.spi;

import java.io.IOException;

/** One way to read whole files, by its name. Providers are found by {@link java.util.ServiceLoader}. */
public interface Backend {
    /** How it is asked for, such as {@code aisio-cpu}. */
    String name();

    /** What a place is to it and how data goes, in some words: for lists of backends. */
    String description();

    /**
     * Opens a place that holds files.
     *
     * @param place a device's name or a folder, as the backend has it
     * @throws IllegalArgumentException if the place makes no sense; one sentence for the person who typed it
     * @throws IOException if it cannot be opened, or with {@link Settings#require()} not in the way that was asked for
     */
    FileSource open(String place, Settings settings) throws IOException;

    /**
     * How files are to be read.
     *
     * @param require whether to refuse a place that cannot be read in exactly this way, rather than read it in the next best
     * @param buffered whether the kernel's page cache may hold data, where the kernel reads
     * @param queues queues per place, at least 1
     * @param queueDepth commands in flight per queue at most, at least 1; what a device cannot hold is cut to what it can
     * @param ioBytes bytes of one command at most, 0 for the most that the place takes
     */
    record Settings(boolean require, boolean buffered, int queues, int queueDepth, int ioBytes) {
        /** The next best way will do, past the page cache; one queue of 128 commands, as large as they may be. */
        public static final Settings DEFAULT = new Settings(false, false, 1, 128, 0);

        /** Checks the numbers. */
        public Settings {
            if (queues < 1 || queueDepth < 1) {
                throw new IllegalArgumentException(
                        queues + " queues of depth " + queueDepth + ": there is at least 1 of depth 1");
            }
            if (ioBytes < 0) {
                throw new IllegalArgumentException(ioBytes + " bytes in one command: 0 for the most, or more");
            }
        }
    }
}
