package io.aisio.homi.daemon;

import io.aisio.homi.HomiClient;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import tools.jackson.databind.node.ObjectNode;

/**
 * Clients in a process of their own that lease, create, delete and register without end, each by a connection of its own: who
 * kills it kills each of them in the middle of something. Says {@code ready} once all have leased.
 */
public final class RequestingProcess {
    private RequestingProcess() {}

    /** @param arguments the daemon's socket, and how many clients */
    public static void main(String[] arguments) throws Exception {
        int clients = Integer.parseInt(arguments[1]);
        CountDownLatch leased = new CountDownLatch(clients);
        for (int i = 0; i < clients; i++) {
            Thread.ofPlatform().start(() -> {
                try {
                    request(Path.of(arguments[0]), leased);
                } catch (Exception e) {
                    e.printStackTrace();
                    System.exit(1);
                }
            });
        }
        leased.await();
        System.out.println("ready");
    }

    private static void request(Path socket, CountDownLatch leased) throws Exception {
        for (boolean first = true; ; first = false) {
            try (HomiClient client = HomiClient.connect(socket, "requesting")) {
                ObjectNode opened =
                        client.call("device.open", HomiClient.params().put("device", TestDaemon.DEVICE));
                long lease = opened.get("lease").longValue();
                if (first) {
                    leased.countDown();
                }
                do {
                    long queue = client.call(
                                    "queue.create",
                                    HomiClient.params().put("lease", lease).put("depth", 16))
                            .get("queue")
                            .longValue();
                    long memory = client.call(
                                    "memory.allocate",
                                    HomiClient.params().put("lease", lease).put("bytes", 1 << 16))
                            .get("memory")
                            .longValue();
                    ObjectNode _ =
                            client.call("queue.delete", HomiClient.params().put("queue", queue));
                    ObjectNode _ =
                            client.call("memory.release", HomiClient.params().put("memory", memory));
                } while (ThreadLocalRandom.current().nextInt(4) > 0);
            }
        }
    }
}
