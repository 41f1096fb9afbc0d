package io.aisio.cli;

import io.aisio.homi.HomiControl;
import io.aisio.homi.daemon.Events;
import io.aisio.homi.view.Dashboard;
import io.aisio.homi.view.Snapshot;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedDeque;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code homi dashboard}: the page, from the daemon's socket. */
@Command(
        name = "dashboard",
        header = "Shows devices, queues and what goes through them, live, in a browser.",
        description = {
            "%nIt asks the daemon through its socket, as any command does, and serves one page on this machine's loopback,"
                    + " at an address that nobody can guess, until Ctrl-C. The page only shows. From another machine: ssh"
                    + " -L 9470:127.0.0.1:9470 HOST, with --port 9470. A page and metrics that are there always are a line"
                    + " of the daemon's configuration (dashboard)."
        },
        footer = {"  ./aisio homi dashboard", "  ./aisio homi dashboard --port 9470 --socket /run/homi/homi.sock"})
final class HomiDashboard implements Callable<Integer> {
    private static final int SECRET_BYTES = 16;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private HomiOptions options;

    @Option(
            names = "--port",
            defaultValue = "0",
            paramLabel = "N",
            description = "The port on 127.0.0.1 (any that is free).")
    private int port;

    private final ConcurrentLinkedDeque<Events.Event> events = new ConcurrentLinkedDeque<>();
    private @Nullable HomiControl control;

    @Override
    public Integer call() throws IOException {
        connect();
        byte[] secret = new byte[SECRET_BYTES];
        new SecureRandom().nextBytes(secret);
        try (Dashboard page = Dashboard.open(
                        "127.0.0.1:" + port,
                        Base64.getUrlEncoder().withoutPadding().encodeToString(secret),
                        this::ask);
                StandardOutput out = new StandardOutput()) {
            // Nobody else can tell where it is: if this cannot be written, it is of no use.
            out.line(page.uri().toString());
            out.flush();
            return HomiLease.hold();
        } finally {
            close();
        }
    }

    /** Connects anew when the daemon was started anew. */
    private synchronized HomiControl connect() throws IOException {
        HomiControl now = control;
        if (now == null || !now.isConnected()) {
            close();
            now = options.open("dashboard");
            control = now;
            events.clear();
            now.events(0, this::add);
        }
        return now;
    }

    private void add(Events.Event event) {
        events.add(event);
        while (events.size() > Snapshot.MOST_EVENTS) {
            events.poll();
        }
    }

    private Snapshot ask() throws IOException {
        HomiControl now = connect();
        return Snapshot.of(now.status(), now.fileSystems(), List.copyOf(events));
    }

    private synchronized void close() {
        if (control != null) {
            control.close();
            control = null;
        }
    }
}
