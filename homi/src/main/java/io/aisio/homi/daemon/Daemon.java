package io.aisio.homi.daemon;

import io.aisio.homi.rpc.JsonLines;
import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.FileStatus;
import io.aisio.linux.LinuxException;
import io.aisio.linux.UnixConnection;
import io.aisio.linux.UnixListener;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The daemon: it has the devices, and leases their queue pairs to whoever connects and may.
 *
 * <pre>{@code
 * try (Daemon daemon = Daemon.open(Configuration.read(file, null))) {
 *     daemon.serve();    // until another thread stops or closes it
 * }
 * }</pre>
 *
 * <p>What a client does wrong ends its own connection and nobody else's. At the end, clients' queues are deleted, their
 * memory is taken from the devices, they are told, then exports ended, the devices closed and the socket removed.
 */
public final class Daemon implements AutoCloseable {
    private static final int BACKLOG = 64;
    /** How long a client waits that there was no descriptor or thread for. */
    private static final long SHORTAGE_NANOS = 100_000_000;
    /** What clients are told at the end may take. */
    private static final Duration TELLING = Duration.ofMillis(500);
    /** What a session may take to end: more than all that it waits for by itself. */
    private static final Duration ENDING = Duration.ofSeconds(90);

    /** What it may take to take back all that clients have: where a controller fails, more than all its deadlines. */
    private static final Duration REVOKING = Duration.ofSeconds(60);

    private static final long LOOK_NANOS = 1_000_000;
    private static final int SOCKET_MODE = 0660;
    /** Write permission of group and others. */
    private static final int WRITABLE_BY_OTHERS = 0022;

    private final Configuration configuration;
    private final Parts parts;
    private final Events events = new Events();
    private final Instant started = Instant.now();
    private final Accounts accounts;
    private final Map<String, ServedDevice> devices = new LinkedHashMap<>();
    private final Map<String, Export> exports = new LinkedHashMap<>();
    /** Names of exports that somebody begins or ends; under the lock of {@link #exports}, which is held for no longer. */
    private final Set<String> busyExports = new HashSet<>();
    /** Names of exports whose device is gone; under the same lock. */
    private final Set<String> lostExports = new HashSet<>();
    /** Names of exports that somebody has ended, and nobody begun since; under the same lock. */
    private final Set<String> endedExports = new HashSet<>();

    private final Map<Long, Client> clients = new LinkedHashMap<>();
    private final UnixListener listener;
    private final Object closing = new Object();
    private long lastClient;
    private volatile boolean draining;
    private volatile boolean stopping;
    private boolean closed;

    private record Client(Session session, Thread thread) {}

    /**
     * What a daemon consists of beside its devices.
     *
     * @param exports who makes exports
     * @param services what else it answers
     */
    public record Parts(List<Export.Maker> exports, List<Service> services) {
        /** Nothing more. */
        public static final Parts NONE = new Parts(List.of(), List.of());

        /** Copies the lists. */
        public Parts {
            exports = List.copyOf(exports);
            services = List.copyOf(services);
        }
    }

    private Daemon(Configuration configuration, Parts parts, UnixListener listener, ServedDevice.Opener opener) {
        this.configuration = configuration;
        List<Service> services = new ArrayList<>(parts.services());
        if (!configuration.functions().isEmpty()) {
            services.add(new FunctionLeases(configuration.functions()));
        }
        this.parts = new Parts(parts.exports(), services);
        this.listener = listener;
        accounts = new Accounts(configuration);
        for (Configuration.Device device : configuration.devices()) {
            devices.put(device.name(), new ServedDevice(device, events, opener));
        }
    }

    /** Opens one that leases queue pairs and does nothing else. */
    public static Daemon open(Configuration configuration) throws IOException {
        return open(configuration, Parts.NONE, line -> {});
    }

    /**
     * Makes the socket, opens the devices, begins the exports. Nobody is served yet.
     *
     * <p>A device that cannot be opened is told of as absent; only if none can be, this fails.
     *
     * @param parts which become the daemon's, and are closed with it
     * @param notes told of what happens, a line each, by any thread, from the first on
     * @throws IllegalArgumentException if a device's name makes no sense
     * @throws IOException if somebody listens there, something else is there, or no device can be opened; the message says
     *     the next step
     */
    public static Daemon open(Configuration configuration, Parts parts, Consumer<String> notes) throws IOException {
        return open(configuration, parts, notes, Device::open);
    }

    /** The same of devices that are opened otherwise. */
    static Daemon open(Configuration configuration, Parts parts, Consumer<String> notes, ServedDevice.Opener opener)
            throws IOException {
        requireFolder(configuration.socket(), configuration.group());
        UnixListener listener = UnixListener.bind(configuration.socket(), BACKLOG, SOCKET_MODE, configuration.group());
        Daemon daemon = new Daemon(configuration, parts, listener, opener);
        daemon.events.subscribe(event -> notes.accept(event.kind() + ": " + event.text()));
        try {
            daemon.begin();
            return daemon;
        } catch (IOException | RuntimeException e) {
            try {
                daemon.close();
            } catch (IOException onClose) {
                e.addSuppressed(onClose);
            }
            throw e;
        }
    }

    /** The folder that the socket is in is the daemon's, or a trusted one: who can write there could put his own there. */
    private static void requireFolder(Path socket, @Nullable String group) throws IOException {
        Path folder = socket.toAbsolutePath().getParent();
        if (folder == null) {
            throw new IOException(socket + " names no socket");
        }
        if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
            Path above = folder.getParent();
            if (above == null || !Files.isDirectory(above)) {
                throw new IOException(socket + ": there is no folder " + above
                        + "; next: make it (mkdir -p), or name another socket");
            }
            Files.createDirectory(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-x---")));
            if (group != null) {
                giveTo(group, folder);
            }
            return;
        }
        if (Files.isSymbolicLink(folder) || !Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException(folder + " is a link, or no folder; next: name the folder itself for the socket "
                    + socket.getFileName());
        }
        int owner = (int) Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS);
        if (owner != 0 && owner != FileStatus.effectiveUser()) {
            throw new IOException(
                    "%s: its folder is uid %d's, who could replace the socket; next: name a folder of root's or of this user's"
                            .formatted(socket, owner));
        }
        int mode = (int) Files.getAttribute(folder, "unix:mode", LinkOption.NOFOLLOW_LINKS);
        if ((mode & WRITABLE_BY_OTHERS) != 0) {
            throw new IOException(
                    "%s: others may write to its folder (mode %04o), and replace the socket; next: chmod 0750 %s"
                            .formatted(socket, mode & 07777, folder));
        }
    }

    /** Whose members may enter the folder, or else could not reach what is theirs in it. */
    private static void giveTo(String group, Path folder) throws IOException {
        try {
            Files.getFileAttributeView(folder, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                    .setGroup(folder.getFileSystem()
                            .getUserPrincipalLookupService()
                            .lookupPrincipalByGroupName(group));
        } catch (IOException e) {
            Files.deleteIfExists(folder);
            throw e instanceof UserPrincipalNotFoundException
                    ? new IOException(folder + ": there is no group '" + group + "'; next: groupadd " + group, e)
                    : new IOException(
                            folder + ": cannot be given to the group '" + group + "': " + e.getMessage()
                                    + "; next: run homid as root or as a member of it",
                            e);
        }
    }

    private void begin() throws IOException {
        IOException none = null;
        int open = 0;
        for (ServedDevice device : devices.values()) {
            try {
                device.open();
                open++;
            } catch (IOException e) {
                events.add("absent", device.name(), device.name() + " cannot be opened: " + e.getMessage());
                if (none == null) {
                    none = e;
                } else {
                    none.addSuppressed(e);
                }
            }
        }
        if (open == 0 && none != null) {
            throw none;
        }
        for (Service service : parts.services()) {
            service.start(this);
        }
        configuration.exports().forEach(this::exportConfigured);
        for (Export.Maker maker : parts.exports()) {
            try {
                maker.clean();
            } catch (IOException e) {
                events.add("error", null, maker.kind() + ": " + e.getMessage());
            }
        }
        events.add("started", null, "homid listens on " + listener.path() + " with " + devices.keySet());
    }

    // What others ask.

    /** As it was opened. */
    public Configuration configuration() {
        return configuration;
    }

    /** What happened, and who is told. */
    public Events events() {
        return events;
    }

    /** Where it listens. */
    public Path socket() {
        return listener.path();
    }

    /** How it is now. */
    public Status status() {
        List<Status.DeviceStatus> deviceRows =
                devices.values().stream().map(ServedDevice::status).toList();
        List<Status.ClientStatus> clientRows = new ArrayList<>();
        List<Metered.Row> rows = new ArrayList<>();
        for (Session session : sessions()) {
            clientRows.add(session.status());
            for (Lease lease : session.leases()) {
                for (Lease.LeasedQueue queue : lease.queues()) {
                    rows.add(queue.row());
                }
            }
        }
        parts.services().forEach(service -> rows.addAll(service.rows()));
        exports().forEach(export -> rows.add(export.row()));
        boolean works = deviceRows.stream()
                .allMatch(d -> d.state().equals("working") || d.state().equals("draining"));
        boolean drains = draining || deviceRows.stream().anyMatch(d -> d.state().equals("draining"));
        String state = stopping ? "stopping" : drains ? "draining" : works ? "ready" : "degraded";
        return new Status(
                Status.VERSION,
                state.equals("ready"),
                state,
                ProcessHandle.current().pid(),
                started,
                listener.path().toString(),
                deviceRows,
                clientRows,
                rows,
                0,
                events.last());
    }

    ServedDevice device(String name) throws RpcException {
        ServedDevice device = devices.get(name);
        if (device == null) {
            throw new RpcException(
                    RpcException.NO_SUCH, "there is no device '" + name + "'", "there is " + devices.keySet());
        }
        return device;
    }

    void requireOpen() throws RpcException {
        if (stopping || draining) {
            throw new RpcException(
                    RpcException.BUSY,
                    "the daemon " + (stopping ? "ends" : "is being drained"),
                    "try again when it has been started anew");
        }
    }

    /** The service that answers a method; null if none does. */
    @Nullable
    Service service(String method) {
        for (Service service : parts.services()) {
            if (service.methods().contains(method)) {
                return service;
            }
        }
        return null;
    }

    // Exports.

    /**
     * Exports a namespace.
     *
     * @throws RpcException if there is one of that name, no such device, or nobody who makes that kind
     */
    public Export export(Export.Request request) throws IOException {
        requireOpen();
        ServedDevice device = device(request.device());
        Export.Maker maker = parts.exports().stream()
                .filter(m -> m.kind().equals(request.kind()))
                .findFirst()
                .orElseThrow(() -> new RpcException(
                        RpcException.INVALID_PARAMS,
                        "this daemon makes no exports of kind '" + request.kind() + "'",
                        null));
        synchronized (exports) {
            if (exports.containsKey(request.name()) || !busyExports.add(request.name())) {
                throw new RpcException(
                        RpcException.BUSY, "there is an export '" + request.name() + "'", "choose another name");
            }
        }
        // The name is taken. What follows may take long, and nobody waits for it who asks for something else.
        try {
            requireOpen();
            device.requireNotDraining();
            device.takeForExport(request.name(), request.queues());
            Export export = start(maker, request, device);
            synchronized (exports) {
                exports.put(request.name(), export);
                endedExports.remove(request.name());
            }
            events.add(
                    "exported",
                    device.name(),
                    request.name() + ": " + export.row().detail());
            return export;
        } finally {
            endBusy(request.name());
        }
    }

    private Export start(Export.Maker maker, Export.Request request, ServedDevice device) throws IOException {
        try {
            NvmeDevice working = device.working();
            Export export = maker.start(request, working, events);
            if (device.device() != working) {
                // It was given up meanwhile, by who did not see this one.
                deviceFailed(export, device, "the device was given up");
            }
            return export;
        } catch (IOException | RuntimeException e) {
            device.giveExportBack(request.name());
            throw e;
        }
    }

    private void deviceFailed(Export export, ServedDevice device, String why) {
        synchronized (exports) {
            lostExports.add(export.request().name());
        }
        if (export.deviceFailed(why)) {
            device.giveExportBack(export.request().name());
        }
    }

    private void endBusy(String name) {
        synchronized (exports) {
            busyExports.remove(name);
            exports.notifyAll();
        }
    }

    /**
     * Ends an export.
     *
     * @throws IOException if there is none of that name, or somebody uses it
     */
    public void unexport(String name) throws IOException {
        end(name, true);
    }

    private void end(String name, boolean forGood) throws IOException {
        Export export;
        synchronized (exports) {
            export = exports.get(name);
            if (export == null) {
                throw new RpcException(
                        RpcException.NO_SUCH,
                        "there is no export '" + name + "'",
                        exports.isEmpty() ? "nothing is exported" : "there is " + exports.keySet());
            }
            if (!busyExports.add(name)) {
                throw new RpcException(
                        RpcException.BUSY, "the export '" + name + "' is being begun or ended", "try again");
            }
        }
        try {
            export.stop();
            synchronized (exports) {
                exports.remove(name);
                lostExports.remove(name);
                if (forGood) {
                    endedExports.add(name);
                }
            }
            try {
                export.close();
            } finally {
                device(export.request().device()).giveExportBack(name);
            }
            events.add("unexported", export.request().device(), name);
        } finally {
            endBusy(name);
        }
    }

    /** Begins an export of the configuration; if it cannot be, that is told, and all else goes on. */
    private void exportConfigured(Export.Request request) {
        try {
            if (isLost(request)) {
                end(request.name(), false);
            }
            Export _ = export(request);
        } catch (IOException | IllegalArgumentException | UnsupportedOperationException e) {
            events.add("error", request.device(), "export " + request.name() + ": " + e.getMessage());
        }
    }

    private boolean isLost(Export.Request request) {
        synchronized (exports) {
            Export begun = exports.get(request.name());
            return begun != null && begun.request().equals(request) && lostExports.contains(request.name());
        }
    }

    /** What the configuration exports of a device that is there again, but for what somebody has ended or begun meanwhile. */
    private void exportAgain(String device) {
        for (Export.Request request : configuration.exports()) {
            boolean again;
            synchronized (exports) {
                again = request.device().equals(device)
                        && !endedExports.contains(request.name())
                        && (!exports.containsKey(request.name()) || isLost(request));
            }
            if (again) {
                exportConfigured(request);
            }
        }
    }

    /** What is exported. */
    public List<Export> exports() {
        synchronized (exports) {
            return List.copyOf(exports.values());
        }
    }

    // Devices that come and go.

    /**
     * A device is gone, or asked back: its leases and exports end, as far as they can.
     *
     * @param name in the configuration
     */
    public void deviceRemoved(String name, String why) throws IOException {
        ServedDevice device = device(name);
        for (Export export : exports()) {
            if (export.request().device().equals(name)) {
                deviceFailed(export, device, why);
            }
        }
        device.giveUp(why);
    }

    /**
     * A device may be there again: it is opened, unless it is, and what the configuration exports of it is begun again, but for
     * what was {@linkplain #unexport ended} meanwhile.
     *
     * @param name in the configuration
     */
    public void deviceAdded(String name) throws IOException {
        ServedDevice device = device(name);
        if (device.device() == null) {
            device.open();
            events.add("added", name, name + " is there");
            exportAgain(name);
        }
    }

    /**
     * Resets a device's controller: what is in flight comes back as failed, and may be tried again.
     *
     * @param name in the configuration
     */
    public void reset(String name) throws IOException {
        device(name).working().controller().reset();
    }

    // The end of leases.

    /**
     * Leases nothing more of a device; what is leased goes on until its clients leave.
     *
     * @return how many leases there are
     */
    public int drain(String name) throws RpcException {
        ServedDevice device = device(name);
        device.drain();
        events.add("draining", name, name + " is being drained");
        return device.leases().size();
    }

    /**
     * Leases nothing more of any device.
     *
     * @return how many leases there are
     */
    public int drain() {
        draining = true;
        events.add("draining", null, "the daemon is being drained");
        return devices.values().stream().mapToInt(d -> d.leases().size()).sum();
    }

    // Clients.

    /** Whether nobody has anything that is counted. */
    boolean holdsNothing() {
        return accounts.isEmpty();
    }

    private List<Session> sessions() {
        synchronized (clients) {
            return clients.values().stream().map(Client::session).toList();
        }
    }

    private @Nullable Session session(long number) {
        synchronized (clients) {
            Client client = clients.get(number);
            return client == null ? null : client.session;
        }
    }

    /** A client that asks. */
    private Session asking(long number) throws RpcException {
        Session session = session(number);
        if (session == null) {
            throw new RpcException(RpcException.NO_SUCH, "there is no client " + number, null);
        }
        return session;
    }

    /** A client that asks is about to be given something of a device. */
    void came(long number) throws RpcException {
        asking(number).came();
    }

    /** What is counted for a client that asks. */
    Accounts.Client account(long number) throws RpcException {
        return asking(number).account();
    }

    /** The lease that a client names, which may have ended. */
    Lease lease(long number, long lease) throws RpcException {
        return asking(number).lease(lease);
    }

    /**
     * Takes back all that a client has, and ends its connection.
     *
     * @param number of the client, as the status has it
     * @return false if there is no such client
     */
    boolean sendAway(long number, String why) {
        Session session = session(number);
        if (session == null) {
            return false;
        }
        session.sendAway(why);
        return true;
    }

    /**
     * Takes back one lease of a client, which is told.
     *
     * @param number of the client, as the status has it
     * @param lease of its leases; virtual functions have numbers of their own
     * @return false if there is no such client, or it has no such lease
     */
    boolean revoke(long number, long lease, String why) {
        Session session = session(number);
        if (session != null) {
            for (Lease one : session.leases()) {
                if (one.id() == lease && one.isOpen()) {
                    one.revoke(why);
                    return true;
                }
            }
        }
        return false;
    }

    /** A lease has ended, whose queues are deleted. */
    void ended(long client, Lease lease) {
        for (Service service : parts.services()) {
            try {
                service.ended(client, lease.id());
            } catch (RuntimeException e) {
                events.add(
                        "error",
                        null,
                        "lease " + lease.id() + " of client " + client + " has ended, and not all is given back: " + e);
            }
        }
    }

    /** A client has left, whose queues are deleted. */
    void left(Service.Caller caller) {
        for (Service service : parts.services()) {
            try {
                service.left(caller);
            } catch (RuntimeException e) {
                events.add("error", null, "client " + caller.id() + " has left, and not all is given back: " + e);
            }
        }
    }

    /** Serves clients until this is {@linkplain #stop stopped} or {@linkplain #close closed}, by any thread. */
    public void serve() {
        boolean shortage = false;
        while (!stopping) {
            UnixConnection connection;
            try {
                connection = listener.accept();
                shortage = false;
            } catch (LinuxException e) {
                if (!shortage) {
                    events.add("error", null, "a client cannot be accepted: " + e.getMessage());
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
        JsonLines lines = new JsonLines(connection, configuration.timeouts().message());
        Accounts.Client account = null;
        try {
            UnixConnection.Peer peer = connection.peer();
            Configuration.User user = configuration.user(peer.uid(), (int) FileStatus.effectiveUser());
            if (user.rights() == Configuration.Rights.NONE && !user.control()) {
                throw new RpcException(
                        RpcException.NOT_PERMITTED,
                        user.name() + " may use no device",
                        "have a [[user]] added to homid's configuration");
            }
            // A child that has its connection too does not keep its leases. Where the kernel does not tell, it does.
            boolean _ = connection.endWithPeer();
            account = accounts.admit(user);
            begin(lines, account, peer.pid());
        } catch (RpcException e) {
            events.add("refused", null, "a client: " + e.what());
            try {
                // Into a buffer that is empty: this does not wait.
                lines.send(Session.refusal(null, e), List.of());
            } catch (IOException gone) {
                // It learns of it by the end of the connection.
            }
            lines.close();
        } catch (IOException | OutOfMemoryError e) {
            // There are no more threads, or it has left again: that client goes without, those that are there stay.
            if (account != null) {
                account.leave();
            }
            lines.close();
            events.add("refused", null, "a client: " + e.getMessage());
        }
    }

    private void begin(JsonLines lines, Accounts.Client account, int pid) throws RpcException {
        synchronized (clients) {
            if (stopping) {
                account.leave();
                throw new RpcException(RpcException.BUSY, "the daemon ends", null);
            }
            long number = ++lastClient;
            Session session = new Session(this, number, account, lines, pid, () -> forget(number));
            Thread thread =
                    Thread.ofPlatform().daemon().name("homi client " + number).unstarted(session);
            clients.put(number, new Client(session, thread));
            try {
                thread.start();
            } catch (OutOfMemoryError e) {
                clients.remove(number);
                throw e;
            }
        }
    }

    private void forget(long number) {
        synchronized (clients) {
            clients.remove(number);
        }
    }

    // The end.

    /** Has {@link #serve} return, soon; {@link #close} then ends what there is. Any thread may call it. */
    public void stop(String why) {
        synchronized (clients) {
            if (stopping) {
                return;
            }
            stopping = true;
        }
        events.add("stopping", null, "homid ends: " + why);
        listener.close();
    }

    /**
     * Ends everything in order: clients are waited for, if the configuration says so; what they have is taken back, and they
     * are told; exports end, devices are closed, and the socket is removed. Closing again waits for the same.
     *
     * @throws IOException if a device could not be closed in order
     */
    @Override
    public void close() throws IOException {
        synchronized (closing) {
            if (closed) {
                return;
            }
            closed = true;
            stop("it was asked to");
            List<Client> left;
            synchronized (clients) {
                left = new ArrayList<>(clients.values());
            }
            waitUntilGone(configuration.timeouts().drain());
            // Queues are deleted before clients are told: who reads that his connection ended knows that they are.
            revokeAll(left);
            long told = System.nanoTime() + TELLING.toNanos();
            left.forEach(client -> client.session.flush(told));
            left.forEach(client -> client.session.stop());
            long until = System.nanoTime() + ENDING.toNanos();
            for (Client client : left) {
                join(client.thread, until);
            }
            endAll();
        }
    }

    private void waitUntilGone(Duration limit) {
        long until = System.nanoTime() + limit.toNanos();
        while (until - System.nanoTime() > 0
                && devices.values().stream().anyMatch(d -> !d.leases().isEmpty())) {
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }

    /** Of all clients at once: where one's takes long, the others' do not wait for it. */
    private void revokeAll(List<Client> left) {
        long until = System.nanoTime() + REVOKING.toNanos();
        List<Thread> threads = new ArrayList<>();
        for (Client client : left) {
            Runnable revoke = () -> client.session.leases().forEach(lease -> lease.revoke("the daemon ends"));
            try {
                threads.add(Thread.ofPlatform()
                        .daemon()
                        .name(client.thread.getName() + ", its leases' end")
                        .start(revoke));
            } catch (OutOfMemoryError e) {
                revoke.run();
            }
        }
        threads.forEach(thread -> join(thread, until));
    }

    private void join(Thread thread, long until) {
        boolean interrupted = false;
        boolean ended = false;
        while (!ended && until - System.nanoTime() > 0) {
            try {
                ended = thread.join(Duration.ofNanos(Math.max(1, until - System.nanoTime())));
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (!ended) {
            events.add("error", null, thread.getName() + " has not ended");
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Those that somebody begins or ends just now. */
    private void waitForBusyExports() {
        long until = System.nanoTime() + ENDING.toNanos();
        boolean interrupted = false;
        synchronized (exports) {
            while (!busyExports.isEmpty() && until - System.nanoTime() > 0) {
                try {
                    exports.wait(Math.max(1, (until - System.nanoTime()) / 1_000_000));
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void endAll() throws IOException {
        IOException trouble = null;
        waitForBusyExports();
        for (Export export : exports()) {
            try {
                export.close();
            } catch (RuntimeException e) {
                trouble = add(trouble, new IOException(export.request().name() + ": " + e.getMessage(), e));
            } finally {
                give(export);
            }
        }
        for (Service service : parts.services()) {
            try {
                service.close();
            } catch (RuntimeException e) {
                trouble = add(trouble, new IOException("at the end: " + e.getMessage(), e));
            }
        }
        for (ServedDevice device : devices.values()) {
            try {
                device.close();
            } catch (IOException | RuntimeException e) {
                trouble = add(trouble, new IOException(device.name() + ": " + e.getMessage(), e));
            }
        }
        events.add("stopped", null, "homid has ended");
        if (trouble != null) {
            throw trouble;
        }
    }

    private void give(Export ended) {
        ServedDevice device = devices.get(ended.request().device());
        if (device != null) {
            device.giveExportBack(ended.request().name());
        }
    }

    private static IOException add(@Nullable IOException first, IOException next) {
        if (first == null) {
            return next;
        }
        first.addSuppressed(next);
        return first;
    }

    /**
     * Serves until a client shuts the daemon down or a signal ends the process (SIGTERM, SIGINT), and ends in order: for a
     * process that is a daemon and nothing else.
     *
     * @param notes told what could not be ended in order
     * @return the process's exit code, 0 if all ended in order; at a signal the process ends with it by itself
     */
    public int serveUntilSignal(Consumer<String> notes) {
        Thread hook = Thread.ofPlatform().name("homid, ending").unstarted(() -> {
            stop("a signal asks for it");
            Runtime.getRuntime().halt(end(notes));
        });
        Runtime.getRuntime().addShutdownHook(hook);
        serve();
        int code = end(notes);
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // A signal came: the hook, which waited for the same end, ends the process.
            LockSupport.parkNanos(ENDING.toNanos());
        }
        return code;
    }

    private int end(Consumer<String> notes) {
        try {
            close();
            return 0;
        } catch (IOException e) {
            notes.accept(String.valueOf(e.getMessage()));
            return 1;
        }
    }
}
