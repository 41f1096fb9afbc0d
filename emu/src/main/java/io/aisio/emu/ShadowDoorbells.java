package io.aisio.emu;

import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Shadow doorbells (section 7.13): two pages of the driver's memory laid out as the doorbells are. Into the first the
 * driver writes what else it would write to a doorbell. In the second the controller says up to where it looks at the
 * first by itself: a driver that passes that value rings the doorbell too.
 *
 * <p>The admin queue stays with its doorbells, as drivers have it.
 */
final class ShadowDoorbells {
    private static final VarHandle INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    private final long valuesAddress;
    private final long eventsAddress;
    private IovaSpace.Region values;
    private long valuesAt;
    private IovaSpace.Region events;
    private long eventsAt;

    ShadowDoorbells(IovaSpace.Region values, long valuesAt, IovaSpace.Region events, long eventsAt) {
        this.values = values;
        this.valuesAt = valuesAt;
        this.events = events;
        this.eventsAt = eventsAt;
        valuesAddress = values.iova + valuesAt;
        eventsAddress = events.iova + eventsAt;
    }

    /** Finds the pages again if their memory was taken away and has been given again since. */
    void findAgain(IovaSpace space) {
        IovaSpace.Region first = space.find(valuesAddress, PrpWalk.PAGE);
        IovaSpace.Region second = space.find(eventsAddress, PrpWalk.PAGE);
        if (!alive() && first != null && second != null && !first.readOnly && !second.readOnly) {
            values = first;
            valuesAt = valuesAddress - first.iova;
            events = second;
            eventsAt = eventsAddress - second.iova;
        }
    }

    /** Whether there is a place for the doorbell at this offset from the first. */
    static boolean holds(long offset) {
        return offset <= PrpWalk.PAGE - Integer.BYTES;
    }

    /** What the driver has written in place of a doorbell: acquire, for the driver's release. */
    int value(long offset) {
        return (int) INT.getAcquire(values.memory, valuesAt + offset);
    }

    /** Begins with what the doorbell of a queue that exists already has. */
    void begin(long offset, int value) {
        INT.setRelease(values.memory, valuesAt + offset, value);
    }

    /** Says up to where the controller looks by itself, visibly before it looks once more. */
    void event(long offset, int value) {
        INT.setVolatile(events.memory, eventsAt + offset, value);
        VarHandle.fullFence();
    }

    /** Whether the memory is still there. */
    boolean alive() {
        return values.alive() && events.alive();
    }
}
