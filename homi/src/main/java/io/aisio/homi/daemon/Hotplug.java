package io.aisio.homi.daemon;

import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.linux.Uevents;
import io.aisio.linux.Uevents.Uevent;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Devices on the bus that come and go while the daemon runs, as the kernel tells: one that got a driver is opened, if it is
 * in the configuration and not there; one that is gone, or has failed for good, is given up. So the kernel, which waits for that, can
 * let go of a card that is pulled.
 */
public final class Hotplug implements Service {
    private static final Pattern ADDRESS = Pattern.compile("(?:pci:)?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]).*");

    private static final Set<String> DRIVERS = Set.of("vfio-pci", "uio_pci_generic");
    /** How long what is under way may take at the end. */
    private static final Duration LIMIT = Duration.ofSeconds(10);

    /** What is to be done, by this service's own thread; under this object's lock. */
    private final Set<String> failed = new LinkedHashSet<>();

    private @Nullable Uevents uevents;
    private @Nullable Thread thread;
    private Events.@Nullable Subscription subscription;
    private volatile boolean closed;

    /** One that listens once the daemon starts. */
    public Hotplug() {}

    @Override
    public Set<String> methods() {
        return Set.of();
    }

    @Override
    public Answer answer(Caller caller, String method, JsonNode params, List<OpenFile> files) throws IOException {
        throw new RpcException(RpcException.METHOD_NOT_FOUND, "there is no method " + method, null);
    }

    @Override
    public void start(Daemon daemon) throws IOException {
        Uevents opened = new Uevents();
        uevents = opened;
        subscription = daemon.events().subscribe(event -> noteFailure(event, opened));
        thread = Thread.ofPlatform().daemon().name("hotplug").start(() -> serve(daemon, opened));
    }

    /** Not here: who tells may hold what the device's end needs. */
    private void noteFailure(Events.Event event, Uevents opened) {
        String device = event.device();
        if (event.kind().equals("failed") && device != null) {
            synchronized (failed) {
                failed.add(device);
            }
            opened.wake();
        }
    }

    private void serve(Daemon daemon, Uevents opened) {
        while (!closed) {
            try {
                opened.await(-1).ifPresent(event -> take(daemon, event));
                for (String name : takeFailed()) {
                    giveUpFailed(daemon, name);
                }
            } catch (LinuxException e) {
                daemon.events().add("error", null, "devices that come and go are not seen any more: " + e.getMessage());
                return;
            }
        }
    }

    private List<String> takeFailed() {
        synchronized (failed) {
            List<String> taken = new ArrayList<>(failed);
            failed.clear();
            return taken;
        }
    }

    private static void giveUpFailed(Daemon daemon, String name) {
        for (Configuration.Device device : daemon.configuration().devices()) {
            if (device.name().equals(name) && addressOf(device.uri()) != null) {
                try {
                    if (is(daemon, name, "failed")) {
                        daemon.deviceRemoved(name, "its controller has failed for good, or was taken away");
                    }
                } catch (IOException | RuntimeException e) {
                    daemon.events().add("error", name, "it could not be given up: " + e.getMessage());
                }
            }
        }
    }

    private static boolean is(Daemon daemon, String name, String state) {
        return daemon.status().devices().stream()
                .anyMatch(device -> device.name().equals(name) && device.state().equals(state));
    }

    private static void take(Daemon daemon, Uevent event) {
        boolean lost = event.action().equals(Uevent.LOST);
        String slot = event.property("PCI_SLOT_NAME");
        for (Configuration.Device device : daemon.configuration().devices()) {
            String address = addressOf(device.uri());
            if (address == null || !(lost || ("pci".equals(event.property("SUBSYSTEM")) && address.equals(slot)))) {
                continue;
            }
            try {
                // Another driver's device is none that could be opened.
                if (lost
                        || (event.action().equals("bind")
                                && DRIVERS.contains(String.valueOf(event.property("DRIVER"))))) {
                    daemon.deviceAdded(device.name());
                } else if (event.action().equals("remove") && !is(daemon, device.name(), "absent")) {
                    daemon.deviceRemoved(device.name(), "the kernel has removed it");
                }
            } catch (IOException | RuntimeException e) {
                daemon.events()
                        .add(
                                "error",
                                device.name(),
                                "after the kernel told '" + event.action() + "': " + e.getMessage());
            }
        }
    }

    /** The bus address that a device's name begins with; null if it is none on the bus. */
    static @Nullable String addressOf(String uri) {
        Matcher matcher = ADDRESS.matcher(uri);
        return matcher.matches() ? matcher.group(1) : null;
    }

    @Override
    public void close() {
        closed = true;
        Events.Subscription told = subscription;
        if (told != null) {
            told.close();
        }
        Uevents opened = uevents;
        Thread reader = thread;
        if (opened != null && reader != null) {
            opened.wake();
            try {
                if (reader.join(LIMIT)) {
                    opened.close();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
