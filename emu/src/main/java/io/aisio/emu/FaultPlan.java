package io.aisio.emu;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * What a controller does wrong, on demand: an immutable description that tests build and device names spell out.
 *
 * <pre>{@code
 * FaultPlan.of(
 *         Fault.drop().on(Selector.reads().queue(2).nth(3)),
 *         Fault.error(Status.UNRECOVERED_READ_ERROR).on(Selector.io().every(100)),
 *         Fault.neverReady().on(Selector.enabling().from(2)))
 * // is the same as
 * FaultPlan.parse("drop@read.q2:3,error=2/81@io:%100,neverready:2-")
 * }</pre>
 *
 * Each fault counts what its own selector means, from 1, over the controller's life. Of several faults at one command all
 * happen, where they can be told apart: its data are changed, then its completion.
 *
 * @param faults in the order given
 */
public record FaultPlan(List<Fault> faults) {
    /** No fault: the controller does what the specification says. */
    public static final FaultPlan NONE = new FaultPlan(List.of());

    /** The most faults: one bit each. */
    public static final int MOST = Long.SIZE;

    /** Copies the list. */
    public FaultPlan {
        faults = List.copyOf(faults);
        if (faults.size() > MOST) {
            throw new IllegalArgumentException(faults.size() + " faults; a plan has at most " + MOST);
        }
    }

    /** A plan of these faults. */
    public static FaultPlan of(Fault... faults) {
        return new FaultPlan(List.of(faults));
    }

    /** The same and one fault more. */
    public FaultPlan and(Fault fault) {
        List<Fault> all = new ArrayList<>(faults);
        all.add(fault);
        return new FaultPlan(all);
    }

    /** Whether there are none. */
    public boolean isEmpty() {
        return faults.isEmpty();
    }

    /**
     * Parses faults with commas between, each {@code KIND[=VALUE][@WHICH][:WHEN]}, such as
     * {@code corrupt@lba77,drop@read.q2:3}. {@link Fault.Kind} has the kinds and their values, {@link Selector} the rest.
     *
     * @throws IllegalArgumentException naming what it cannot read and what there is
     */
    public static FaultPlan parse(String text) {
        FaultPlan plan = NONE;
        for (String part : text.split(",", -1)) {
            plan = plan.and(Fault.parse(part));
        }
        return plan;
    }

    /** What {@link #parse} takes. */
    @Override
    public String toString() {
        return faults.stream().map(Object::toString).collect(Collectors.joining(","));
    }

    /** A duration as faults spell it: a whole number of the largest unit of s, ms, us and ns. */
    static String spell(Duration duration) {
        long nanos = duration.toNanos();
        if (nanos % 1_000_000_000 == 0) {
            return nanos / 1_000_000_000 + "s";
        }
        if (nanos % 1_000_000 == 0) {
            return nanos / 1_000_000 + "ms";
        }
        return nanos % 1000 == 0 ? nanos / 1000 + "us" : nanos + "ns";
    }
}
