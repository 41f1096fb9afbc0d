package io.aisio.homi;

import io.aisio.xnvme.Device;
import io.aisio.xnvme.DeviceUri;
import io.aisio.xnvme.spi.Backend;
import io.aisio.xnvme.spi.LeasedDevice;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Devices that a daemon has, by its name for them: {@code homi:nvme0}, {@code homi:nvme0/2} for its namespace 2. Options:
 *
 * <ul>
 *   <li>{@code socket=PATH}: where the daemon listens; {@link HomiSocket#byDefault()} if not given
 *   <li>{@code access=read}: to read only; where the device keeps clients apart, it sees to that itself
 *   <li>{@code function}: a whole virtual function of those that the daemon has by that name
 * </ul>
 */
public final class HomiBackend implements Backend {
    /**
     * The system property that says what this process is called in the daemon's status and events, such as {@code xnvmeperf run};
     * without it, that is its main class.
     */
    public static final String NAME = "aisio.homi.name";

    private static final Pattern TARGET = Pattern.compile("([^/]+)(?:/([1-9][0-9]{0,9}))?");

    /** Made by the service loader. */
    public HomiBackend() {}

    @Override
    public String scheme() {
        return "homi";
    }

    @Override
    public Device open(DeviceUri uri) throws IOException {
        uri.requireOptions("socket", "access", "function");
        Matcher target = TARGET.matcher(uri.target());
        if (!target.matches()) {
            throw new IllegalArgumentException(
                    "'" + uri + "': a device of the daemon's is homi:NAME or homi:NAME/NSID");
        }
        long nsid = target.group(2) == null ? 1 : Long.parseLong(target.group(2));
        if (nsid > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("'" + uri + "': there is no namespace " + nsid);
        }
        String access = uri.options().getOrDefault("access", "write");
        if (!access.equals("read") && !access.equals("write")) {
            throw new IllegalArgumentException("'" + uri + "': access is read or write, not '" + access + "'");
        }
        boolean function = uri.flag("function");
        if (function && access.equals("read")) {
            throw new IllegalArgumentException(
                    "'" + uri + "': a function is a controller of one's own, which is not held to reading");
        }
        HomiClient client = HomiClient.connect(socket(uri), program());
        if (function) {
            return HomiFunction.open(client, target.group(1), (int) nsid, uri.text());
        }
        HomiLease lease;
        try {
            lease = HomiLease.open(
                    client, uri.scheme() + ":" + uri.target(), target.group(1), (int) nsid, access.equals("write"));
        } catch (IOException | RuntimeException e) {
            client.close();
            throw e;
        }
        return LeasedDevice.over(
                lease, (int) nsid, uri.text(), "leased from homid, user-space queue pairs; there: " + lease.path());
    }

    private static Path socket(DeviceUri uri) {
        String socket = uri.options().get("socket");
        if (socket == null) {
            return HomiSocket.byDefault();
        }
        try {
            return Path.of(socket);
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException("'" + uri + "': '" + socket + "' is no path: " + e.getReason(), e);
        }
    }

    /** What this process is, for people: as it says itself, or its main class or JAR, as the JVM has it. */
    private static String program() {
        return program(System.getProperty(NAME, ""), System.getProperty("sun.java.command", ""));
    }

    static String program(String name, String command) {
        if (!name.isEmpty()) {
            return name;
        }
        // The module, or the folder of a JAR, is before the last slash.
        String main = command.split(" ", 2)[0];
        String last = main.substring(main.lastIndexOf('/') + 1);
        String shown = last.endsWith(".jar") ? last : last.substring(last.lastIndexOf('.') + 1);
        return shown.isEmpty() ? "a Java program" : shown;
    }
}
