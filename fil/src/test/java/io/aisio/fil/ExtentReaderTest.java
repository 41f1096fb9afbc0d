package io.aisio.fil;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.xal.Entry;
import io.aisio.xal.FileType;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.RetryingQueue;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole files of a real file system, through queue pairs of the software controller. */
class ExtentReaderTest {
    private static final int MDTS = 16 << 10;

    @TempDir
    private Path folder;

    /** A device, its file system, and a reader of it. */
    private static final class Opened implements AutoCloseable {
        final Device device;
        final DeviceBlocks blocks;
        final Xal xal;
        final List<Entry> files = new ArrayList<>();

        Opened(String name) throws IOException {
            device = Device.open(name);
            blocks = DeviceBlocks.open(device);
            try {
                xal = Xal.open(blocks);
                list();
            } catch (IOException e) {
                blocks.close();
                device.close();
                throw e;
            }
        }

        private void list() throws IOException {
            xal.walk("/", new Xal.Visitor() {
                @Override
                public void visit(Entry entry) {
                    if (entry.type() == FileType.REGULAR) {
                        files.add(entry);
                    }
                }

                @Override
                public void damaged(String path, IOException problem) throws IOException {
                    throw problem;
                }
            });
        }

        Entry file(String path) {
            return files.stream()
                    .filter(file -> file.path().equals(path))
                    .findFirst()
                    .orElseThrow();
        }

        /** Reads all files; their bytes by path. */
        Map<String, byte[]> read(ExtentReader reader) throws IOException {
            Map<String, byte[]> contents = new TreeMap<>();
            reader.read(files, (file, content) -> {
                byte[] bytes = content.toArray(ValueLayout.JAVA_BYTE);
                assertThat(contents.put(file.path(), bytes)).isNull();
            });
            return contents;
        }

        @Override
        public void close() throws IOException {
            xal.close();
            blocks.close();
            device.close();
        }
    }

    private Xfs manySizes() {
        Xfs xfs = new Xfs(folder);
        for (int around : new int[] {512, 4096, MDTS, 3 * MDTS, 1 << 20}) {
            for (int more : new int[] {-512, -1, 0, 1, 511, 512}) {
                xfs.with("f" + around + "x" + (more + 512), around + more);
            }
        }
        return xfs.with("empty", 0).with("one", 1).with("two", 2);
    }

    private static void assertSame(Map<String, byte[]> got, Map<String, byte[]> expected) {
        assertThat(got.keySet()).isEqualTo(expected.keySet());
        expected.forEach((path, bytes) -> assertThat(got.get(path)).as(path).isEqualTo(bytes));
    }

    @ParameterizedTest
    @CsvSource({
        "'',                 32, 16777216",
        "?mdts=2,            32, 16777216",
        "?mdts=2,             1,  2097152",
        "?entries=2&mdts=1,   1,  2097152",
        "?lba=4096&mdts=2,    7,  1052672",
        "?qpairs=2&mdts=16,   3,  4194304"
    })
    void readsEveryFileAsItWasWritten(String options, int depth, long bufferBytes) throws Exception {
        Xfs xfs = manySizes().make(options.contains("lba=4096") ? new String[] {"-s", "size=4096"} : new String[0]);
        try (Opened opened = new Opened("emu:" + xfs.image + options);
                ExtentReader reader = ExtentReader.open(opened.device, opened.xal, depth, bufferBytes)) {
            assertSame(opened.read(reader), xfs.sources);
            long commands = reader.commands();
            assertThat(commands)
                    .isGreaterThanOrEqualTo(xfs.sources.values().stream()
                            .filter(bytes -> bytes.length > 0)
                            .count());
            // Again, and in another order: what was in the buffer before does not show.
            Collections.shuffle(opened.files, new Random(1));
            assertSame(opened.read(reader), xfs.sources);
            assertThat(reader.commands()).isEqualTo(2 * commands);
        }
    }

    @Test
    void handsFilesOverInTheOrderGiven() throws Exception {
        Xfs xfs = manySizes().make();
        try (Opened opened = new Opened("emu:" + xfs.image);
                ExtentReader reader = ExtentReader.open(opened.device, opened.xal, 8, 1 << 21)) {
            Collections.shuffle(opened.files, new Random(2));
            List<Entry> given = List.copyOf(opened.files);
            List<Entry> got = new ArrayList<>();
            reader.read(given, (file, content) -> {
                got.add(file);
                assertThat(content.byteSize()).isEqualTo(file.inode().size());
                assertThat(content.isReadOnly()).isTrue();
            });
            assertThat(got).isEqualTo(given);
        }
    }

    @Test
    void namesAFileThatIsLargerThanTheBuffer() throws Exception {
        Xfs xfs = new Xfs(folder).with("large", 70_000).with("small", 5).make();
        try (Opened opened = new Opened("emu:" + xfs.image);
                ExtentReader reader = ExtentReader.open(opened.device, opened.xal, 8, 64 << 10)) {
            List<String> got = new ArrayList<>();
            List<Entry> files = List.of(opened.file("/small"), opened.file("/large"));
            assertThatThrownBy(() -> reader.read(files, (file, content) -> got.add(file.path())))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("/large has 70000 bytes, more than the buffer of 65536");
            assertThat(got).containsExactly("/small");
        }
    }

    @ParameterizedTest
    @CsvSource({"error=2/81/dnr, true", "vanish, false"})
    void namesFileAndDeviceWhenAReadFails(String fault, boolean goesOn) throws Exception {
        Xfs xfs = new Xfs(folder)
                .with("a", 100_000)
                .with("b", 300_000)
                .with("c", 100_000)
                .make();
        String name = "emu:" + xfs.image + "?mdts=2&faults=" + fault + "@read.lba" + blockOf(xfs, "/b") + ":1";
        List<Queue> queues = new ArrayList<>();
        try (Opened opened = new Opened(name);
                ExtentReader reader = ExtentReader.open(watched(opened.device, queues), opened.xal, 4, 1 << 20)) {
            IOException failure = catchThrowableOfType(IOException.class, () -> opened.read(reader));
            assertThat(failure).isNotNull();
            assertThat(queues.getFirst().outstanding()).isZero();
            assertThat(all(failure)).contains(name).containsPattern("/[abc] could not be read");
            if (fault.startsWith("error")) {
                assertThat(failure).hasMessage("/b could not be read");
                assertThat(failure.getCause())
                        .hasMessageContaining(name + ": queue 2: Read of namespace 1 at LBA")
                        .hasMessageContaining("Unrecovered Read Error");
            }
            if (goesOn) {
                assertSame(opened.read(reader), xfs.sources);
            } else {
                assertThatThrownBy(() -> opened.read(reader))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining(name);
                assertThat(queues.getFirst().outstanding()).isZero();
            }
        }
    }

    /** What may be tried again is, a few times: who reads files does not notice. */
    @ParameterizedTest
    @ValueSource(
            strings = {"error@B:1", "fatal@B:1", "duplicate@B:1", "wrongsqhd@B:1", "error@B:1-3", "error=2/81/crd1@B:1"
            })
    void survivesWhatTheDeviceDoesAFewTimes(String fault) throws Exception {
        Xfs xfs = new Xfs(folder)
                .with("a", 100_000)
                .with("b", 300_000)
                .with("c", 100_000)
                .make();
        // CRDT1: 100 ms.
        String name = "emu:" + xfs.image + "?mdts=2&faults=put=128/0100@identify.sub0x1,"
                + fault.replace("B", "read.lba" + blockOf(xfs, "/b"));
        try (Opened opened = new Opened(name);
                ExtentReader reader = ExtentReader.open(opened.device, opened.xal, 4, 1 << 20)) {
            assertSame(opened.read(reader), xfs.sources);
            assertSame(opened.read(reader), xfs.sources);
        }
    }

    @Test
    void givesUpWhatFailsEachTime() throws Exception {
        Xfs xfs = new Xfs(folder).with("a", 100_000).with("b", 100_000).make();
        String name =
                "emu:" + xfs.image + "?mdts=2&faults=error@read.lba" + blockOf(xfs, "/b") + ":1-" + RetryingQueue.TRIES;
        try (Opened opened = new Opened(name);
                ExtentReader reader = ExtentReader.open(opened.device, opened.xal, 4, 1 << 20)) {
            assertThatThrownBy(() -> opened.read(reader))
                    .hasMessage("/b could not be read")
                    .cause()
                    .hasMessageContaining(name + ": queue 2: Read of namespace 1 at LBA")
                    .hasMessageContaining("Unrecovered Read Error");
            // That was the last time.
            assertSame(opened.read(reader), xfs.sources);
        }
    }

    @Test
    void endsWithAQueueThatTellsNoMore() throws Exception {
        Xfs xfs = new Xfs(folder).with("a", 100_000).with("b", 300_000).make();
        try (Opened opened = new Opened("emu:" + xfs.image + "?mdts=2");
                ExtentReader reader =
                        ExtentReader.open(DeviceReadsTest.silent(opened.device), opened.xal, 4, 1 << 20)) {
            assertThatThrownBy(() -> opened.read(reader)).hasMessage("taken away");
            assertThatThrownBy(() -> opened.read(reader))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(opened.device.name())
                    .hasMessageContaining("taken away");
        }
    }

    /** The same device, of which the queues that are opened can be looked at. */
    private static Device watched(Device device, List<Queue> queues) {
        return (Device) Proxy.newProxyInstance(
                Device.class.getClassLoader(), new Class<?>[] {Device.class}, (proxy, method, arguments) -> {
                    try {
                        Object result = method.invoke(device, arguments);
                        if (result instanceof Queue queue) {
                            queues.add(queue);
                        }
                        return result;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static String all(Throwable failure) {
        return failure.getCause() == null ? failure.toString() : failure + " <- " + all(failure.getCause());
    }

    /** A logical block in the middle of a file, far from what is read to find it. */
    private static long blockOf(Xfs xfs, String path) throws IOException {
        try (Opened opened = new Opened("emu:" + xfs.image)) {
            Piece piece = opened.xal.pieces(opened.file(path)).getFirst();
            return (piece.position() + piece.length() / 2) / 512;
        }
    }

    @Test
    void deliversWhatTheDeviceDeliversOfACorruptBlock() throws Exception {
        Xfs xfs = new Xfs(folder).with("a", 100_000).make();
        long lba;
        try (Opened opened = new Opened("emu:" + xfs.image)) {
            lba = opened.xal.pieces(opened.file("/a")).getFirst().position() / 512 + 3;
        }
        try (Opened opened = new Opened("emu:" + xfs.image + "?faults=corrupt@lba" + lba);
                ExtentReader reader = ExtentReader.open(opened.device, opened.xal, 16, 1 << 20)) {
            byte[] got = opened.read(reader).get("/a");
            byte[] expected = xfs.sources.get("/a").clone();
            assertThat(got).isNotEqualTo(expected);
            expected[3 * 512] ^= 1;
            assertThat(got).isEqualTo(expected);
        }
    }

    @Test
    void endsWhenTheSinkDoes() throws Exception {
        Xfs xfs = manySizes().make();
        try (Opened opened = new Opened("emu:" + xfs.image);
                ExtentReader reader = ExtentReader.open(opened.device, opened.xal, 8, 1 << 21)) {
            assertThatThrownBy(() -> reader.read(opened.files, (file, content) -> {
                        throw new IOException("enough");
                    }))
                    .hasMessage("enough");
            assertSame(opened.read(reader), xfs.sources);
        }
    }

    @Test
    void refusesAFileWhoseInodeIsGoneSinceTheWalk() throws Exception {
        Xfs xfs = new Xfs(folder).with("a", 10_000).with("b", 10_000).make();
        try (Opened opened = new Opened("emu:" + xfs.image)) {
            long inode = opened.file("/b").inode().number();
            String offset = Xfs.run("xfs_db", "-r", "-c", "inode " + inode, "-c", "daddr", xfs.image.toString());
            assertThat(offset).contains("daddr");
            String at = Xfs.run("xfs_db", "-r", "-c", "convert inode " + inode + " fsbyte", xfs.image.toString());
            long position = Long.decode(at.replaceAll("(?s).*\\((\\d+)\\).*", "$1"));
            try (RandomAccessFile image = new RandomAccessFile(xfs.image.toFile(), "rw")) {
                image.seek(position + 64);
                image.write(image.read() ^ 0xFF);
            }
            // Opened anew, so that nothing of the file system is remembered.
            try (DeviceBlocks blocks = DeviceBlocks.open(opened.device);
                    Xal xal = Xal.open(blocks);
                    ExtentReader reader = ExtentReader.open(opened.device, xal, 8, 1 << 20)) {
                List<String> got = new ArrayList<>();
                assertThatThrownBy(() -> reader.read(opened.files, (file, content) -> got.add(file.path())))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining(String.valueOf(inode));
                // What does not depend on it is still read.
                reader.read(List.of(opened.file("/a")), (file, content) -> got.add(file.path()));
                assertThat(got).containsExactly("/a");
            }
        }
    }

    @Test
    @Tag("root")
    void givesZerosForHolesAndForWhatIsUnwritten() throws Exception {
        assumeTrue(
                "root".equals(System.getProperty("user.name"))
                        && Files.readString(Path.of("/proc/filesystems")).contains("\txfs\n")
                        && Files.exists(Path.of("/dev/loop-control")),
                "needs root, loop devices and a kernel with XFS");
        Xfs xfs = new Xfs(folder).with("plain", 50_000).make();
        Path mount = Files.createDirectories(folder.resolve("mount"));
        Map<String, byte[]> contents = new TreeMap<>();
        Xfs.run("mount", "-o", "loop", xfs.image.toString(), mount.toString());
        try {
            for (String[] file : new String[][] {
                {"sparse", "pwrite -S 7 100000 5000", "pwrite -S 8 1000000 3"},
                {"unwritten", "falloc 0 300k", "pwrite -S 9 64k 64k", "pwrite -S 6 290k 11"},
                {"punched", "pwrite -S 5 0 200k", "fpunch 8k 90k"},
                {"hole", "truncate 123457"}
            }) {
                List<String> command = new ArrayList<>(List.of("xfs_io", "-f"));
                for (int i = 1; i < file.length; i++) {
                    command.addAll(List.of("-c", file[i]));
                }
                command.add(mount.resolve(file[0]).toString());
                Xfs.run(command.toArray(String[]::new));
            }
            for (String name : List.of("plain", "sparse", "unwritten", "punched", "hole")) {
                contents.put("/" + name, Files.readAllBytes(mount.resolve(name)));
            }
        } finally {
            Xfs.run("umount", mount.toString());
        }
        try (Opened opened = new Opened("emu:" + xfs.image + "?mdts=2");
                ExtentReader reader = ExtentReader.open(opened.device, opened.xal, 8, 4 << 20)) {
            assertThat(opened.xal.pieces(opened.file("/unwritten")))
                    .anyMatch(piece -> piece.kind() == Piece.Kind.UNWRITTEN);
            assertThat(opened.xal.pieces(opened.file("/hole"))).allMatch(piece -> piece.kind() == Piece.Kind.HOLE);
            assertSame(opened.read(reader), contents);
            // The buffer now holds other files where the holes come to lie.
            Collections.reverse(opened.files);
            assertSame(opened.read(reader), contents);
        }
    }

    @Test
    void readsBlocksOfADeviceInPiecesLargerThanItsBuffer() throws Exception {
        byte[] content = new byte[3 << 20];
        new Random(6).nextBytes(content);
        Path image = Files.write(folder.resolve("blocks.img"), content);
        try (Device device = Device.open("emu:" + image + "?lba=4096&mdts=3");
                DeviceBlocks blocks = DeviceBlocks.open(device);
                Arena arena = Arena.ofConfined()) {
            assertThat(blocks.size()).isEqualTo(content.length);
            assertThat(blocks.alignment()).isEqualTo(4096);
            MemorySegment target = arena.allocate((2 << 20) + 4096);
            blocks.read(8192, target);
            assertThat(target.mismatch(MemorySegment.ofArray(content).asSlice(8192, target.byteSize())))
                    .isEqualTo(-1);
            assertThatThrownBy(() -> blocks.read(content.length, target.asSlice(0, 4096)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("LBA Out of Range");
            assertThatThrownBy(() -> blocks.read(512, target.asSlice(0, 4096)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("512");
        }
    }
}
