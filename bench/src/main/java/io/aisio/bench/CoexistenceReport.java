package io.aisio.bench;

import java.util.List;

/**
 * What {@link Coexistence} found.
 *
 * @param readers who read files, or moved blocks, at the same time
 * @param mismatches a line for each file that somebody read otherwise than it was written
 * @param notes what this machine cannot do, and what stands in for it, a line each
 */
public record CoexistenceReport(List<Reader> readers, List<String> mismatches, List<String> notes) {
    /** Copies the lists. */
    public CoexistenceReport {
        readers = List.copyOf(readers);
        mismatches = List.copyOf(mismatches);
        notes = List.copyOf(notes);
    }

    /**
     * One of them.
     *
     * @param who for people
     * @param way which way its data took
     * @param files that it read and compared; 0 if it moved blocks alone
     * @param checksum SHA-256 over the SHA-256 of each, in the order of their paths, in hexadecimal; empty if it has none
     * @param result a word or two
     */
    public record Reader(String who, String way, long files, String checksum, String result) {}

    /** Whether all that was read was what was written. */
    public boolean ok() {
        return mismatches.isEmpty() && !readers.isEmpty();
    }
}
