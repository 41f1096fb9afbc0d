package io.aisio.homi.view;

import io.aisio.homi.daemon.Events;
import io.aisio.homi.daemon.FileSystemStatus;
import io.aisio.homi.daemon.Status;
import java.io.IOException;
import java.time.Instant;
import java.util.List;

/**
 * What is shown.
 *
 * @param time when it was so
 * @param nanos the same by a clock that only goes forward, of whoever asked
 * @param status of the daemon
 * @param fileSystems whose extents it tells
 * @param events the newest last
 */
public record Snapshot(
        Instant time, long nanos, Status status, List<FileSystemStatus> fileSystems, List<Events.Event> events) {
    /** Events that a snapshot has, the newest: more than anybody looks at. */
    public static final int MOST_EVENTS = 50;

    /** Copies the lists. */
    public Snapshot {
        fileSystems = List.copyOf(fileSystems);
        events = List.copyOf(events);
    }

    /** One of now. */
    public static Snapshot of(Status status, List<FileSystemStatus> fileSystems, List<Events.Event> events) {
        return new Snapshot(Instant.now(), System.nanoTime(), status, fileSystems, events);
    }

    /** Where it comes from: the daemon itself, or a connection to it. Any thread asks. */
    @FunctionalInterface
    public interface Source {
        /**
         * How it is now.
         *
         * @throws IOException if the daemon does not answer; the message is shown
         */
        Snapshot ask() throws IOException;
    }
}
