package io.aisio.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code aisio dataset} prints, says and exits with. */
class DatasetCommandTest {
    @TempDir
    private Path folder;

    static void assumeMkfs() {
        assumeTrue(
                Stream.of("/sbin/mkfs.xfs", "/usr/sbin/mkfs.xfs").map(Path::of).anyMatch(Files::isExecutable),
                "needs mkfs.xfs (apt-get install xfsprogs)");
    }

    /** A command that ended. */
    private record Result(int exit, String out, String err) {
        void prints(String... words) {
            assertThat(err).isEmpty();
            assertThat(exit).isEqualTo(Exit.DONE);
            assertThat(out).contains(words);
        }

        void failsWith(int expected, String... words) {
            assertThat(err).startsWith("aisio: ").contains(words).hasLineCount(1);
            assertThat(exit).isEqualTo(expected);
        }
    }

    private static Result dataset(String... words) {
        String[] arguments =
                Stream.concat(Stream.of("dataset"), Stream.of(words)).toArray(String[]::new);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        PrintStream usualOut = System.out;
        PrintStream usualErr = System.err;
        try {
            System.setOut(new PrintStream(out, true, UTF_8));
            System.setErr(new PrintStream(err, true, UTF_8));
            int exit = Aisio.commandLine(new Aisio(), new Failures(() -> false))
                    .setErr(new PrintWriter(System.err, true))
                    .execute(arguments);
            System.out.flush();
            return new Result(exit, out.toString(UTF_8), err.toString(UTF_8));
        } finally {
            System.setOut(usualOut);
            System.setErr(usualErr);
        }
    }

    @Test
    void listTellsTheTotals() {
        dataset("list")
                .prints("imagenetish", "1,199,379", "134,929,413,838", "448", "3,517,713,980", "171,798,691,840");
        dataset("list", "--scale", "0.5", "--output", "json").prints("aisio.dataset.list/1", "\"files\" : 224");
    }

    @Test
    void whatWasMadeVerifiesAndWhatIsAnotherDoesNot() {
        String set = folder.resolve("set").toString();
        dataset("make", "imagenetish", "--scale", "0.00001", set).prints(set + ": 12 files in 12 classes");
        dataset("verify", "imagenetish", "--scale", "0.00001", set).prints("12 files", ": 0 differ");
        Result other = dataset("verify", "tiktokish", "--scale", "0.002", "--output", "json", set);
        assertThat(other.exit()).isEqualTo(Exit.FAILED);
        assertThat(other.err()).isEqualTo("aisio: class001/class001_00000001.bin has 148504 bytes, not 7394692\n");
        assertThat(other.out()).contains("aisio.dataset.verify/1", "\"differing\" : 1", "\"ok\" : false");
    }

    @Test
    void anImageThatIsThereIsRefused() {
        assumeMkfs();
        String image = folder.resolve("set.img").toString();
        dataset("make", "tiny", "--files", "3", "--image", image).prints(image + ": 3 files in 1 classes");
        dataset("make", "tiny", "--files", "3", "--image", image)
                .failsWith(Exit.FAILED, image + ": already exists", "--force");
    }

    @Test
    void saysWhatIsWrongWithWords() {
        String target = folder.toString();
        dataset("make", "mnist", target).failsWith(Exit.FAILED, "'mnist'", "imagenetish, tiktokish");
        dataset("make", "tiktokish").failsWith(Exit.USAGE, "a FOLDER or --image FILE", "--help");
        dataset("make", "tiktokish", "--scale", "2", target).failsWith(Exit.FAILED, "not by 2.0");
    }
}
