package io.aisio.bench;

import io.aisio.cuda.Cuda;
import io.aisio.fil.Batch;
import io.aisio.fil.BatchReader;
import io.aisio.fil.Dataset;
import io.aisio.fil.DeviceBlocks;
import io.aisio.homi.HomiControl;
import io.aisio.homi.HomiExtents;
import io.aisio.homi.daemon.Status;
import io.aisio.linux.FileStatus;
import io.aisio.xal.Extent;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * One controller, every path at once: a daemon has the controller, on which there is an XFS; two processes and this one use queue
 * pairs of their own on it, and compare what they read; so does a GPU, where there is one. Where the machine can, the same file
 * system is then mounted by the kernel, a writer writes to it, and this process reads the new files by the daemon's extents through
 * its own queue pair, held still meanwhile.
 *
 * <p>The controller is a software controller over an image, or a device, on which the file system is made through the block device
 * that the daemon makes of it; it stays there. All else happens in a temporary folder, which is gone afterwards, as is all that was
 * started.
 */
public final class Coexistence implements AutoCloseable {
    /** The device's name in the daemon. */
    private static final String DEVICE = "demo";

    private static final int BATCH = 32;
    private static final int WRITTEN_FILES = 8;
    private static final int WRITTEN_BYTES = 3 << 20;
    /** How long a program may take to come up or to end, on a machine that does much else. */
    private static final long PATIENCE_SECONDS = 60;

    private static final long UNMOUNT_SECONDS = 10;
    private static final long LOOK_MILLIS = 100;

    private final TemporaryFolder folder;
    private final @Nullable String device;
    private final List<String> aisio;
    private final int seconds;
    private final Consumer<String> progress;
    private final Consumer<Status> live;
    private final Path socket;
    private final Path source;
    private final Path image;
    private final Path mount;
    private final List<Process> started = new ArrayList<>();
    private final List<CoexistenceReport.Reader> readers = new ArrayList<>();
    private final List<String> mismatches = new ArrayList<>();
    private final List<String> notes = new ArrayList<>();
    private boolean mounted;
    private @Nullable Thread watcher;
    private volatile boolean watched = true;

    private Coexistence(
            TemporaryFolder folder,
            @Nullable String device,
            List<String> aisio,
            int seconds,
            Consumer<String> progress,
            Consumer<Status> live) {
        this.folder = folder;
        this.device = device;
        this.aisio = List.copyOf(aisio);
        this.seconds = seconds;
        this.progress = progress;
        this.live = live;
        socket = folder.path().resolve("run/homi.sock");
        source = folder.path().resolve("files");
        image = folder.path().resolve("image.xfs");
        mount = folder.path().resolve("mnt");
    }

    /**
     * Makes a temporary folder to work in.
     *
     * @param parent where; usually {@code java.io.tmpdir}
     * @param device whose namespace 1 loses all that it holds; null for a software controller over an image
     * @param aisio the command that is {@code ./aisio}, to be followed by its arguments
     * @param seconds how long the load lasts
     * @param progress is told now and then how far it is, in a few words
     * @param live is told each second how the daemon is, on another thread
     * @throws IOException if it cannot be made, or takes root or a program that is not there
     */
    public static Coexistence in(
            Path parent,
            @Nullable String device,
            List<String> aisio,
            int seconds,
            Consumer<String> progress,
            Consumer<Status> live)
            throws IOException {
        if (device != null) {
            if (FileStatus.effectiveUser() != 0) {
                throw new IOException(
                        device + ": the kernel has it as a block device too, which takes root; next: run it with sudo");
            }
            Program _ = Program.require("mkfs.xfs", "apt-get install xfsprogs");
        }
        return new Coexistence(TemporaryFolder.in(parent, "aisio-homi-"), device, aisio, seconds, progress, live);
    }

    /**
     * Does all of it.
     *
     * @throws InterruptedIOException if the thread is interrupted
     * @throws IOException if a step fails
     */
    public CoexistenceReport run() throws IOException {
        Optional<Path> mkfs = XfsImage.mkfs();
        SampleFiles sample = mkfs.isPresent() ? SampleFiles.imagenetish() : SampleFiles.small();
        Map<String, byte[]> digests = makeFiles(sample);
        if (device == null) {
            makeImage(mkfs, sample);
        }
        progress.accept("starting the daemon");
        Path config = Files.writeString(folder.path().resolve("homid.toml"), """
                socket = "%s"
                [[device]]
                name = "%s"
                uri = "%s"
                trusted = %s
                [[extents]]
                mount = "%s"
                device = "%s"
                """.formatted(
                socket, DEVICE, device == null ? "emu:" + image + "?shared" : device, device != null, mount, DEVICE));
        Process daemon = start("homid", "homid", "--config", config.toString());
        try (HomiControl control = connect(daemon)) {
            if (device != null) {
                makeOnDevice(control, mkfs.orElseThrow(), sample);
            }
            watcher = Thread.ofPlatform().name("coexistence, watching").start(this::watch);
            Process random = start(
                    "random",
                    "xnvmeperf",
                    "run",
                    "--iopattern",
                    "randread",
                    "--qdepth",
                    "16",
                    "--iosize",
                    "4096",
                    "--runtime",
                    Integer.toString(seconds),
                    name());
            Process files = startFilperf("files", "aisio-cpu");
            Process gpu = mayDriveGpu() ? startFilperf("gpu", FileRunOptions.DRIVEN_BY_GPU) : null;
            progress.accept((gpu == null ? "two processes" : "a GPU, two processes") + " and this one read at once");
            readAll(digests);
            finish(files, "files", "filperf, process", "every byte compared", digests.size());
            if (gpu != null) {
                finish(gpu, "gpu", "a GPU, of filperf, process", "every checksum of the GPU's", digests.size());
            }
            if (mayMount()) {
                beside(control);
            }
            finish(random, "random", "xnvmeperf, process", "blocks at random, no error", 0);
        }
        stopWatching();
        progress.accept("ending the daemon");
        daemon.destroy();
        await(daemon, "homid");
        return new CoexistenceReport(readers, mismatches, notes);
    }

    private String name() {
        return "homi:" + DEVICE + "?access=read&socket=" + socket;
    }

    /** The files, and the SHA-256 of each. */
    private Map<String, byte[]> makeFiles(SampleFiles sample) throws IOException {
        Map<String, byte[]> digests = new TreeMap<>();
        progress.accept("making " + sample.files().size() + " files");
        for (SampleFiles.SampleFile file : sample.files()) {
            checkInterrupt();
            SampleFiles.write(file, source);
            digests.put(file.path(), file.digest());
        }
        return digests;
    }

    private void makeImage(Optional<Path> mkfs, SampleFiles sample) throws IOException {
        progress.accept("making an XFS image of them");
        if (mkfs.isPresent()) {
            XfsImage.make(mkfs.get(), sample, source, image);
        } else {
            XfsImage.unpack(image);
            notes.add("mkfs.xfs was not found: the small image that comes with the program is used; next: apt-get"
                    + " install xfsprogs");
        }
    }

    /** The kernel has the device meanwhile. */
    private void makeOnDevice(HomiControl control, Path mkfs, SampleFiles sample) throws IOException {
        progress.accept("making an XFS of them on the device");
        String exported = export(control);
        try {
            XfsImage.makeOn(Path.of(exported), mkfs, sample, source);
        } finally {
            removeExport(control);
        }
    }

    /** All files by their extents, each compared with its source. */
    private Process startFilperf(String log, String backend) throws IOException {
        return start(
                log,
                "filperf",
                "run",
                "--backend",
                backend,
                "--data-dir",
                "/",
                "--verify",
                "--verify-against",
                source.toString(),
                "--epochs",
                "1",
                name());
    }

    private boolean mayDriveGpu() {
        String missing = Cuda.missing();
        if (missing != null) {
            notes.add("no GPU reads beside: " + missing);
        }
        return missing == null;
    }

    private Process start(String log, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(aisio);
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(folder.path().resolve(log + ".out").toFile())
                .redirectError(folder.path().resolve(log + ".err").toFile())
                .start();
        started.add(process);
        return process;
    }

    /** What a program said last. */
    private String said(String log) throws IOException {
        return Files.readString(folder.path().resolve(log + ".err"))
                .lines()
                .reduce((first, second) -> second)
                .orElse("nothing");
    }

    private HomiControl connect(Process daemon) throws IOException {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (true) {
            try {
                return HomiControl.open(socket, "homi demo");
            } catch (IOException e) {
                if (!daemon.isAlive() || System.nanoTime() > until) {
                    throw new IOException("the daemon did not come up; it said: " + said("homid"), e);
                }
            }
            pause();
        }
    }

    private void watch() {
        try (HomiControl control = HomiControl.open(socket, "homi demo, watching")) {
            for (CountDownLatch never = new CountDownLatch(1); watched; ) {
                live.accept(control.status());
                boolean _ = never.await(1, TimeUnit.SECONDS);
            }
        } catch (IOException | InterruptedException e) {
            // The daemon has ended, or it is to be watched no longer.
        }
    }

    private void stopWatching() {
        watched = false;
        Thread thread = watcher;
        if (thread != null) {
            thread.interrupt();
        }
    }

    /** All files by their extents, as the blocks of the image have them, through a queue pair of this process. */
    private void readAll(Map<String, byte[]> expected) throws IOException {
        Map<String, byte[]> found = new TreeMap<>();
        MessageDigest sha256 = SampleFiles.sha256();
        String way;
        try (Dataset data = Dataset.open(name(), "/");
                BatchReader batches = data.batches(BATCH).open()) {
            way = data.path().startsWith("leased") ? "leased queue pair" : data.path();
            for (Batch batch = batches.next(); batch != null; batch = batches.next()) {
                for (int i = 0; i < batch.size(); i++) {
                    checkInterrupt();
                    sha256.update(batch.content(i).asByteBuffer());
                    found.put(batch.path(i), sha256.digest());
                }
                batch.close();
            }
        }
        compare("this process, files by their extents", way, expected, found);
    }

    private void compare(String who, String way, Map<String, byte[]> expected, Map<String, byte[]> found) {
        for (Map.Entry<String, byte[]> file : expected.entrySet()) {
            if (!Arrays.equals(file.getValue(), found.get(file.getKey()))) {
                mismatches.add(who + ": " + file.getKey()
                        + (found.containsKey(file.getKey()) ? ": its SHA-256 is not its source's" : " was not read"));
            }
        }
        String sum = checksum(found);
        readers.add(new CoexistenceReport.Reader(
                who, way, found.size(), sum, sum.equals(checksum(expected)) ? "as written" : "DIFFERS"));
    }

    private static String checksum(Map<String, byte[]> files) {
        MessageDigest all = SampleFiles.sha256();
        files.values().forEach(all::update);
        return HexFormat.of().formatHex(all.digest());
    }

    private void finish(Process process, String log, String who, String result, int files) throws IOException {
        long pid = process.pid();
        await(process, log);
        boolean ok = process.exitValue() == 0;
        if (!ok) {
            mismatches.add(who + " " + pid + " failed: " + said(log));
        }
        readers.add(
                new CoexistenceReport.Reader(who + " " + pid, "leased queue pairs", files, "", ok ? result : "FAILED"));
    }

    private void await(Process process, String log) throws IOException {
        try {
            if (!process.waitFor(seconds + PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                throw new IOException(log + " has not ended; it said: " + said(log));
            }
        } catch (InterruptedException e) {
            throw (IOException) new InterruptedIOException("interrupted").initCause(e);
        }
    }

    private boolean mayMount() {
        if (FileStatus.effectiveUser() == 0 && Program.find("mount").isPresent()) {
            return true;
        }
        notes.add("the file system is not mounted beside, which takes root; next: run it with sudo");
        return false;
    }

    /** The kernel has the file system mounted, somebody writes, and this process reads the same files by the daemon's extents. */
    private void beside(HomiControl control) throws IOException {
        String exported = exportOrTell(control);
        progress.accept("mounting the file system beside");
        Files.createDirectory(mount);
        try {
            if (exported == null) {
                Program.require("mount", "apt-get install mount")
                        .run("-o", "loop,noatime,nosuid,nodev,noexec", "--", image.toString(), mount.toString());
            } else {
                Program.require("mount", "apt-get install mount")
                        .run("-o", "noatime,nosuid,nodev,noexec", "--", exported, mount.toString());
            }
            mounted = true;
        } catch (IOException e) {
            notes.add("the file system could not be mounted beside: " + e.getMessage());
        }
        if (mounted) {
            try {
                writeAndRead(control);
            } finally {
                unmount();
            }
        }
        if (exported != null) {
            removeExport(control);
        }
    }

    private @Nullable String exportOrTell(HomiControl control) throws IOException {
        if (device != null) {
            return export(control);
        }
        try {
            return export(control);
        } catch (IOException e) {
            notes.add("no block device by ublk: " + e.getMessage());
            notes.add("the kernel's loop device over the same image stands in for it");
            return null;
        }
    }

    /** The block device's path. */
    private static String export(HomiControl control) throws IOException {
        ObjectNode answer = control.ask(
                "export.add", HomiControl.params().put("name", DEVICE).put("device", DEVICE));
        String path = answer.path("export").path("detail").stringValue(null);
        return Objects.requireNonNull(path, "an export without a block device");
    }

    private static void removeExport(HomiControl control) throws IOException {
        ObjectNode _ = control.ask("export.remove", HomiControl.params().put("name", DEVICE));
    }

    private void writeAndRead(HomiControl control) throws IOException {
        progress.accept("writing to it, and reading the same files through an own queue pair");
        Map<String, byte[]> written = new TreeMap<>();
        Map<String, byte[]> found = new TreeMap<>();
        MessageDigest sha256 = SampleFiles.sha256();
        // The image that comes with the program has little room.
        long room = Files.getFileStore(mount).getUsableSpace() / 2 / WRITTEN_FILES;
        try (HomiExtents extents = HomiExtents.open(control, mount.toString());
                Device device = Device.open(name());
                DeviceBlocks blocks = DeviceBlocks.open(device)) {
            for (int i = 0; i < WRITTEN_FILES; i++) {
                checkInterrupt();
                SampleFiles.SampleFile file = new SampleFiles.SampleFile(
                        "/written_%02d.bin".formatted(i), Math.min(WRITTEN_BYTES, room) - 777L * i, 1000 + i);
                write(file);
                written.put(file.path(), file.digest());
                HomiExtents.Pinned pinned = extents.pin(file.path());
                try {
                    found.put(file.path(), digest(blocks, pinned, sha256));
                } finally {
                    extents.unpin(pinned);
                }
            }
        }
        compare("this process, what a writer wrote", "pinned extents, leased queue pair", written, found);
    }

    private void write(SampleFiles.SampleFile file) throws IOException {
        Path path = mount.resolve(file.path().substring(1));
        try (OutputStream out = Files.newOutputStream(path)) {
            file.writeTo(out);
        }
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
    }

    private static byte[] digest(DeviceBlocks blocks, HomiExtents.Pinned file, MessageDigest sha256)
            throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment content = arena.allocate(file.bytes());
            for (Extent extent : file.extents()) {
                if (!extent.located() || extent.unwritten()) {
                    throw new IOException("an extent that cannot be read from the device: " + extent.flagNames());
                }
                MemorySegment whole = arena.allocate(extent.length(), 4096);
                blocks.read(extent.position(), whole);
                long bytes = Math.min(extent.length(), file.bytes() - extent.offset());
                if (bytes > 0) {
                    MemorySegment.copy(whole, 0, content, extent.offset(), bytes);
                }
            }
            ByteBuffer all = content.asByteBuffer();
            sha256.update(all);
            return sha256.digest();
        }
    }

    /** The daemon, which follows the file system, has a file of it open for moments: it is tried until that is over. */
    private void unmount() throws IOException {
        boolean interrupted = Thread.interrupted();
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(UNMOUNT_SECONDS);
        try {
            while (mounted) {
                try {
                    Program.require("umount", "apt-get install mount").run(mount.toString());
                    mounted = false;
                } catch (IOException e) {
                    if (System.nanoTime() - until > 0) {
                        throw new IOException(
                                mount + " is still mounted, to be unmounted by hand: " + e.getMessage(), e);
                    }
                    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(LOOK_MILLIS));
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static void pause() throws InterruptedIOException {
        try {
            TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
        } catch (InterruptedException e) {
            throw (InterruptedIOException) new InterruptedIOException("interrupted").initCause(e);
        }
    }

    private static void checkInterrupt() throws InterruptedIOException {
        if (Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException("interrupted");
        }
    }

    /**
     * Ends all that was started, and removes the folder.
     *
     * @throws IOException if the file system is still mounted; the folder then stays
     */
    @Override
    public void close() throws IOException {
        stopWatching();
        unmount();
        for (Process process : started.reversed()) {
            process.destroy();
            boolean interrupted = Thread.interrupted();
            try {
                if (!process.waitFor(10, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                }
            } catch (InterruptedException e) {
                interrupted = true;
                process.destroyForcibly();
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        folder.close();
    }
}
