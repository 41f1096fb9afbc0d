package io.aisio.homi.daemon;

import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What happened, newest last: the last {@value #KEPT} events, each with a number that is one more than the last's, so that
 * who reads from time to time sees whether he missed some. Any thread may call it.
 */
public final class Events {
    /** How many are kept. */
    public static final int KEPT = 1024;
    /** Longest text: what comes from a device or a client is cut. */
    private static final int LONGEST = 500;

    private final ArrayDeque<Event> kept = new ArrayDeque<>(KEPT);
    private final List<Consumer<? super Event>> subscribers = new CopyOnWriteArrayList<>();
    private long last;

    /** None happened yet. */
    public Events() {}

    /**
     * Something that happened.
     *
     * @param sequence 1 for the first
     * @param time when
     * @param kind what, a word: {@code started}, {@code client-came} and {@code client-left} of who leases, {@code leased}, {@code released},
     *     {@code refused}, {@code reset}, {@code failed}, {@code added}, {@code removed}, {@code namespace-changed},
     *     {@code health}, {@code exported}, {@code unexported}, {@code recovered}, {@code draining}, {@code stopping}
     * @param device the device's name in the configuration; null if it is about none
     * @param text a sentence for people
     */
    public record Event(
            long sequence,
            Instant time,
            String kind,
            @Nullable String device,
            String text) {}

    /** Somebody who is told of events, until he closes this. */
    public interface Subscription extends AutoCloseable {
        /** The number of the last event before it: he is told of each after that, once, and of no other. */
        long after();

        @Override
        void close();
    }

    /**
     * Adds one, and tells the subscribers.
     *
     * @param device null if it is about none
     */
    public void add(String kind, @Nullable String device, String text) {
        // Held while it is told, so that everybody is told in the events' order.
        synchronized (subscribers) {
            Event event = keep(kind, device, text);
            for (Consumer<? super Event> subscriber : subscribers) {
                subscriber.accept(event);
            }
        }
    }

    private Event keep(String kind, @Nullable String device, String text) {
        synchronized (kept) {
            String cut = text.length() <= LONGEST ? text : text.substring(0, LONGEST) + "…";
            Event event = new Event(++last, Instant.now(), kind, device, cut);
            if (kept.size() == KEPT) {
                kept.removeFirst();
            }
            kept.add(event);
            return event;
        }
    }

    /** The number of the last one, 0 if there was none. */
    public long last() {
        synchronized (kept) {
            return last;
        }
    }

    /**
     * Those after a number, oldest first, as far as they are kept.
     *
     * @param sequence 0 for all
     * @param most how many at most, the newest
     */
    public List<Event> since(long sequence, int most) {
        synchronized (kept) {
            List<Event> found = new ArrayList<>();
            for (Event event : kept) {
                if (event.sequence > sequence) {
                    found.add(event);
                }
            }
            return List.copyOf(found.subList(Math.max(0, found.size() - most), found.size()));
        }
    }

    /**
     * Has somebody told of each event from now on, in their order.
     *
     * @param subscriber called by the thread that adds it, while others wait that add some: it neither waits nor throws, nor
     *     adds any
     */
    public Subscription subscribe(Consumer<? super Event> subscriber) {
        synchronized (subscribers) {
            subscribers.add(subscriber);
            long after = last();
            return new Subscription() {
                @Override
                public long after() {
                    return after;
                }

                @Override
                public void close() {
                    subscribers.remove(subscriber);
                }
            };
        }
    }
}
