package io.aisio.xal.xfs;

import io.aisio.xal.XfsImage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Random operations on a file system, each round of them followed by a comparison of all that is on disk with what the
 * kernel tells. A failure names the seed; what the shell did is its script.
 */
@Tag("root")
@Tag("slow")
class RandomOperationsTest {
    private static final int ROUNDS = 2;
    private static final int OPERATIONS = 250;
    private static final int FILES = 60;
    private static final int MAX_BLOCKS = 200;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({
        "-b size=1024 -i nrext64=0 -m rmapbt=0, 1",
        "-b size=4096 -i size=1024 -m rmapbt=1 -n size=8192, 2",
        "-b size=16384 -m reflink=0, 3",
        "-b size=2048 -i size=512 -d agcount=9, 4",
    })
    void whateverIsDoneTheDiskHoldsWhatTheKernelTells(String options, long seed) throws Exception {
        Path image = XfsImage.empty(folder, options.split(" ", -1)).path();
        Random random = new Random(seed);
        try (MountedXfs xfs = MountedXfs.of(image, folder)) {
            for (int round = 0; round < ROUNDS; round++) {
                xfs.fill(script(random));
                xfs.agrees("mkfs.xfs " + options + ", seed " + seed + ", after round " + round);
            }
        }
    }

    /** Operations of which some fail, as a collapse behind the end does: that is all right. */
    private static String script(Random random) {
        List<String> lines = new ArrayList<>(List.of(
                "set +e",
                "exec 2> ../errors",
                "block=$(stat -fc %S .)",
                "mkdir -p d1/d2/d3 d4",
                // One xfs_io for what is done to one file.
                "io() { xfs_io -f \"${@:2}\" $1 > /dev/null; }"));
        for (int i = 0; i < OPERATIONS; i++) {
            lines.add(operation(random));
        }
        lines.add("exit 0");
        return String.join("\n", lines);
    }

    private static String operation(Random random) {
        String file = path(random);
        String other = path(random);
        return switch (random.nextInt(20)) {
            case 0 -> "mv -f " + file + " " + other;
            case 1 -> "mv -n d1/d2 d4; mv -n d4/d2 d1";
            case 2 -> "ln -f " + file + " " + other;
            case 3 -> "rm -f " + file;
            case 4 -> "cp --reflink=auto " + file + " " + other;
            case 5 ->
                "setfattr -n user.a" + random.nextInt(5) + " -v " + "v".repeat(1 << random.nextInt(13)) + " " + file;
            case 6 -> "setfattr -x user.a" + random.nextInt(5) + " " + file;
            case 7 -> "ln -sf " + "t".repeat(1 + random.nextInt(1023)) + " " + other;
            case 8 -> "mkdir -p " + other + ".d; : > " + other + ".d/" + "n".repeat(1 + random.nextInt(250));
            case 9 -> "rm -rf " + other + ".d";
            case 10 ->
                "(cd d4; " + (random.nextBoolean() ? "touch" : "rm -f") + " $(seq -f name-%g " + random.nextInt(200)
                        + " " + (1 + random.nextInt(3)) + " " + random.nextInt(600) + "))";
            default -> file(random, file, other);
        };
    }

    private static String path(Random random) {
        return List.of("", "d1/", "d1/d2/", "d1/d2/d3/", "d4/").get(random.nextInt(5)) + "f" + random.nextInt(FILES);
    }

    private static String file(Random random, String file, String other) {
        StringBuilder line = new StringBuilder("io ").append(file);
        for (int i = random.nextInt(8); i >= 0; i--) {
            long at = random.nextInt(MAX_BLOCKS);
            long length = 1 + random.nextInt(random.nextBoolean() ? 3 : MAX_BLOCKS / 2);
            String blocks = "$((%d * block)) $((%d * block))".formatted(at, length);
            String bytes = "$((%d * block + %d)) $((%d * block - %d))"
                    .formatted(at, random.nextInt(1000), length, random.nextInt(1000));
            line.append(" -c \"")
                    .append(
                            switch (random.nextInt(14)) {
                                case 0 -> "truncate $((%d * block + %d))".formatted(at, random.nextInt(1000));
                                case 1 -> "fpunch " + bytes;
                                case 2 -> "fpunch " + blocks;
                                case 3 -> "fcollapse " + blocks;
                                case 4 -> "finsert " + blocks;
                                case 5 -> "fzero " + bytes;
                                case 6 -> "fzero -k " + blocks;
                                case 7 -> "falloc -k " + bytes;
                                case 8 -> "falloc " + blocks;
                                case 9 -> "funshare " + blocks;
                                case 10 ->
                                    "reflink " + other + " " + "$((%d * block)) ".formatted(random.nextInt(MAX_BLOCKS))
                                            + blocks;
                                case 11 -> "fsync";
                                default -> "pwrite -S " + (1 + random.nextInt(255)) + " " + bytes;
                            })
                    .append('"');
        }
        return line.toString();
    }
}
