package io.aisio.homi.daemon;

import io.aisio.homi.HomiClient;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;

/** A daemon in this process, with one software controller, {@code nvme0}, that clients share. */
public final class TestDaemon implements AutoCloseable {
    public static final String DEVICE = "nvme0";
    private static final long GIVE_UP_NANOS = 30_000_000_000L;

    public final Daemon daemon;
    public final Path socket;
    public final ConcurrentLinkedQueue<String> notes = new ConcurrentLinkedQueue<>();
    private final Thread thread;

    public TestDaemon(Path folder, String uri) throws IOException {
        this(folder, uri, c -> c);
    }

    public TestDaemon(Path folder, String uri, UnaryOperator<Configuration> change) throws IOException {
        this(folder, uri, change, Daemon.Parts.NONE, Device::open);
    }

    TestDaemon(
            Path folder,
            String uri,
            UnaryOperator<Configuration> change,
            Daemon.Parts parts,
            ServedDevice.Opener opener)
            throws IOException {
        socket = folder.resolve("homi").resolve("homi.sock");
        Configuration configuration =
                change.apply(Configuration.of(socket, List.of(new Configuration.Device(DEVICE, uri, true))));
        daemon = Daemon.open(configuration, parts, notes::add, opener);
        thread = Thread.ofPlatform().name("homid").start(daemon::serve);
    }

    /** A configuration with other quotas for a client. */
    public static UnaryOperator<Configuration> clientQuota(Quota quota) {
        return c -> new Configuration(
                c.socket(),
                c.group(),
                c.connections(),
                c.timeouts(),
                quota,
                c.user(),
                c.devices(),
                c.users(),
                c.exports(),
                c.fileSystems(),
                c.dashboard(),
                c.functions());
    }

    /** A configuration that exports something from the start on. */
    static UnaryOperator<Configuration> exports(Export.Request... exports) {
        return c -> new Configuration(
                c.socket(),
                c.group(),
                c.connections(),
                c.timeouts(),
                c.client(),
                c.user(),
                c.devices(),
                c.users(),
                List.of(exports),
                c.fileSystems(),
                c.dashboard(),
                c.functions());
    }

    public static UnaryOperator<Configuration> timeouts(Configuration.Timeouts timeouts) {
        return c -> new Configuration(
                c.socket(),
                c.group(),
                c.connections(),
                timeouts,
                c.client(),
                c.user(),
                c.devices(),
                c.users(),
                c.exports(),
                c.fileSystems(),
                c.dashboard(),
                c.functions());
    }

    /** The device's name for {@code Device.open}. */
    public String uri() {
        return "homi:" + DEVICE + "?socket=" + socket;
    }

    public HomiClient client() throws IOException {
        return HomiClient.connect(socket, "a test");
    }

    public Status.DeviceStatus device() {
        return daemon.status().devices().getFirst();
    }

    /** Whether nobody has anything of it any more. */
    public boolean isIdle() {
        return device().queuesUsed() == 0
                && device().leases() == 0
                && daemon.status().clients().isEmpty()
                && daemon.holdsNothing();
    }

    public void awaitIdle() {
        await(this::isIdle, "all is given back: ");
    }

    /** Waits for a condition, with a deadline. */
    public void await(BooleanSupplier condition, String what) {
        long until = System.nanoTime() + GIVE_UP_NANOS;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - until > 0) {
                throw new AssertionError(what + " did not come; " + daemon.status() + "; " + notes);
            }
            Thread.onSpinWait();
            Thread.yield();
        }
    }

    @Override
    public void close() throws Exception {
        daemon.close();
        thread.join();
    }
}
