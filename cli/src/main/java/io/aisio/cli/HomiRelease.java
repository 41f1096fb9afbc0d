package io.aisio.cli;

import io.aisio.homi.HomiControl;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ObjectNode;

/** {@code homi release}: takes back what a client has. */
@Command(
        name = "release",
        header = "Takes back all leases of a client, as if it had died, or one of them.",
        description = {
            "%nIts queues are deleted, then its memory is given back; its commands fail, and it is told, of one lease that it"
                    + " was removed, of all that the daemon ended the connection. A client that ends by itself needs none of this. It takes root, the"
                    + " daemon's user, or a user whom the configuration gives control."
        },
        parameterListHeading = "%nWho:%n",
        footer = {"  ./aisio homi release 7", "  ./aisio homi release --socket /run/homi/homi.sock 7/1"})
final class HomiRelease implements Callable<Integer> {
    private static final Pattern WHO = Pattern.compile("([1-9][0-9]{0,17})(?:/([1-9][0-9]{0,17}))?");

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private HomiOptions options;

    @Parameters(
            index = "0",
            paramLabel = "CLIENT[/LEASE]",
            description = "Its number, and the lease's, as ./aisio homi status has them.")
    @SuppressWarnings("NullAway.Init")
    private String who;

    @Override
    public Integer call() throws IOException {
        Matcher asked = WHO.matcher(who);
        if (!asked.matches()) {
            throw new IllegalArgumentException("'" + who + "': CLIENT or CLIENT/LEASE, whole numbers");
        }
        ObjectNode params = HomiControl.params().put("client", Long.parseLong(asked.group(1)));
        String lease = asked.group(2);
        if (lease != null) {
            params.put("lease", Long.parseLong(lease));
        }
        try (HomiControl control = options.open("release")) {
            ObjectNode _ = control.ask("client.release", params);
        }
        System.out.println("client " + asked.group(1) + " has "
                + (lease == null ? "nothing any more" : "no lease " + lease + " any more"));
        return Exit.DONE;
    }
}
