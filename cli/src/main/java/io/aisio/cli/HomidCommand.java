package io.aisio.cli;

import io.aisio.homi.HomiSocket;
import io.aisio.homi.daemon.ClientsService;
import io.aisio.homi.daemon.Configuration;
import io.aisio.homi.daemon.Daemon;
import io.aisio.homi.daemon.Export;
import io.aisio.homi.daemon.ExtentsService;
import io.aisio.homi.daemon.Hotplug;
import io.aisio.homi.daemon.Status;
import io.aisio.homi.view.Dashboard;
import io.aisio.homi.view.Snapshot;
import io.aisio.linux.ServiceNotice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code homid}: the daemon, in the foreground. */
@Command(
        name = "homid",
        header = "Owns NVMe controllers and gives processes, GPUs and the kernel queue pairs of their own.",
        description = {
            "%nIt brings the devices of its configuration up, listens on a Unix socket, leases queue pairs to who may have"
                    + " them, and stands aside: data goes straight between a process and the device, by homi:NAME in place"
                    + " of the device. What a client had is taken back when it ends, however it ends. Namespaces are"
                    + " exported as block devices (ublk), and extents told of mounted file systems. What happens is"
                    + " told on standard error. Under systemd (Type=notify) it says when it is ready.",
            "%nIt ends by Ctrl-C or SIGTERM, in order: queues are deleted, then memory is given back. The exit code is 0"
                    + " then, 1 if something could not be ended."
        },
        footer = {
            "  ./aisio homid --config examples/homid.toml",
            "  ./aisio homid --config /etc/homi/homid.toml --check-config"
        })
final class HomidCommand implements Callable<Integer> {
    @Option(names = "--config", required = true, paramLabel = "FILE", description = "What it does, as TOML.")
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private Path config;

    @Option(names = "--check-config", description = "Only say whether the configuration makes sense.")
    private boolean check;

    @Option(names = "--socket", paramLabel = "PATH", description = "Listen here, whatever the configuration says.")
    private @Nullable Path socket;

    @Override
    public Integer call() throws IOException {
        Configuration configuration;
        try {
            configuration = Configuration.read(config, socket);
        } catch (IllegalArgumentException e) {
            // All that is wrong, a line each.
            String.valueOf(e.getMessage()).lines().forEach(line -> System.err.println(Failures.line(line)));
            return Exit.FAILED;
        }
        if (check) {
            System.out.println(config + " makes sense: "
                    + count(configuration.devices(), "device") + ", "
                    + count(configuration.exports(), "export") + ", "
                    + count(configuration.fileSystems(), "file system") + "; it listens on " + configuration.socket());
            return Exit.DONE;
        }
        return serve(configuration);
    }

    private static String count(List<?> all, String one) {
        return all.size() + " " + one + (all.size() == 1 ? "" : "s");
    }

    private static Integer serve(Configuration configuration) throws IOException {
        ExtentsService extents = new ExtentsService(configuration.fileSystems());
        List<Export.Maker> makers = ServiceLoader.load(Export.Maker.class).stream()
                .map(ServiceLoader.Provider::get)
                .toList();
        Daemon daemon = Daemon.open(
                configuration,
                new Daemon.Parts(makers, List.of(extents, new ClientsService(), new Hotplug())),
                HomidCommand::note);
        Dashboard page;
        try {
            page = configuration.dashboard() == null
                    ? null
                    : Dashboard.open(
                            configuration.dashboard(),
                            "",
                            () -> Snapshot.of(
                                    daemon.status(),
                                    extents.status(),
                                    daemon.events().since(0, Snapshot.MOST_EVENTS)));
        } catch (IOException | RuntimeException e) {
            daemon.close();
            throw e;
        }
        try {
            for (Status.DeviceStatus device : daemon.status().devices()) {
                note(device.name() + " is " + device.uri() + " (" + device.path() + "): " + device.state() + ", "
                        + device.queuesTotal() + " queue pairs; isolation: " + device.isolation());
            }
            if (page != null) {
                note("the page is " + page.uri() + ", the metrics " + page.uri() + "metrics");
            }
            note("ready: in another terminal, ./aisio homi status"
                    + (isDefault(daemon) ? "" : " --socket " + daemon.socket()));
            daemon.events().subscribe(event -> {
                if (event.kind().equals("stopping")) {
                    tell("STOPPING=1");
                }
            });
            tell("READY=1", "STATUS=" + count(configuration.devices(), "device") + ", on " + daemon.socket());
            return daemon.serveUntilSignal(line -> System.err.println(Failures.line(line)));
        } finally {
            if (page != null) {
                page.close();
            }
        }
    }

    private static boolean isDefault(Daemon daemon) {
        try {
            return HomiSocket.byDefault().equals(daemon.socket());
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static void note(String text) {
        System.err.println(Printable.of("note: " + text));
    }

    /** A daemon whose service manager does not listen serves all the same. */
    private static void tell(String... lines) {
        try {
            boolean _ = ServiceNotice.send(lines);
        } catch (IOException e) {
            System.err.println(Failures.line("the service manager was not told: " + e.getMessage()));
        }
    }
}
