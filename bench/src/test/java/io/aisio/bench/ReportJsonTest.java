package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ReportJsonTest {
    private static JsonNode parse(String json) {
        return JsonMapper.builder().build().readTree(json);
    }

    private static JsonNode run(TestDevice device, boolean latency) throws IOException {
        RunOptions options = new RunOptions(
                List.of("emu:null,1TiB"),
                IoPattern.RANDREAD,
                100,
                16,
                4096,
                Duration.ofMillis(50),
                Duration.ZERO,
                1,
                null,
                latency,
                Duration.ofMillis(20),
                1,
                false);
        try (Run run = Run.open(options, name -> device)) {
            return parse(ReportJson.of(run.measure(interval -> {})));
        }
    }

    @Test
    void aRunHasTheKeysOfFio() throws IOException {
        JsonNode json = run(TestDevice.ofNullMedia(1 << 20), true);
        assertThat(json.at("/schema").asString()).isEqualTo("aisio.xnvmeperf.run/1");
        assertThat(json.at("/ok").asBoolean()).isTrue();
        JsonNode job = json.at("/jobs/0");
        assertThat(job.at("/jobname").asString()).isEqualTo("emu:test");
        assertThat(job.at("/error").asInt()).isZero();
        JsonNode read = job.at("/read");
        assertThat(read.at("/iops").asDouble()).isPositive();
        assertThat(read.at("/io_bytes").asLong())
                .isEqualTo(read.at("/total_ios").asLong() * 4096);
        assertThat(read.at("/bw_bytes").asLong())
                .isEqualTo(Math.round(read.at("/iops").asDouble() * 4096));
        assertThat(read.at("/bw").asLong())
                .isEqualTo(Math.round(read.at("/iops").asDouble() * 4));
        assertThat(read.at("/clat_ns/percentile/99.000000").asLong())
                .isPositive()
                .isLessThanOrEqualTo(read.at("/clat_ns/percentile/99.990000").asLong());
        assertThat(read.at("/clat_ns/N").asLong()).isPositive();
        assertThat(job.at("/write/iops").asDouble()).isZero();
        assertThat(job.at("/write/clat_ns").isMissingNode()).isTrue();
        assertThat(json.at("/intervals/0/iops").asDouble()).isPositive();
    }

    @Test
    void aRunWithFailuresSaysSo() throws IOException {
        TestDevice device = TestDevice.ofNullMedia(1 << 20);
        device.fails = lba -> true;
        JsonNode json = run(device, false);
        assertThat(json.at("/ok").asBoolean()).isFalse();
        assertThat(json.at("/jobs/0/error").asInt()).isEqualTo(5);
        assertThat(json.at("/jobs/0/total_err").asLong()).isPositive();
        assertThat(json.at("/failures/0").asString()).startsWith("emu:test: Read of LBA ");
        assertThat(json.at("/jobs/0/read/clat_ns").isMissingNode()).isTrue();
    }

    @Test
    void aVerificationNamesItsMismatches() throws IOException {
        VerifyOptions options = VerifyOptions.of(List.of("emu:1GiB"), 512, 64);
        JsonNode json = parse(ReportJson.of(Verify.verify(options, name -> TestDevice.ofNullMedia(64), 1)));
        assertThat(json.at("/schema").asString()).isEqualTo("aisio.xnvmeperf.verify/1");
        assertThat(json.at("/ok").asBoolean()).isFalse();
        assertThat(json.at("/devices/0/verified").asLong()).isEqualTo(64);
        assertThat(json.at("/devices/0/mismatches").asLong()).isEqualTo(64);
        assertThat(json.at("/devices/0/first_mismatches/0/kind").asString()).isEqualTo("nothing-transferred");
        assertThat(json.at("/devices/0/first_mismatches").size()).isEqualTo(10);
    }
}
