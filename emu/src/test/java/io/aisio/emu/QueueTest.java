package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.DmaMemory;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class QueueTest {
    private static final EmuConfiguration SMALL = EmuConfiguration.memory(1 << 20);

    @ParameterizedTest
    @CsvSource({"2,2", "2,5", "3,3", "16,16", "16,3", "5,64", "1024,1024"})
    void wrapsWithThePhaseTurningOver(int sqEntries, int cqEntries) throws Exception {
        try (Host host = Host.ready(SMALL)) {
            Host.Ring io = host.createQueue(1, sqEntries, cqEntries);
            int batch = Math.min(sqEntries, cqEntries) - 1;
            int cid = 0;
            for (int round = 0; round < 50; round++) {
                int n = 1 + round % batch;
                for (int i = 0; i < n; i++) {
                    io.put(host.io(Opcode.READ, i, 1), cid + i & 0xFFFF);
                }
                io.ring();
                host.controller.step();
                for (int i = 0; i < n; i++) {
                    Host.Done done = io.take();
                    assertThat(done.cid()).isEqualTo(cid + i & 0xFFFF);
                    assertThat(done.status().isSuccess()).isTrue();
                }
                assertThat(io.ready()).isFalse();
                io.release();
                cid += n;
            }
        }
    }

    @Test
    void neverOverwritesACompletionThatTheDriverHasNotConsumed() throws Exception {
        try (Host host = Host.ready(SMALL)) {
            Host.Ring io = host.createQueue(1, 64, 4);
            for (int cid = 0; cid < 40; cid++) {
                io.put(host.io(Opcode.READ, 0, 1), cid);
            }
            io.ring();
            for (int cid = 0; cid < 40; ) {
                host.settle();
                int there = 0;
                for (; io.ready(); there++, cid++) {
                    Host.Done done = io.take();
                    assertThat(done.cid()).isEqualTo(cid);
                    assertThat(done.sqHead())
                            .as("fetched no more than completed")
                            .isEqualTo(cid + 1);
                }
                assertThat(there).as("a queue of 4 holds 3").isEqualTo(cid == 40 ? 1 : 3);
                io.release();
            }
        }
    }

    @Test
    void sharesOneCompletionQueueAmongSubmissionQueues() throws Exception {
        try (Host host = Host.ready(SMALL)) {
            Host.Ring first = host.createQueue(1, 16);
            Host.Ring second = host.new Ring(2, 16, 2);
            assertThat(host.admin.status(Host.Entry.of(Opcode.CREATE_IO_SQ, 0)
                            .prps(second.sq.iova(0), 0)
                            .dwords(15 << 16 | 2, 1 << 16 | 1)))
                    .isZero();
            second.put(host.io(Opcode.READ, 0, 1), 33);
            second.ring();
            host.controller.step();
            assertThat(first.take().sqid()).isEqualTo(2);
            assertThat(host.admin.status(Host.Entry.of(Opcode.DELETE_IO_SQ, 0).dwords(1, 0)))
                    .isZero();
            assertThat(host.admin.status(Host.Entry.of(Opcode.DELETE_IO_CQ, 0).dwords(1, 0)))
                    .isEqualTo(Status.INVALID_QUEUE_DELETION);
        }
    }

    @Test
    void stopsFatallyWhenItsMemoryIsFreedAndWorksAgainAfterAReset() throws Exception {
        try (Host host = Host.ready(SMALL)) {
            Host.Ring io = host.createQueue(1, 16);
            io.sq.close();
            io.tail = 1;
            io.ring();
            host.settle();
            assertThat(host.csts() & Registers.CSTS_CFS).isNotZero();
            host.bar.write32(Registers.CC, 0);
            host.settle();
            host.enable();
            Host.Ring again = host.createQueue(1, 16);
            again.cq.close();
            again.put(host.io(Opcode.READ, 0, 1), 1);
            again.ring();
            host.settle();
            assertThat(host.csts() & Registers.CSTS_CFS).isNotZero();
        }
    }

    @Test
    void survivesMemoryThatIsFreedUnderCommandsInFlight() throws Exception {
        try (Host host = new Host(SMALL, false)) {
            host.enable();
            Host.Ring io = host.createQueue(1, 256);
            for (int round = 0; round < 50; round++) {
                DmaMemory data = host.function.allocate(64 << 10);
                for (int cid = 0; cid < 200; cid++) {
                    io.put(host.io(Opcode.READ, 0, 8).prps(data.iova(cid % 16 * 4096L), 0), cid);
                }
                io.ring();
                data.close();
                for (int cid = 0; cid < 200; cid++) {
                    host.await(io::ready);
                    assertThat(io.take().status().code()).isIn(0, Status.DATA_TRANSFER_ERROR);
                }
                io.release();
            }
            assertThat(io.status(host.io(Opcode.READ, 0, 1))).isZero();
        }
    }

    @Test
    void allocatesNothingPerCommand() throws Exception {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        for (EmuConfiguration configuration : new EmuConfiguration[] {
            EmuConfiguration.nothing(1L << 40), SMALL, SMALL.withLatency(Duration.ofNanos(1))
        }) {
            try (Host host = Host.ready(configuration)) {
                Host.Ring io = host.createQueue(1, 256);
                Host.Entry read = host.io(Opcode.READ, 0, 16);
                Host.Entry write = host.io(Opcode.WRITE, 0, 16);
                long[] used = new long[3];
                for (int batch = 0; batch < 2000; batch++) {
                    for (int cid = 0; cid < 128; cid++) {
                        io.put(cid % 2 == 0 ? read : write, cid);
                    }
                    io.ring();
                    int done = 0;
                    long before = threads.getCurrentThreadAllocatedBytes();
                    while (done < 128) {
                        host.controller.step();
                        for (; io.ready(); done++) {
                            io.phase ^= ++io.head == io.cqEntries ? 1 : 0;
                            io.head %= io.cqEntries;
                        }
                    }
                    // The first thousand batches warm up: what is interpreted may allocate.
                    used[batch / 1000] += threads.getCurrentThreadAllocatedBytes() - before;
                    io.release();
                }
                assertThat(used[1]).as("bytes in 128,000 commands").isLessThan(128_000 / 10);
            }
        }
    }

    @Test
    void costsNextToNothingWhileIdle() throws Exception {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (Host host = new Host(SMALL, false)) {
            host.enable();
            Host.Ring io = host.createQueue(1, 16);
            assertThat(io.status(host.io(Opcode.READ, 0, 1))).isZero();
            long id = Thread.getAllStackTraces().keySet().stream()
                    .filter(thread -> thread.getName().equals("emu:test"))
                    .findFirst()
                    .orElseThrow()
                    .threadId();
            // Its sleeps grow with the time that it is idle; the machine may be busy with other things for a while.
            double share = 1;
            for (int second = 0; share > 0.01 && second < 10; second++) {
                long before = threads.getThreadCpuTime(id);
                long start = System.nanoTime();
                LockSupport.parkNanos(1_000_000_000);
                share = 1.0 * (threads.getThreadCpuTime(id) - before) / (System.nanoTime() - start);
            }
            System.out.printf(Locale.ROOT, "an idle controller takes %.2f %% of a processor%n", share * 100);
            assertThat(share).isLessThan(0.01);
            assertThat(io.status(host.io(Opcode.READ, 0, 1))).as("awake again").isZero();
        }
    }

    @Test
    void completesNoEarlierThanTheLatency() throws Exception {
        try (Host host = Host.ready(SMALL.withLatency(Duration.ofMillis(3)))) {
            Host.Ring io = host.createQueue(1, 16);
            for (int i = 0; i < 5; i++) {
                long start = System.nanoTime();
                assertThat(io.status(host.io(Opcode.READ, 0, 1))).isZero();
                assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(3_000_000);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"10000,0", "0,4096000"})
    void completesNoFasterThanTheRates(long iops, long bytes) throws Exception {
        try (Host host = new Host(SMALL.withRates(iops, bytes), false)) {
            host.enable();
            Host.Ring io = host.createQueue(1, 64);
            long start = System.nanoTime();
            // 400 commands of 1024 bytes: 40 ms at 10,000 a second, 100 ms at 4096000 bytes a second.
            for (int i = 0; i < 400; i++) {
                io.put(host.io(Opcode.READ, 0, 2), i);
                if (i % 40 == 39) {
                    io.ring();
                    for (int j = 0; j < 40; j++) {
                        host.await(io::ready);
                        assertThat(io.take().status().isSuccess()).isTrue();
                    }
                    io.release();
                }
            }
            assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(iops > 0 ? 40_000_000 : 100_000_000);
        }
    }
}
