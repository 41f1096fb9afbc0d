package io.aisio.cli;

import io.aisio.homi.HomiControl;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ObjectNode;

/** {@code homi release}: takes back what a client has. */
@Command(
        name = "release",
        header = "Takes back all leases of a client, as if it had died.",
        description = {
            "%nIts queues are deleted, then its memory is given back; its commands fail, and it is told that the daemon"
                    + " ended the connection. A client that ends by itself needs none of this. It takes root, the"
                    + " daemon's user, or a user whom the configuration gives control."
        },
        parameterListHeading = "%nWho:%n",
        footer = {"  ./aisio homi release 7", "  ./aisio homi release --socket /run/homi/homi.sock 7"})
final class HomiRelease implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private HomiOptions options;

    @Parameters(index = "0", paramLabel = "CLIENT", description = "Its number, as ./aisio homi status has it.")
    private long client;

    @Override
    public Integer call() throws IOException {
        try (HomiControl control = options.open("release")) {
            ObjectNode _ = control.ask("client.release", HomiControl.params().put("client", client));
        }
        System.out.println("client " + client + " has nothing any more");
        return Exit.DONE;
    }
}
