package io.aisio.homi.daemon;

import io.aisio.homi.rpc.JsonLines;
import io.aisio.homi.rpc.Params;
import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.FileStatus;
import io.aisio.linux.OpenFile;
import io.aisio.nvme.KernelPassthrough;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Virtualization;
import io.aisio.upcie.BoundBefore;
import io.aisio.upcie.DriverBinding;
import io.aisio.upcie.KernelController;
import io.aisio.upcie.LentFunction;
import io.aisio.upcie.PciAddress;
import io.aisio.upcie.PciBus;
import io.aisio.upcie.VirtualFunctions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
    private static final String VFIO = "vfio-pci";
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
    }

    /** A function that a client has. */
    private record Leased(long number, long client, Pool pool, int index, int controllerId, LentFunction function) {}

    /** All functions of one offer. */
    private static final class Pool {
        final Offer offer;
        final VirtualFunctions functions;
        final List<PciAddress> addresses;
        final KernelPassthrough admin;
        final Virtualization virtualization;

        Pool(Offer offer) throws IOException {
            this.offer = offer;
            PciBus bus = new PciBus();
            List<KernelController> kernels = KernelController.of(bus, offer.physical());
            if (kernels.isEmpty()) {
                throw new IOException(
                        offer.physical() + ": virtual functions are leased of a controller that the kernel's"
                                + " driver has; next: ./aisio devbind bind --driver nvme " + offer.physical());
            }
            functions = new VirtualFunctions(bus, offer.physical());
            // Those of a daemon before this one are taken over.
            addresses = bus.device(offer.physical()).numVfs() == offer.count()
                    ? functions.addresses()
                    : functions.enable(offer.count());
            DriverBinding binding = new DriverBinding(bus, new BoundBefore(BoundBefore.FILE));
            for (PciAddress address : addresses) {
                binding.bind(address, VFIO).carryOut();
            }
            admin = KernelPassthrough.open(Path.of("/dev/" + kernels.getFirst().name()));
            virtualization = new Virtualization(offer.physical().toString(), admin);
        }

        /** The secondary controller in a virtual function. */
        int controllerId(int index) throws IOException {
            for (Virtualization.Secondary secondary : virtualization.secondaries()) {
                if (secondary.virtualFunction() == index + 1) {
                    return secondary.controllerId();
                }
            }
            throw new NvmeException(
                    offer.physical() + ": no secondary controller is in virtual function " + (index + 1));
        }

        /** Has it working, with its resources, and opens it. */
        LentFunction bringOnline(int index, int controllerId) throws IOException {
            virtualization.offline(controllerId);
            require("queues", virtualization.assign(controllerId, Virtualization.Resource.QUEUES, offer.queues()));
            require(
                    "interrupts",
                    virtualization.assign(controllerId, Virtualization.Resource.INTERRUPTS, offer.interrupts()));
            virtualization.online(controllerId);
            try {
                return LentFunction.open(addresses.get(index));
            } catch (IOException | RuntimeException e) {
                takeOffline(controllerId, e);
                throw e;
            }
        }

        private void require(String what, int given) throws NvmeException {
            if (given == 0) {
                throw new NvmeException(offer.physical() + ": the controller has no " + what + " left to share out");
            }
        }

        private void takeOffline(int controllerId, Exception why) {
            try {
                virtualization.offline(controllerId);
            } catch (IOException e) {
                why.addSuppressed(e);
            }
        }

        /** Takes functions away, unless a client still has one: the kernel would wait for it. */
        void end() throws IOException {
            try {
                for (PciAddress address : addresses) {
                    LentFunction.open(address).close();
                }
                functions.disable();
            } finally {
                admin.close();
            }
        }
    }

    private final List<Offer> offers;
    private final List<Pool> pools = new ArrayList<>();
    private final Map<Long, Leased> leased = new LinkedHashMap<>();
    private @Nullable Daemon daemon;
    private long last;

    /** @param offers what is leased */
    public FunctionLeases(List<Offer> offers) {
        this.offers = List.copyOf(offers);
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
                pools.add(new Pool(offer));
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
        for (Pool pool : pools) {
            long used = leased.values().stream().filter(l -> l.pool == pool).count();
            rows.addObject()
                    .put("name", pool.offer.name())
                    .put("physical", pool.offer.physical().toString())
                    .put("total", pool.addresses.size())
                    .put("used", used)
                    .put("queues", pool.offer.queues())
                    .put("interrupts", pool.offer.interrupts());
        }
        return Answer.of(result);
    }

    private synchronized Answer open(Caller caller, Params params) throws IOException {
        params.allow("name");
        String name = params.text("name", LONGEST_NAME);
        Pool pool = pools.stream()
                .filter(p -> p.offer.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new RpcException(
                        RpcException.NO_SUCH,
                        "no virtual functions '" + name + "' are leased here",
                        "function.list tells which are"));
        Daemon of = daemon;
        if (of != null) {
            of.requireOpen();
            // A controller of one's own is written to as one likes.
            Configuration.User user = of.configuration().user(caller.owner().uid(), (int) FileStatus.effectiveUser());
            if (!user.mayOpen(name, true)) {
                throw new RpcException(
                        RpcException.NOT_PERMITTED,
                        user.name() + " may not have a virtual function of " + name,
                        "ask who runs the daemon: its configuration says who may write to " + name);
            }
        }
        Leased given = take(caller, pool);
        leased.put(given.number, given);
        tell("leased", pool, "%s to client %d".formatted(given.function.name(), caller.id()));
        ObjectNode result = JsonLines.JSON
                .createObjectNode()
                .put("function", given.number)
                .put("address", given.function.name())
                .put("space", given.function.spaceId());
        return new Answer(result, List.of(given.function.device(), given.function.space()), List.of());
    }

    /** The first that is free, and that nobody has kept. */
    private Leased take(Caller caller, Pool pool) throws IOException {
        IOException kept = null;
        for (int i = 0; i < pool.addresses.size(); i++) {
            int index = i;
            if (leased.values().stream().anyMatch(l -> l.pool == pool && l.index == index)) {
                continue;
            }
            try {
                int controllerId = pool.controllerId(index);
                return new Leased(
                        ++last, caller.id(), pool, index, controllerId, pool.bringOnline(index, controllerId));
            } catch (IOException e) {
                kept = e;
            }
        }
        if (kept != null) {
            throw new IOException(pool.offer.name() + ": no virtual function can be had: " + kept.getMessage(), kept);
        }
        throw new RpcException(
                RpcException.QUOTA,
                "all %d virtual functions of %s are leased".formatted(pool.addresses.size(), pool.offer.name()),
                "try again when somebody has left");
    }

    private synchronized Answer close(Caller caller, Params params) throws RpcException {
        params.allow("function");
        long number = params.number("function", 1, Long.MAX_VALUE);
        Leased given = leased.get(number);
        if (given == null || given.client != caller.id()) {
            throw new RpcException(RpcException.NO_SUCH, "there is no function " + number, null);
        }
        takeBack(given);
        return Answer.of(JsonLines.JSON.createObjectNode());
    }

    /** Stops it first: whatever its client does with the descriptors that it may still have. */
    private void takeBack(Leased given) {
        leased.remove(given.number);
        try {
            given.pool.virtualization.offline(given.controllerId);
            tell("released", given.pool, given.function.name());
        } catch (IOException e) {
            tell("error", given.pool, given.function.name() + " could not be taken offline: " + e.getMessage());
        } finally {
            given.function.close();
        }
    }

    private void tell(String kind, Pool pool, String text) {
        Daemon of = daemon;
        if (of != null) {
            of.events().add(kind, pool.offer.name(), text);
        }
    }

    @Override
    public synchronized void left(Caller caller) {
        for (Leased given : List.copyOf(leased.values())) {
            if (given.client == caller.id()) {
                takeBack(given);
            }
        }
    }

    /** Takes the virtual functions away; where a client still has one, they stay, and the next daemon takes them over. */
    @Override
    public synchronized void close() {
        List.copyOf(leased.values()).forEach(this::takeBack);
        for (Pool pool : pools) {
            try {
                pool.end();
            } catch (IOException e) {
                tell("error", pool, "the virtual functions stay: " + e.getMessage());
            }
        }
        pools.clear();
    }
}
