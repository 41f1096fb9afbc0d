package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.aisio.bench.CudaQueues.Memory;
import io.aisio.cuda.BlockPattern;
import io.aisio.cuda.QueueRun;
import io.aisio.cuda.QueueVerify;
import io.aisio.nvme.NvmeException;
import io.aisio.xnvme.Capabilities;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What becomes of what a kernel counted. */
class CudaReportTest {
    private final Failures failures = new Failures();

    private static QueueRun.Results ran(long completed, double seconds, QueueRun.Latency... latencies) {
        return new QueueRun.Results(
                List.of(new QueueRun.Result(completed - 1, 0, null), new QueueRun.Result(1, 0, null)),
                Math.round(seconds * 1e9),
                List.of(latencies));
    }

    private static CudaRunReport report(CudaTally tally, List<String> failures, double... iops) {
        CudaRunOptions options =
                CudaRunOptions.of(List.of("gpu:null,1TiB"), IoPattern.RANDREAD, 512, 512, Duration.ofSeconds(1));
        List<CudaRunReport.OneRun> runs = new ArrayList<>();
        for (double each : iops) {
            runs.add(new CudaRunReport.OneRun(1.0, each, each < 100 ? Double.NaN : each / 1000));
        }
        return new CudaRunReport(
                options,
                "GPU 0 (a card)",
                "compiled",
                List.of(new CudaRunReport.DeviceResult(
                        "gpu:null,1TiB",
                        "a controller on the GPU",
                        Capabilities.of(Capabilities.Queues.USER_SPACE),
                        Memory.DEVICE,
                        tally.completed(),
                        tally.medianIops(),
                        tally.failed(),
                        tally.latency())),
                runs,
                failures,
                List.of());
    }

    @Test
    void aFailedCommandAndAQueueThatWasGivenUpAreTold() {
        CudaTally tally = new CudaTally(failures);
        tally.add(new QueueRun.Results(
                List.of(
                        new QueueRun.Result(10, 7, new NvmeException("gpu:1GiB: queue 1: I/O at LBA 77: a status")),
                        new QueueRun.Result(3, 0, null)),
                2_000_000_000,
                List.of()));
        assertThat(tally.lastIops()).isEqualTo(6.5, within(1e-9));
        assertThat(tally.completed()).isEqualTo(13);
        assertThat(tally.failed()).isEqualTo(7);
        assertThat(tally.latency()).isNull();
        assertThat(failures.first()).containsExactly("gpu:1GiB: queue 1: I/O at LBA 77: a status");
        CudaRunReport report = report(tally, failures.first(), 6.5);
        assertThat(report.ok()).isFalse();
        assertThat(CudaRunTable.failures(report)).isEqualTo("  FAILED gpu:1GiB: queue 1: I/O at LBA 77: a status\n");
    }

    @Test
    void latenciesOfSeveralRunsAreOne() {
        CudaTally tally = new CudaTally(failures);
        tally.add(ran(1_000, 1, new QueueRun.Latency(5_000, 990), new QueueRun.Latency(500_000, 5)));
        tally.add(ran(1_000, 1, new QueueRun.Latency(4_000, 1), new QueueRun.Latency(500_000, 4)));
        RunReport.LatencySummary latency = tally.latency();
        assertThat(latency.count()).isEqualTo(1_000);
        assertThat(latency.min()).isEqualTo(4_000);
        assertThat(latency.max()).isEqualTo(500_000);
        assertThat(latency.percentiles().get(50.0)).isEqualTo(5_000);
        assertThat(latency.percentiles().get(99.0)).isEqualTo(5_000);
        assertThat(latency.percentiles().get(99.5)).isEqualTo(500_000);
        assertThat(latency.mean()).isBetween(9_000.0, 10_000.0);
    }

    @Test
    void theTableHasMediansTheProcessorTimeAndNoCpus() {
        CudaTally tally = new CudaTally(failures);
        for (long completed : new long[] {100_000_000, 300_000_000, 200_000_000}) {
            tally.add(ran(completed, 1));
        }
        CudaRunReport report = report(tally, List.of(), 100, 300, 200);
        assertThat(report.iops()).isEqualTo(200);
        assertThat(CudaRunTable.results(report))
                .contains(" xnvmeperf (elapsed: 1.00s, CPU 0.20 % of a core)")
                .contains("200000000.00")
                .doesNotContain("CPUs");
        assertThat(CudaRunTable.results(report(tally, List.of(), 1, 2))).contains("CPU ? % of a core");
        assertThat(CudaRunTable.arguments(
                        report.options(), "GPU 0", "compiled", List.of(Memory.DEVICE), List.of("this way")))
                .contains(
                        "- GPU: GPU 0\n",
                        "- queue depth: 512\n",
                        "a block a queue, sliding window",
                        "- path: this way");
    }

    @Test
    void theJsonHasTheShapeOfTheCpusRun() {
        CudaTally tally = new CudaTally(failures);
        tally.add(ran(1_000, 1));
        JsonNode json = parse(ReportJson.of(report(tally, List.of(), 1_000, 10)));
        assertThat(json.at("/schema").asString()).isEqualTo("aisio.xnvmeperf.cuda-run/1");
        assertThat(json.at("/ok").asBoolean()).isTrue();
        assertThat(json.at("/gpu").asString()).startsWith("GPU 0");
        assertThat(json.at("/global options/mode").asString()).isEqualTo("sliding");
        assertThat(json.at("/jobs/0/jobname").asString()).isEqualTo("gpu:null,1TiB");
        assertThat(json.at("/jobs/0/queue_memory").asString()).isEqualTo("device");
        assertThat(json.at("/jobs/0/read/iops").asDouble()).isEqualTo(1_000, within(1e-6));
        assertThat(json.at("/jobs/0/write/iops").asDouble()).isZero();
        assertThat(json.at("/total/iops").asDouble()).isEqualTo(505);
        assertThat(json.at("/cpu_percent").asDouble()).isEqualTo(1);
        assertThat(json.at("/runs")).hasSize(2);
        assertThat(json.at("/runs/1/cpu_percent").isNull()).isTrue();
    }

    @Test
    void nothingThatRanIsNoSuccess() {
        assertThat(report(new CudaTally(failures), List.of()).ok()).isFalse();
    }

    @Test
    void anyDevicesMismatchFailsTheVerification() {
        VerifyReport.Mismatch stale = explain(3, 9, 4, word(3, 9, 4), word(2, 9, 4));
        VerifyReport.DeviceResult good = device("gpu:1GiB", List.of());
        VerifyReport.DeviceResult bad = device("emu:1GiB", List.of(stale));
        CudaVerifyOptions options =
                new CudaVerifyOptions(List.of("gpu:1GiB", "emu:1GiB"), 4096, 8, 32, 1, 3, 1, false, CudaQueues.USUAL);
        JsonNode json = parse(ReportJson.of(new CudaVerifyReport(options, "GPU 0", "compiled", List.of(bad, good))));
        assertThat(json.at("/schema").asString()).isEqualTo("aisio.xnvmeperf.cuda-verify/1");
        assertThat(json.at("/ok").asBoolean()).isFalse();
        assertThat(json.at("/devices/0/first_mismatches/0/kind").asString()).isEqualTo("stale");
        assertThat(json.at("/devices/1/mismatches").asInt()).isZero();
        assertThat(new CudaVerifyReport(options, "GPU 0", "compiled", List.of(good)).ok())
                .isTrue();
    }

    private static VerifyReport.DeviceResult device(String name, List<VerifyReport.Mismatch> shown) {
        return new VerifyReport.DeviceResult(
                name, "a way", Capabilities.of(Capabilities.Queues.USER_SPACE), 8, shown.size(), 0, shown, List.of());
    }

    private static final long SEED = 77;

    private static long word(int generation, long lba, int index) {
        return BlockPattern.word(BlockPattern.generationSeed(SEED, generation), lba, index);
    }

    private static VerifyReport.Mismatch explain(int generation, long lba, int word, long expected, long found) {
        return CudaVerify.explain(new QueueVerify.Mismatch(lba, word, expected, found), SEED, generation);
    }

    @Test
    void aWrongWordTellsWhatItLooksLike() {
        long expected = word(2, 5, 3);
        assertThat(explain(2, 5, 0, 5, CudaVerify.POISON).kind()).isEqualTo(VerifyReport.Kind.NOTHING_TRANSFERRED);
        assertThat(explain(2, 5, 3, expected, 0).kind()).isEqualTo(VerifyReport.Kind.ZEROS);
        assertThat(explain(2, 5, 3, expected, expected ^ 1L << 40).kind()).isEqualTo(VerifyReport.Kind.FLIPPED_BIT);
        assertThat(explain(2, 5, 0, 5, 1_000).kind()).isEqualTo(VerifyReport.Kind.MISPLACED);
        assertThat(explain(2, 5, 3, expected, ~expected).kind()).isEqualTo(VerifyReport.Kind.DIFFERENT);
    }

    private static JsonNode parse(String json) {
        return JsonMapper.builder().build().readTree(json);
    }
}
