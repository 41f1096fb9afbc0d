package io.aisio.bench;

import java.util.List;

/**
 * What this machine can do, as {@link Doctor} found it.
 *
 * @param kernel its release
 * @param architecture of its processor, as the kernel names it
 * @param path that was asked about
 * @param findings one for each capability
 * @param modes the three ways to do I/O
 */
public record DoctorReport(String kernel, String architecture, String path, List<Finding> findings, List<Mode> modes) {
    /** Whether a capability is there. */
    public enum Answer {
        /** It is. */
        YES,
        /** It is not. */
        NO,
        /** It could not be looked at. */
        UNKNOWN
    }

    /**
     * One capability.
     *
     * @param id for programs, such as {@code vfio-group}
     * @param name for people
     * @param answer whether it is there
     * @param reason what was seen
     * @param remedy what to do to have it; empty if it is there, or nothing can be done
     */
    public record Finding(String id, String name, Answer answer, String reason, String remedy) {
        /** Whether it is there. */
        public boolean yes() {
            return answer == Answer.YES;
        }
    }

    /**
     * A way to do I/O.
     *
     * @param id for programs
     * @param name for people
     * @param possible whether this machine can
     * @param how by what, where it can
     * @param missing what it lacks, where it cannot, a sentence each
     */
    public record Mode(String id, String name, boolean possible, String how, List<String> missing) {}

    /** Whether all could be looked at. */
    public boolean complete() {
        return findings.stream().noneMatch(finding -> finding.answer() == Answer.UNKNOWN);
    }

    /** A capability by its id. */
    public Finding finding(String id) {
        return findings.stream()
                .filter(finding -> finding.id().equals(id))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no capability " + id));
    }
}
