package io.aisio.homi.daemon;

import io.aisio.homi.rpc.JsonLines;
import io.aisio.homi.rpc.Params;
import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.FileStatus;
import io.aisio.linux.OpenFile;
import io.aisio.upcie.PciAddress;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Leases virtual functions (SR-IOV), each whole to one client: the controller keeps its commands apart from everybody else's,
 * and the IOMMU its memory. The physical function stays with the kernel's driver, by which resources are shared out.
 *
 * <pre>
 *   start             virtual functions are made, and bound to vfio-pci
 *   function.open     a free one gets queues and interrupts, is taken online, and its descriptors are passed
 *   function.close,
 *   client is gone    it is taken offline, which stops it at once, and reset
 * </pre>
 *
 * Who has one has a controller of his own: its admin commands are his too. A client that lives and does not let go of the
 * descriptors keeps the function, which does nothing any more; it is not leased again until they are closed.
 */
public final class FunctionLeases implements Service {
    private static final int LONGEST_NAME = 64;

    /**
     * Virtual functions that are leased.
     *
     * @param name by which clients ask for one
     * @param physical the physical function, which the kernel's nvme driver has
     * @param count how many are made, at least 1
     * @param queues of each, in pairs, the admin queue's among them, at least 2
     * @param interrupts of each, at least 1
     */
    public record Offer(String name, PciAddress physical, int count, int queues, int interrupts) {
        /** Checks every value. */
        public Offer {
            if (count < 1 || queues < 2 || interrupts < 1) {
                throw new IllegalArgumentException(
                        "%s: %d virtual functions with %d queues and %d interrupts each; at least 1, 2 and 1 are needed"
                                .formatted(name, count, queues, interrupts));
            }
        }

        /** Queue pairs that commands to namespaces go through: all but the admin queue. */
        int pairs() {
            return queues - 1;
        }
    }

    /** A function that a client has. */
    private record Leased(
            long number,
            Caller client,
            Accounts.Client account,
            FunctionPool pool,
            int index,
            FunctionPool.Given function,
            Instant since) {
        Metered.Row row() {
            Offer offer = pool.offer();
            return new Metered.Row(
                    "function " + number,
                    offer.name(),
                    0,
                    Metered.Path.VF,
                    client.owner(),
                    0,
                    0,
                    0,
                    offer.pairs(),
                    false,
                    since,
                    "working",
                    Metered.Counters.NONE,
                    "function " + number + ", " + function.address());
        }
    }

    /** Makes the functions of an offer: {@link VirtualFunctionPool}, but in tests. */
    interface Maker {
        FunctionPool make(Offer offer) throws IOException;
    }

    private final List<Offer> offers;
    private final Maker maker;
    private final List<FunctionPool> pools = new ArrayList<>();
    /** Whoever changes it holds this object's lock, maybe for as long as a function takes to be brought up. */
    private final Map<Long, Leased> leased = new ConcurrentSkipListMap<>();

    private @Nullable Daemon daemon;
    private long last;

    /** @param offers what is leased */
    public FunctionLeases(List<Offer> offers) {
        this(offers, VirtualFunctionPool::new);
    }

    FunctionLeases(List<Offer> offers, Maker maker) {
        this.offers = List.copyOf(offers);
        this.maker = maker;
    }

    @Override
    public Set<String> methods() {
        return Set.of("function.list", "function.open", "function.close");
    }

    /** Makes the virtual functions; one offer that cannot be made is told of, and the others stand. */
    @Override
    public synchronized void start(Daemon of) {
        daemon = of;
        for (Offer offer : offers) {
            try {
                pools.add(maker.make(offer));
            } catch (IOException e) {
                of.events().add("absent", offer.name(), offer.name() + ": " + e.getMessage());
            }
        }
    }

    @Override
    public Answer answer(Caller caller, String method, JsonNode given, List<OpenFile> files) throws IOException {
        Params params = new Params(method, given);
        if (!files.isEmpty()) {
            throw new RpcException(RpcException.INVALID_PARAMS, method + " takes no descriptors", null);
        }
        return switch (method) {
            case "function.list" -> list(params);
            case "function.open" -> open(caller, params);
            default -> close(caller, params);
        };
    }

    private synchronized Answer list(Params params) throws RpcException {
        params.allow();
        ObjectNode result = JsonLines.JSON.createObjectNode();
        ArrayNode rows = result.putArray("functions");
        for (FunctionPool pool : pools) {
            Offer offer = pool.offer();
            long used =
                    leased.values().stream().filter(l -> l.pool.equals(pool)).count();
            rows.addObject()
                    .put("name", offer.name())
                    .put("physical", offer.physical().toString())
                    .put("total", pool.total())
                    .put("used", used)
                    .put("queues", offer.queues())
                    .put("interrupts", offer.interrupts());
        }
        return Answer.of(result);
    }

    private synchronized Answer open(Caller caller, Params params) throws IOException {
        params.allow("name");
        String name = params.text("name", LONGEST_NAME);
        FunctionPool pool = pools.stream()
                .filter(p -> p.offer().name().equals(name))
                .findFirst()
                .orElseThrow(() -> new RpcException(
                        RpcException.NO_SUCH,
                        "no virtual functions '" + name + "' are leased here",
                        "function.list tells which are"));
        Daemon of = Objects.requireNonNull(daemon);
        of.requireOpen();
        // A controller of one's own is written to as one likes.
        Configuration.User user = of.configuration().user(caller.owner().uid(), (int) FileStatus.effectiveUser());
        if (!user.mayOpen(name, true)) {
            throw new RpcException(
                    RpcException.NOT_PERMITTED,
                    user.name() + " may not have a virtual function of " + name,
                    "ask who runs the daemon: its configuration says who may write to " + name);
        }
        Accounts.Client account = of.account(caller.id());
        account.takeQueues(pool.offer().pairs());
        Leased given;
        try {
            given = take(caller, account, pool);
        } catch (IOException | RuntimeException e) {
            account.giveQueuesBack(pool.offer().pairs());
            throw e;
        }
        leased.put(given.number, given);
        of.came(caller.id());
        tell("leased", pool, "%s to client %d".formatted(given.function.address(), caller.id()));
        ObjectNode result = JsonLines.JSON
                .createObjectNode()
                .put("function", given.number)
                .put("address", given.function.address())
                .put("space", given.function.spaceId());
        return new Answer(result, given.function.files(), List.of());
    }

    /** The first that is free, and that nobody has kept. */
    private Leased take(Caller caller, Accounts.Client account, FunctionPool pool) throws IOException {
        String name = pool.offer().name();
        IOException kept = null;
        for (int i = 0; i < pool.total(); i++) {
            int index = i;
            if (leased.values().stream().anyMatch(l -> l.pool.equals(pool) && l.index == index)) {
                continue;
            }
            try {
                return new Leased(++last, caller, account, pool, index, pool.give(index), Instant.now());
            } catch (IOException e) {
                kept = e;
            }
        }
        if (kept != null) {
            throw new IOException(name + ": no virtual function can be had: " + kept.getMessage(), kept);
        }
        throw new RpcException(
                RpcException.QUOTA,
                "all %d virtual functions of %s are leased".formatted(pool.total(), name),
                "try again when somebody has left");
    }

    private synchronized Answer close(Caller caller, Params params) throws RpcException {
        params.allow("function");
        long number = params.number("function", 1, Long.MAX_VALUE);
        Leased given = leased.get(number);
        if (given == null || given.client.id() != caller.id()) {
            throw new RpcException(RpcException.NO_SUCH, "there is no function " + number, null);
        }
        takeBack(given);
        return Answer.of(JsonLines.JSON.createObjectNode());
    }

    /** Stops it first: whatever its client does with the descriptors that it may still have. */
    private void takeBack(Leased given) {
        leased.remove(given.number);
        try {
            given.function.takeBack();
            tell("released", given.pool, given.function.address());
        } catch (IOException e) {
            tell("error", given.pool, given.function.address() + " could not be taken offline: " + e.getMessage());
        } finally {
            given.account.giveQueuesBack(given.pool.offer().pairs());
        }
    }

    @Override
    public List<Metered.Row> rows() {
        return leased.values().stream().map(Leased::row).toList();
    }

    private void tell(String kind, FunctionPool pool, String text) {
        Daemon of = daemon;
        if (of != null) {
            of.events().add(kind, pool.offer().name(), text);
        }
    }

    @Override
    public synchronized void left(Caller caller) {
        for (Leased given : List.copyOf(leased.values())) {
            if (given.client.id() == caller.id()) {
                takeBack(given);
            }
        }
    }

    /** Takes the virtual functions away; where a client still has one, they stay, and the next daemon takes them over. */
    @Override
    public synchronized void close() {
        List.copyOf(leased.values()).forEach(this::takeBack);
        for (FunctionPool pool : pools) {
            try {
                pool.end();
            } catch (IOException e) {
                tell("error", pool, "the virtual functions stay: " + e.getMessage());
            }
        }
        pools.clear();
    }
}
