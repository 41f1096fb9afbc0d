package io.aisio.homi.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.homi.HomiControl;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What has no room in a line of the protocol is told in the next, and nothing twice. */
@Timeout(60)
class ToldWholeTest {
    private static final int CLIENTS = 100;

    @TempDir
    Path folder;

    private static Configuration roomy(Configuration c) {
        Quota many = new Quota(1024, 1024, 1L << 30, 1024);
        return new Configuration(
                c.socket(),
                c.group(),
                1024,
                c.timeouts(),
                many,
                many,
                c.devices(),
                c.users(),
                c.exports(),
                c.fileSystems(),
                c.dashboard(),
                c.functions());
    }

    @Test
    void aStatusHasAllClientsAndRowsAndSaysHowManyNamespacesAreMore() throws Exception {
        List<RawClient> clients = new ArrayList<>();
        try (TestDaemon daemon =
                new TestDaemon(folder, "emu:1MiB?shared&namespaces=1024&qpairs=128", ToldWholeTest::roomy)) {
            try {
                // Longest in a line: each of these is four bytes of UTF-8.
                String name = "\ud83e\udd80".repeat(32);
                for (int i = 0; i < CLIENTS; i++) {
                    RawClient client = new RawClient(daemon.socket);
                    clients.add(client);
                    client.call("hello", "{\"version\":1,\"name\":\"" + name + "\"}");
                    long lease = client.call("device.open", "{\"device\":\"nvme0\"}")
                            .get("lease")
                            .longValue();
                    client.call("queue.create", "{\"lease\":" + lease + ",\"depth\":2}");
                }
                try (HomiControl control = HomiControl.open(daemon.socket, "test")) {
                    Status status = control.status();
                    assertThat(status.more()).isZero();
                    assertThat(status.clients().stream().map(Status.ClientStatus::id))
                            .containsExactlyElementsOf(LongStream.rangeClosed(1, CLIENTS + 1)
                                    .boxed()
                                    .toList());
                    assertThat(status.rows().stream().map(Metered.Row::qid).distinct())
                            .hasSize(CLIENTS);
                    assertThat(status.devices()).singleElement().satisfies(device -> {
                        assertThat(device.namespaces()).hasSize(64);
                        assertThat(device.moreNamespaces()).isEqualTo(1024 - 64);
                    });
                }
                assertThat(clients.getFirst().call("status", "{}").get("more").intValue())
                        .isPositive();
            } finally {
                clients.forEach(RawClient::close);
            }
        }
    }

    @Test
    void eventsAreToldOnceEachAndInTheirOrderHoweverManyComeMeanwhile() throws Exception {
        try (TestDaemon daemon = new TestDaemon(folder, "emu:1MiB?shared");
                HomiControl control = HomiControl.open(daemon.socket, "test")) {
            Events events = daemon.daemon.events();
            for (int i = 0; i < 600; i++) {
                events.add("other", null, "\u00e9".repeat(500));
            }
            ConcurrentLinkedQueue<Long> told = new ConcurrentLinkedQueue<>();
            CountDownLatch begun = new CountDownLatch(2);
            List<Thread> adding = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                adding.add(Thread.ofPlatform().start(() -> {
                    for (int j = 0; j < 150; j++) {
                        events.add("other", null, "meanwhile");
                        begun.countDown();
                    }
                }));
            }
            begun.await();
            control.events(0, event -> told.add(event.sequence()));
            for (Thread thread : adding) {
                thread.join();
            }
            daemon.await(() -> told.size() >= events.last(), "the events");
            assertThat(told)
                    .containsExactlyElementsOf(
                            LongStream.rangeClosed(1, events.last()).boxed().toList());
        }
    }
}
