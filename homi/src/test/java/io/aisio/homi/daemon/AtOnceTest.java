package io.aisio.homi.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.aisio.homi.HomiControl;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What happens while something else does: clients that die, or are sent away, in the middle of requests. */
@Timeout(180)
class AtOnceTest {
    private static final String SHARED = "emu:64MiB?shared";
    private static final int PROCESSES = 4;
    private static final int CLIENTS = 8;

    @TempDir
    Path folder;

    private TestDaemon open() throws IOException {
        return new TestDaemon(
                folder, SHARED, c -> c, new Daemon.Parts(List.of(), List.of(new ClientsService())), Device::open);
    }

    @Test
    @Tag("slow")
    void whoeverIsKilledInTheMiddleOfARequestLeavesNothing() throws Exception {
        try (TestDaemon daemon = open()) {
            Random random = new Random(11);
            long descriptors = 0;
            for (int i = 0; i < PROCESSES; i++) {
                try (Child child =
                        new Child(RequestingProcess.class, daemon.socket.toString(), Integer.toString(CLIENTS))) {
                    assertThat(child.line()).isEqualTo("ready");
                    LockSupport.parkNanos(random.nextLong(20_000_000));
                    assertThat(child.process.isAlive()).isTrue();
                    child.kill();
                }
                daemon.awaitIdle();
                if (i == 0) {
                    descriptors = DaemonCasesTest.descriptors();
                }
            }
            assertThat(DaemonCasesTest.descriptors()).as("descriptors").isEqualTo(descriptors);
            assertThat(daemon.device().resets()).as("resets").isZero();
            assertThat(daemon.daemon.events().since(0, Events.KEPT))
                    .extracting(Events.Event::kind)
                    .doesNotContain("error");
        }
    }

    @Test
    @Tag("slow")
    void whoIsSentAwayWhileHeAsksForQueuesLeavesNone() throws Exception {
        try (TestDaemon daemon = open();
                RawClient control = RawClient.greeted(daemon.socket);
                ExecutorService threads = Executors.newCachedThreadPool()) {
            Random random = new Random(12);
            for (int i = 0; i < 100; i++) {
                RawClient victim = new RawClient(daemon.socket);
                long number = victim.call("hello", "{\"version\":1,\"name\":\"victim\"}")
                        .get("client")
                        .longValue();
                long lease = victim.call("device.open", "{\"device\":\"nvme0\"}")
                        .get("lease")
                        .longValue();
                CountDownLatch asks = new CountDownLatch(1);
                Future<?> asking = threads.submit((Callable<Void>) () -> {
                    try (victim) {
                        while (true) {
                            asks.countDown();
                            victim.request("queue.create", "{\"lease\":" + lease + ",\"depth\":4}");
                        }
                    } catch (IOException e) {
                        return null;
                    }
                });
                asks.await();
                LockSupport.parkNanos(random.nextLong(2_000_000));
                control.call("client.release", "{\"client\":" + number + "}");
                asking.get(30, TimeUnit.SECONDS);
                daemon.await(
                        () -> daemon.device().queuesUsed() == 0
                                && daemon.device().leases() == 0
                                && daemon.daemon.status().clients().size() == 1,
                        "what client " + number + " had");
            }
            assertThat(daemon.device().resets()).as("resets").isZero();
        }
    }

    @Test
    void manyThreadsAskByOneConnectionAndEachHasItsOwnAnswer() throws Exception {
        try (TestDaemon daemon = open();
                HomiControl control = HomiControl.open(daemon.socket, "many");
                ExecutorService threads = Executors.newCachedThreadPool()) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                int which = i;
                all.add(threads.submit((Callable<Void>) () -> {
                    for (int n = 0; n < 100; n++) {
                        switch (which % 3) {
                            case 0 -> assertThat(control.status().clients()).hasSize(1);
                            case 1 -> {
                                String device = "none" + which + "-" + n;
                                assertThat(catchThrowable(() -> control.ask(
                                                "device.open",
                                                HomiControl.params().put("device", device))))
                                        .hasMessageContaining("'" + device + "'");
                            }
                            default ->
                                assertThat(control.ask("status", HomiControl.params())
                                                .get("devices"))
                                        .hasSize(1);
                        }
                    }
                    return null;
                }));
            }
            for (Future<?> one : all) {
                one.get(60, TimeUnit.SECONDS);
            }
            // Closing it lets go of all that wait.
            all.clear();
            CountDownLatch ask = new CountDownLatch(8);
            for (int i = 0; i < 8; i++) {
                all.add(threads.submit(() -> {
                    while (true) {
                        try {
                            control.status();
                            ask.countDown();
                        } catch (IOException | IllegalStateException e) {
                            // It was closed meanwhile, or before it was asked.
                            return;
                        }
                    }
                }));
            }
            ask.await();
            control.close();
            for (Future<?> one : all) {
                one.get(30, TimeUnit.SECONDS);
            }
            daemon.awaitIdle();
        }
    }
}
