package io.aisio.cli;

import io.aisio.homi.HomiControl;
import io.aisio.homi.rpc.RpcException;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import tools.jackson.databind.node.ObjectNode;

/** {@code homi shutdown}: ends the daemon. */
@Command(
        name = "shutdown",
        header = "Ends the daemon in order, as SIGTERM does.",
        description = {
            "%nClients are told, and waited for as long as the configuration says (timeouts.drain); then their queues are"
                    + " deleted and their memory is given back. Under systemd, systemctl stop homid is the way: this"
                    + " looks to it like an end of its own."
        },
        footer = {"  ./aisio homi shutdown", "  ./aisio homi drain --wait && ./aisio homi shutdown"})
final class HomiShutdown implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private HomiOptions options;

    @Override
    public Integer call() throws IOException {
        boolean connected = false;
        try (HomiControl control = options.open("shutdown")) {
            connected = true;
            ObjectNode _ = control.ask("shutdown", HomiControl.params());
        } catch (RpcException e) {
            throw e;
        } catch (IOException e) {
            if (!connected) {
                throw e;
            }
            // It ended before its answer came.
        }
        System.out.println("the daemon ends");
        return Exit.DONE;
    }
}
