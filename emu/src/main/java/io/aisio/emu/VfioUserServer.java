package io.aisio.emu;

import io.aisio.linux.LinuxException;
import io.aisio.linux.UnixConnection;
import io.aisio.linux.UnixListener;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * Offers software controllers to other processes by vfio-user: each client that connects to the socket has a controller of
 * its own, with media of its own, until it leaves.
 *
 * <p>Media in memory are empty for each client, and go with it. An image that is written has one client at a time, as its
 * file is claimed; one that is only read is shared. What a client does wrong ends its own connection and nobody else's.
 *
 * <pre>{@code
 * try (VfioUserServer server = VfioUserServer.open(socket, EmuConfiguration.memory(1L << 30), System.err::println)) {
 *     server.serve();    // until another thread closes it
 * }
 * }</pre>
 */
public final class VfioUserServer implements AutoCloseable {
    /** Clients at once: chosen so that their threads and memory do not bring a machine down. */
    public static final int MOST_CLIENTS = 64;

    private static final int BACKLOG = 16;
    /** How long a client waits that there was no descriptor for. */
    private static final long SHORTAGE_NANOS = 100_000_000;
    /** What a session may take to end: more than all that it waits for by itself. */
    private static final Duration ENDING = Duration.ofSeconds(20);

    private final UnixListener listener;
    private final EmuConfiguration configuration;
    private final Consumer<String> notes;
    private final Map<Integer, Client> clients = new HashMap<>();
    private int last;
    private boolean closed;

    private record Client(String name, VfioUserSession session, Thread thread) {}

    private VfioUserServer(UnixListener listener, EmuConfiguration configuration, Consumer<String> notes) {
        this.listener = listener;
        this.configuration = configuration;
        this.notes = notes;
    }

    /**
     * Makes the socket, which its owner alone may connect to. Nobody is served yet.
     *
     * @param socket where; a socket that nobody listens on any more is replaced
     * @param configuration what each client's controller is like
     * @param notes told which client came and went and why, a line each, by any thread
     * @throws IOException if such a controller cannot be made, or somebody listens there, or something else is there; the
     *     message says the next step
     */
    public static VfioUserServer open(Path socket, EmuConfiguration configuration, Consumer<String> notes)
            throws IOException {
        if (configuration.shared()) {
            throw new IllegalArgumentException(
                    "a controller that is served by a socket has one user: leave out 'shared'");
        }
        // Whether the media can be opened is said now, not to the first client.
        EmuController.open("the controller", configuration).close();
        return new VfioUserServer(UnixListener.bind(socket, BACKLOG), configuration, notes);
    }

    /** The socket's path. */
    public Path path() {
        return listener.path();
    }

    /** How many clients are connected. */
    public int clients() {
        synchronized (clients) {
            return clients.size();
        }
    }

    /** Serves clients until this is {@linkplain #close closed}, by any thread. */
    public void serve() {
        boolean shortage = false;
        while (true) {
            UnixConnection connection;
            try {
                connection = listener.accept();
                shortage = false;
            } catch (LinuxException e) {
                if (!shortage) {
                    notes.accept("a client cannot be accepted: " + e.getMessage());
                }
                shortage = true;
                LockSupport.parkNanos(SHORTAGE_NANOS);
                continue;
            } catch (IllegalStateException e) {
                return;
            }
            if (connection == null) {
                return;
            }
            admit(connection);
        }
    }

    private void admit(UnixConnection connection) {
        synchronized (clients) {
            if (closed || clients.size() >= MOST_CLIENTS) {
                if (!closed) {
                    notes.accept("a client was sent away: there are " + MOST_CLIENTS + " already");
                }
                connection.close();
                return;
            }
            int number = ++last;
            String name = name(number, connection);
            VfioUserSession session = new VfioUserSession(configuration, connection, name, notes, () -> forget(number));
            Thread thread = Thread.ofPlatform()
                    .daemon()
                    .name("vfio-user client " + number)
                    .unstarted(session);
            clients.put(number, new Client(name, session, thread));
            try {
                thread.start();
            } catch (OutOfMemoryError e) {
                // There are no more threads: that client goes without, those that are there stay.
                clients.remove(number);
                connection.close();
                notes.accept(name + " was sent away: " + e.getMessage());
            }
        }
    }

    private static String name(int number, UnixConnection connection) {
        try {
            return "client " + number + " (process " + connection.peer().pid() + ")";
        } catch (LinuxException e) {
            return "client " + number;
        }
    }

    private void forget(int number) {
        synchronized (clients) {
            clients.remove(number);
        }
    }

    /**
     * Removes the socket, ends every session in order, and waits for that, but no longer than 20 s: a session may hang in the
     * kernel, in a call on a file that its client has passed and whose file system does not answer. Its thread, a daemon, is
     * left then, and noted. Closing again does nothing.
     */
    @Override
    public void close() {
        List<Client> left;
        synchronized (clients) {
            closed = true;
            left = new ArrayList<>(clients.values());
        }
        listener.close();
        left.forEach(client -> client.session.stop());
        long until = System.nanoTime() + ENDING.toNanos();
        boolean interrupted = false;
        for (Client client : left) {
            boolean ended = false;
            while (!ended && until - System.nanoTime() > 0) {
                try {
                    ended = client.thread.join(Duration.ofNanos(Math.max(1, until - System.nanoTime())));
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (!ended && client.thread.isAlive()) {
                notes.accept(
                        client.name + " is left behind: its session did not end within " + ENDING.toSeconds() + " s");
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
