package io.aisio.homi.daemon;

import io.aisio.homi.rpc.RpcException;
import io.aisio.nvme.ControllerEvent;
import io.aisio.nvme.Namespace;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.upcie.DmaDomain;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * A device that the daemon owns: its controller while there is one, and what is leased of it. Any thread may call it.
 *
 * <p>A queue pair is kept for each user who has a lease without any, so that who came first cannot have all of them.
 */
final class ServedDevice implements AutoCloseable {
    /** Namespaces that a status tells of each device; how many more there are, it tells too. */
    private static final int MOST_NAMESPACES = 64;

    private final Configuration.Device configured;
    private final Events events;
    private final Set<Lease> leases = ConcurrentHashMap.newKeySet();

    private volatile @Nullable NvmeDevice device;
    private volatile @Nullable String absent = "it was not opened yet";
    private volatile @Nullable String unleasable;
    private volatile boolean protects;
    private volatile boolean draining;
    /** Queue pairs that serve exports, by their names; under this object's lock, as {@link #leased}. */
    private final Map<String, Integer> exports = new HashMap<>();

    private int leased;
    /** Given up, but not closed as an export still has queue pairs of it; under this object's lock. */
    private @Nullable NvmeDevice unclosed;
    /** Held by who opens the device, gives it up or closes it; taken before this object's lock, and before any lease's. */
    private final Object presence = new Object();

    private final Opener opener;

    /** How a device is opened by its name: {@link Device#open}, but in tests of what few devices do. */
    interface Opener {
        Device open(String uri) throws IOException;
    }

    ServedDevice(Configuration.Device configured, Events events, Opener opener) {
        this.configured = configured;
        this.events = events;
        this.opener = opener;
    }

    String name() {
        return configured.name();
    }

    /**
     * Opens it, unless it is open.
     *
     * @throws IOException if it is not there, somebody else has it, or it is no NVMe controller that this process drives
     */
    void open() throws IOException {
        synchronized (presence) {
            openIfAbsent();
        }
    }

    private void openIfAbsent() throws IOException {
        if (device != null) {
            return;
        }
        synchronized (this) {
            if (unclosed != null) {
                throw new IOException(name() + " was given up, and an export still has queue pairs of it"
                        + "; next: end that export (homi unexport)");
            }
        }
        Device opened;
        try {
            opened = opener.open(configured.uri());
        } catch (IOException | RuntimeException e) {
            absent = String.valueOf(e.getMessage());
            throw e;
        }
        if (!(opened instanceof NvmeDevice nvme)) {
            opened.close();
            absent = "it is no NVMe controller that this process drives";
            throw new IOException(configured.uri() + " cannot be served: it is reached through " + opened.path()
                    + ", not by queue pairs of this process's own; next: a controller on the bus, or emu:…?shared");
        }
        try {
            tryLeasing(nvme);
            nvme.controller().onEvent(this::happened);
        } catch (RuntimeException e) {
            nvme.close();
            throw e;
        }
        absent = null;
        device = nvme;
    }

    private void tryLeasing(NvmeDevice nvme) throws IOException {
        try (DmaDomain domain = nvme.openDomain(false, 1)) {
            protects = domain.isProtected();
            unleasable = protects || configured.trusted()
                    ? null
                    : "it does not keep its users apart: who has a queue pair of it reaches all memory that it does; next: trusted ="
                            + " true for it in the configuration, if all who may connect may have all of that";
        } catch (UnsupportedOperationException e) {
            unleasable = String.valueOf(e.getMessage());
        } catch (IOException | RuntimeException e) {
            nvme.close();
            throw e;
        }
    }

    /** The device; refused while it is not there, or has failed. */
    NvmeDevice working() throws RpcException {
        NvmeDevice now = device;
        if (now == null) {
            throw new RpcException(
                    RpcException.DEVICE, name() + " is not there: " + absent, "homi status tells when it is");
        }
        NvmeException failure = now.controller().failure();
        if (failure != null) {
            throw new RpcException(
                    RpcException.DEVICE,
                    name() + " has failed: " + failure.getMessage(),
                    "have it looked at, and homid started again",
                    failure);
        }
        return now;
    }

    @Nullable
    NvmeDevice device() {
        return device;
    }

    boolean isProtected() {
        return protects;
    }

    /** Why its queues cannot be leased; null if they can. */
    @Nullable
    String unleasable() {
        return unleasable;
    }

    /** From now on nothing more is leased of it. */
    void drain() {
        draining = true;
    }

    void requireNotDraining() throws RpcException {
        if (draining) {
            throw new RpcException(RpcException.BUSY, name() + " is being drained", "ask for another device");
        }
    }

    void add(Lease lease) {
        leases.add(lease);
    }

    void remove(Lease lease) {
        leases.remove(lease);
    }

    Set<Lease> leases() {
        return leases;
    }

    /** Takes one of the controller's queue pairs for a lease. */
    synchronized void takeQueue(Lease lease) throws RpcException {
        requireNotDraining();
        int total = working().controller().maxQueuePairs();
        // One for each user at most, and only if he may have it: leases cost nothing, and whoever opens many gets no
        // more.
        Set<Integer> users = new HashSet<>();
        for (Lease other : leases) {
            if (other != lease
                    && other.queueCount() == 0
                    && !other.isForPins()
                    && other.account().mayTakeQueue()) {
                users.add(other.account().user().uid());
            }
        }
        int kept = users.size();
        // A lease that has none takes what is kept for it.
        int least = lease.queueCount() == 0 ? 0 : kept;
        int exported = exported();
        if (total - leased - exported <= least) {
            throw new RpcException(
                    RpcException.QUOTA,
                    "%s has %d queue pairs: %d are leased, %d serve exports and %d are kept for leases that have none"
                            .formatted(name(), total, leased, exported, Math.min(kept, total - leased - exported)),
                    "try again when somebody has left, or do with fewer queues");
        }
        leased++;
    }

    synchronized void giveQueueBack() {
        leased--;
    }

    /** Takes queue pairs for an export. */
    synchronized void takeForExport(String export, int queues) throws RpcException {
        int left = working().controller().maxQueuePairs() - used();
        if (queues > left) {
            throw new RpcException(
                    RpcException.QUOTA,
                    "%s has %d queue pairs left, not %d".formatted(name(), left, queues),
                    "export with fewer queues");
        }
        exports.put(export, queues);
    }

    /** Gives those of an export back, which have ended; again does nothing. */
    void giveExportBack(String export) {
        NvmeDevice left = null;
        synchronized (this) {
            exports.remove(export);
            if (exports.isEmpty()) {
                left = unclosed;
            }
        }
        if (left != null) {
            try {
                synchronized (presence) {
                    closeUnclosed();
                }
            } catch (IOException | RuntimeException e) {
                events.add("error", name(), name() + " could not be closed in order: " + e.getMessage());
            }
        }
    }

    /** Closes what was given up while an export had queue pairs of it. */
    private void closeUnclosed() throws IOException {
        NvmeDevice left;
        synchronized (this) {
            left = unclosed;
            if (left == null || !exports.isEmpty()) {
                return;
            }
        }
        left.close();
        synchronized (this) {
            unclosed = null;
        }
    }

    synchronized int used() {
        return leased + exported();
    }

    private int exported() {
        return exports.values().stream().mapToInt(Integer::intValue).sum();
    }

    /** By the controller's own thread. */
    private void happened(ControllerEvent event) {
        switch (event) {
            case ControllerEvent.WasReset reset -> lost("reset", reset.why());
            case ControllerEvent.Failed failed -> lost("failed", failed.why());
            case ControllerEvent.NamespacesChanged changed -> {
                events.add("namespace-changed", name(), "namespaces " + changed.nsids() + " changed");
                for (Lease lease : leases) {
                    if (!revokedWithNamespace(lease)) {
                        lease.namespacesChanged();
                    }
                }
            }
            case ControllerEvent.Health health ->
                events.add("health", name(), "critical warning %02xh".formatted(health.criticalWarning()));
            case ControllerEvent.ErrorReported error ->
                events.add("error", name(), "the controller tells of an error, information " + error.information());
            case ControllerEvent.FirmwareActivation _ ->
                events.add("health", name(), "the controller starts to use new firmware");
            case ControllerEvent.KeepAliveFailed failed -> events.add("error", name(), failed.why());
            case ControllerEvent.Other other ->
                events.add("other", name(), "event of type " + other.type() + ", information " + other.information());
        }
    }

    private void lost(String kind, String why) {
        events.add(kind, name(), why);
        for (Lease lease : leases) {
            lease.tellLost(kind, why);
            boolean _ = revokedWithNamespace(lease);
        }
    }

    /**
     * Ends a lease whose namespace is gone: soon, as its queues are deleted by commands that this thread, the controller's,
     * may have to see completed.
     */
    private static boolean revokedWithNamespace(Lease lease) {
        if (!lease.hasLostNamespace()) {
            return false;
        }
        Thread _ = Thread.ofVirtual()
                .name("homi lease " + lease.id() + ", its end")
                .start(() -> lease.revoke("its namespace is gone"));
        return true;
    }

    Status.DeviceStatus status() {
        NvmeDevice now = device;
        if (now == null) {
            return new Status.DeviceStatus(
                    name(),
                    configured.uri(),
                    "",
                    "absent",
                    absent,
                    "",
                    "",
                    "",
                    List.of(),
                    0,
                    0,
                    0,
                    0,
                    leases.size(),
                    0,
                    false,
                    "none: it is not there",
                    false);
        }
        NvmeController controller = now.controller();
        NvmeException failure = controller.failure();
        List<Status.NamespaceStatus> namespaces = new ArrayList<>();
        List<Namespace> all = List.copyOf(controller.namespaces());
        for (Namespace namespace : all.subList(0, Math.min(MOST_NAMESPACES, all.size()))) {
            namespaces.add(new Status.NamespaceStatus(
                    namespace.nsid(),
                    namespace.lbaBytes(),
                    namespace.lbaCount() * namespace.lbaBytes(),
                    namespace.writeProtected()));
        }
        String why = unleasable;
        return new Status.DeviceStatus(
                name(),
                configured.uri(),
                now.path(),
                failure != null ? "failed" : draining ? "draining" : "working",
                failure == null ? null : String.valueOf(failure.getMessage()),
                controller.identity().serial(),
                controller.identity().model(),
                controller.identity().firmware(),
                namespaces,
                all.size() - namespaces.size(),
                used(),
                controller.maxQueuePairs(),
                controller.maxDepth(),
                leases.size(),
                controller.resets(),
                why == null,
                why != null
                        ? why
                        : protects
                                ? "each client's commands reach that client's memory alone"
                                : "clients are trusted: a command that names another client's memory reaches it",
                protects);
    }

    /**
     * Gives the device up, because it is gone or asked back: its leases end, and {@link #open} may bring it back.
     *
     * @param why for people
     */
    void giveUp(String why) throws IOException {
        synchronized (presence) {
            NvmeDevice now = device;
            // First: who opens a lease looks again once it can be seen here.
            absent = why;
            device = null;
            events.add("removed", name(), why);
            for (Lease lease : leases) {
                lease.revoke(why);
            }
            if (now == null) {
                return;
            }
            synchronized (this) {
                unclosed = now;
            }
            closeUnclosed();
        }
    }

    /** Closes the device, after its leases and exports. */
    @Override
    public void close() throws IOException {
        synchronized (presence) {
            NvmeDevice now = device;
            try {
                closeUnclosed();
            } finally {
                if (now != null) {
                    device = null;
                    absent = "the daemon ends";
                    now.close();
                }
            }
        }
    }
}
