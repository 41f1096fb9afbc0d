package io.aisio.bench;

import org.jspecify.annotations.Nullable;

/**
 * What the processors did for a run while it measured.
 *
 * @param processPercent processor time of this process, of which 100 is one processor all the time; controllers in
 *     software run in it too
 * @param driverPercent the same of the threads that drive queues, which poll whenever there is nothing else to do
 * @param driverNanos processor time of those threads in ns
 * @param driverCycles cycles of those threads; null where no counter can be had
 * @param cyclesMissing why not; empty where they are there
 */
public record CpuUse(
        double processPercent,
        double driverPercent,
        long driverNanos,
        @Nullable Long driverCycles,
        String cyclesMissing) {
    /** Of a run that measured nothing. */
    static final CpuUse NONE = new CpuUse(0, 0, 0, null, "nothing was measured");
}
