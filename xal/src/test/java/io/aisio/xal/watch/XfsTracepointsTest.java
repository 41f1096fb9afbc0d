package io.aisio.xal.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.linux.Beneath;
import io.aisio.linux.BpfCode;
import io.aisio.linux.BpfProgram;
import io.aisio.linux.Errno;
import io.aisio.linux.FileExtent;
import io.aisio.linux.LinuxException;
import io.aisio.xal.Change;
import io.aisio.xal.Extent;
import io.aisio.xal.LoopMount;
import io.aisio.xal.Watch;
import io.aisio.xal.XfsImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the kernel's tracepoints tell of extents, compared with what it tells when it is asked (FIEMAP). */
@Tag("root")
class XfsTracepointsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    @TempDir
    private Path folder;

    /** The maps of files, known from what is told alone once they were asked for. */
    private static final class Model implements Watch.Listener {
        private final Path root;
        private final Map<Long, TreeMap<Long, Extent>> maps = new HashMap<>();
        private final List<Change> told = new ArrayList<>();
        private int extents;

        Model(Path root) throws IOException {
            this.root = root;
        }

        /** Asks for all maps. */
        synchronized void ask() throws IOException {
            maps.clear();
            try (Stream<Path> all = Files.list(root)) {
                for (Path file : all.toList()) {
                    ask(file);
                }
            }
        }

        private void ask(Path file) throws IOException {
            TreeMap<Long, Extent> map = new TreeMap<>();
            try {
                long inode = inode(file);
                asked(file).forEach(extent -> map.put(extent.offset(), extent));
                maps.put(inode, map);
            } catch (NoSuchFileException e) {
                // The writer removed it between the list and here.
            } catch (LinuxException e) {
                if (e.errno() != Errno.ENOENT) {
                    throw e;
                }
            }
        }

        @Override
        public synchronized void told(Change change) throws IOException {
            switch (change) {
                case Change.Mapped(long inode, Extent extent) -> {
                    extents++;
                    cut(inode, extent.offset(), extent.end());
                    maps.computeIfAbsent(inode, _ -> new TreeMap<>()).put(extent.offset(), extent);
                }
                case Change.Unmapped(long inode, long offset, long length) -> {
                    extents++;
                    cut(inode, offset, offset + length);
                }
                case Change.Everything _ -> {
                    told.add(change);
                    ask();
                }
                default -> told.add(change);
            }
        }

        private void cut(long inode, long from, long to) {
            TreeMap<Long, Extent> map = maps.getOrDefault(inode, new TreeMap<>());
            Map.Entry<Long, Extent> first = map.floorEntry(from);
            Long begin = first == null ? Long.valueOf(from) : first.getKey();
            for (Extent extent : List.copyOf(map.subMap(begin, to).values())) {
                if (extent.end() > from) {
                    map.remove(extent.offset());
                    keep(map, extent, extent.offset(), from);
                    keep(map, extent, to, extent.end());
                }
            }
        }

        private static void keep(TreeMap<Long, Extent> map, Extent extent, long from, long to) {
            if (from < to) {
                long position = extent.located() ? extent.position() + from - extent.offset() : 0;
                map.put(from, new Extent(from, position, to - from, extent.flags()));
            }
        }

        synchronized List<Extent> map(long inode) {
            return merged(maps.getOrDefault(inode, new TreeMap<>()).values());
        }

        synchronized List<Change> told(Class<? extends Change> kind) {
            return told.stream().filter(kind::isInstance).toList();
        }

        synchronized int extents() {
            return extents;
        }

        void becomesTheTruth() throws Exception {
            try (Stream<Path> all = Files.list(root)) {
                for (Path file : all.toList()) {
                    becomesTheTruth(file);
                }
            }
        }

        void becomesTheTruth(Path file) throws Exception {
            long inode = inode(file);
            long end = System.nanoTime() + PATIENCE.toNanos();
            List<Extent> truth = merged(asked(file));
            while (!map(inode).equals(truth) && System.nanoTime() < end) {
                Thread.sleep(5);
                // Asked anew: the kernel may trim what it has allocated ahead meanwhile.
                truth = merged(asked(file));
            }
            assertThat(told(Change.Ended.class)).isEmpty();
            assertThat(map(inode)).as("%s, inode %d", file, inode).isEqualTo(truth);
        }
    }

    private static long inode(Path file) throws IOException {
        return (long) Files.getAttribute(file, "unix:ino");
    }

    private static List<Extent> asked(Path file) throws IOException {
        List<Extent> extents = new ArrayList<>();
        try (Beneath root = Beneath.directory(file.getParent());
                Beneath opened = root.openFile(file.getFileName().toString().getBytes(StandardCharsets.UTF_8), "it")) {
            for (FileExtent extent : opened.extents(true)) {
                int flags = extent.flags() & ~Extent.SHARED;
                long position = (flags & Extent.UNKNOWN) != 0 ? 0 : extent.position();
                extents.add(new Extent(extent.offset(), position, extent.length(), flags));
            }
        }
        return extents;
    }

    /** With neighbours put together, because FIEMAP cuts where sharing begins or ends. */
    private static List<Extent> merged(Iterable<Extent> extents) {
        List<Extent> merged = new ArrayList<>();
        for (Extent next : extents) {
            Extent last = merged.isEmpty() ? null : merged.getLast();
            if (last != null
                    && last.end() == next.offset()
                    && last.flags() == next.flags()
                    && (!last.located() || last.position() + last.length() == next.position())) {
                merged.removeLast();
                next = new Extent(last.offset(), last.position(), last.length() + next.length(), last.flags());
            }
            merged.add(next);
        }
        return merged;
    }

    private static void waitFor(BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean() && System.nanoTime() < end) {
            Thread.sleep(5);
        }
    }

    /** A file system whose changes of extents can be told; skips the test where there is none. */
    private LoopMount mount(String... options) throws Exception {
        LoopMount mount = LoopMount.make(Files.createTempDirectory(folder, "fs"), "xfs", options);
        if (!Files.isReadable(Path.of("/sys/kernel/btf/vmlinux"))) {
            mount.close();
            assumeTrue(false, "needs a kernel with BTF (CONFIG_DEBUG_INFO_BTF)");
        }
        return mount;
    }

    private static Watch watch(Path root, Watch.Listener listener) throws IOException {
        return Watch.open(root, Watch.PACE, Watch.Extents.REQUIRED, listener);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-m reflink=1,rmapbt=1", "-m reflink=0,rmapbt=0 -b size=1024", "-d agcount=5 -b size=2048"})
    @Tag("slow")
    void knowsEachMapFromWhatIsToldWhileAWriterChangesThem(String options) throws Exception {
        try (LoopMount mount = mount(options.split(" "))) {
            Path root = mount.path();
            Random random = new Random(Long.getLong("watch.seed", 7));
            changeThem(root, random, 60);
            Model model = new Model(root);
            try (Watch watch = watch(root, model)) {
                assertThat(watch.how()).isEqualTo("inotify, and XFS's tracepoints by eBPF");
                assertThat(watch.missing()).isEmpty();
                model.ask();
                for (int round = 0; round < 6; round++) {
                    changeThem(root, random, 60);
                    model.becomesTheTruth();
                    assertThat(watch.isOpen()).isTrue();
                }
                assertThat(model.told(Change.Everything.class)).isEmpty();
                assertThat(model.told(Change.Ended.class)).isEmpty();
                assertThat(model.extents()).isGreaterThan(3_000);
                System.out.printf("%s: %d changes of extents%n", options, model.extents());
            }
        }
    }

    private static void changeThem(Path root, Random random, int times) throws Exception {
        List<String> commands = new ArrayList<>();
        for (int i = 0; i < times; i++) {
            Path file = root.resolve("f" + random.nextInt(8));
            if (random.nextInt(20) == 0) {
                commands.add("rm -f " + file);
                continue;
            }
            commands.add("xfs_io -f " + change(root, random) + " " + change(root, random) + " " + file + " >/dev/null");
            if (random.nextInt(6) == 0) {
                commands.add("sync " + file);
            }
        }
        // Operations that a file's state refuses, such as collapsing beyond its end, change nothing.
        XfsImage.run(List.of("sh", "-c", "{ " + String.join("\n", commands) + "\n} 2>/dev/null; true"));
    }

    private static String change(Path root, Random random) {
        long at = 4096L * random.nextInt(500);
        long length = 4096L * (1 + random.nextInt(60));
        return switch (random.nextInt(12)) {
            case 0, 1 -> "-c 'pwrite -q " + (at + random.nextInt(4096)) + " " + (length - random.nextInt(4096)) + "'";
            case 2 -> // every other block
                scattered(at / 4096 * 4096, 40 + random.nextInt(60));
            case 3 -> "-c 'falloc -k " + at + " " + length + "'";
            case 4 -> "-c 'fpunch " + at + " " + length + "'";
            case 5 -> "-c 'fzero " + at + " " + length + "'";
            case 6 -> "-c 'fcollapse " + at + " " + length + "'";
            case 7 -> "-c 'finsert " + at + " " + length + "'";
            case 8 -> "-c 'truncate " + (at + random.nextInt(4096)) + "'";
            case 9 -> "-c 'reflink " + root.resolve("f" + random.nextInt(8)) + " " + at + " " + at + " " + length + "'";
            case 10 -> "-c 'mmap -rw 0 " + (at + length) + "' -c 'mwrite " + at + " " + length + "' -c munmap";
            default -> "-c 'pwrite -q " + at + " " + length + "' -c fsync";
        };
    }

    private static String scattered(long at, int count) {
        StringBuilder all = new StringBuilder();
        for (int i = 0; i < count; i++) {
            all.append(" -c 'pwrite -q ").append(at + i * 8192L).append(" 4096'");
        }
        return all.append(" -c fsync").toString();
    }

    /** Every other block of so many. */
    private static void fragment(Path file, int extents) throws IOException {
        ByteBuffer block = ByteBuffer.allocate(4096);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            for (long i = 0; i < extents; i++) {
                channel.write(block.clear(), i * 8192);
            }
            channel.force(true);
        }
    }

    @Test
    @Tag("slow")
    void knowsAFileOfManyExtentsAndThatItIsGone() throws Exception {
        try (LoopMount mount = mount()) {
            Model model = new Model(mount.path());
            try (Watch _ = watch(mount.path(), model)) {
                Path file = mount.path().resolve("many");
                fragment(file, 5_000);
                model.becomesTheTruth();
                long inode = inode(file);
                assertThat(model.map(inode)).hasSizeGreaterThanOrEqualTo(5_000);
                Files.delete(file);
                waitFor(() -> model.map(inode).isEmpty());
                assertThat(model.map(inode)).isEmpty();
                assertThat(model.told(Change.Everything.class)).isEmpty();
            }
        }
    }

    @Test
    void tellsNothingOfTheBlocksOfAttributesAndDirectories() throws Exception {
        try (LoopMount mount = mount()) {
            Path root = mount.path();
            Path file = root.resolve("file");
            fragment(file, 5);
            Model model = new Model(root);
            try (Watch _ = watch(root, model)) {
                UserDefinedFileAttributeView view =
                        Files.getFileAttributeView(file, UserDefinedFileAttributeView.class);
                for (int i = 0; i < 60; i++) {
                    view.write("attribute" + i, ByteBuffer.allocate(3000));
                }
                for (int i = 0; i < 2_000; i++) {
                    Files.createDirectory(root.resolve("a directory that takes some room " + i));
                }
                Path last = Files.write(root.resolve("last"), new byte[4096]);
                long number = inode(last);
                waitFor(() -> !model.map(number).isEmpty());
                synchronized (model) {
                    assertThat(model.maps).containsOnlyKeys(number);
                }
            }
        }
    }

    @Test
    void tellsNothingOfOtherFileSystems() throws Exception {
        try (LoopMount watched = mount();
                LoopMount other = mount()) {
            Model model = new Model(watched.path());
            try (Watch _ = watch(watched.path(), model)) {
                fragment(other.path().resolve("theirs"), 500);
                fragment(watched.path().resolve("ours"), 10);
                model.becomesTheTruth();
                synchronized (model) {
                    assertThat(model.maps).containsOnlyKeys(inode(watched.path().resolve("ours")));
                }
            }
        }
    }

    /** A follower whose ring is the smallest one. */
    private static Thread follow(Path root, Watch.Listener listener, List<Follower> started) throws IOException {
        XfsTracepoints tracepoints = XfsTracepoints.open(root, 4096);
        Follower follower = Follower.open(root, Watch.PACE, tracepoints, "", listener);
        started.add(follower);
        return Thread.ofPlatform().name("follower").daemon().start(follower::run);
    }

    @Test
    void tellsThatAllMustBeReadAgainWhenRecordsWereLostAndIsRightFromThenOn() throws Exception {
        try (LoopMount mount = mount()) {
            Path root = mount.path();
            Random random = new Random(Long.getLong("watch.seed", 3));
            changeThem(root, random, 30);
            Model model = new Model(root);
            Random slowness = new Random(1);
            List<Follower> started = new ArrayList<>();
            Thread thread = follow(
                    root,
                    change -> {
                        if (slowness.nextInt(40) == 0) {
                            LockSupport.parkNanos(1_000_000);
                        }
                        model.told(change);
                    },
                    started);
            model.ask();
            for (int round = 0; round < 8; round++) {
                changeThem(root, random, 30);
                model.becomesTheTruth();
            }
            started.getFirst().stop();
            thread.join();
            assertThat(model.told(Change.Ended.class)).isEmpty();
            assertThat(model.told(Change.Everything.class)).hasSizeGreaterThan(3);
            assertThat(model.told(Change.Everything.class).getFirst().toString())
                    .contains("changed extents of " + root + " were lost, because the ring of them was full");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"rmapbt=0", "rmapbt=1"})
    void seesThatAFileWasDefragmented(String option) throws Exception {
        assumeTrue(Files.exists(Path.of("/usr/sbin/xfs_fsr")), "needs xfs_fsr (apt-get install xfsprogs)");
        try (LoopMount mount = mount("-m", option)) {
            Path file = mount.path().resolve("file");
            scatter(file, 200);
            Model model = new Model(mount.path());
            try (Watch _ = watch(mount.path(), model)) {
                model.ask();
                List<Extent> before = model.map(inode(file));
                XfsImage.run(List.of("xfs_fsr", file.toString()));
                model.becomesTheTruth(file);
                assertThat(model.map(inode(file))).hasSizeLessThan(before.size());
                // Without rmapbt the kernel exchanges both trees as a whole, and no extent is seen to change.
                assertThat(model.told(Change.Everything.class)).hasSize(option.equals("rmapbt=0") ? 1 : 0);
            }
        }
    }

    /** So many blocks that do not follow one another on the device, and no holes. */
    private static void scatter(Path file, int blocks) throws Exception {
        StringBuilder all = new StringBuilder();
        for (int i = blocks - 1; i >= 0; i--) {
            all.append(" -c 'pwrite -q ").append(i * 4096L).append(" 4096' -c fsync");
        }
        XfsImage.run(List.of("sh", "-c", "xfs_io -f " + all + " " + file));
    }

    @Test
    void tellsWhereThingsLieInWhatTheFileSystemHasGrownBy() throws Exception {
        try (LoopMount mount = mount("-d", "size=320m,agcount=4")) {
            Model model = new Model(mount.path());
            try (Watch watch = watch(mount.path(), model)) {
                XfsImage.run(List.of("xfs_growfs", "-d", mount.path().toString()));
                for (int i = 0; i < 16; i++) {
                    XfsImage.run(List.of("xfs_io", "-f", "-c", "falloc 0 19m", "-c", "fsync", mount.path() + "/f" + i));
                }
                model.becomesTheTruth();
                assertThat(watch.isOpen()).isTrue();
                long last = 0;
                for (int i = 0; i < 16; i++) {
                    for (Extent extent : model.map(inode(mount.path().resolve("f" + i)))) {
                        last = Math.max(last, extent.position() + extent.length());
                    }
                }
                assertThat(last).isGreaterThan(320L << 20);
            }
        }
    }

    @Test
    void saysWhyExtentsAreNotToldOfAnotherFileSystem() throws Exception {
        try (LoopMount mount = LoopMount.make(folder, "ext4");
                Watch watch = Watch.open(mount.path(), Watch.PACE, Watch.Extents.IF_POSSIBLE, _ -> {})) {
            assertThat(watch.how()).isEqualTo("inotify");
            assertThat(watch.missing())
                    .isEqualTo(mount.path() + " is not on XFS, the only file system whose tracepoints are read");
            assertThatThrownBy(() -> watch(mount.path(), _ -> {})).hasMessage(watch.missing());
        }
    }

    @Test
    void saysWhyExtentsAreNotToldToAUserWithoutCapabilities() throws Exception {
        try (LoopMount mount = mount()) {
            for (Path open = mount.path(); open.startsWith(folder); open = open.getParent()) {
                Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxr-xr-x"));
            }
            // One that lets it read its classes, wherever this was cloned to; it has none that matters here.
            String reads = "=+dac_read_search";
            List<String> command = new ArrayList<>(List.of(
                    "setpriv",
                    "--reuid=65534",
                    "--regid=65534",
                    "--clear-groups",
                    "--inh-caps" + reads,
                    "--ambient-caps" + reads));
            command.addAll(UnprivilegedWatch.command(mount.path()));
            assertThat(XfsImage.run(command).strip())
                    .isEqualTo("inotify: the map xal_extents: permission denied (bpf: EPERM): run as root, or with"
                            + " CAP_BPF and CAP_PERFMON (where XFS is a module, CAP_SYS_ADMIN), and not under kernel"
                            + " lockdown");
        }
    }

    @Test
    void theVerifiersReasonReachesWhoLoads() throws Exception {
        Path types = Path.of("/sys/kernel/btf/vmlinux");
        assumeTrue(Files.isReadable(types), "needs a kernel with BTF (CONFIG_DEBUG_INFO_BTF)");
        assumeTrue(
                "root".equals(System.getProperty("user.name")) && Files.exists(Path.of("/dev/loop-control")),
                "needs root");
        Btf btf = new Btf(Files.readAllBytes(types));
        BpfCode code =
                new BpfCode().move(BpfCode.Register.R0, BpfCode.Register.R2).exit();
        assertThatThrownBy(() -> BpfProgram.load("broken", code, btf.find(Btf.TYPEDEF, "btf_trace_sched_switch"), null))
                .isInstanceOf(LinuxException.class)
                .hasMessageContainingAll("the program broken (R2 !read_ok)", "EACCES")
                .satisfies(e -> assertThat(e.getSuppressed()[0]).hasMessageContaining("0: (bf) r0 = r2"));
    }

    @Test
    void givesBackWhatItTook() throws Exception {
        try (LoopMount mount = mount()) {
            watch(mount.path(), _ -> {}).close();
            int before = descriptors();
            for (int i = 0; i < 3; i++) {
                watch(mount.path(), _ -> {}).close();
            }
            assertThat(descriptors()).isEqualTo(before);
            assertThat(Files.readString(Path.of("/proc/self/maps"))).doesNotContain("bpf-map");
        }
    }

    private static int descriptors() throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return (int) all.count();
        }
    }
}
