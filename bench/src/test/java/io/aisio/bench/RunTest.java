package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;

import io.aisio.linux.CpuSet;
import io.aisio.linux.LinuxException;
import io.aisio.xnvme.Capabilities;
import io.aisio.xnvme.Geometry;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class RunTest {
    private static final Duration SHORT = Duration.ofMillis(60);

    private static RunOptions options(IoPattern pattern, int depth, long ioBytes) {
        return RunOptions.of(List.of("emu:test"), pattern, depth, ioBytes, SHORT);
    }

    private static RunOptions options(IoPattern pattern, int readPercent, int queues, boolean latency) {
        return options(pattern, readPercent, queues, null, latency);
    }

    private static RunOptions options(IoPattern pattern, int readPercent, int queues, CpuSet cpus, boolean latency) {
        return new RunOptions(
                List.of("emu:null"),
                pattern,
                readPercent,
                16,
                4096,
                SHORT,
                Duration.ofMillis(10),
                queues,
                cpus,
                latency,
                Duration.ofMillis(20),
                1,
                false);
    }

    private static RunReport run(RunOptions options, TestDevice device) throws IOException {
        try (Run run = Run.open(options, name -> device)) {
            return run.measure(interval -> {});
        } finally {
            assertThat(device.openQueues).as("open queues").hasValue(0);
            assertThat(device.openBuffers).as("open buffers").hasValue(0);
            assertThat(device.closed).isTrue();
        }
    }

    @Test
    void countsWhatCompletesInTheMeasuredTime() throws IOException {
        RunReport report = run(
                RunOptions.of(List.of("emu:null"), IoPattern.RANDREAD, 32, 512, SHORT),
                TestDevice.ofNullMedia(1L << 40));
        RunReport.DeviceResult device = report.devices().getFirst();
        assertThat(report.ok()).isTrue();
        assertThat(device.read().ios()).isPositive();
        assertThat(device.write().ios()).isZero();
        assertThat(device.iops())
                .isBetween(
                        0.9 * device.read().ios() / report.seconds(),
                        1.1 * device.read().ios() / report.seconds());
        assertThat(report.seconds()).isBetween(0.055, 5.0);
        assertThat(report.cpu().driverNanos()).isPositive();
        assertThat(report.cpu().driverPercent()).isBetween(0.01, 101.0);
        assertThat(report.cpu().processPercent()).isPositive();
        assertThat(report.cpu().driverCycles() == null)
                .isEqualTo(report.cpu().cyclesMissing().startsWith("a counter of CYCLES"));
        assertThat(device.read().latency()).isNull();
    }

    @Test
    void writesDataThatIsNotZero() throws IOException {
        TestDevice device = TestDevice.ofBlocks(64);
        RunReport report = run(options(IoPattern.WRITE, 4, 1024), device);
        assertThat(report.ok()).isTrue();
        assertThat(report.devices().getFirst().write().ios()).isPositive();
        Map<Long, byte[]> written = device.written();
        assertThat(written.keySet())
                .containsExactlyInAnyOrderElementsOf(
                        LongStream.range(0, 64).boxed().toList());
        assertThat(written.values()).noneMatch(block -> java.util.Arrays.equals(block, new byte[512]));
    }

    @Test
    void mixesReadsAndWritesAsAsked() throws IOException {
        RunReport report = run(options(IoPattern.RANDRW, 70, 2, true), TestDevice.ofNullMedia(1 << 20));
        RunReport.DeviceResult device = report.devices().getFirst();
        double all = device.read().ios() + device.write().ios();
        assertThat(all).isGreaterThan(1000);
        assertThat(device.read().ios() / all).isBetween(0.65, 0.75);
        assertThat(device.read().latency()).isNotNull();
        assertThat(device.write().latency()).isNotNull();
    }

    @Test
    void takesLatenciesAndIntervalsWhenAsked() throws IOException {
        List<RunReport.Interval> told = new ArrayList<>();
        RunReport report;
        try (Run run = Run.open(options(IoPattern.RANDREAD, 100, 1, true), name -> TestDevice.ofNullMedia(1 << 20))) {
            report = run.measure(told::add);
        }
        RunReport.LatencySummary latency = report.devices().getFirst().read().latency();
        assertThat(latency).isNotNull();
        assertThat(latency.count())
                .isBetween(
                        report.devices().getFirst().read().ios(),
                        report.devices().getFirst().read().ios() + 16);
        assertThat(latency.min()).isPositive().isLessThanOrEqualTo(latency.max());
        assertThat(List.copyOf(latency.percentiles().values())).isSorted();
        assertThat(told).isNotEmpty().isEqualTo(report.intervals());
        assertThat(told.getFirst().iops()).isPositive();
    }

    @Test
    void namesFailedIosAndIsNotOk() throws IOException {
        TestDevice device = TestDevice.ofBlocks(64);
        device.fails = lba -> lba == 40;
        RunReport report = run(options(IoPattern.RANDREAD, 8, 4096), device);
        assertThat(report.ok()).isFalse();
        assertThat(report.failed()).isPositive();
        assertThat(report.failures())
                .hasSizeBetween(1, Failures.SHOWN)
                .allMatch(failure -> failure.equals("emu:test: Read of LBA 40: Unrecovered Error"));
        assertThat(RunTable.failures(report))
                .startsWith("  FAILED emu:test: Read of LBA 40: ")
                .endsWith("\n");
    }

    @Test
    void doesNotCountFailedIosAsDone() throws IOException {
        TestDevice device = TestDevice.ofBlocks(64);
        device.fails = lba -> true;
        RunReport report = run(options(IoPattern.RANDREAD, 8, 4096), device);
        assertThat(report.iops()).isZero();
        assertThat(report.failed()).isPositive();
    }

    @Test
    void refusesToMeasureWithFewerQueuesThanAsked() throws IOException {
        TestDevice device = TestDevice.ofNullMedia(1 << 20);
        device.queuesGranted = 2;
        // One thread, so that the queues are created in their order.
        CpuSet one = CpuSet.ofList(Integer.toString(CpuSet.ofCurrentThread().toArray()[0]));
        assertThatThrownBy(() -> run(options(IoPattern.RANDREAD, 100, 3, one, false), device))
                .isInstanceOf(IOException.class)
                .hasMessage("emu:test: queue 3 of 3 could not be created: "
                        + "Create I/O Completion Queue: Invalid Queue Identifier");
    }

    @Test
    void isNotOkWhenADeviceGoesAway() throws IOException {
        TestDevice device = TestDevice.ofNullMedia(1 << 20);
        device.submissionsUntilDeath = 100;
        RunReport report =
                run(RunOptions.of(List.of("emu:null"), IoPattern.RANDREAD, 8, 4096, Duration.ofHours(1)), device);
        assertThat(report.ok()).isFalse();
        assertThat(report.failures()).containsExactly("emu:test: a queue stopped: controller gone");
        assertThat(report.seconds()).as("ends when nothing is left to drive").isLessThan(60);
    }

    @Test
    void endsEarlyWhenStopped() throws IOException {
        RunOptions endless = new RunOptions(
                List.of("emu:null"),
                IoPattern.RANDREAD,
                100,
                8,
                4096,
                Duration.ofHours(1),
                Duration.ZERO,
                1,
                null,
                false,
                Duration.ofMillis(10),
                1,
                false);
        try (Run run = Run.open(endless, name -> TestDevice.ofNullMedia(1 << 20))) {
            RunReport report = run.measure(interval -> run.stop());
            assertThat(report.ok()).isTrue();
            assertThat(report.iops()).isPositive();
        }
    }

    @Test
    void endsEarlyWhenInterrupted() throws IOException {
        RunOptions endless = RunOptions.of(List.of("emu:null"), IoPattern.RANDREAD, 8, 4096, Duration.ofHours(1));
        Thread.currentThread().interrupt();
        RunReport report = run(endless, TestDevice.ofNullMedia(1 << 20));
        assertThat(report.ok()).isTrue();
        assertThat(report.seconds()).isLessThan(60);
        assertThat(Thread.interrupted()).isFalse();
    }

    @Test
    void drivesEveryQueueOfEveryDevice() throws IOException {
        Map<String, TestDevice> devices = Map.of(
                "emu:null,1GiB", TestDevice.ofNullMedia(1 << 20), "emu:null,2GiB", TestDevice.ofNullMedia(1 << 20));
        RunOptions options = new RunOptions(
                List.of("emu:null,1GiB", "emu:null,2GiB"),
                IoPattern.READ,
                100,
                4,
                512,
                SHORT,
                Duration.ZERO,
                8,
                null,
                false,
                Duration.ZERO,
                1,
                false);
        try (Run run = Run.open(options, devices::get)) {
            RunReport report = run.measure(interval -> {});
            assertThat(report.ok()).isTrue();
            assertThat(report.devices()).allMatch(device -> device.iops() > 0);
            assertThat(report.iops())
                    .isCloseTo(
                            report.devices().get(0).iops()
                                    + report.devices().get(1).iops(),
                            withinPercentage(1e-9));
        }
    }

    @Test
    void saysWhichProcessorsHaveNothingToDo() throws LinuxException, IOException {
        CpuSet all = CpuSet.ofCurrentThread();
        org.junit.jupiter.api.Assumptions.assumeTrue(all.size() > 1, "needs two processors");
        RunOptions options = new RunOptions(
                List.of("emu:null"),
                IoPattern.RANDREAD,
                100,
                4,
                512,
                SHORT,
                Duration.ZERO,
                1,
                all,
                false,
                Duration.ZERO,
                1,
                false);
        try (Run run = Run.open(options, name -> TestDevice.ofNullMedia(1 << 20))) {
            assertThat(run.threads()).isEqualTo(1);
            assertThat(run.notes()).singleElement().asString().contains("not used: there is one queue to drive");
            assertThat(run.measure(interval -> {}).ok()).isTrue();
        }
    }

    @Test
    void refusesProcessorsThatThereAreNot() {
        RunOptions options = new RunOptions(
                List.of("emu:null"),
                IoPattern.RANDREAD,
                100,
                4,
                512,
                SHORT,
                Duration.ZERO,
                1,
                CpuSet.ofList("1000-1002"),
                false,
                Duration.ZERO,
                1,
                false);
        assertThatThrownBy(() -> Run.open(options, name -> TestDevice.ofNullMedia(1 << 20)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("CPU 1000-1002: this process may run on CPU ");
    }

    @Test
    void dealsQueuesToProcessorsInContiguousRangesOfNearlyEqualLength() {
        for (int devices = 1; devices <= 5; devices++) {
            for (int queues = 1; queues <= 4; queues++) {
                for (int cpus = 1; cpus <= devices * queues; cpus++) {
                    List<List<Worker.Job>> deal = Run.deal(devices, queues, cpus);
                    List<Worker.Job> all = deal.stream().flatMap(List::stream).toList();
                    assertThat(deal).hasSize(cpus);
                    assertThat(all).hasSize(devices * queues).isEqualTo(inOrder(devices, queues));
                    int least = devices * queues / cpus;
                    assertThat(deal).allMatch(jobs -> jobs.size() == least || jobs.size() == least + 1);
                }
            }
        }
    }

    private static List<Worker.Job> inOrder(int devices, int queues) {
        List<Worker.Job> jobs = new ArrayList<>();
        for (int i = 0; i < devices * queues; i++) {
            jobs.add(new Worker.Job(i / queues, i % queues));
        }
        return jobs;
    }

    @Test
    void writesProcessorsAsRanges() {
        assertThat(CpuRanges.format(new int[] {})).isEmpty();
        assertThat(CpuRanges.format(new int[] {3})).isEqualTo("3");
        assertThat(CpuRanges.format(new int[] {0, 1, 2, 3, 8, 10, 11})).isEqualTo("0-3,8,10-11");
    }

    @Test
    void alignsColumnsWhateverTheirWidth() throws IOException {
        RunReport.DirectionResult none = new RunReport.DirectionResult(0, 0, null);
        RunReport.DirectionResult much = new RunReport.DirectionResult(1, 123_456_789_012.345, null);
        RunOptions options = options(IoPattern.RANDREAD, 1, 4096);
        Capabilities can = Capabilities.of(Capabilities.Queues.USER_SPACE);
        String long1 = "/dev/disk/by-id/nvme-a-name-that-is-longer-than-the-column";
        RunReport report = new RunReport(
                options,
                2,
                CpuUse.NONE,
                List.of(
                        new RunReport.DeviceResult("emu:1GiB", "path", can, "0-3,8,10-11,100-102", much, none, 0),
                        new RunReport.DeviceResult(long1, "path", can, "5", much, none, 7)),
                List.of(),
                List.of(),
                List.of());
        List<String> lines = RunTable.results(report).lines().toList();
        Set<Integer> ends = new HashSet<>();
        for (String line : lines) {
            if (!line.startsWith(" xnvmeperf")) {
                ends.add(line.length());
            }
        }
        assertThat(ends).as("where lines end, in\n" + String.join("\n", lines)).hasSize(1);
    }

    @Test
    void checksTheOptionsAgainstEachDevice() {
        Geometry geometry = new Geometry(4096, 100, 65536, 15, 2);
        assertRefused(
                geometry,
                16,
                4096,
                1,
                "emu:test: --qdepth 16 is more than the 15 commands that one of its queues"
                        + " holds; use --qdepth 15 or less");
        assertRefused(
                geometry,
                8,
                512,
                1,
                "emu:test: --iosize 512 is no multiple of its logical block of 4096 bytes;" + " use --iosize 4096");
        assertRefused(
                geometry,
                8,
                131072,
                1,
                "emu:test: --iosize 131072 is more than the 65536 bytes that one command"
                        + " transfers; use --iosize 65536 or less");
        assertRefused(
                geometry,
                8,
                4096,
                3,
                "emu:test: --nqueues 3 is more than the 2 queues that it has;" + " use --nqueues 2 or less");
        assertRefused(
                new Geometry(4096, 3, 65536, 15, 2),
                8,
                16384,
                1,
                "emu:test: --iosize 16384 is larger than the" + " device, 12 KiB; use a smaller --iosize");
    }

    private static void assertRefused(Geometry geometry, int depth, long ioBytes, int queues, String message) {
        TestDevice device = new TestDevice("emu:test", geometry);
        RunOptions options = new RunOptions(
                List.of("emu:null"),
                IoPattern.READ,
                100,
                depth,
                ioBytes,
                SHORT,
                Duration.ZERO,
                queues,
                null,
                false,
                Duration.ZERO,
                1,
                false);
        assertThatThrownBy(() -> Run.open(options, name -> device))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(message);
        assertThat(device.closed).isTrue();
    }

    @Test
    void refusesOptionsThatMakeNoSenseAnywhere() {
        assertThatThrownBy(() -> options(IoPattern.READ, 0, 512))
                .hasMessage("--qdepth 0: a queue holds at least 1 I/O; try --qdepth 32");
        assertThatThrownBy(() -> options(IoPattern.READ, 1, 0)).hasMessageStartingWith("--iosize 0: ");
        assertThatThrownBy(() -> options(IoPattern.READ, 100, 0, false)).hasMessageStartingWith("--nqueues 0: ");
        assertThatThrownBy(() -> options(IoPattern.RANDREAD, 70, 1, false))
                .hasMessage("--rwmix 70: --iopattern randread does not mix; use --iopattern randrw");
        assertThatThrownBy(() -> options(IoPattern.RW, 101, 1, false)).hasMessageStartingWith("--rwmix 101: ");
        assertThatThrownBy(() -> RunOptions.of(List.of("emu:null"), IoPattern.READ, 1, 512, Duration.ZERO))
                .hasMessageStartingWith("--runtime 0: ");
        assertThatThrownBy(() -> RunOptions.of(List.of(), IoPattern.READ, 1, 512, SHORT))
                .hasMessageStartingWith("no device given");
        assertThatThrownBy(() -> IoPattern.parse("rnd"))
                .hasMessage("'rnd' is no I/O pattern; there is read, write, randread, randwrite, rw, randrw");
        assertThat(IoPattern.parse("randwrite")).isEqualTo(IoPattern.RANDWRITE);
    }
}
