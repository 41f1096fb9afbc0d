package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.aisio.nvme.link.Ceiling;
import io.aisio.nvme.link.DataPath;
import io.aisio.nvme.link.NvmeTraffic;
import io.aisio.nvme.link.PcieLink;
import io.aisio.nvme.spec.Opcode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A controller on a link does what the link model says, and no more. */
class LinkTest {
    private static final PcieLink SSD = PcieLink.of(5, 4);
    private static final PcieLink GPU = PcieLink.of(5, 16).withMaxPayload(64);
    private static final int DEPTH = 64;

    /** A slot of a queue whose command is due, as the owner submits it again then. */
    private record Slot(Pace pace, long due) {}

    /** How many commands several controllers complete in a second of their own time: no clock runs. */
    private static long commandsInASecond(List<Pace> paces, boolean write, long bytes) {
        long start = System.nanoTime();
        PriorityQueue<Slot> slots = new PriorityQueue<>((a, b) -> Long.compare(a.due - start, b.due - start));
        for (int i = 0; i < DEPTH; i++) {
            for (Pace pace : paces) {
                slots.add(new Slot(pace, pace.due(start, write, bytes)));
            }
        }
        long done = 0;
        while (slots.element().due - start <= 1_000_000_000L) {
            Slot slot = slots.remove();
            done++;
            slots.add(new Slot(slot.pace, slot.pace.due(slot.due, write, bytes)));
        }
        return done;
    }

    @ParameterizedTest
    @CsvSource({
        "1, false, 512",
        "1, true, 4096",
        "1, false, 131072",
        "3, false, 4096",
        "4, false, 4096",
        "4, true, 4096",
        "4, false, 512",
        "8, false, 65536",
    })
    void letsThroughWhatTheModelSays(int ssds, boolean write, long bytes) {
        // A thousandth of the speed, for a thousandth of the commands to simulate.
        PcieLink slowSsd = new PcieLink(5, 4, SSD.maxPayload(), 1000);
        PcieLink slowGpu = new PcieLink(5, 16, GPU.maxPayload(), 1000);
        SharedLink uplink = SharedLink.join(new EmuConfiguration.Uplink("simulated", slowGpu));
        try {
            List<Pace> paces = new ArrayList<>();
            for (int i = 0; i < ssds; i++) {
                paces.add(new Pace(0, 0, 0, slowSsd, uplink));
            }
            Ceiling ceiling = DataPath.toHost(ssds, slowSsd).withGpu(slowGpu).ceiling(write, bytes);
            assertThat(commandsInASecond(paces, write, bytes) / ceiling.iops())
                    .as("of %s", ceiling)
                    .isBetween(0.98, 1.0);
        } finally {
            uplink.leave();
        }
    }

    /** Experiment 4: the fourth SSD adds little. */
    @Test
    void threeSsdsNearlyFillTheLinkOfAGpu() {
        long[] done = new long[5];
        for (int ssds = 1; ssds <= 4; ssds++) {
            SharedLink uplink = SharedLink.join(
                    new EmuConfiguration.Uplink("experiment4", new PcieLink(5, 16, GPU.maxPayload(), 1000)));
            try {
                List<Pace> paces = new ArrayList<>();
                for (int i = 0; i < ssds; i++) {
                    paces.add(new Pace(0, 0, 0, new PcieLink(5, 4, SSD.maxPayload(), 1000), uplink));
                }
                done[ssds] = commandsInASecond(paces, false, 4096);
            } finally {
                uplink.leave();
            }
        }
        assertThat((double) done[2] / done[1]).isBetween(1.97, 2.03);
        assertThat((double) done[3] / done[1]).isBetween(2.96, 3.04);
        assertThat((double) done[4] / done[3]).isBetween(1.01, 1.1);
    }

    /** Each takes half a month; 2^63 picoseconds are a hundred days. */
    @Test
    void whatIsLaterThanCanBeToldIsNeverEarlier() {
        PcieLink link = new PcieLink(1, 1, PcieLink.DEFAULT_MAX_PAYLOAD, PcieLink.MAX_SLOWDOWN);
        Pace pace = new Pace(0, 0, 0, link, null);
        long now = System.nanoTime();
        long before = 0;
        for (int i = 0; i < 16; i++) {
            long after = pace.due(now, false, NvmeTraffic.MAX_BYTES) - now;
            assertThat(after).isGreaterThanOrEqualTo(before);
            before = after;
        }
        assertThat(before).isGreaterThan(Duration.ofDays(100).toNanos());
    }

    /** In real time, on a thread of its own: never more than the model says. */
    @ParameterizedTest
    @CsvSource({"gen1x1, 4096", "gen5x4/1000, 4096", "gen5x4/100, 512"})
    void aControllerOnALinkIsNotFasterThanTheModel(String text, int bytes) throws Exception {
        PcieLink link = PcieLink.parse(text);
        double ceiling = DataPath.toHost(1, link).ceiling(false, bytes).iops();
        try (Host host = new Host(EmuConfiguration.nothing(1 << 20).withLink(link), false)) {
            host.enable();
            Host.Ring io = host.createQueue(1, DEPTH + 1);
            Host.Entry read = host.io(Opcode.READ, 0, bytes / 512);
            long start = System.nanoTime();
            for (int i = 0; i < DEPTH; i++) {
                io.put(read, i);
            }
            io.ring();
            long done = 0;
            long elapsed = 0;
            while (elapsed < 300_000_000L) {
                host.await(io::ready);
                int taken = 0;
                while (io.ready()) {
                    assertThat(io.take().status().isSuccess()).isTrue();
                    io.put(read, (int) ((done + taken++) % DEPTH));
                }
                io.release();
                io.ring();
                done += taken;
                elapsed = System.nanoTime() - start;
                assertThat(done)
                        .as("in %d ns, at %.0f a second", elapsed, ceiling)
                        .isLessThanOrEqualTo((long) (ceiling * elapsed / 1e9) + 1);
            }
            // How near it comes is a matter of how busy the machine is: that is told by the simulation above.
            assertThat(done).isGreaterThan(DEPTH);
        }
    }

    @Test
    void threadsThatShareALinkLoseNoneOfItsTime() throws Exception {
        PcieLink link = PcieLink.of(5, 1);
        SharedLink shared = SharedLink.join(new EmuConfiguration.Uplink("threads", link));
        try {
            int threads = 3;
            int each = 20_000;
            long now = System.nanoTime();
            AtomicBoolean go = new AtomicBoolean();
            AtomicReference<Throwable> failure = new AtomicReference<>();
            List<Thread> all = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                all.add(Thread.ofPlatform().start(() -> {
                    try {
                        while (!go.get()) {
                            Thread.onSpinWait();
                        }
                        for (int i = 0; i < each; i++) {
                            assertThat(shared.time().pass(now, false, 4096)).isGreaterThan(now);
                        }
                    } catch (Throwable e) {
                        failure.set(e);
                    }
                }));
            }
            go.set(true);
            for (Thread thread : all) {
                thread.join();
            }
            assertThat(failure.get()).isNull();
            // One more command is due after all of them: 4480 bytes each.
            double nanos = (threads * each + 1) * 4480 / link.bytesPerSecond() * 1e9;
            assertThat(shared.time().pass(now, false, 4096) - now).isBetween((long) nanos, (long) (nanos * 1.001));
        } finally {
            shared.leave();
        }
    }

    @Test
    void anUplinkIsTheSameForAllWhoNameIt() throws IOException {
        EmuConfiguration one =
                EmuConfiguration.nothing(1 << 20).withUplink(new EmuConfiguration.Uplink("same", PcieLink.of(5, 16)));
        EmuConfiguration other = one.withUplink(new EmuConfiguration.Uplink("same", PcieLink.of(5, 8)));
        EmuController first = EmuController.open("first", one);
        try (EmuController second = EmuController.open("second", one)) {
            assertThat(second.configuration()).isEqualTo(one);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> EmuController.open("third", other))
                    .withMessageContaining(
                            "uplink 'same' is gen5x16 for other controllers of this process, not gen5x8");
            first.close();
            first.close();
            assertThatIllegalArgumentException().isThrownBy(() -> EmuController.open("third", other));
        }
        // Who opens it when nobody has it says what it is.
        EmuController.open("third", other).close();
    }
}
