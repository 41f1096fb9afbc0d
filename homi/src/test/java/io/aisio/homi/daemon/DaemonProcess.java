package io.aisio.homi.daemon;

import java.nio.file.Path;
import java.util.List;

/** A daemon in a process of its own. Says {@code ready} once it listens. */
public final class DaemonProcess {
    private DaemonProcess() {}

    /** @param arguments the socket, and the device */
    public static void main(String[] arguments) throws Exception {
        Configuration configuration = Configuration.of(
                Path.of(arguments[0]), List.of(new Configuration.Device(TestDaemon.DEVICE, arguments[1])));
        Daemon daemon = Daemon.open(configuration, Daemon.Parts.NONE, note -> {});
        System.out.println("ready");
        System.exit(daemon.serveUntilSignal(System.err::println));
    }
}
