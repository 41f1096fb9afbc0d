package io.aisio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;

import org.junit.jupiter.api.Test;

class PerfCounterTest {
    @Test
    void countsTheTimeThatThisThreadRuns() throws LinuxException {
        try (PerfCounter counter = open(PerfCounter.Event.TASK_CLOCK)) {
            long before = counter.count();
            long end = System.nanoTime() + 20_000_000;
            while (System.nanoTime() < end || counter.count() - before < 1_000_000) {
                Thread.onSpinWait();
            }
            long ran = counter.count() - before;
            assertThat(ran).isBetween(1_000_000L, 60_000_000_000L);
            counter.close();
            assertThatThrownBy(counter::count).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void countsCyclesOrSaysThatThereAreNone() throws LinuxException {
        try (PerfCounter counter = PerfCounter.ofThisThread(PerfCounter.Event.CYCLES)) {
            long before = counter.count();
            long sum = 0;
            for (int i = 0; i < 100_000; i++) {
                sum += Integer.bitCount(i);
            }
            assertThat(sum).isPositive();
            assertThat(counter.count() - before).isGreaterThan(10_000);
        } catch (LinuxException e) {
            assertThat(e.errno()).isIn(Errno.ENOENT, Errno.EACCES, Errno.EPERM, Errno.ENOSYS, Errno.EOPNOTSUPP);
            assertThat(e).hasMessageStartingWith("a counter of CYCLES: ");
        }
    }

    /** More counters than the processor has take turns, and each misses what happens in the others' time. */
    @Test
    void refusesACountOfAPartOfTheTime() throws LinuxException {
        PerfCounter.requireWhole(PerfCounter.Event.CYCLES, 0, 0);
        PerfCounter.requireWhole(PerfCounter.Event.CYCLES, 1_000_000, 999_000);
        assertThatThrownBy(() -> PerfCounter.requireWhole(PerfCounter.Event.CYCLES, 1_000_000, 998_999))
                .isInstanceOf(LinuxException.class)
                .hasMessageStartingWith("a counter of CYCLES that counted 998999 of 1000000 ns, as others count too: ");
    }

    private static PerfCounter open(PerfCounter.Event event) throws LinuxException {
        try {
            return PerfCounter.ofThisThread(event);
        } catch (LinuxException e) {
            return abort("needs perf_event_open (sysctl kernel.perf_event_paranoid=2): " + e.getMessage());
        }
    }
}
