package io.aisio.homi.daemon;

import io.aisio.homi.HomiClient;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * A client that leases a queue pair and starts a child whose standard input is the connection with the daemon. Says the
 * child's number, and waits.
 */
public final class HeirProcess {
    private HeirProcess() {}

    /** @param arguments the socket */
    public static void main(String[] arguments) throws Throwable {
        HomiClient client = HomiClient.connect(Path.of(arguments[0]), "heir");
        long lease = client.call("device.open", HomiClient.params().put("device", TestDaemon.DEVICE))
                .get("lease")
                .longValue();
        client.call("queue.create", HomiClient.params().put("lease", lease).put("depth", 8));
        // Children of Java's have no descriptor from 3 on.
        var dup2 = Linker.nativeLinker()
                .downcallHandle(
                        Linker.nativeLinker().defaultLookup().findOrThrow("dup2"),
                        FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
        if ((int) dup2.invokeExact(connection(), 0) != 0) {
            throw new IOException("dup2");
        }
        Process child = new ProcessBuilder("sleep", "600")
                .redirectInput(ProcessBuilder.Redirect.INHERIT)
                .start();
        System.out.println(child.pid());
        child.waitFor();
    }

    /** The one socket that this process has. */
    private static int connection() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            List<Path> all = open.toList();
            for (Path one : all) {
                if (Files.isSymbolicLink(one)
                        && Files.readSymbolicLink(one).toString().startsWith("socket:")) {
                    return Integer.parseInt(one.getFileName().toString());
                }
            }
        }
        throw new IOException("there is no socket");
    }
}
