package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code ./aisio xnvme} on the software controller, as a person runs it. */
class XnvmeIT {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    @TempDir
    private Path folder;

    private Path image;

    @BeforeEach
    void makeImage() throws IOException {
        image = folder.resolve("scratch.img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(4 << 20);
        }
    }

    private String device() {
        return "emu:" + image;
    }

    private static Shell.Result xnvme(String... arguments) {
        String[] all = new String[arguments.length + 1];
        all[0] = "xnvme";
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        return Shell.aisio(all).run();
    }

    private static JsonNode json(String... arguments) {
        String[] all = new String[arguments.length + 2];
        System.arraycopy(arguments, 0, all, 0, arguments.length);
        all[arguments.length] = "--output";
        all[arguments.length + 1] = "json";
        return JSON.readTree(xnvme(all).succeeds().out());
    }

    @Test
    void tellsWhatADeviceIsAndWhichPathWasTaken() {
        xnvme("info", "emu:1GiB?serial=S1")
                .succeeds()
                .prints("software controller, user-space queue pairs", "Serial", "S1", "2097152", "NVMe commands");
        JsonNode info = json("info", "emu:1GiB?lba=4096");
        assertThat(info.get("schema").asString()).isEqualTo("aisio.xnvme.info/1");
        assertThat(info.get("lba_bytes").asInt()).isEqualTo(4096);
        assertThat(info.get("controller").get("namespaces").get(0).asInt()).isEqualTo(1);
        xnvme("info", "--output", "yaml", "emu:1GiB")
                .succeeds()
                .prints(
                        "schema: \"aisio.xnvme.info/1\"\n",
                        "\nlba_bytes: 512\n",
                        "\ncontroller:\n  model: ",
                        "\n  - 1\n");
        xnvme("info", image.toString()).succeeds().prints("kernel", "4194304");
    }

    @Test
    void listsControllersWhereverItRuns() {
        JsonNode all = json("enum");
        assertThat(all.get("schema").asString()).isEqualTo("aisio.xnvme.enum/1");
        assertThat(all.get("controllers").isArray()).isTrue();
        xnvme("enum").succeeds();
    }

    @Test
    void identifies() {
        JsonNode all = json("idfy", "emu:1GiB?serial=S2");
        assertThat(all.get("controller").get("serial").asString()).isEqualTo("S2");
        assertThat(all.get("namespace").get("size").asLong()).isEqualTo(2097152);
        assertThat(all.get("namespace").get("formats").get(0).get("lba_bytes").asInt())
                .isEqualTo(512);
        JsonNode raw = json("idfy", "--cns", "0x01", "emu:1GiB?serial=S2");
        assertThat(raw.get("data").asString()).hasSize(8192).contains("5332");
        xnvme("idfy", "--cns", "1", "emu:1GiB?serial=S2").succeeds().prints("00000000  ", "S2");
    }

    @Test
    void readsLogPages() {
        assertThat(json("log", "emu:1GiB", "smart").get("available_spare").asInt())
                .isEqualTo(100);
        xnvme("log", "emu:1GiB", "firmware").succeeds().prints("Active");
        xnvme("log", "emu:1GiB", "errors").succeeds();
        assertThat(json("log", "--bytes", "512", "emu:1GiB", "0x02").get("data").asString())
                .hasSize(1024);
        xnvme("log", "emu:1GiB", "no-such").failsWith(Exit.USAGE, "no log page 'no-such'");
    }

    @Test
    void getsAndSetsFeatures() {
        JsonNode all = json("feature", "get", "emu:1GiB").get("features");
        assertThat(all.size()).isGreaterThan(4);
        xnvme("feature", "get", "emu:1GiB", "0x04").succeeds().prints("temperature-threshold", "K");
        xnvme("feature", "set", "emu:1GiB", "temperature-threshold", "350")
                .succeeds()
                .prints("350 K", "software controller");
        JsonNode trial = json("feature", "set", "--dry-run", "emu:1GiB", "volatile-write-cache", "0");
        assertThat(trial.get("commands").get(0).get("command").asString()).isEqualTo("Set Features");
        xnvme("feature", "get", "emu:1GiB", "no-such").failsWith(Exit.USAGE, "'no-such' is no feature");
    }

    @Test
    void writesReadsAndCompares() throws IOException {
        byte[] content = new byte[64 << 10];
        new Random(1).nextBytes(content);
        Path file = Files.write(folder.resolve("content"), content);
        xnvme("write", "--lba", "8", "--file", file.toString(), device())
                .failsWith(Exit.FAILED, "this writes all over it", "--destroy-data");
        JsonNode trial = json("write", "--lba", "8", "--file", file.toString(), "--dry-run", device());
        assertThat(trial.get("blocks").asInt()).isEqualTo(128);
        assertThat(Files.mismatch(image, Files.write(folder.resolve("zeros"), new byte[4 << 20])))
                .isEqualTo(-1);
        xnvme("write", "--lba", "8", "--file", file.toString(), "--destroy-data", device())
                .succeeds();
        Path back = folder.resolve("back");
        xnvme("read", "--lba", "8", "--blocks", "128", "--file", back.toString(), device())
                .succeeds();
        assertThat(back).hasBinaryContent(content);
        xnvme("read", "--lba", "8", "--blocks", "128", "--file", back.toString(), device())
                .failsWith(Exit.FAILED, "already exists");
        xnvme("compare", "--lba", "8", "--file", file.toString(), device())
                .succeeds()
                .prints("yes");
        JsonNode other =
                JSON.readTree(xnvme("compare", "--lba", "9", "--file", file.toString(), "--output", "json", device())
                        .exits(Exit.FAILED)
                        .out());
        assertThat(other.get("equal").asBoolean()).isFalse();
        assertThat(other.get("first_difference").asInt()).isEqualTo(9);
        xnvme("write", "--lba", "10", "--blocks", "2", "--zeroes", "--destroy-data", device())
                .succeeds();
        xnvme("read", "--lba", "10", "--blocks", "2", device()).succeeds().prints("00 00 00", "*");
        xnvme("write", "--fill", "0xa5", "--destroy-data", device()).succeeds().prints("0xa5 all over");
        assertThat(json("read", device()).get("data").asString()).isEqualTo("a5".repeat(512));
        xnvme("read", "--lba", "8192", device()).failsWith(Exit.FAILED, "it has 8192");
        xnvme("read", "--lba", "0", image.toString()).succeeds().prints("a5 a5", "kernel");
    }

    @Test
    void deallocatesAndCopiesWhatItIsAskedToDestroy() {
        xnvme("write", "--fill", "1", "--blocks", "64", "--destroy-data", device())
                .succeeds();
        xnvme("dsm", "--deallocate", "8:8", device()).failsWith(Exit.FAILED, "--destroy-data");
        JsonNode trial = json("dsm", "--deallocate", "8:8", "--deallocate", "32:1", "--dry-run", device());
        assertThat(trial.get("commands").get(0).get("command").asString()).isEqualTo("Dataset Management");
        xnvme("dsm", "--deallocate", "8:8", "--destroy-data", device())
                .succeeds()
                .prints("Deallocate");
        assertThat(json("read", "--lba", "8", device()).get("data").asString()).isEqualTo("00".repeat(512));
        assertThat(json("read", "--lba", "7", device()).get("data").asString()).isEqualTo("01".repeat(512));
        xnvme("copy", "--from", "0:4", "--to", "100", device()).failsWith(Exit.FAILED, "--destroy-data");
        xnvme("copy", "--from", "nonsense", "--to", "100", device()).failsWith(Exit.USAGE, "nonsense");
    }

    @Test
    void formatsOnlyWhenTheSerialNumberWasTyped() {
        String named = device() + "?serial=S3";
        xnvme("format", "--lbaf", "0", named).failsWith(Exit.FAILED, "all that it holds is lost", "--serial");
        xnvme("format", "--lbaf", "0", "--serial", "S4", named)
                .failsWith(Exit.FAILED, "'S4' is not its serial number; nothing was done");
        JsonNode trial = json("format", "--lbaf", "1", "--erase", "user-data", "--dry-run", named);
        assertThat(trial.get("commands").get(0).get("cdw10").asString()).isEqualTo("0x00000201");
        xnvme("sanitize", "--action", "block", named).failsWith(Exit.FAILED, "cannot be stopped", "--serial");
        assertThat(json("sanitize", "--action", "overwrite", "--pattern", "0xdeadbeef", "--dry-run", named)
                        .get("commands")
                        .get(0)
                        .get("cdw11")
                        .asString())
                .isEqualTo("0xdeadbeef");
        xnvme("format", "--lbaf", "64", named).failsWith(Exit.USAGE, "LBA format 64");
    }

    @Test
    void showsRegistersOfAControllerThatIsDrivenFromHere() {
        JsonNode regs = json("regs", "emu:1GiB");
        assertThat(regs.get("csts").get("ready").asBoolean()).isTrue();
        assertThat(regs.get("cap").get("value").asString()).matches("0x[0-9a-f]{16}");
        assertThat(json("reset", "emu:1GiB").get("ready").asBoolean()).isTrue();
        xnvme("reset", "/dev/ng99n1").failsWith(Exit.FAILED, "name its controller, such as /dev/nvme99");
        xnvme("regs", image.toString()).failsWith(Exit.FAILED, "driven from here");
        xnvme("idfy", image.toString()).failsWith(Exit.FAILED, "takes no NVMe commands");
        xnvme("zone", "report", "emu:1GiB").failsWith(Exit.FAILED, "has no zones");
        xnvme("idfy", "/dev/nvme99").failsWith(Exit.FAILED, "/dev/nvme99");
    }

    @Test
    void tellsAndChangesZones() throws IOException {
        String zoned = "emu:64MiB?zoned=4MiB&lba=4096";
        JsonNode report = json("zone", "report", "--lba", "1024", "--most", "2", zoned);
        assertThat(report.get("count").asInt()).isEqualTo(16);
        assertThat(report.get("zones").size()).isEqualTo(2);
        assertThat(report.get("zones").get(0).get("start").asInt()).isEqualTo(1024);
        assertThat(json("zone", "open", "--zone", "1024", zoned)
                        .get("zone")
                        .get("state")
                        .asString())
                .isEqualTo("explicitly opened");
        assertThat(json("zone", "finish", "--zone", "1024", zoned)
                        .get("zone")
                        .get("state")
                        .asString())
                .isEqualTo("full");
        Path block = Files.write(folder.resolve("block"), new byte[8192]);
        assertThat(json("zone", "append", "--zone", "2048", "--file", block.toString(), zoned)
                        .get("lba")
                        .asInt())
                .isEqualTo(2048);
        JsonNode trial = json("zone", "reset", "--all", "--dry-run", zoned);
        assertThat(trial.get("commands").get(0).get("command").asString()).isEqualTo("Zone Management Send");
        String kept = device() + "?zoned=1MiB&lba=4096";
        xnvme("zone", "reset", "--zone", "0", kept).failsWith(Exit.FAILED, "--destroy-data");
        xnvme("zone", "reset", "--zone", "1", zoned).failsWith(Exit.FAILED, "no zone begins at 1");
    }
}
