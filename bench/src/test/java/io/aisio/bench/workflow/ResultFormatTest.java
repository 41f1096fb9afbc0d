package io.aisio.bench.workflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ResultFormatTest {
    private static Outcome read(String kind, String output) throws IOException {
        return ResultFormat.read("test", kind).outcome(output);
    }

    @Test
    void readsFiosJobs() throws IOException {
        Outcome outcome = read("fio", """
                fio: a note
                {"jobs": [{"jobname": "j", "usr_cpu": 30.0, "sys_cpu": 20.0,
                  "read": {"iops": 1000.0, "bw_bytes": 4096000,
                           "clat_ns": {"N": 10, "mean": 5000.0, "percentile": {"50.000000": 4000, "99.000000": 9000}}},
                  "write": {"iops": 0, "bw_bytes": 0, "clat_ns": {"N": 0}}}]}
                """);
        assertThat(outcome.values())
                .containsEntry("iops", 1000.0)
                .containsEntry("bytes_per_second", 4096000.0)
                .containsEntry("latency_mean_ns", 5000.0)
                .containsEntry("latency_p99_ns", 9000.0)
                .containsEntry("cpu_percent", 50.0)
                .containsEntry("cpu_ns_per_io", 500_000.0)
                .doesNotContainKey("latency_p999_ns");
        assertThat(outcome.parts())
                .singleElement()
                .satisfies(part -> assertThat(part.name()).isEqualTo("j"));
    }

    /** A job's CPU time is its own: two threads that are busy half the time are one whole processor. */
    @Test
    void addsTheCpuTimeOfFiosJobs() throws IOException {
        String job = """
                {"jobname": "j", "usr_cpu": 20.0, "sys_cpu": 30.0, "read": {"iops": 1000.0, "bw_bytes": 4096000}}
                """;
        assertThat(read("fio", "{\"jobs\": [" + job + "," + job + "]}").values())
                .containsEntry("iops", 2000.0)
                .containsEntry("bytes_per_second", 8192000.0)
                .containsEntry("cpu_percent", 100.0)
                .containsEntry("cpu_ns_per_io", 500_000.0);
    }

    @Test
    void addsDevicesAndTakesTheSlowestOnesPercentile() throws IOException {
        String job = """
                {"jobname": "%s", "read": {"iops": %s, "bw_bytes": 10, "clat_ns": {"N": %d, "mean": %d,
                 "percentile": {"99.000000": %d}}}, "write": {"iops": 0, "bw_bytes": 0}}
                """;
        Outcome outcome = read(
                "xnvmeperf",
                "{\"jobs\": [" + job.formatted("a", "5.5", 1, 100, 7) + "," + job.formatted("b", "4.5", 3, 200, 9)
                        + "], \"cpu\": {\"cpu_percent\": 150.0, \"cycles_per_io\": null, \"cycles_missing\": \"none\"}}");
        assertThat(outcome.values())
                .containsEntry("iops", 10.0)
                .containsEntry("latency_mean_ns", 175.0)
                .containsEntry("latency_p99_ns", 9.0)
                .containsEntry("cpu_percent", 150.0)
                .doesNotContainKey("cycles_per_io");
        assertThat(outcome.notes()).containsExactly("cycles: none");
    }

    @Test
    void readsTotalsOfSpdkAndXnvme() throws IOException {
        String bdevperf = """
                 Device Information  : runtime(s)       IOPS      MiB/s     Fail/s     TO/s    Average        min        max
                 Nvme0n1             :       5.00  100000.00     48.83       0.00     0.00    1279.80     100.00    5000.00
                 ==================================================================================================
                 Total               :             200000.00     97.66       0.00     0.00    1279.80     100.00    5000.00
                """;
        assertThat(read("spdk", bdevperf).values())
                .containsEntry("iops", 200_000.0)
                .containsEntry("latency_mean_ns", 1_279_800.0);
        assertThat(read("spdk", "Total : 10.0 2.0 3.5 1.0 9.0\n").values())
                .containsEntry("bytes_per_second", 2.0 * (1 << 20))
                .containsEntry("latency_mean_ns", 3500.0);
        assertThat(read("xnvme", " Total:                          3298767.78   12885.81        0\n")
                        .values())
                .containsEntry("iops", 3298767.78)
                .doesNotContainKey("latency_mean_ns");
    }

    @Test
    void takesNamedValuesOfAnyJson() throws IOException {
        ResultFormat format = ResultFormat.read("test", Map.of("json", Map.of("most", "/a/0/b")));
        assertThat(format.outcome("{\"a\": [{\"b\": 7}]}").values()).containsExactly(Map.entry("most", 7.0));
        assertThatThrownBy(() -> format.outcome("{}")).hasMessage("its JSON has no number at /a/0/b");
    }

    @Test
    void refusesWhatIsNotWhatItIsSaidToBe() {
        assertThatThrownBy(() -> read("fio", "Segmentation fault")).hasMessage("its standard output is no JSON");
        assertThatThrownBy(() -> read("fio", "{\"jobs\": ["))
                .hasMessageStartingWith("its standard output is no JSON: ");
        assertThatThrownBy(() -> read("fio", "{\"jobs\": []}")).hasMessage("its JSON has no 'jobs'");
        assertThatThrownBy(() -> read("spdk", "Total : nothing")).hasMessageContaining("no line 'Total:");
    }
}
