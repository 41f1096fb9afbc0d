package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A server and its clients, each a process, as a person runs them; and what is left when one of them is killed. */
@Tag("slow")
class EmuServeIT {
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    /** Half a second, of 100 ticks each. */
    private static final int TICKS = 50;

    /** How often a condition is looked at: the programs that it is about need the processors. */
    private static final long LOOK_NANOS = 5_000_000;

    @TempDir
    Path folder;

    private Path socket() {
        return folder.resolve("nvme.sock");
    }

    private Shell.Running serve(String medium) {
        Shell.Running server = Shell.aisio("emu", "serve", "--socket", socket().toString(), medium)
                .within(PATIENCE)
                .start();
        awaits(server, "is served");
        return server;
    }

    private static void awaits(Shell.Running program, String words) {
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (!program.errSoFar().contains(words)) {
            if (System.nanoTime() > until || !program.process().isAlive()) {
                program.process().destroyForcibly();
                throw new AssertionError("no '" + words + "' from " + program.command() + ":\n" + program.errSoFar());
            }
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }

    /** Waits until a thread that polls a queue has run for half a second: long after it has created the queue. */
    private static void awaitsIo(Shell.Running program) {
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (ticks(program) < TICKS) {
            if (System.nanoTime() > until || !program.process().isAlive()) {
                program.process().destroyForcibly();
                throw new AssertionError("no I/O by " + program.command() + ":\n" + program.errSoFar());
            }
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }

    /** Processor time of the threads that do I/O, in ticks: {@code utime} and {@code stime} of proc_pid_stat(5). */
    private static long ticks(Shell.Running program) {
        try (Stream<Path> tasks =
                Files.list(Path.of("/proc", Long.toString(program.process().pid()), "task"))) {
            long sum = 0;
            for (Path task : tasks.toList()) {
                if (Files.readString(task.resolve("comm")).startsWith("xnvmeperf-cpu")) {
                    String stat = Files.readString(task.resolve("stat"));
                    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
                    sum += Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
                }
            }
            return sum;
        } catch (IOException | UncheckedIOException e) {
            // A thread has ended meanwhile.
            return 0;
        }
    }

    private Shell verify(long count) {
        return Shell.aisio(
                        "xnvmeperf",
                        "verify",
                        "--iosize",
                        "4096",
                        "--count",
                        Long.toString(count),
                        "--destroy-data",
                        "vfu:" + socket())
                .within(PATIENCE);
    }

    private Shell endless() {
        return Shell.aisio(
                        "xnvmeperf",
                        "run",
                        "--iopattern",
                        "randread",
                        "--qdepth",
                        "32",
                        "--iosize",
                        "4096",
                        "--runtime",
                        "100",
                        "vfu:" + socket())
                .within(PATIENCE);
    }

    @Test
    void servesAnotherProcessAndEndsInOrder() throws Exception {
        Shell.Running server = serve("256MiB");
        verify(1024).run().succeeds().prints("vfio-user");
        awaits(server, "left");
        server.signal("INT");
        server.await().exits(Exit.INTERRUPTED).says("client 1 (process ", "came", "left", "interrupted");
        assertThat(socket()).doesNotExist();
    }

    @Test
    void aClientThatIsKilledInMidIoHarmsNobody() throws Exception {
        Shell.Running server = serve("256MiB");
        Shell.Running killed = endless().start();
        awaits(server, "client 1 (process " + killed.process().pid());
        awaitsIo(killed);
        Shell.Running other = verify(65_536).start();
        awaits(server, "client 2");
        killed.signal("KILL");
        killed.await().exits(137);
        awaits(server, "client 1 (process " + killed.process().pid() + ") left");
        other.await().succeeds();
        verify(256).run().succeeds();
        server.signal("TERM");
        server.await().exits(143);
        assertThat(socket()).doesNotExist();
    }

    @Test
    void aServerThatIsKilledInMidIoIsTrulyAndPromptlyTold() throws Exception {
        Shell.Running server = serve("256MiB");
        Shell.Running client = endless().start();
        awaits(server, "client 1");
        awaitsIo(client);
        server.signal("KILL");
        server.await().exits(137);
        long begun = System.nanoTime();
        Shell.Result told = client.await().exits(Exit.FAILED).says("Command Aborted By Host");
        // By its connection or by its registers, whichever is noticed first.
        assertThat(told.err()).containsPattern("the device (was removed|is gone)");
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(20));
        // What it has left is told apart from a server, and the next one takes its place.
        verify(16).run().failsWith(Exit.FAILED, "nobody listens on this socket", "next: start it again");
        Shell.Running next = serve("256MiB");
        verify(64).run().succeeds();
        next.signal("INT");
        next.await().exits(Exit.INTERRUPTED);
    }

    @Test
    void takesCommandsFromXnvme() throws Exception {
        Path image = folder.resolve("served.img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(64 << 20);
        }
        Shell.Running server = serve(image + "?serial=S1");
        String device = "vfu:" + socket();
        xnvme("info", device).succeeds().prints("vfio-user", "Serial", "S1", "131072");
        xnvme("write", "--fill", "0xa5", "--blocks", "8", device).failsWith(Exit.FAILED, "--destroy-data");
        xnvme("write", "--fill", "0xa5", "--lba", "8", "--blocks", "8", "--destroy-data", device)
                .succeeds();
        // Each of these is a client of its own, which the image passes to in turn.
        xnvme("read", "--lba", "7", "--blocks", "2", device).succeeds().prints("00 00 00", "a5 a5 a5");
        xnvme("regs", device).succeeds().prints("CSTS");
        xnvme("reset", device).succeeds();
        server.signal("INT");
        server.await().exits(Exit.INTERRUPTED);
    }

    private static Shell.Result xnvme(String... arguments) {
        List<String> all = new ArrayList<>(List.of(arguments));
        all.addFirst("xnvme");
        return Shell.aisio(all.toArray(String[]::new)).within(PATIENCE).run();
    }

    @Test
    void saysWhatIsWrong() throws Exception {
        Path file = Files.writeString(folder.resolve("file"), "mine");
        Shell.aisio("emu", "serve", "--socket", file.toString(), "1GiB")
                .run()
                .failsWith(Exit.FAILED, "is no socket", "next:");
        Shell.aisio("emu", "serve", "--socket", socket().toString(), "/no/such/image")
                .run()
                .failsWith(Exit.FAILED, "/no/such/image");
        Shell.aisio("emu", "serve", "--socket", "/no/such/folder/s", "1GiB")
                .run()
                .failsWith(Exit.FAILED, "there is no folder /no/such/folder; next:");
        verify(1).run().failsWith(Exit.FAILED, "there is no such socket", "next:");
    }
}
