package io.aisio.emu;

/** What the controller has done since it was made, for the SMART log. */
final class Counters {
    final long startNanos = System.nanoTime();
    long reads;
    long writes;
    /** In units of 512 bytes. */
    long sectorsRead;
    /** In units of 512 bytes. */
    long sectorsWritten;

    long mediaErrors;
}
