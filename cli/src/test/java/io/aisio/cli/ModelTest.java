package io.aisio.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.link.PublishedFigure;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What {@code aisio model} prints, and that a software controller on a link obeys it. */
class ModelTest {
    private static final JsonMapper JSON = new JsonMapper();

    @TempDir
    private Path folder;

    /** A command that ended. */
    private record Result(int exit, String out, String err) {
        Result succeeds() {
            assertThat(exit).as(err).isEqualTo(Exit.DONE);
            return this;
        }
    }

    private static Result aisio(String line) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        PrintStream usualOut = System.out;
        PrintStream usualErr = System.err;
        try {
            System.setOut(new PrintStream(out, true, UTF_8));
            System.setErr(new PrintStream(err, true, UTF_8));
            int exit = Aisio.commandLine(new Aisio(), new Failures(() -> false))
                    .setErr(new PrintWriter(System.err, true))
                    .execute(line.split(" ", -1));
            System.out.flush();
            return new Result(exit, out.toString(UTF_8), err.toString(UTF_8));
        } finally {
            System.setOut(usualOut);
            System.setErr(usualErr);
        }
    }

    @Test
    void printsTheCeilingOfEachSize() {
        Result result = aisio("model --iosize 512,4KiB").succeeds();
        assertThat(result.out)
                .contains("4 SSDs (gen5x4), GPU (gen5x16@64), queues in the host's memory, reads")
                .containsPattern("4 KiB +11.159 M +45.71 GB/s +62.85 GB/s +1.375 +58.56 GB/s +1.281 +the GPU's link")
                .doesNotContain("█");
        assertThat(result.err).isEmpty();
    }

    @Test
    void drawsBarsWhenAsked() {
        assertThat(aisio("model --iosize 4KiB --plot").succeeds().out).contains("█", "▒", "line rate of 64.00 GB/s");
    }

    @Test
    void threeSsdsAreLimitedByTheirLinks() {
        JsonNode json = JSON.readTree(
                aisio("model --ssds 3 --iosize 4096 --output json").succeeds().out);
        assertThat(json.get("schema").asString()).isEqualTo("aisio.model.ceilings/1");
        JsonNode ceiling = json.get("ceilings").get(0);
        assertThat(ceiling.get("limited_by").asString()).isEqualTo("ssd_link");
        assertThat(ceiling.get("data_bytes_per_second").asLong()).isBetween(42_000_000_000L, 43_000_000_000L);
    }

    @Test
    void printsWhatWasPublishedBesideIt() {
        JsonNode json = JSON.readTree(aisio("model --published --output json").succeeds().out);
        assertThat(json.get("figures")).hasSize(PublishedFigure.all().size());
        String table = aisio("model --published").succeeds().out;
        assertThat(table)
                .containsPattern("the same, payload +45.170 +45.707 +GB/s +\\+1.2 %")
                .containsPattern("the same, counted by the GPU +57.840 +58.562 +GB/s +\\+1.2 %");
    }

    @Test
    void drawsIntoANewFileAlone() throws IOException {
        Path file = folder.resolve("model.svg");
        aisio("model --svg " + file).succeeds();
        String svg = Files.readString(file);
        assertThat(svg).startsWith("<svg").contains("the GPU's link alone");
        Result again = aisio("model --ssds 3 --svg " + file);
        assertThat(again.exit).isEqualTo(Exit.FAILED);
        assertThat(again.err).contains("is there already, and is left as it is; name a new file");
        assertThat(file).content().isEqualTo(svg);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--ssd gen5x3|is no link: write the generation",
                "--gpu gen9x4|is no link",
                "--gpu none --gpu-queues|--gpu-queues with --gpu none: leave out one of both",
                "--ssds 0|0 SSDs; it can be 1 to 1024",
                "--ssd-iops -1|commands a second of an SSD",
                "--iosize 0|an I/O of 0 bytes",
                "--iosize 4k|is no size",
                "--iosize 1GiB|an I/O of 1073741824 bytes",
                "--fetch 65|65 SQEs fetched at once",
                "--batch 0|0 commands a doorbell",
                "--max-read-request 100|read requests of 100 bytes",
                "--published --plot|--published takes no option but --output: leave out --plot",
                "--ssds 3 --svg a.svg --published|leave out --ssds, --svg",
            })
    void refusesWhatMakesNoSense(String options, String reason) {
        Result result = aisio("model " + options);
        assertThat(result.err).startsWith("aisio: ").contains(reason).hasLineCount(1);
        assertThat(result.exit).isEqualTo(Exit.USAGE);
    }

    /** Two controllers on a link each and on one that they share, a thousand times slower than there is. */
    @Test
    void aRunOnLinksIsNotFasterThanTheModel() {
        String device = " emu:null,1GiB?link=gen5x4/1000&uplink=model:gen5x4@64/1000";
        JsonNode run = JSON.readTree(aisio("xnvmeperf run --iopattern randread --qdepth 64 --iosize 4096 --runtime 1"
                        + " --output json" + device + device)
                .succeeds()
                .out);
        JsonNode model = JSON.readTree(
                aisio("model --ssds 2 --ssd gen5x4/1000 --gpu gen5x4@64/1000 --iosize 4KiB" + " --output json")
                        .succeeds()
                        .out);
        double ceiling = model.get("ceilings").get(0).get("iops").asDouble();
        long done = 0;
        double seconds = 0;
        for (JsonNode job : run.get("jobs")) {
            done += job.get("read").get("total_ios").asLong();
            seconds = Math.max(seconds, job.get("read").get("runtime").asLong() / 1e3);
        }
        assertThat(done).as("in %f s", seconds).isPositive();
        // What had crossed the links before a worker's clock began, and a tenth for how unevenly workers begin.
        assertThat(done - 2 * 64)
                .as("in %f s, of %f a second", seconds, ceiling)
                .isLessThanOrEqualTo((long) (ceiling * seconds * 1.1));
    }
}
