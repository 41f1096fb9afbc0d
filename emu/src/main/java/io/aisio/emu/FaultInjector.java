package io.aisio.emu;

import org.jspecify.annotations.Nullable;

/** A {@link FaultPlan} under way: counts commands and tells what happens to each. */
final class FaultInjector {
    private final FaultPlan plan;
    private long ioCommands;
    private long adminCommands;

    FaultInjector(FaultPlan plan) {
        this.plan = plan;
    }

    boolean neverReady() {
        return plan.faults().contains(new FaultPlan.NeverReady());
    }

    /** What happens to the next I/O command; null if nothing. */
    FaultPlan.@Nullable Kind nextIo() {
        ioCommands++;
        for (FaultPlan.Fault fault : plan.faults()) {
            if (fault instanceof FaultPlan.At(FaultPlan.Kind kind, long n)
                    && kind != FaultPlan.Kind.STALLADMIN
                    && n == ioCommands) {
                return kind;
            }
        }
        return null;
    }

    /** Whether the next admin command is never completed. */
    boolean stallsNextAdmin() {
        adminCommands++;
        return plan.faults().contains(new FaultPlan.At(FaultPlan.Kind.STALLADMIN, adminCommands));
    }

    /** The index of the first block to corrupt among {@code count} from {@code start}, or -1. */
    long corrupts(long start, long count, long after) {
        long first = -1;
        for (FaultPlan.Fault fault : plan.faults()) {
            if (fault instanceof FaultPlan.Corrupt(long lba) && lba >= start && lba - start < count) {
                long index = lba - start;
                if (index > after && (first < 0 || index < first)) {
                    first = index;
                }
            }
        }
        return first;
    }
}
