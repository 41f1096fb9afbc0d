package io.aisio.fil;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import io.aisio.fil.DirectFile.Cache;
import io.aisio.upcie.DmaMemory;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** One file into one buffer, which is compared as a whole after each read. */
@Timeout(120)
class DirectFileTest {
    private static final int IMAGE = 4 << 20;
    private static final int ROOM = 256 << 10;
    private static final long[] EDGES = {0, 1, 2, 3, 4, 6, 508, 511, 512, 513, 1024, 4092, 4095, 4096, 4097, 8191, 8192
    };

    @TempDir
    private Path folder;

    private Path image;
    private byte[] blocks;

    @BeforeEach
    void fillImage() throws IOException {
        blocks = new byte[IMAGE];
        new Random(5).nextBytes(blocks);
        image = Files.write(folder.resolve("blocks.img"), blocks);
    }

    /** A file made of pieces of the image, and what it holds. */
    private record Made(List<Piece> pieces, byte[] content) {}

    /** Pieces of all kinds on random blocks of a file system, whose last ends anywhere. */
    private Made made(Random random, int block, int count) {
        List<Piece> pieces = new ArrayList<>();
        byte[] content = new byte[count * 40 * block];
        int at = 0;
        long behind = 0;
        for (int i = 0; i < count; i++) {
            int length = (1 + random.nextInt(random.nextInt(4) == 0 ? 40 : 5)) * block
                    - (i == count - 1 ? random.nextInt(block) : 0);
            switch (random.nextInt(5)) {
                case 0 -> pieces.add(new Piece(Piece.Kind.HOLE, at, Piece.NOWHERE, length));
                case 1 -> pieces.add(new Piece(Piece.Kind.UNWRITTEN, at, random.nextInt(IMAGE), length));
                default -> {
                    // Now and then what follows in the file follows on the device.
                    long position = random.nextInt(3) == 0 && behind + length <= IMAGE
                            ? behind
                            : (long) random.nextInt((IMAGE - length) / block) * block;
                    pieces.add(new Piece(Piece.Kind.DATA, at, position, length));
                    System.arraycopy(blocks, (int) position, content, at, length);
                    behind = position + length;
                }
            }
            at += length;
        }
        return new Made(pieces, Arrays.copyOf(content, at));
    }

    /** A buffer, and what it should hold. */
    private static final class Target {
        final Buffer buffer;
        final MemorySegment expected;
        final Random random = new Random(11);

        Target(Buffer buffer) {
            this.buffer = buffer;
            byte[] noise = new byte[(int) buffer.size()];
            random.nextBytes(noise);
            expected = MemorySegment.ofArray(noise);
            buffer.segment().copyFrom(expected);
        }

        /** Expects a file's bytes in the buffer; how many. */
        long expect(byte[] content, long fileOffset, long bufferOffset, long length) {
            long n = Math.max(0, Math.min(length, content.length - fileOffset));
            if (n > 0) {
                MemorySegment.copy(MemorySegment.ofArray(content), fileOffset, expected, bufferOffset, n);
            }
            return n;
        }

        void requireExpected(String what, Object... values) {
            long differs = buffer.segment().mismatch(expected);
            assertThat(differs).as("byte that differs after " + what, values).isEqualTo(-1);
        }

        void read(DirectFile file, byte[] content, long fileOffset, long bufferOffset, long length) throws IOException {
            long n = expect(content, fileOffset, bufferOffset, length);
            assertThat(file.read(fileOffset, bufferOffset, length))
                    .as("read(%d, %d, %d)", fileOffset, bufferOffset, length)
                    .isEqualTo(n);
            requireExpected("read(%d, %d, %d)", fileOffset, bufferOffset, length);
        }

        void readAtEdges(DirectFile file, byte[] content) throws IOException {
            for (long from : EDGES) {
                for (long to : EDGES) {
                    read(file, content, from, to, EDGES[random.nextInt(EDGES.length)]);
                    read(file, content, from, to, random.nextInt(content.length + 1));
                }
                read(file, content, content.length - from, from, 10_000);
            }
            read(file, content, 0, 0, content.length);
            read(file, content, content.length + 5L, 0, 10);
            read(file, content, Long.MAX_VALUE, 0, 10);
            read(file, content, 1, buffer.size(), 0);
        }

        /** Submits reads to places of the buffer that do not overlap, by one call or by several, and waits in disorder. */
        void readTogether(DirectFile file, byte[] content, int count) throws IOException {
            long[] from = new long[count];
            long[] to = new long[count];
            long[] lengths = new long[count];
            long[] wanted = new long[count];
            long share = buffer.size() / count;
            for (int i = 0; i < count; i++) {
                from[i] = random.nextInt(content.length);
                to[i] = i * share + random.nextInt(8);
                lengths[i] = random.nextInt((int) share - 8);
                wanted[i] = expect(content, from[i], to[i], lengths[i]);
            }
            long[] results = new long[count];
            long[] tickets = new long[count];
            switch (random.nextInt(3)) {
                case 0 -> {
                    IOException[] failures = new IOException[count];
                    assertThat(file.read(from, to, lengths, results, failures)).isZero();
                    assertThat(failures).containsOnlyNulls();
                }
                case 1 -> {
                    file.submit(from, to, lengths, tickets);
                    assertThat(file.inFlight()).isEqualTo(count);
                    for (int i = count; i-- > 0; ) {
                        results[i] = file.await(tickets[i]);
                    }
                }
                default -> {
                    for (int i = 0; i < count; i++) {
                        tickets[i] = file.submit(from[i], to[i], lengths[i]);
                    }
                    int first = random.nextInt(count);
                    results[first] = file.await(tickets[first]);
                    long[] told = new long[3];
                    for (int left = count - 1; left > 0; ) {
                        int n = random.nextBoolean() ? file.await(told) : file.poll(told);
                        for (int i = 0; i < n; i++, left--) {
                            int which = indexOf(tickets, told[i]);
                            assertThat(which).isNotEqualTo(first);
                            results[which] = file.await(told[i]);
                        }
                    }
                    assertThat(file.await(told)).isZero();
                }
            }
            assertThat(results).isEqualTo(wanted);
            assertThat(file.inFlight()).isZero();
            requireExpected("%d reads together", count);
        }

        private static int indexOf(long[] tickets, long ticket) {
            for (int i = 0; i < tickets.length; i++) {
                if (tickets[i] == ticket) {
                    return i;
                }
            }
            throw new AssertionError("ticket " + ticket + " was never given");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "emu:IMAGE?mdts=2,           512,  4096",
        "emu:IMAGE?mdts=3,           512,  1024",
        "emu:IMAGE?lba=4096&mdts=2,  4096, 4096",
        "emu:IMAGE?lba=4096&mdts=1,  4096, 1024",
        "emu:IMAGE?entries=3&mdts=1, 512,  512",
        "emu:IMAGE,                  512,  4096",
        "IMAGE?readonly,             512,  4096",
        "IMAGE?readonly&lba=4096,    4096, 1024"
    })
    void readsAnyBytesOfAnyExtentsToAnyPlace(String name, int lba, int block) throws IOException {
        try (Device device = Device.open(name.replace("IMAGE", image.toString()));
                Buffer buffer = device.allocate(ROOM)) {
            assertThat(device.geometry().lbaBytes()).isEqualTo(lba);
            Target target = new Target(buffer);
            for (int seed = 0; seed < 12; seed++) {
                Random random = new Random(seed);
                Made made = made(random, block, 1 + random.nextInt(12));
                try (DirectFile file = DirectFile.open(device, "/made", made.pieces, buffer)) {
                    assertThat(file.size()).isEqualTo(made.content.length);
                    for (int i = 0; i < 60; i++) {
                        long to = random.nextInt(i % 2 == 0 ? 9 : ROOM / 2);
                        long length = random.nextInt(i % 3 == 0 ? 600 : ROOM / 2);
                        target.read(file, made.content, random.nextInt(made.content.length), to, length);
                    }
                    for (int i = 0; i < 6; i++) {
                        target.readTogether(file, made.content, 1 + random.nextInt(i == 0 ? 300 : 20));
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "?lba=4096&mdts=2"})
    void readsAFileOfAFileSystemAtEveryAlignment(String options) throws Exception {
        Xfs xfs = new Xfs(folder).with("some", 100_003).with("empty", 0).with("one", 1);
        xfs.make(options.isEmpty() ? new String[0] : new String[] {"-s", "size=4096"});
        try (Device device = Device.open("emu:" + xfs.image + options);
                DeviceBlocks deviceBlocks = DeviceBlocks.open(device);
                Xal xal = Xal.open(deviceBlocks);
                Buffer buffer = device.allocate(ROOM)) {
            Target target = new Target(buffer);
            for (String name : xfs.sources.keySet()) {
                byte[] content = xfs.sources.get(name);
                try (DirectFile file = DirectFile.open(device, xal, name, buffer)) {
                    assertThat(file.file()).isEqualTo(name);
                    assertThat(file.path()).contains("user-space queue pairs").endsWith("by extents");
                    if (content.length > 10_000) {
                        target.readAtEdges(file, content);
                    } else {
                        target.read(file, content, 0, 3, 5);
                        target.read(file, content, 1, 4096, 4096);
                    }
                }
            }
            assertThatThrownBy(() -> DirectFile.open(device, xal, "/none", buffer))
                    .isInstanceOf(NoSuchFileException.class);
            assertThatThrownBy(() -> DirectFile.open(device, xal, "/", buffer))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("no regular file");
        }
    }

    @Test
    @Tag("root")
    void readsWhatTheKernelLeftOnAFileSystem() throws Exception {
        assumeTrue(
                "root".equals(System.getProperty("user.name"))
                        && Files.readString(Path.of("/proc/filesystems")).contains("\txfs\n")
                        && Files.exists(Path.of("/dev/loop-control")),
                "needs root, loop devices and a kernel with XFS");
        Xfs xfs = new Xfs(folder).make();
        Path mount = Files.createDirectory(folder.resolve("mount"));
        byte[] content;
        Xfs.run("mount", "-o", "loop", xfs.image.toString(), mount.toString());
        try {
            Path mixed = mount.resolve("mixed");
            Random random = new Random(8);
            List<String> command = new ArrayList<>(List.of("xfs_io", "-f", "-c", "falloc 0 200k"));
            for (int i = 0; i < 40; i++) {
                String what = i % 4 == 3 ? "fpunch" : "pwrite -S " + (i + 1);
                command.addAll(List.of("-c", what + " " + random.nextInt(400_000) + " " + random.nextInt(20_000)));
            }
            command.add(mixed.toString());
            Xfs.run(command.toArray(String[]::new));
            content = Files.readAllBytes(mixed);
            try (Buffer buffer = Buffer.ofProcess(512 << 10)) {
                for (Cache cache : Cache.values()) {
                    try (DirectFile file = DirectFile.open(mixed, cache, buffer)) {
                        new Target(buffer).readAtEdges(file, content);
                    }
                }
            }
        } finally {
            Xfs.run("umount", mount.toString());
        }
        try (Device device = Device.open("emu:" + xfs.image + "?mdts=2");
                DeviceBlocks deviceBlocks = DeviceBlocks.open(device);
                Xal xal = Xal.open(deviceBlocks);
                Buffer buffer = device.allocate(512 << 10);
                DirectFile file = DirectFile.open(device, xal, "/mixed", buffer)) {
            assertThat(xal.pieces(xal.lookup("/mixed")))
                    .extracting(Piece::kind)
                    .contains(Piece.Kind.DATA, Piece.Kind.HOLE, Piece.Kind.UNWRITTEN);
            new Target(buffer).readAtEdges(file, content);
        }
    }

    /** As a GPU's memory is: this process has it mapped, and cannot write to it. */
    private record OnlyOfDevice(DmaMemory memory) implements DmaMemory {
        @Override
        public MemorySegment segment() {
            return memory.segment().asReadOnly();
        }

        @Override
        public long iova(long offset) {
            return memory.iova(offset);
        }

        @Override
        public void close() {
            memory.close();
        }
    }

    @Test
    void readsWholeBlocksWithoutTouchingTheBufferItself() throws IOException {
        List<Piece> pieces = List.of(
                new Piece(Piece.Kind.DATA, 0, 8192, 65_536), new Piece(Piece.Kind.DATA, 65_536, 1 << 20, 65_536));
        try (Device device = Device.open("emu:" + image + "?mdts=2");
                Buffer buffer =
                        new Buffer(new OnlyOfDevice(device.allocate(ROOM).memory()));
                DirectFile file = DirectFile.open(device, "/made", pieces, buffer)) {
            assertThat(file.read(512, 4, 131_072 - 512)).isEqualTo(131_072 - 512);
            byte[] got = buffer.segment().asSlice(4, 131_072 - 512).toArray(ValueLayout.JAVA_BYTE);
            assertThat(Arrays.mismatch(got, 0, 65_024, blocks, 8192 + 512, 8192 + 65_536))
                    .isEqualTo(-1);
            assertThat(Arrays.mismatch(got, 65_024, got.length, blocks, 1 << 20, (1 << 20) + 65_536))
                    .isEqualTo(-1);
        }
    }

    /** The same device, whose queues note how many commands they were given with each doorbell. */
    private static Device counting(Device device, List<Integer> doorbells) {
        return (Device) Proxy.newProxyInstance(
                Device.class.getClassLoader(), new Class<?>[] {Device.class}, (proxy, method, arguments) -> {
                    Object result = SilentDevice.called(device, method, arguments);
                    return !(result instanceof Queue queue)
                            ? result
                            : Proxy.newProxyInstance(
                                    Queue.class.getClassLoader(), new Class<?>[] {Queue.class}, (p, m, a) -> {
                                        if (m.getName().equals("submit")) {
                                            doorbells.add((Integer) a[2]);
                                        }
                                        return SilentDevice.called(queue, m, a);
                                    });
                });
    }

    @Test
    void ringsOnceABatchAndMergesWhatIsAdjacent() throws IOException {
        // Three extents in a row, a hole, and one more; MDTS is 16 KiB.
        List<Piece> pieces = List.of(
                new Piece(Piece.Kind.DATA, 0, 65_536, 4096),
                new Piece(Piece.Kind.DATA, 4096, 69_632, 8192),
                new Piece(Piece.Kind.DATA, 12_288, 77_824, 20_480),
                new Piece(Piece.Kind.HOLE, 32_768, Piece.NOWHERE, 65_536),
                new Piece(Piece.Kind.DATA, 98_304, 0, 4096));
        List<Integer> doorbells = new ArrayList<>();
        try (Device device = Device.open("emu:" + image + "?mdts=2");
                Buffer buffer = device.allocate(ROOM);
                DirectFile file = DirectFile.open(counting(device, doorbells), "/made", pieces, buffer)) {
            assertThat(file.read(0, 0, 102_400)).isEqualTo(102_400);
            assertThat(doorbells).containsExactly(3);
            assertThat(file.read(40_000, 0, 50_000)).isEqualTo(50_000);
            assertThat(doorbells).as("a hole costs no command").containsExactly(3);
            // One command for what is small, three for what has a middle worth it.
            file.read(5, 0, 5000);
            file.read(100, 100, 16_000);
            assertThat(doorbells).containsExactly(3, 1, 3);
            int n = 40;
            long[] from = new long[n];
            long[] to = new long[n];
            long[] lengths = new long[n];
            for (int i = 0; i < n; i++) {
                from[i] = i * 512L;
                to[i] = i * 4096L;
                lengths[i] = 512;
            }
            file.submit(from, to, lengths, new long[n]);
            assertThat(doorbells).containsExactly(3, 1, 3, n);
        }
    }

    @Test
    void takesNoMemoryForAReadOfWholeBlocks() throws IOException {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        List<Piece> pieces = List.of(new Piece(Piece.Kind.DATA, 0, 0, 1 << 20));
        try (Device device = Device.open("emu:" + image);
                Buffer buffer = device.allocate(ROOM);
                DirectFile file = DirectFile.open(device, "/made", pieces, buffer)) {
            long[] tickets = new long[32];
            // 32,000 reads: a few bytes each, so that what the measuring takes does not count. The first rounds make
            // what is
            // kept, and the compiler its own.
            long taken = Long.MAX_VALUE;
            long begun = System.nanoTime();
            while (taken > 100_000 && System.nanoTime() - begun < 60_000_000_000L) {
                long before = threads.getCurrentThreadAllocatedBytes();
                rounds(file, tickets, 1000);
                taken = threads.getCurrentThreadAllocatedBytes() - before;
            }
            assertThat(taken).as("bytes that 32,000 reads took").isLessThanOrEqualTo(100_000);
        }
    }

    private static void rounds(DirectFile file, long[] tickets, int rounds) throws IOException {
        for (int round = 0; round < rounds; round++) {
            for (int i = 0; i < tickets.length; i++) {
                tickets[i] = file.submit((round + i) % 200 * 4096L, i * 4096L, 4096);
            }
            for (long ticket : tickets) {
                if (file.await(ticket) != 4096) {
                    throw new AssertionError("fewer bytes than asked for, in the midst of the file");
                }
            }
        }
    }

    @Test
    void refusesABufferThatTheDeviceDoesNotReach() throws IOException {
        List<Piece> pieces = List.of(new Piece(Piece.Kind.DATA, 0, 0, 10_000));
        try (Device device = Device.open("emu:" + image);
                Buffer buffer = Buffer.ofProcess(8192);
                DirectFile file = DirectFile.open(device, "/made", pieces, buffer)) {
            assertThatThrownBy(() -> file.read(512, 0, 512))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("/made: 512 bytes at byte 512")
                    .hasMessageContaining("allocated by the device");
            assertThat(buffer.segment().get(ValueLayout.JAVA_LONG, 0)).isZero();
        }
    }

    @Test
    void aReadThatFailsNamesFileAndPlaceAndHindersNoOther() throws IOException {
        List<Piece> pieces = List.of(new Piece(Piece.Kind.DATA, 0, 1 << 20, 1 << 20));
        long lba = ((1 << 20) + 300_000) / 512;
        String name = "emu:" + image + "?mdts=2&faults=error=2/81/dnr@read.lba" + lba + ":1-2,error@read:3";
        try (Device device = Device.open(name);
                Buffer buffer = device.allocate(1 << 20);
                DirectFile file = DirectFile.open(device, "/made", pieces, buffer)) {
            Target target = new Target(buffer);
            byte[] content = Arrays.copyOfRange(blocks, 1 << 20, 2 << 20);
            long[] from = {0, 262_144, 600_001};
            long[] to = {0, 200_000, 400_001};
            long[] lengths = {100_000, 131_072, 200_000};
            long[] results = new long[3];
            IOException[] failures = new IOException[3];
            assertThat(file.read(from, to, lengths, results, failures)).isEqualTo(1);
            assertThat(results).containsExactly(100_000, DirectFile.FAILED, 200_000);
            assertThat(failures[0]).isNull();
            assertThat(failures[2]).isNull();
            assertThat(failures[1])
                    .hasMessageStartingWith("/made: 16384 bytes at byte 294912 could not be read: " + name)
                    .hasMessageContaining("Unrecovered Read Error");
            target.expect(content, from[0], to[0], lengths[0]);
            target.expect(content, from[2], to[2], lengths[2]);
            MemorySegment.copy(buffer.segment(), to[1], target.expected, to[1], lengths[1]);
            target.requireExpected("a batch of which one failed");
            // Beside the buffer too, and then no more.
            assertThatThrownBy(() -> file.read(299_999, 1, 700))
                    .isInstanceOf(IOException.class)
                    .hasMessageStartingWith("/made: 700 bytes at byte 299999 could not be read: " + name);
            target.requireExpected("a small read that failed");
            target.read(file, content, 299_999, 1, 700);
            target.read(file, content, from[1], to[1], lengths[1]);
        }
    }

    @Test
    void aQueueThatTellsNoMoreFailsAllItsReads() throws IOException {
        List<Piece> pieces = List.of(new Piece(Piece.Kind.DATA, 0, 0, 1 << 20));
        try (Device device = Device.open("emu:" + image + "?mdts=1&entries=3");
                Buffer buffer = device.allocate(1 << 20);
                DirectFile file = DirectFile.open(SilentDevice.of(device), "/made", pieces, buffer)) {
            long first = file.submit(0, 0, 100_000);
            long second = file.submit(200_000, 200_000, 100_000);
            for (long ticket : new long[] {second, first}) {
                assertThatThrownBy(() -> file.await(ticket))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("/made: 100000 bytes at byte")
                        .hasMessageContaining("taken away");
            }
            assertThat(file.inFlight()).isZero();
            assertThatThrownBy(() -> file.read(0, 0, 1))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(device.name())
                    .hasMessageContaining("taken away");
        }
    }

    /** The same device, whose queues tell nothing and cannot be closed, noting what it allocates. */
    private static Device unclosed(Device device, boolean hasMemory, List<Buffer> allocated) {
        Device silent = SilentDevice.of(device);
        return (Device) Proxy.newProxyInstance(
                Device.class.getClassLoader(), new Class<?>[] {Device.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("allocate") && !hasMemory) {
                        throw new IOException("no memory");
                    }
                    Object result = SilentDevice.called(silent, method, arguments);
                    if (result instanceof Buffer buffer) {
                        allocated.add(buffer);
                    }
                    return !(result instanceof Queue queue)
                            ? result
                            : Proxy.newProxyInstance(
                                    Queue.class.getClassLoader(), new Class<?>[] {Queue.class}, (p, m, a) -> {
                                        Object closed = SilentDevice.called(queue, m, a);
                                        if (m.getName().equals("close")) {
                                            throw new IOException("not closed");
                                        }
                                        return closed;
                                    });
                });
    }

    @Test
    void keepsTheMemoryOfAQueueThatCannotBeClosed() throws IOException {
        List<Piece> pieces = List.of(new Piece(Piece.Kind.DATA, 0, 0, 1 << 20));
        List<Buffer> allocated = new ArrayList<>();
        try (Device device = Device.open("emu:" + image + "?mdts=1&entries=3");
                Buffer buffer = device.allocate(1 << 20)) {
            DirectFile file = DirectFile.open(unclosed(device, true, allocated), "/made", pieces, buffer);
            assertThatThrownBy(() -> file.read(0, 0, 100_000)).hasMessageContaining("taken away");
            assertThatThrownBy(file::close).isInstanceOf(IOException.class).hasMessageContaining("not closed");
            assertThat(allocated).hasSize(1);
            assertThat(allocated.getFirst().segment().scope().isAlive()).isTrue();
            allocated.getFirst().close();
            assertThatThrownBy(() -> DirectFile.open(unclosed(device, false, allocated), "/made", pieces, buffer))
                    .hasMessage("no memory")
                    .satisfies(e -> assertThat(e.getSuppressed()).hasSize(1));
        }
    }

    @Test
    void survivesAControllerThatIsReset() throws IOException {
        List<Piece> pieces = List.of(new Piece(Piece.Kind.DATA, 0, 512, 1 << 20));
        try (Device device = Device.open("emu:" + image + "?mdts=1&faults=fatal@read:9,error@read:30");
                Buffer buffer = device.allocate(1 << 20);
                DirectFile file = DirectFile.open(device, "/made", pieces, buffer)) {
            new Target(buffer).read(file, Arrays.copyOfRange(blocks, 512, 512 + (1 << 20)), 3, 1, (1 << 20) - 5);
        }
    }

    @Test
    void refusesWhatMakesNoSenseWithItsNumbers() throws IOException {
        List<Piece> pieces = List.of(new Piece(Piece.Kind.DATA, 0, 0, 10_000));
        try (Device device = Device.open("emu:" + image);
                Buffer buffer = device.allocate(8192);
                DirectFile file = DirectFile.open(device, "/made", pieces, buffer)) {
            assertThatThrownBy(() -> file.read(-1, 0, 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("/made has no byte -1");
            for (long[] bad :
                    new long[][] {{-1, 1}, {0, 8193}, {8192, 1}, {1, Long.MAX_VALUE}, {Long.MAX_VALUE, 1}, {0, -1}}) {
                assertThatThrownBy(() -> file.read(0, bad[0], bad[1]))
                        .isInstanceOf(IndexOutOfBoundsException.class)
                        .hasMessage("/made: %d bytes at offset %d of a buffer of 8192 bytes".formatted(bad[1], bad[0]));
            }
            long[] two = {0, 0};
            assertThatThrownBy(() -> file.submit(two, two, new long[] {1, 9000}, new long[2]))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> file.submit(two, two, two, new long[1]))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> file.read(two, two, two, two, new IOException[1]))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThat(file.inFlight()).isZero();
            long ticket = file.submit(0, 0, 10);
            assertThat(file.await(ticket)).isEqualTo(10);
            assertThatThrownBy(() -> file.await(ticket))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("used before");
            assertThatThrownBy(() -> file.await(77)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() ->
                            DirectFile.open(device, "/made", List.of(new Piece(Piece.Kind.DATA, 512, 0, 512)), buffer))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("at byte 512");
            assertThatThrownBy(() -> DirectFile.open(
                            device, "/made", List.of(new Piece(Piece.Kind.ELSEWHERE, 0, Piece.NOWHERE, 512)), buffer))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("read it through a mount");
        }
    }

    @Test
    void closesWithReadsInFlightAndRefusesFromThenOn() throws IOException {
        List<Piece> pieces = List.of(new Piece(Piece.Kind.DATA, 0, 0, 1 << 20));
        try (Device device = Device.open("emu:" + image + "?mdts=1&entries=3");
                Buffer buffer = device.allocate(1 << 20)) {
            DirectFile file = DirectFile.open(device, "/made", pieces, buffer);
            long ticket = file.submit(1, 1, 1_000_000);
            assertThatThrownBy(() -> CompletableFuture.runAsync(() -> closeUnchecked(file))
                            .join())
                    .hasRootCauseInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("belongs to");
            file.close();
            file.close();
            for (ThrowingCallable use : List.<ThrowingCallable>of(
                    () -> file.read(0, 0, 1), () -> file.await(ticket), () -> file.poll(new long[1]))) {
                assertThatThrownBy(use)
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessage("/made is closed");
            }
        }
    }

    private static void closeUnchecked(DirectFile file) {
        try {
            file.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void tellsOfABufferThatWasClosed() throws IOException {
        List<Piece> pieces = List.of(new Piece(Piece.Kind.DATA, 0, 0, 10_000));
        Path kernels = Files.write(folder.resolve("some"), new byte[10_000]);
        try (Device device = Device.open("emu:" + image)) {
            Buffer buffer = device.allocate(8192);
            Buffer other = Buffer.ofProcess(8192);
            try (DirectFile file = DirectFile.open(device, "/made", pieces, buffer);
                    DirectFile kernel = DirectFile.open(kernels, other)) {
                buffer.close();
                other.close();
                for (DirectFile each : List.of(file, kernel)) {
                    assertThatThrownBy(() -> each.read(0, 0, 512))
                            .isInstanceOf(IllegalStateException.class)
                            .hasMessageContaining("buffer that it is read into is closed");
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"PAST, true", "THROUGH, true", "PAST_IF_POSSIBLE, true", "PAST_IF_POSSIBLE, false", "THROUGH, false"})
    void readsAFileOfTheKernels(Cache cache, boolean byRing) throws IOException {
        byte[] content = Arrays.copyOf(blocks, 3_000_001);
        Path path = Files.write(folder.resolve("kernel's"), content);
        try (Buffer buffer = Buffer.ofProcess(4 << 20)) {
            DirectFile file;
            try {
                file = DirectFile.open(path, cache, byRing, buffer);
            } catch (IOException e) {
                assumeTrue(
                        cache != Cache.PAST, "needs a file system that reads past the page cache: " + e.getMessage());
                throw e;
            }
            try (file) {
                assertThat(file.path())
                        .startsWith("kernel, ")
                        .contains(
                                switch (cache) {
                                    case PAST -> ", direct";
                                    case THROUGH -> ", page cache";
                                    case PAST_IF_POSSIBLE -> ", ";
                                });
                Target target = new Target(buffer);
                target.read(file, content, 0, 0, content.length);
                target.read(file, content, 3, 1, content.length);
                target.read(file, content, 2_999_999, 7, 10);
                byte[] small = Arrays.copyOf(content, content.length);
                for (long from : EDGES) {
                    target.read(file, small, content.length - from, from, 20_000);
                    target.read(file, small, from, 4097 + from, 9000 + from);
                }
                target.readTogether(file, content, 1);
                target.readTogether(file, content, 150);
                target.readTogether(file, content, 20);
                // Through the page cache the last byte has no neighbours to be read with it, past it a whole block.
                target.read(file, content, content.length - 1, ROOM - 1, 1);
                // Who changes it while it is open is noticed.
                Files.write(path, new byte[] {1}, StandardOpenOption.APPEND);
                assertThatThrownBy(() -> file.read(0, 0, 1))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("changed since it was opened")
                        .hasMessageContaining("3000001 bytes")
                        .hasMessageContaining("3000002");
            }
            Path empty = Files.createFile(folder.resolve("empty"));
            try (DirectFile nothing = DirectFile.open(empty, cache, byRing, buffer)) {
                assertThat(nothing.size()).isZero();
                assertThat(nothing.read(0, 0, 100)).isZero();
            }
        }
    }

    @Test
    void refusesWhatIsNoFileOfTheKernels() throws Exception {
        try (Buffer buffer = Buffer.ofProcess(4096)) {
            assertThatThrownBy(() -> DirectFile.open(folder, buffer))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage(folder + " is no regular file");
            assertThatThrownBy(() -> DirectFile.open(folder.resolve("none"), buffer))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("none")
                    .hasMessageContaining("ENOENT");
            Xfs xfs = new Xfs(folder).with("some", 10).make();
            try (FileSystem ours = FileSystems.newFileSystem(URI.create("aisio:emu:" + xfs.image), Map.of())) {
                assertThatThrownBy(() -> DirectFile.open(ours.getPath("/some"), buffer))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("opened with its device");
            }
        }
    }
}
