package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The daemon and its command, as a person runs them. */
@Tag("slow")
class HomiIT {
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final long LOOK_NANOS = 5_000_000;

    @TempDir
    Path folder;

    private Path socket() {
        return folder.resolve("run/homi.sock");
    }

    private Path configuration(String more) throws Exception {
        return Files.writeString(
                folder.resolve("homid.toml"),
                "socket = \"" + socket() + "\"\n" + more
                        + "[[device]]\nname = \"nvme0\"\nuri = \"emu:64MiB?shared\"\n"
                        + "[[device]]\nname = \"sealed\"\nuri = \"emu:32MiB?shared&readonly\"\n");
    }

    private Shell.Result homi(String... words) {
        List<String> all = new ArrayList<>(List.of(words));
        all.addFirst("homi");
        return Shell.aisio(all.toArray(String[]::new))
                .with("AISIO_HOMI_SOCKET", socket().toString())
                .within(PATIENCE)
                .run();
    }

    @Test
    void aPersonLeasesLooksAndEndsIt() throws Exception {
        homi("status").failsWith(Exit.FAILED, "no daemon listens there", "next: start one");
        Shell.Running daemon = Shell.aisio(
                        "homid",
                        "--config",
                        configuration("dashboard = \"127.0.0.1:0\"\n").toString())
                .within(PATIENCE)
                .start();
        awaits(daemon, "note: ready");
        assertThat(daemon.errSoFar()).contains("nvme0 is emu:64MiB?shared", "the page is http://127.0.0.1:");
        homi("status").succeeds().prints("homid is ready", "nvme0", "0/64", "No queue is leased");
        homi("list", "--output", "json").succeeds().prints("aisio.homi.list/1", "\"queues_total\" : 64");
        homi("list").succeeds().prints("1: 64 MiB ", "1: 32 MiB (write-protected)");
        homi("lease", "nvme0", "--queues", "2", "--", "sh", "-c", "exit 7")
                .exits(7)
                .says("2 queue pairs of depth 128");
        homi("lease", "nvme0", "--queues", "17").failsWith(Exit.FAILED, "may have 16 and has 16; next: give some back");
        homi("lease", "nvme0", "--queues", "0").failsWith(Exit.USAGE, "no whole number from 1 to");
        homi("lease", "nvme0", "--", folder.resolve("nothing").toString())
                .exits(Exit.FAILED)
                .says("cannot be run; next: name a program");
        homi("extents", "/nowhere").failsWith(Exit.FAILED, "no extents are told of '/nowhere'; next: ");
        homi("unexport", "nvme0").failsWith(Exit.FAILED, "no export 'nvme0'; next: nothing is exported");
        homi("lease", "nvme9").failsWith(Exit.FAILED, "there is no device 'nvme9'; next: there is [nvme0, sealed]");
        Shell.aisio("xnvmeperf", "verify", "--iosize", "4096", "--count", "256", "--destroy-data", "homi:nvme0")
                .with("AISIO_HOMI_SOCKET", socket().toString())
                .within(PATIENCE)
                .run()
                .succeeds()
                .prints("leased from homid");
        homi("events")
                .succeeds()
                .prints("started", "leased", "refused", "(homi lease, process ", "(xnvmeperf verify, process ");
        homi("events", "--output", "yaml").succeeds().prints("- sequence: 1\n", "  kind: \"started\"\n");
        homi("release", "99/1").failsWith(Exit.FAILED, "client 99 has no lease 1");
        homi("shutdown").succeeds();
        daemon.await().exits(Exit.DONE).says("stopped: homid has ended");
        assertThat(socket()).doesNotExist();
    }

    @Test
    void saysAllThatIsWrongWithAConfiguration() throws Exception {
        Path file = configuration("sockets = 1\nconnections = \"many\"\ndashboard = \"9464\"\n");
        Shell.Result told = Shell.aisio("homid", "--config", file.toString(), "--check-config")
                .run()
                .exits(Exit.FAILED);
        assertThat(told.err().lines()).hasSize(3).allMatch(line -> line.startsWith("aisio: " + file + ":"));
        told.says("sockets is nothing here", "connections is a whole number", "dashboard cannot be: ");
        Shell.aisio(
                        "homid",
                        "--config",
                        Shell.ROOT.resolve("examples/homid.toml").toString(),
                        "--check-config")
                .with("XDG_RUNTIME_DIR", folder.toString())
                .run()
                .succeeds()
                .prints("makes sense: 1 device, 0 exports");
    }

    @Test
    void everyPathAtOnceAgrees() {
        homi("demo", "--seconds", "2", "--folder", folder.toString())
                .succeeds()
                .prints("process ", "this process, files by their extents", "every byte compared", "as written");
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void whatADeviceHoldsIsDestroyedOnRequestAlone() throws IOException {
        Path image = folder.resolve("disk.img");
        Files.writeString(image, "what is kept");
        homi("demo", "emu:" + image + "?shared").exits(Exit.FAILED).says("this writes all over it", "--destroy-data");
        assertThat(image).hasContent("what is kept");
    }

    private static void awaits(Shell.Running program, String words) {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!program.errSoFar().contains(words)) {
            assertThat(program.process().isAlive() && System.nanoTime() < deadline)
                    .as("no '%s'; it wrote:%n%s", words, program.errSoFar())
                    .isTrue();
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }
}
