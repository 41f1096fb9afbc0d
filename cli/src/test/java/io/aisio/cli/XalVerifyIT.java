package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code xal verify} of file systems that are mounted, and what it leaves behind when it is ended. */
@Tag("root")
@Tag("slow")
class XalVerifyIT {
    private static final int FILES = 10_500;
    /** Some of those are removed again. */
    private static final int LEFT = 10_000;

    private static final int PIECES = 2_000;
    private static final int DEPTH = 60;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"xfs", "ext4"})
    void findsNoDifferenceInTenThousandFilesOfALiveMount(String type) throws IOException {
        try (LoopVolume volume = LoopVolume.make(folder, type).mounted("loop")) {
            fill(volume);
            JsonNode verified = verified("--freeze", volume.path().toString());
            assertThat(verified.get("differences").asLong()).isZero();
            assertThat(verified.get("damaged").asLong()).isZero();
            assertThat(verified.get("unsettled").asLong()).isZero();
            assertThat(verified.get("changed").asLong()).isZero();
            assertThat(verified.get("files").asLong()).isGreaterThan(LEFT);
            assertThat(verified.get("bytes").asLong()).isGreaterThan(20_000_000);
            assertThat(verified.get("read").asString()).contains("/dev/loop", "O_DIRECT");
            if (type.equals("xfs")) {
                assertThat(verified.get("maps_not_compared").asString()).isEmpty();
                assertThat(verified.get("entries").asLong()).isGreaterThan(LEFT + DEPTH);
                assertThat(verified.get("extents").asLong()).isGreaterThan(LEFT);
            } else {
                assertThat(verified.get("maps_not_compared").asString()).contains("ext4", "XFS alone");
            }
            volume.shell("echo thawed > thawed");
            turnAByte(volume);
            Shell.aisio("xal", "verify", "--freeze", volume.path().toString())
                    .run()
                    .exits(Exit.FAILED)
                    .says("/d7/f7777: bytes differs: as read, from byte 33")
                    .prints("1 differences");
        }
    }

    /** In the image, beneath the kernel's cache of the file. */
    private static void turnAByte(LoopVolume volume) throws IOException {
        byte[] cached = Files.readAllBytes(volume.path().resolve("d7/f7777"));
        long position = JsonMapper.shared()
                        .readTree(Shell.aisio(
                                        "xal",
                                        "bmap",
                                        "--output",
                                        "json",
                                        volume.path().toString(),
                                        "/d7/f7777")
                                .run()
                                .succeeds()
                                .out())
                        .at("/files/0/extents/0/device_first")
                        .asLong()
                * 512;
        try (RandomAccessFile image = new RandomAccessFile(volume.image().toFile(), "rw")) {
            image.seek(position + 33);
            image.write(~cached[33]);
        }
    }

    @Test
    void waitsUntilXfsHasWrittenInPlaceWhatItLogged() throws IOException {
        Path interval = Path.of("/proc/sys/fs/xfs/xfssyncd_centisecs");
        try (LoopVolume volume = LoopVolume.make(folder, "xfs")) {
            String before = volume.shell("cat " + interval).strip();
            // The worker's first interval begins when it is mounted.
            Files.writeString(interval, "100");
            try {
                volume.mounted("loop").shell("mkdir d; for i in $(seq 300); do echo $i > d/$i; done");
                JsonNode verified = verified(volume.path().toString());
                assertThat(verified.get("ok").asBoolean()).isTrue();
                assertThat(verified.get("entries").asLong()).isEqualTo(302);
                assertThat(verified.get("differences").asLong()).isZero();
                // A directory of it is compared with the same directory on disk.
                JsonNode beneath = verified(volume.path().resolve("d").toString());
                assertThat(beneath.get("ok").asBoolean()).isTrue();
                assertThat(beneath.get("entries").asLong()).isEqualTo(301);
            } finally {
                Files.writeString(interval, before);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"INT", "TERM", "KILL"})
    void thawsWhateverEndsIt(String signal) throws Exception {
        try (LoopVolume volume = LoopVolume.make(folder, "xfs").mounted("loop")) {
            // It takes minutes to read.
            volume.shell("truncate -s 4T large");
            Shell.Running running = Shell.aisio(
                            "xal", "verify", "--freeze", volume.path().toString())
                    .start();
            // The child has frozen it once it waits for its end.
            awaits(() -> running.process()
                    .descendants()
                    .anyMatch(child -> child.info().command().orElse("").endsWith("/cat")));
            running.signal(signal);
            Shell.Result result = running.await();
            assertThat(result.exit()).isGreaterThan(128);
            Shell.program(
                            "timeout",
                            "20",
                            "touch",
                            volume.path().resolve("thawed").toString())
                    .run()
                    .succeeds();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"INT", "KILL"})
    void thawsAlsoIfItIsEndedBeforeAllIsFrozen(String signal) throws Exception {
        String fsfreeze = LoopVolume.tool("sh", "-c", "command -v fsfreeze || echo /usr/sbin/fsfreeze")
                .out()
                .strip();
        // The real one, which takes a while as with much to write.
        Path slow = Files.createDirectory(folder.resolve("slow"));
        Files.writeString(slow.resolve("fsfreeze"), """
                #!/bin/sh
                test "$1" = --freeze && : > %1$s/begun && while ! test -e %1$s/go; do sleep 0.1; done
                %2$s "$@" && : > %1$s/$(basename -- "$1")
                """.formatted(slow, fsfreeze));
        Files.setPosixFilePermissions(slow.resolve("fsfreeze"), PosixFilePermissions.fromString("rwxr-xr-x"));
        try (LoopVolume volume = LoopVolume.make(folder, "xfs").mounted("loop")) {
            String mount = volume.path().toString();
            Shell.Running running = Shell.aisio("xal", "verify", "--freeze", mount)
                    .with("PATH", slow + ":" + System.getenv("PATH"))
                    .start();
            awaits(() -> Files.exists(slow.resolve("begun")));
            running.signal(signal);
            assertThat(running.await().exit()).isGreaterThan(128);
            Files.createFile(slow.resolve("go"));
            awaits(() -> Files.exists(slow.resolve("--freeze")));
            try {
                awaits(() -> Files.exists(slow.resolve("--unfreeze")));
                Shell.program("timeout", "20", "touch", mount + "/thawed").run().succeeds();
            } finally {
                if (Files.notExists(slow.resolve("--unfreeze"))) {
                    Shell.program(fsfreeze, "--unfreeze", mount).run();
                }
            }
        }
    }

    @Test
    void isNotContentWhereNothingCouldBeCompared() throws IOException {
        try (LoopVolume volume = LoopVolume.make(folder, "btrfs").mounted("loop,compress-force=zstd")) {
            volume.shell("seq 100000 > numbers; sync -f .");
            Shell.aisio("xal", "verify", volume.path().toString())
                    .run()
                    .exits(Exit.FAILED)
                    .says("nothing was compared")
                    .prints("0 differences, 0 unreadable, 0 changed");
        }
    }

    @Test
    void saysInOneLineWhatItCannotCompareAndWhy() throws IOException {
        Shell.aisio("xal", "verify", "/no/such").run().failsWith(Exit.FAILED, "/no/such: no such file");
        Path image = Files.createFile(folder.resolve("any.img"));
        Shell.aisio("xal", "verify", "--freeze", image.toString())
                .run()
                .failsWith(Exit.FAILED, image.toString(), "--freeze is for a directory");
    }

    @Test
    void unmountsAnImageWhenItIsInterrupted() throws Exception {
        try (LoopVolume volume = LoopVolume.make(folder, "ext4").mounted("loop")) {
            // It takes minutes to read.
            volume.shell("truncate -s 4T large");
            volume.unmount();
            Shell.Running running =
                    Shell.aisio("xal", "verify", volume.image().toString()).start();
            awaits(() -> isAttached(volume.image()));
            running.signal("INT");
            running.await().exits(Exit.INTERRUPTED);
            assertThat(isAttached(volume.image())).isFalse();
        }
    }

    private static boolean isAttached(Path image) {
        return LoopVolume.tool("losetup", "-j", image.toString()).out().contains(image.toString());
    }

    interface Condition {
        boolean holds();
    }

    /** Waits until something holds, for a minute at most. */
    static void awaits(Condition condition) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!condition.holds()) {
            assertThat(System.nanoTime()).as("the deadline").isLessThan(deadline);
            Thread.sleep(5);
        }
    }

    @Test
    void refusesToFreezeWhatItWritesToItself() {
        Shell.aisio("xal", "verify", "--freeze", "/tmp")
                .run()
                .exits(Exit.FAILED)
                .says("/tmp is not frozen: / is in the same file system", "would wait for itself");
    }

    private static JsonNode verified(String... arguments) {
        String[] all = new String[arguments.length + 4];
        System.arraycopy(new String[] {"xal", "verify", "--output", "json"}, 0, all, 0, 4);
        System.arraycopy(arguments, 0, all, 4, arguments.length);
        return JsonMapper.shared()
                .readTree(Shell.aisio(all)
                        .within(Duration.ofMinutes(3))
                        .run()
                        .succeeds()
                        .out());
    }

    /** Files of all kinds: small and empty, scattered, preallocated, sparse, cloned, linked, with attributes, deep, wide. */
    private static void fill(LoopVolume volume) throws IOException {
        Path top = volume.path();
        Random random = new Random(5);
        for (int i = 0; i < FILES; i++) {
            // One wide directory, and ten others.
            Path directory = Files.createDirectories(top.resolve(i % 3 == 0 ? "wide" : "d" + i % 10));
            byte[] content = new byte[i == 7777 ? 5000 : i % 50 == 0 ? random.nextInt(40_000) : i % 4_500];
            random.nextBytes(content);
            Files.write(directory.resolve("f" + i), content);
        }
        try (FileChannel scattered =
                FileChannel.open(top.resolve("scattered"), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (int i = 0; i < PIECES; i++) {
                byte[] block = new byte[4096];
                random.nextBytes(block);
                scattered.write(ByteBuffer.wrap(block), i * 8192L);
            }
        }
        Path deep = top;
        for (int i = 0; i < DEPTH; i++) {
            deep = deep.resolve("deep" + i);
        }
        Files.write(Files.createDirectories(deep).resolve("bottom"), new byte[9_000]);
        volume.shell(
                "fallocate -l 3M unwritten; head -c 9000 /dev/urandom | dd of=unwritten bs=1k seek=77 conv=notrunc;"
                        + " truncate -s 100M sparse; echo end >> sparse; : > behind; fallocate -n -l 1M behind; fallocate -p -o 40960 -l 40960"
                        + " scattered; for i in $(seq 200); do ln wide/f$((i * 3)) hard$i; ln -s /far/$i soft$i; done;"
                        + " ln -s $(printf '%0900d' 7) long; mkfifo pipe; mknod disk b 7 9; mknod tty c 4 9;"
                        + " cp --reflink=auto scattered clone; head -c 12345 /dev/urandom |"
                        + " dd of=clone bs=1k seek=50 conv=notrunc; for i in $(seq 0 3 900); do rm wide/f$((i * 3)); done");
        for (int i = 1; i < 300; i++) {
            var attributes =
                    Files.getFileAttributeView(top.resolve("hard" + (1 + i % 200)), UserDefinedFileAttributeView.class);
            attributes.write("name" + i, ByteBuffer.wrap(new byte[i]));
        }
    }
}
