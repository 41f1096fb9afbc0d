package io.aisio.homi.daemon;

import io.aisio.homi.rpc.JsonLines;
import io.aisio.homi.rpc.Params;
import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Ends what other clients have: {@code client.release {client}} takes back all that one has, as if it had died,
 * {@code client.release {client, lease}} one of its leases. For who may do what concerns others.
 */
public final class ClientsService implements Service {
    private @Nullable Daemon daemon;

    /** One for one daemon. */
    public ClientsService() {}

    @Override
    public Set<String> methods() {
        return Set.of("client.release");
    }

    @Override
    public void start(Daemon started) {
        daemon = started;
    }

    @Override
    public Answer answer(Caller caller, String method, JsonNode given, List<OpenFile> files) throws IOException {
        Params params = new Params(method, given);
        params.allow("client", "lease");
        long client = params.number("client", 1, Long.MAX_VALUE);
        if (!caller.mayControl()) {
            throw new RpcException(
                    RpcException.NOT_PERMITTED,
                    "uid " + caller.owner().uid() + " may not end other clients",
                    "have control = true set for this user in homid's configuration");
        }
        String why =
                "process " + caller.owner().pid() + " of uid " + caller.owner().uid() + " asked for it";
        if (params.has("lease")) {
            long lease = params.number("lease", 1, Long.MAX_VALUE);
            if (!Objects.requireNonNull(daemon).revoke(client, lease, why)) {
                throw new RpcException(
                        RpcException.NO_SUCH,
                        "client " + client + " has no lease " + lease,
                        "./aisio homi status names them");
            }
            return Answer.of(JsonLines.JSON.createObjectNode());
        }
        if (client == caller.id() || !Objects.requireNonNull(daemon).sendAway(client, why)) {
            throw new RpcException(
                    RpcException.NO_SUCH, "there is no other client " + client, "./aisio homi status names them");
        }
        return Answer.of(JsonLines.JSON.createObjectNode());
    }

    @Override
    public void close() {}
}
