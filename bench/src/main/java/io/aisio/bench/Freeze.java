package io.aisio.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A mounted file system that is kept still: whoever writes to it waits until this is closed, and all of it is written in
 * place. It takes root.
 *
 * <p>A child process freezes it and thaws it again once its standard input ends, which is also so when this process is
 * killed, at whatever moment. Only who kills both leaves it frozen.
 *
 * <pre>
 *   this ── standard input ──► sh: fsfreeze --freeze, "frozen", read until the end, fsfreeze --unfreeze
 * </pre>
 */
final class Freeze implements AutoCloseable {
    private static final String REMEDY = "apt-get install util-linux";
    /** Neither Ctrl-C, which reaches it too, nor that nobody reads "frozen" any more may keep it from thawing. */
    private static final String SCRIPT = """
            trap '' INT TERM HUP QUIT PIPE
            "$1" --freeze "$2" || exit
            echo frozen
            cat > /dev/null
            exec "$1" --unfreeze "$2"
            """;
    /** What this process writes to, so that it would wait for itself. */
    private static final List<String> NEEDED =
            List.of("/", "/tmp", System.getProperty("java.io.tmpdir"), "/proc/self/fd/1", "/proc/self/fd/2");

    private final Path folder;
    private final Process child;
    private final Path said;
    private boolean open = true;

    private Freeze(Path folder, Process child, Path said) {
        this.folder = folder;
        this.child = child;
        this.said = said;
    }

    /**
     * Freezes the file system that a directory lies in.
     *
     * @throws IOException with what fsfreeze(8) said, if it cannot be: it has no such thing, is frozen already, or this
     *     process writes to it itself
     */
    static Freeze of(Path folder) throws IOException {
        refuseOurOwn(folder);
        String program = Program.require("fsfreeze", REMEDY).path().toString();
        Path said = Files.createTempFile("aisio-", ".log");
        try {
            Process child = new ProcessBuilder(
                            Program.require("sh", "apt-get install dash").path().toString(),
                            "-c",
                            SCRIPT,
                            "sh",
                            program,
                            folder.toRealPath().toString())
                    .redirectError(Redirect.to(said.toFile()))
                    .start();
            Freeze freeze = new Freeze(folder, child, said);
            BufferedReader reader =
                    new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8));
            if (!"frozen".equals(reader.readLine())) {
                freeze.open = false;
                throw new IOException(folder + " is not frozen: " + freeze.end());
            }
            return freeze;
        } catch (IOException e) {
            Files.deleteIfExists(said);
            throw e;
        }
    }

    private static void refuseOurOwn(Path folder) throws IOException {
        Object device = Files.getAttribute(folder, "unix:dev");
        for (String needed : NEEDED) {
            Path path = Path.of(needed);
            if (Files.exists(path) && Files.getAttribute(path, "unix:dev").equals(device)) {
                throw new IOException(folder + " is not frozen: " + needed
                        + " is in the same file system, so that this program would wait for itself");
            }
        }
    }

    /**
     * Thaws it, also when this thread is interrupted. Closing again does nothing.
     *
     * @throws IOException if it could not be thawed, with what to do
     */
    @Override
    public void close() throws IOException {
        if (!open) {
            return;
        }
        open = false;
        String told = end();
        if (child.exitValue() != 0) {
            throw new IOException(
                    folder + " may still be frozen; thaw it with 'fsfreeze --unfreeze " + folder + "': " + told);
        }
    }

    /** Waits until the child has ended. @return what it said */
    private String end() throws IOException {
        child.getOutputStream().close();
        boolean interrupted = false;
        while (child.isAlive()) {
            try {
                child.waitFor();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        String told = Files.readString(said).strip();
        Files.deleteIfExists(said);
        return told.isEmpty() ? "fsfreeze exited with " + child.exitValue() : told;
    }
}
