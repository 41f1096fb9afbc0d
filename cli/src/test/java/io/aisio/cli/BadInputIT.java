package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What a person gets for input that cannot work: one line with the next step, and an exit code that is not 0. */
@Tag("slow")
class BadInputIT {
    @TempDir
    private Path folder;

    private Path image;

    @BeforeEach
    void makeAnImage() throws IOException {
        image = folder.resolve("image");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(1 << 24);
        }
    }

    private static Shell.Result aisio(String line) {
        return Shell.aisio(line.split(" ", -1)).run();
    }

    private static Shell.Result run(String options) {
        return aisio("xnvmeperf run --iopattern randread --runtime 1 " + options);
    }

    private static Shell.Result verify(String options) {
        return aisio("xnvmeperf verify --iosize 4096 " + options);
    }

    @Test
    void aSchemeThatNobodyServes() {
        aisio("xal find bogus:x").failsWith(Exit.FAILED, "'bogus:x'", "nothing here opens 'bogus'", "emu");
        run("--qdepth 1 --iosize 512 bogus:x").failsWith(Exit.FAILED, "'bogus:x'", "nothing here opens", "emu");
    }

    @Test
    void anImageThatIsNotThere() {
        Path missing = folder.resolve("missing");
        aisio("xal find " + missing).failsWith(Exit.FAILED, missing + ": no such file; name an image");
        for (String device : new String[] {missing.toString(), "emu:" + missing}) {
            run("--qdepth 1 --iosize 512 " + device)
                    .failsWith(Exit.FAILED, missing + ": no such file", "truncate -s 1G " + missing);
        }
        aisio("xal find emu:" + missing).failsWith(Exit.FAILED, missing + ": no such file");
    }

    @Test
    void anEmptyImage() throws IOException {
        Path empty = Files.createFile(folder.resolve("empty"));
        aisio("xal find " + empty).failsWith(Exit.FAILED, empty.toString(), "holds 0 bytes", "mkfs.xfs");
        for (String device : new String[] {empty.toString(), "emu:" + empty}) {
            run("--qdepth 1 --iosize 512 " + device)
                    .failsWith(Exit.FAILED, empty.toString(), "truncate -s 1G " + empty);
        }
        aisio("xal find emu:" + empty).failsWith(Exit.FAILED, empty + " is empty", "truncate -s 1G");
    }

    @Test
    void aFolder() {
        aisio("xal find /proc").failsWith(Exit.FAILED, "/proc is on proc", "XFS or ext4");
        aisio("xal find emu:" + folder).failsWith(Exit.FAILED, folder + " is a folder", "name an image");
    }

    @Test
    void anImageWithoutXfs() {
        for (String device : new String[] {image.toString(), "emu:" + image}) {
            aisio("xal find " + device).failsWith(Exit.FAILED, device, "this is no XFS file system", "mkfs.xfs");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0, 2, try --qdepth 32",
        "-1, 2, try --qdepth 32",
        "abc, 2, is no whole number",
        "1024, 1, use --qdepth 1023 or less"
    })
    void aQueueDepthThatCannotBe(String depth, int exit, String next) {
        run("--iosize 512 --qdepth " + depth + " emu:1GiB").failsWith(exit, "--qdepth", depth, next);
    }

    @Test
    void anIoSizeThatIsNoMultipleOfTheBlock() {
        run("--qdepth 1 --iosize 1000 emu:1GiB").failsWith(Exit.FAILED, "no multiple", "512", "use --iosize 1024");
        run("--qdepth 1 --iosize 512 emu:1GiB?lba=4096").failsWith(Exit.FAILED, "no multiple", "use --iosize 4096");
    }

    @Test
    void blocksBeyondTheEnd() {
        verify("--count 4097 --destroy-data " + image)
                .failsWith(Exit.FAILED, "--count 4097", "beyond its end", "use --count 4096 or less");
        verify("--count 4097 --destroy-data emu:" + image).failsWith(Exit.FAILED, "use --count 4096 or less");
        verify("--count many emu:1GiB").failsWith(Exit.USAGE, "'many' is no whole number", "--help");
    }

    @Test
    void writingToWhatIsReadOnly() {
        for (String device : new String[] {image + "?readonly", "emu:" + image + "?readonly"}) {
            verify("--count 1 --destroy-data " + device)
                    .failsWith(Exit.FAILED, device + ": it is named 'readonly', and this writes; leave that out");
            aisio("xnvmeperf run --iopattern randwrite --runtime 1 --qdepth 1 --iosize 512 --destroy-data " + device)
                    .failsWith(Exit.FAILED, device, "leave that out");
        }
    }

    @Test
    void anImageWithoutWritePermission() throws IOException {
        Files.setPosixFilePermissions(image, PosixFilePermissions.fromString("r--r--r--"));
        assumeFalse(Files.isWritable(image), "needs a user that is not root");
        verify("--count 1 --destroy-data " + image).failsWith(Exit.FAILED, "permission denied", "?readonly");
        verify("--count 1 --destroy-data emu:" + image).failsWith(Exit.FAILED, "permission denied", "readonly");
    }

    @Test
    void writingOverDataWithoutSayingSo() throws IOException {
        for (String device : new String[] {image.toString(), "emu:" + image}) {
            verify("--count 1 " + device).failsWith(Exit.FAILED, device, "add --destroy-data");
        }
        assertThat(image).hasBinaryContent(new byte[1 << 24]);
    }

    @Test
    void aCommandLineThatIsWrong() {
        aisio("xal find").failsWith(Exit.USAGE, "'WHERE'", "see ./aisio xal find --help");
        aisio("xal bmap " + image).failsWith(Exit.USAGE, "'PATH'", "see ./aisio xal bmap --help");
        aisio("xal find --frob " + image).failsWith(Exit.USAGE, "no option '--frob'", "--help");
        aisio("xal find --output xml " + image).failsWith(Exit.USAGE, "human, json", "'xml'", "--help");
        run("emu:1GiB").failsWith(Exit.USAGE, "--qdepth", "--iosize", "see ./aisio xnvmeperf run --help");
        verify("--count 1").failsWith(Exit.USAGE, "'DEVICE'", "see ./aisio xnvmeperf verify --help");
    }

    @Test
    void aProcessorThatIsNotThere() {
        run("--qdepth 1 --iosize 512 --cpumask 0x" + "8" + "0".repeat(200) + " emu:1GiB")
                .failsWith(Exit.FAILED, "CPU 803", "--cpumask");
    }

    @ParameterizedTest
    @ValueSource(strings = {"human", "json"})
    void ctrlCEndsARunWithItsResults(String format) {
        Shell.Running run = Shell.program(
                        "env",
                        "--default-signal=INT",
                        Shell.ROOT.resolve("aisio").toString(),
                        "xnvmeperf",
                        "run",
                        "--iopattern",
                        "randread",
                        "--qdepth",
                        "64",
                        "--iosize",
                        "512",
                        "--runtime",
                        "50",
                        "--output",
                        format,
                        "emu:null,1TiB")
                .with("AISIO_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .start();
        run.awaitsThread("emu:");
        Instant pressed = Instant.now();
        run.signal("INT");
        Shell.Result stopped = run.await().exits(Exit.INTERRUPTED);
        assertThat(Duration.between(pressed, Instant.now())).isLessThan(Duration.ofSeconds(2));
        assertThat(stopped.err()).isEqualTo("aisio: interrupted\n");
    }

    @Test
    void jsonStandsAloneOnStandardOutput() {
        Shell.Result result = run("--qdepth 8 --iosize 512 --interval 0.3 --latency --output json emu:1GiB")
                .succeeds();
        JsonNode report = JsonMapper.shared().readTree(result.out());
        assertThat(report.get("ok").asBoolean()).isTrue();
        assertThat(report.get("jobs").get(0).get("read").get("iops").asDouble()).isPositive();
        assertThat(result.err()).isNotEmpty();
    }
}
