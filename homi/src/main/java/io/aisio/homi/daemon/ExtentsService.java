package io.aisio.homi.daemon;

import io.aisio.homi.rpc.JsonLines;
import io.aisio.homi.rpc.Params;
import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.FileStatus;
import io.aisio.linux.OpenFile;
import io.aisio.xal.Extent;
import io.aisio.xal.Pin;
import io.aisio.xal.Xal;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Tells clients where files lie: of each file system one index, which all of them map read-only, and which says whether it is
 * as the file system is. A file whose blocks must not move is pinned, for the life of a lease of the device at most.
 *
 * <pre>
 *   extents.list                        the file systems of the configuration
 *   extents.open  {mount}               the index's memory, as a descriptor; asked for again when it was copied
 *   extents.pin   {mount, path, lease}  holds a file still; its extents, or those {from} a number on of a {pin}. Without a
 *                                       lease, and for the connection's life, if the device is virtual functions' name
 *   extents.unpin {pin}
 * </pre>
 *
 * Who may read the device may know what is on it, names too, whatever the files' permissions: he could read them anyway.
 */
public final class ExtentsService implements Service {
    /** Files that a client may hold still: each keeps blocks from being reused. */
    private static final int MOST_PINS = 64;
    /** Extents that a line has room for. */
    private static final int MOST_EXTENTS = 512;

    private static final int LONGEST_PATH = 4096;

    private final Map<String, FollowedFileSystem> fileSystems = new LinkedHashMap<>();
    private final Map<Long, Pinned> pins = new ConcurrentHashMap<>();
    private final List<Configuration.FileSystem> configured;
    private @Nullable Daemon daemon;
    private long lastPin;

    /** A lease of 0 is none: it is held for the connection. */
    private record Pinned(long client, long lease, FollowedFileSystem on, Pin pin) {}

    /** @param configured the file systems, each mounted or to be mounted */
    public ExtentsService(List<Configuration.FileSystem> configured) {
        this.configured = List.copyOf(configured);
    }

    @Override
    public Set<String> methods() {
        return Set.of("extents.list", "extents.open", "extents.pin", "extents.unpin");
    }

    @Override
    public void start(Daemon started) {
        daemon = started;
        for (Configuration.FileSystem one : configured) {
            fileSystems.put(one.mount(), new FollowedFileSystem(one, started.socket(), started.events()));
        }
    }

    /** How they are now. */
    public List<FileSystemStatus> status() {
        return fileSystems.values().stream().map(one -> one.status(pinsOn(one))).toList();
    }

    private int pinsOn(FollowedFileSystem one) {
        return (int) pins.values().stream().filter(pin -> pin.on() == one).count();
    }

    @Override
    public Answer answer(Caller caller, String method, JsonNode given, List<OpenFile> files) throws IOException {
        Params params = new Params(method, given);
        if (!files.isEmpty()) {
            throw new RpcException(RpcException.INVALID_PARAMS, method + " takes no descriptors", null);
        }
        return switch (method) {
            case "extents.list" -> list(params);
            case "extents.open" -> open(caller, params);
            case "extents.pin" -> params.has("pin") ? more(caller, params) : pin(caller, params);
            case "extents.unpin" -> unpin(caller, params);
            default -> throw new RpcException(RpcException.METHOD_NOT_FOUND, "there is no method " + method, null);
        };
    }

    private Answer list(Params params) throws RpcException {
        params.allow("from");
        int from = (int) params.number("from", 0, Integer.MAX_VALUE, 0);
        return Answer.of(new Part(JsonLines.JSON.createObjectNode(), from)
                .list("fileSystems", status())
                .end());
    }

    private FollowedFileSystem find(Caller caller, Params params) throws RpcException {
        String mount = params.text("mount", LONGEST_PATH);
        FollowedFileSystem found = fileSystems.get(mount);
        if (found == null) {
            throw new RpcException(
                    RpcException.NO_SUCH,
                    "no extents are told of '" + mount + "'",
                    fileSystems.isEmpty()
                            ? "have [[extents]] added to homid's configuration"
                            : "there is " + fileSystems.keySet());
        }
        String device = found.configured().device();
        Configuration.User user = Objects.requireNonNull(daemon)
                .configuration()
                .user(caller.owner().uid(), (int) FileStatus.effectiveUser());
        if (!user.mayOpen(device, false)) {
            throw new RpcException(
                    RpcException.NOT_PERMITTED,
                    user.name() + " may not read from " + device + ", which " + mount + " is on",
                    "ask who runs homid");
        }
        return found;
    }

    private Answer open(Caller caller, Params params) throws IOException {
        params.allow("mount");
        FollowedFileSystem found = find(caller, params);
        OpenFile memory = found.open(caller.id());
        ObjectNode result = JsonLines.JSON.createObjectNode();
        result.put("mount", found.configured().mount());
        result.put("device", found.configured().device());
        result.put("nsid", found.configured().nsid());
        result.put("offset", found.offset());
        result.put("leased", isLeased(found));
        return new Answer(result, List.of(memory), List.of(memory));
    }

    /** Whether a lease is to be had of its device; it is the name of virtual functions else, which are leased whole. */
    private boolean isLeased(FollowedFileSystem one) {
        return Objects.requireNonNull(daemon).configuration().functions().stream()
                .noneMatch(offer -> offer.name().equals(one.configured().device()));
    }

    private Lease lease(Caller caller, FollowedFileSystem found, long number) throws RpcException {
        Lease lease = Objects.requireNonNull(daemon).lease(caller.id(), number);
        Configuration.FileSystem on = found.configured();
        if (!lease.isOf(on.device(), on.nsid())) {
            throw new RpcException(
                    RpcException.INVALID_PARAMS,
                    "lease " + lease.id() + " is not of namespace " + on.nsid() + " of " + on.device() + ", which "
                            + on.mount() + " is on",
                    "open that one");
        }
        return lease;
    }

    private Answer pin(Caller caller, Params params) throws IOException {
        params.allow("mount", "path", "lease");
        FollowedFileSystem found = find(caller, params);
        String path = params.text("path", LONGEST_PATH);
        Lease lease = isLeased(found) ? lease(caller, found, params.number("lease", 1, Long.MAX_VALUE)) : null;
        if (pins.values().stream().filter(one -> one.client() == caller.id()).count() >= MOST_PINS) {
            throw new RpcException(
                    RpcException.QUOTA, "a client holds " + MOST_PINS + " files still at most", "unpin one first");
        }
        long offset = found.place();
        Pin pin;
        // Not kept open: it would keep the file system from being unmounted.
        try (Xal mounted = Xal.mounted(Path.of(found.configured().mount()), true)) {
            pin = Pin.of(mounted, mounted.lookup(path));
        }
        long number;
        synchronized (this) {
            number = ++lastPin;
        }
        Pinned pinned = new Pinned(caller.id(), lease == null ? 0 : lease.id(), found, pin);
        pins.put(number, pinned);
        if (lease != null) {
            lease.holdPins();
            // Whose end came first has not seen this one.
            if (!lease.isOpen()) {
                boolean _ = unpin(number, pinned);
                throw new RpcException(
                        RpcException.DEVICE, "lease " + lease.id() + " has ended", "open the device again");
            }
        }
        return described(number, pin, 0, offset);
    }

    private Answer more(Caller caller, Params params) throws IOException {
        params.allow("pin", "from");
        long number = params.number("pin", 1, Long.MAX_VALUE);
        Pinned pinned = pins.get(number);
        if (pinned == null || pinned.client() != caller.id()) {
            throw noSuch(number);
        }
        int from = (int) params.number("from", 0, Integer.MAX_VALUE, 0);
        return described(number, pinned.pin(), from, pinned.on().place());
    }

    private static RpcException noSuch(long pin) {
        return new RpcException(RpcException.NO_SUCH, "this client has no pin " + pin, null);
    }

    /** Extents are offset, position on the namespace, length and flags. */
    private static Answer described(long number, Pin pin, int from, long offset) throws IOException {
        ObjectNode result = JsonLines.JSON.createObjectNode();
        result.put("pin", number);
        result.put("bytes", pin.size());
        result.put("immutable", pin.immutable());
        List<Extent> all = pin.extents();
        List<Extent> some = all.subList(Math.min(from, all.size()), Math.min(all.size(), from + MOST_EXTENTS));
        ArrayNode extents = result.putArray("extents");
        for (Extent extent : some) {
            extents.addArray()
                    .add(extent.offset())
                    .add(extent.position() + offset)
                    .add(extent.length())
                    .add(extent.flags());
        }
        result.put("more", Math.max(0, all.size() - from - some.size()));
        return Answer.of(result);
    }

    private Answer unpin(Caller caller, Params params) throws RpcException {
        params.allow("pin");
        long number = params.number("pin", 1, Long.MAX_VALUE);
        Pinned pinned = pins.get(number);
        if (pinned == null || pinned.client() != caller.id() || !unpin(number, pinned)) {
            throw noSuch(number);
        }
        return Answer.of(JsonLines.JSON.createObjectNode());
    }

    private boolean unpin(long number, Pinned pinned) {
        boolean had = pins.remove(number, pinned);
        if (had) {
            pinned.pin().close();
        }
        return had;
    }

    @Override
    public void ended(long client, long lease) {
        unpin(pinned -> pinned.client() == client && pinned.lease() == lease);
    }

    private void unpin(Predicate<Pinned> which) {
        pins.forEach((number, pinned) -> {
            if (which.test(pinned)) {
                boolean _ = unpin(number, pinned);
            }
        });
    }

    @Override
    public void left(Caller caller) {
        unpin(pinned -> pinned.client() == caller.id());
        fileSystems.values().forEach(one -> one.left(caller.id()));
    }

    @Override
    public void close() {
        pins.values().forEach(pinned -> pinned.pin().close());
        pins.clear();
        fileSystems.values().forEach(FollowedFileSystem::close);
    }
}
