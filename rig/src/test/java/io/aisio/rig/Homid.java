package io.aisio.rig;

import io.aisio.homi.daemon.ClientsService;
import io.aisio.homi.daemon.Configuration;
import io.aisio.homi.daemon.Daemon;
import io.aisio.homi.daemon.Export;
import io.aisio.homi.daemon.ExtentsService;
import io.aisio.homi.daemon.FileSystemStatus;
import io.aisio.homi.daemon.FunctionLeases;
import io.aisio.homi.daemon.Hotplug;
import io.aisio.homi.daemon.Quota;
import io.aisio.homi.daemon.Status;
import io.aisio.homi.ublk.UblkExports;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** What {@code homid} consists of, in this process: another JVM would take many seconds to begin. Clients come by its socket. */
final class Homid implements AutoCloseable {
    /** For clients whose JVM only begins. */
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final Daemon daemon;
    private final ExtentsService extents;

    private Homid(Daemon daemon, ExtentsService extents) {
        this.daemon = daemon;
        this.extents = extents;
    }

    /** Starts one that serves these devices, exports, file systems and virtual functions, as its file would name them. */
    static Homid start(
            List<Configuration.Device> devices,
            List<Export.Request> exports,
            List<Configuration.FileSystem> fileSystems,
            List<FunctionLeases.Offer> functions)
            throws IOException {
        Configuration configuration = new Configuration(
                Files.createTempDirectory("homi").resolve("homi.sock"),
                null,
                8,
                new Configuration.Timeouts(PATIENCE, PATIENCE, Duration.ZERO),
                Quota.CLIENT,
                Quota.USER,
                devices,
                List.of(),
                exports,
                fileSystems,
                null,
                functions);
        ExtentsService extents = new ExtentsService(fileSystems);
        Daemon daemon = Daemon.open(
                configuration,
                new Daemon.Parts(List.of(new UblkExports()), List.of(extents, new ClientsService(), new Hotplug())),
                System.out::println);
        Thread.ofPlatform().daemon().name("homid").start(daemon::serve);
        return new Homid(daemon, extents);
    }

    Path socket() {
        return daemon.socket();
    }

    /** How it is, as {@code homi status} prints it. */
    Status status() {
        return daemon.status();
    }

    /** How many files clients hold still. */
    int pins() {
        return extents.status().stream().mapToInt(FileSystemStatus::pins).sum();
    }

    /** Ends it. That something did not end in order is an exception, as it is an exit code other than 0 of {@code homid}. */
    @Override
    public void close() throws IOException {
        daemon.close();
    }
}
