package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code rig/run} as a person uses it: what it passes on, and how it ends. */
class RigRunIT {
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    --frob                        | no option '--frob'
                    true                          | a command comes after --
                    --timeout 5                   | no command
                    --timeout soon -- true        | --timeout takes seconds, not 'soon'
                    --memory much -- true         | --memory takes a size
                    --devices nothing -- true     | there are: cmb formats four
                    --images /no/such -- true     | a folder that can be written to, not '/no/such'
                    --kernel                      | --kernel takes a value
                    """)
    void saysWhatIsWrongWithItsArguments(String arguments, String said) {
        Rig.Result result = Rig.run(arguments.split(" "));
        assertThat(result.exit()).as("%s", result).isEqualTo(2);
        assertThat(result.out()).isEmpty();
        assertThat(result.err()).startsWith("rig: ").contains(said).hasLineCount(1);
    }

    @BeforeAll
    static void requireIt() {
        assumeTrue(Files.exists(Rig.ROOT.resolve("rig/run")), "needs the sources");
    }

    @Test
    void saysWhatIsWrongWithADescriptionOfDevices(@TempDir Path folder) throws IOException {
        Path description = Files.writeString(folder.resolve("devices"), "iommu none\n# one\ncontroler nvme0\n");
        Rig.Result result = Rig.run("--devices", description.toString(), "--", "true");
        assertThat(result.exit()).as("%s", result).isEqualTo(2);
        assertThat(result.err()).contains(description + ":3: no 'controler'");
    }

    @Test
    void saysWhatToInstallWhereItMayNotInstall(@TempDir Path empty) throws IOException, InterruptedException {
        ProcessBuilder command = Rig.command(List.of("--prepare")).redirectErrorStream(true);
        // A root that cannot install, and a person who is not root, get the same answer.
        for (String program : List.of("bash", "readlink", "dirname", "uname", "id", "sed", "timeout")) {
            Files.createSymbolicLink(empty.resolve(program), Path.of("/usr/bin", program));
        }
        command.environment().put("PATH", empty.toString());
        command.command().addAll(0, List.of("/bin/bash"));
        Process process = command.start();
        try (BufferedReader said = process.inputReader()) {
            assertThat(said.readLine()).startsWith("rig: needs ").contains("qemu-system-x86", "next: apt-get install");
        }
        assertThat(process.waitFor()).isEqualTo(Rig.UNAVAILABLE);
    }

    /** Each boots a guest, or has one killed. */
    @Nested
    @Tag("slow")
    class AGuest {
        @BeforeAll
        static void prepare() {
            String missing = Rig.prepare();
            assumeTrue(missing.isEmpty(), missing);
        }

        @Test
        void passesOnOutputErrorsAndExitCode() {
            Rig.Result result = Rig.run("--", "sh", "-c", "echo \"$PWD\"; echo 'an error' >&2; exit 7");
            assertThat(result.exit()).as("%s", result).isEqualTo(7);
            assertThat(result.out().strip()).isEqualTo(Rig.ROOT.toString());
            assertThat(result.err()).contains("an error\n").endsWith(" s\n");
        }

        @Test
        void writesToImagesThatTheHostReads(@TempDir Path folder) throws IOException {
            Rig.Result result = Rig.run(
                    "--quiet",
                    "--images",
                    folder.toString(),
                    "--",
                    "sh",
                    "-c",
                    "for disk in /sys/block/nvme*n*; do cat $disk/nsid | dd of=/dev/${disk##*/} conv=sync bs=4096; done");
            assertThat(result.exit()).as("%s", result).isZero();
            assertThat(folder.resolve("nvme0n1.raw")).hasSize(64L << 20);
            for (int nsid = 1; nsid <= 2; nsid++) {
                try (var image = Files.newInputStream(folder.resolve("nvme0n" + nsid + ".raw"))) {
                    assertThat(image.readNBytes(2)).containsExactly('0' + nsid, '\n');
                }
            }
        }

        @Test
        void killsAGuestThatTakesTooLong() {
            Rig.Result result = Rig.run("--timeout", "1", "--", "true");
            assertThat(result.exit()).as("%s", result).isEqualTo(124);
            assertThat(result.err()).contains("rig: timed out after 1 s");
        }

        @Test
        void tellsThatTheKernelDied() {
            Rig.Result result = Rig.run("--", "sh", "-c", "echo c >/proc/sysrq-trigger");
            assertThat(result.exit()).as("%s", result).isEqualTo(255);
            assertThat(result.err()).contains("rig: the guest died", "Kernel panic");
        }

        @Test
        void leavesNothingWhenItIsInterrupted(@TempDir Path folder) throws IOException, InterruptedException {
            ProcessBuilder command = Rig.command(List.of("--", "sleep", "1000")).redirectErrorStream(true);
            command.environment().put("TMPDIR", folder.toString());
            Process process = command.start();
            try (BufferedReader said = process.inputReader()) {
                assertThat(said.readLine()).startsWith("rig: starting");
                new ProcessBuilder("kill", "-INT", Long.toString(process.pid()))
                        .start()
                        .waitFor();
                assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
                assertThat(said.lines()).containsExactly("rig: stopped");
            }
            assertThat(process.exitValue()).isEqualTo(130);
            assertThat(folder).isEmptyDirectory();
        }
    }
}
