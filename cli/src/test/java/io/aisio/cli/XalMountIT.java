package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The {@code xal} commands on file systems that the kernel filled, compared with the tools that ask it. */
@Tag("root")
@Tag("slow")
class XalMountIT {
    @TempDir
    private Path folder;

    /** A file system with holes, preallocation, clones where there are any, links and a few hundred files. */
    private LoopVolume volume(String type) throws IOException {
        LoopVolume volume = LoopVolume.make(folder, type).mounted("loop");
        try (volume) {
            volume.shell(
                    "for i in $(seq 200); do mkdir -p d$((i % 9)); head -c $((i * 97)) /dev/urandom > d$((i % 9))/f$i; done");
            volume.shell(
                    "fallocate -l 3M unwritten; head -c 5000 /dev/urandom | dd of=unwritten bs=1k seek=77 conv=notrunc");
            volume.shell(
                    "head -c 300000 /dev/urandom > holes; fallocate -p -o 40960 -l 40960 holes; truncate -s 400000 holes");
            volume.shell("cp --reflink=auto holes clone; ln holes hard; ln -s /far/away link; : > empty; sync -f .");
        }
        return volume;
    }

    private static JsonNode json(String... arguments) {
        return JsonMapper.shared()
                .readTree(Shell.aisio(arguments).run().succeeds().out());
    }

    @Test
    void findsNoDifferenceBetweenBlocksAndKernel() throws IOException {
        for (String type : List.of("xfs", "ext4")) {
            JsonNode verified = json(
                    "xal", "verify", "--output", "json", volume(type).image().toString());
            assertThat(verified.get("files").asLong()).as(type).isGreaterThanOrEqualTo(204);
            assertThat(verified.get("bytes").asLong()).as(type).isGreaterThan(3_000_000);
            assertThat(verified.get("differences").asLong()).as(type).isZero();
            assertThat(verified.get("damaged").asLong()).as(type).isZero();
            assertThat(verified.get("entries").asLong() > 0).as(type).isEqualTo(type.equals("xfs"));
        }
    }

    @Test
    void tellsTheSameOfBlocksAndOfTheMount() throws IOException {
        LoopVolume volume = volume("xfs");
        Path image = volume.image();
        String[] onDisk = {
            Shell.aisio("xal", "find", image.toString()).run().succeeds().out(),
            map(image.toString()),
            stat(image.toString())
        };
        try (LoopVolume mounted = volume.mounted("loop,ro")) {
            Path mount = mounted.path();
            assertThat(onDisk[0].lines())
                    .containsExactlyInAnyOrderElementsOf(
                            mounted.shell("find . -printf '/%P\\n'").lines().toList());
            assertThat(onDisk[1])
                    .isEqualTo(mounted.shell("xfs_bmap unwritten holes").replaceAll("(?m)^(?=[a-z])", "/"));
            assertThat(map(mount.toString())).isEqualTo(onDisk[1]);
            assertThat(stat(mount.toString())).isEqualTo(onDisk[2]);
            assertThat(onDisk[2]).contains("Target    /far/away");
        }
        assertThat(json("xal", "index", "--output", "json", image.toString())
                        .get("files")
                        .asLong())
                .isGreaterThanOrEqualTo(204);
        assertThat(json("xal", "info", "--output", "json", image.toString())
                        .get("block_bytes")
                        .asLong())
                .isEqualTo(4096);
    }

    private static String map(String where) {
        return Shell.aisio("xal", "bmap", "--format", "xfs_bmap", where, "/unwritten", "/holes")
                .run()
                .succeeds()
                .out();
    }

    /** Without flags, which the kernel is not asked for. */
    private static String stat(String where) {
        return Shell.aisio("xal", "stat", where, "/link", "/holes", "/d1")
                .run()
                .succeeds()
                .out()
                .replaceAll("(?m)^ +(Flags|Extents).*\n", "");
    }

    @Test
    void refusesAFileSystemThatIsMountedUnlessToldToIgnoreItsLog() throws IOException {
        Path copy = folder.resolve("copy.img");
        try (LoopVolume volume = volume("xfs").mounted("loop")) {
            volume.shell("for i in $(seq 50); do : > new$i; done; sync -f .");
            Shell.program("cp", "--sparse=always", volume.image().toString(), copy.toString())
                    .run()
                    .succeeds();
        }
        Shell.aisio("xal", "find", copy.toString()).run().failsWith(Exit.FAILED, copy.toString(), "log");
        Shell.aisio("xal", "find", "--ignore-log", copy.toString(), "/holes")
                .run()
                .succeeds()
                .prints("/holes\n");
    }

    @Test
    void holdsFilesBlocksUntilItIsKilled() throws Exception {
        try (LoopVolume volume = LoopVolume.make(folder, "xfs").mounted("loop")) {
            volume.shell("head -c 100M /dev/urandom > data; sync -f .");
            String where = volume.path().toString();
            String map =
                    Shell.aisio("xal", "bmap", where, "/data").run().succeeds().out();
            Shell.Running pinned = Shell.aisio("xal", "pin", where, "/data").start();
            XalVerifyIT.awaits(() -> pinned.errSoFar().contains("note: 1 pinned; Ctrl-C"));
            assertThat(pinned.outSoFar()).isEqualTo(map.replace("]\n", "] # shared\n"));
            long held = free(volume);
            volume.shell("rm data; sync -f .");
            assertThat(free(volume)).as("bytes free, the pin still there").isLessThan(held + (50 << 20));
            pinned.signal("KILL");
            assertThat(pinned.await().exit()).isGreaterThan(128);
            XalVerifyIT.awaits(() -> {
                volume.shell("sync -f .");
                return free(volume) > held + (90 << 20);
            });
        }
        Shell.aisio("xal", "pin", "/no/such/mount", "/data").run().failsWith(Exit.FAILED, "/no/such/mount");
    }

    @Test
    void pinsWhatItCanAndTellsWhatItHeld() throws Exception {
        try (LoopVolume volume = LoopVolume.make(folder, "xfs").mounted("loop")) {
            volume.shell("mkdir d; head -c 10M /dev/urandom > data; sync -f .");
            Shell.Running pinned = Shell.aisio(
                            "xal", "pin", "--output", "json", volume.path().toString(), "/d", "/data", "/none")
                    .start();
            XalVerifyIT.awaits(() -> pinned.errSoFar().contains("note: 1 pinned; Ctrl-C"));
            volume.shell("rm data; sync -f .");
            pinned.signal("INT");
            Shell.Result result = pinned.await()
                    .exits(Exit.INTERRUPTED)
                    .says("/d is no regular file", "holds no /none", "gives back 10485760 bytes");
            JsonNode told = JsonMapper.shared().readTree(result.out());
            assertThat(told.get("files").size()).isEqualTo(1);
            assertThat(told.get("files").get(0).get("path").asString()).isEqualTo("/data");
        }
    }

    @Test
    void saysInOneLineWhatAnImageOrADirectoryAloneCan() throws IOException {
        try (LoopVolume volume = LoopVolume.make(folder, "xfs").mounted("loop")) {
            String directory = volume.path().toString();
            Shell.aisio("xal", "find", "--ignore-log", directory)
                    .run()
                    .failsWith(Exit.FAILED, directory, "--ignore-log is for an image or a device");
            volume.shell(": > data");
            volume.unmount();
            for (String format : new String[] {"human", "json"}) {
                Shell.aisio("xal", "pin", "--output", format, volume.image().toString(), "/data")
                        .run()
                        .failsWith(Exit.FAILED, volume.image().toString(), "no directory of a mounted file system");
            }
        }
    }

    private static long free(LoopVolume volume) {
        return Long.parseLong(volume.shell("stat -f -c '%a %S' .").replaceAll(" .*\n", "")) * 4096;
    }

    @Test
    void benchMakesItsImageOnceAndMeasuresItMountedToo() throws IOException {
        LoopVolume.make(folder, "xfs");
        Path image = folder.resolve("many.xfs");
        for (int run = 0; run < 2; run++) {
            JsonNode json = json(
                    "xal",
                    "bench",
                    "--image",
                    image.toString(),
                    "--files",
                    "300",
                    "--directories",
                    "10",
                    "--starts",
                    "1",
                    "--output",
                    "json");
            assertThat(json.get("files").asLong()).isEqualTo(300);
            assertThat(json.get("directories").asLong()).isEqualTo(11);
            assertThat(json.get("seconds")).hasSize(1);
            assertThat(json.get("filefragSeconds").asDouble()).isPositive();
            assertThat(json.get("xfsBmapSecondsExtrapolated").asDouble()).isPositive();
            assertThat(json.get("find").get("heapBytes").asDouble()).isZero();
            assertThat(image).isRegularFile();
        }
        assertThat(Files.readString(Path.of("/proc/mounts"))).doesNotContain(image.toString());
        Shell.aisio("xal", "bench", "--starts", "0").run().failsWith(Exit.FAILED, "--starts");
    }
}
