package io.aisio.xal.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.linux.Beneath;
import io.aisio.linux.FileExtent;
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
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
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
    private static final Duration PATIENCE = Duration.ofSeconds(20);

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
                    TreeMap<Long, Extent> map = new TreeMap<>();
                    asked(file).forEach(extent -> map.put(extent.offset(), extent));
                    maps.put(inode(file), map);
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
            List<Extent> truth = merged(asked(file));
            waitFor(() -> map(inode).equals(truth));
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
                for (int round = 0; round < 12; round++) {
                    changeThem(root, random, 60);
                    model.becomesTheTruth();
                    assertThat(watch.isOpen()).isTrue();
                }
                assertThat(model.told(Change.Everything.class)).isEmpty();
                assertThat(model.told(Change.Ended.class)).isEmpty();
                assertThat(model.extents()).isGreaterThan(5_000);
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
    void knowsAFileOfManyExtentsAndThatItIsGone() throws Exception {
        try (LoopMount mount = mount()) {
            Model model = new Model(mount.path());
            try (Watch _ = watch(mount.path(), model)) {
                Path file = mount.path().resolve("many");
                fragment(file, 10_000);
                model.becomesTheTruth();
                long inode = inode(file);
                assertThat(model.map(inode)).hasSizeGreaterThanOrEqualTo(10_000);
                Files.delete(file);
                waitFor(() -> model.map(inode).isEmpty());
                assertThat(model.map(inode)).isEmpty();
                assertThat(model.told(Change.Everything.class)).isEmpty();
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
