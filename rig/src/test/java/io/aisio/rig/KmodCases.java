package io.aisio.rig;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.linux.Errno;
import io.aisio.linux.OpenFile;
import io.aisio.linux.UdmabufImport;
import io.aisio.linux.UnixConnection;
import io.aisio.linux.UnixListener;
import io.aisio.rig.BarExport.Kind;
import io.aisio.rig.Machine.BoundFunction;
import io.aisio.upcie.Access;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/** The kernel module {@code udmabuf-import}: what it gives, to whom, until when, and what it stands. */
final class KmodCases {
    private static final int EFAULT = 14;
    private static final int PIECE = 64 << 10;
    /** {@code UDMABUF_IMPORT_MAX_IMPORTS}. */
    private static final int MOST_IMPORTS = 1024;
    /** Chosen so that the fuzzing client takes a few seconds. */
    private static final int FUZZ_CALLS = 500;
    /** What a kernel says that has found an error of its own or of a module. */
    private static final Pattern COMPLAINT = Pattern.compile(
            "BUG|WARNING|Oops|KFENCE|refcount_t|Call Trace|corruption|general protection|hung|still has|not freed");
    /** Where data for the host to find is left in the BAR: nothing else writes there. */
    static final long FOR_HOST = 15 << 20;

    private KmodCases() {}

    private static BoundFunction bound() {
        PeerToPeer.load();
        return Driven.bound(Access.UIO);
    }

    static void theNodeIsForRootWithTheRightToRawAccess() throws IOException {
        PeerToPeer.load();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(UdmabufImport.PATH)))
                .isEqualTo("rw-------");
        assertThat(Files.getOwner(UdmabufImport.PATH).getName()).isEqualTo("root");
        String open = "exec 9<>" + UdmabufImport.PATH;
        assertThat(Machine.output(Machine.start("sh", "-c", open))).isEmpty();
        assertThat(Machine.output(Machine.start("setpriv", "--bounding-set=-sys_rawio", "sh", "-c", open)))
                .contains("Operation not permitted");
        assertThat(Machine.output(Machine.start("setpriv", "--reuid=65534", "--clear-groups", "sh", "-c", open)))
                .contains("Permission denied");
    }

    /** With a descriptor that it was given, a process without the right looks up and ends what is attached, and no more. */
    static void attachesNothingForWhoHasNoRightToRawAccess() throws Exception {
        try (BoundFunction function = bound();
                ImportNode node = ImportNode.open();
                OpenFile dmaBuf = BarExport.export(Kind.DYNAMIC, 0, PIECE)) {
            int handle = node.attach(dmaBuf);
            assertThat(handle).as(function.address()).isPositive();
            int[] answers = new int[3];
            // A thread has its rights to itself, and this one ends with those that it gave up.
            Thread without = Thread.ofPlatform().start(() -> {
                Ioctl.giveUpRawAccess();
                answers[0] = node.attach(dmaBuf);
                answers[1] = node.addresses(handle, 0, 1)[0] > 0 ? 0 : -1;
                answers[2] = node.detach(handle);
            });
            without.join();
            assertThat(answers).containsExactly(-Errno.EPERM, 0, 0);
        }
        BarExport.awaitNothingLeft();
    }

    static void refusesWhatIsNoDmaBufAndNoFunction() throws IOException {
        try (BoundFunction function = bound();
                Arena arena = Arena.ofConfined();
                ImportNode node = ImportNode.open();
                OpenFile file = OpenFile.inMemory("no-dma-buf", 4096);
                OpenFile dmaBuf = BarExport.export(Kind.DYNAMIC, 0, PIECE)) {
            assertThat(function.address()).isEqualTo(Driven.CONTROLLER);
            assertThat(node.attach(file)).isEqualTo(-Errno.EINVAL);
            assertThat(node.attach(node.file())).isEqualTo(-Errno.EINVAL);
            assertThat(node.call(ImportNode.ATTACH, ImportNode.attachment(arena, -1)))
                    .isEqualTo(-Errno.EBADF);

            // Offset, what is stored there, and the answer.
            int[][] wrong = {
                {4, 1, Errno.EINVAL},
                {8, 1, Errno.ENODEV},
                {8, -1, Errno.ENODEV},
                {12, 0xFE, Errno.ENODEV},
                {13, 31, Errno.ENODEV},
                {13, 32, Errno.EINVAL},
                {14, 7, Errno.ENODEV},
                {14, 8, Errno.EINVAL},
                {15, 0, Errno.EINVAL},
                {15, 31, Errno.EINVAL},
                {15, 65, Errno.EINVAL},
            };
            for (int[] row : wrong) {
                MemorySegment attach = ImportNode.attachment(arena, dmaBuf.descriptor());
                if (row[0] < 12) {
                    attach.set(JAVA_INT, row[0], row[1]);
                } else {
                    attach.set(JAVA_BYTE, row[0], (byte) row[1]);
                }
                assertThat(node.call(ImportNode.ATTACH, attach))
                        .as("%d at %d", row[1], row[0])
                        .isEqualTo(-row[2]);
            }
            assertThat(node.call(ImportNode.ATTACH, MemorySegment.NULL)).isEqualTo(-EFAULT);
            assertThat(node.call(ImportNode.GET_MAP, MemorySegment.ofAddress(8)))
                    .isEqualTo(-EFAULT);
            assertThat(node.call(ImportNode.DETACH, MemorySegment.ofAddress(-1)))
                    .isEqualTo(-EFAULT);
            assertThat(node.detach(1)).isEqualTo(-Errno.ENOENT);
            // As ATTACH, for a structure of another size; and as the number that the other udmabuf has.
            assertThat(node.call(0xC008_7547L, arena.allocate(64))).isEqualTo(-Errno.ENOTTY);
            assertThat(node.call(0x4018_7542L, arena.allocate(64))).isEqualTo(-Errno.ENOTTY);
            assertThat(BarExport.counts()).isEqualTo("1 buffers, 0 attachments, 0 pins, 0 mappings");
        }
    }

    static void refusesExportersThatLieOrDoNotKeepStill() throws IOException {
        try (BoundFunction function = bound();
                ImportNode node = ImportNode.open()) {
            for (Kind kind : Kind.values()) {
                try (OpenFile dmaBuf = BarExport.export(kind, 0, PIECE)) {
                    int answer = node.attach(dmaBuf);
                    switch (kind) {
                        case DYNAMIC, STATIC, SCATTERED -> {
                            assertThat(answer)
                                    .as("%s for %s", kind, function.address())
                                    .isPositive();
                            assertThat(node.detach(answer)).isZero();
                        }
                        case UNPINNABLE -> assertThat(answer).isEqualTo(-Errno.EOPNOTSUPP);
                        case SHORT, UNALIGNED, UNMAPPABLE -> assertThat(answer).isEqualTo(-Errno.EIO);
                    }
                    assertThat(BarExport.counts())
                            .as("%s", kind)
                            .isEqualTo("1 buffers, 0 attachments, 0 pins, 0 mappings");
                }
            }
        }
        BarExport.awaitNothingLeft();
    }

    static void refusesFunctionsThatNobodyGaveToUserSpace() throws IOException {
        PeerToPeer.load();
        try (ImportNode node = ImportNode.open();
                OpenFile dmaBuf = BarExport.export(Kind.DYNAMIC, 0, PIECE)) {
            assertThat(Machine.driverOf(Driven.CONTROLLER)).isEqualTo("nvme");
            assertThat(node.attach(dmaBuf)).isEqualTo(-Errno.ENXIO);
            try (BoundFunction function = Driven.bound(Access.UIO)) {
                Machine.write(Machine.function(function.address()).resolve("driver/unbind"), function.address());
                assertThat(node.attach(dmaBuf)).as("bound to no driver").isEqualTo(-Errno.ENXIO);
            }
            try (BoundFunction function = Driven.bound(Access.TYPE1)) {
                assertThat(node.attach(dmaBuf))
                        .as("%s, whose addresses are VFIO's", function.address())
                        .isEqualTo(-Errno.EBUSY);
            }
        }
        BarExport.awaitNothingLeft();
    }

    static void tellsManySegmentsInPieces() throws IOException {
        try (BoundFunction function = bound();
                Arena arena = Arena.ofConfined();
                ImportNode node = ImportNode.open();
                OpenFile dmaBuf = BarExport.export(Kind.SCATTERED, 0, BarExport.BYTES)) {
            MemorySegment attach = ImportNode.attachment(arena, dmaBuf.descriptor());
            assertThat(node.call(ImportNode.ATTACH, attach)).isZero();
            int handle = attach.get(JAVA_INT, 16);
            int count = attach.get(JAVA_INT, 20);
            assertThat(attach.get(JAVA_LONG, 24)).isEqualTo(BarExport.BYTES);
            // The IOMMU may lay some of them side by side.
            assertThat(count).isBetween(2, (int) (BarExport.BYTES / 4096));

            long[] all = node.addresses(handle, 0, count);
            assertThat(all).hasSize(count).doesNotHaveDuplicates();
            assertThat(all).as("%s has an IOMMU", function.address()).doesNotContain(BarExport.physicalAddress());
            for (int first = 0; first < count; first += 97) {
                assertThat(node.addresses(handle, first, 97))
                        .isEqualTo(Arrays.copyOfRange(all, first, Math.min(first + 97, count)));
            }
            assertThat(node.addresses(handle, count, 1)).isEmpty();
            assertThat(node.addresses(handle, count + 1, 1)).containsExactly(-Errno.EINVAL);
            assertThat(node.addresses(handle, -1, 1)).containsExactly(-Errno.EINVAL);
            assertThat(node.addresses(handle + 1, 0, 1)).containsExactly(-Errno.ENOENT);

            MemorySegment room = arena.allocate((count + 1L) * ImportNode.SEGMENT_BYTES, 8);
            room.fill((byte) 0x77);
            assertThat(node.call(ImportNode.GET_MAP, ImportNode.map(arena, handle, count - 2, -1, room.address())))
                    .isZero();
            assertThat(room.get(JAVA_LONG, 16)).isEqualTo(all[count - 1]);
            assertThat(room.get(JAVA_LONG, 32)).as("behind the last").isEqualTo(0x7777_7777_7777_7777L);
            MemorySegment map = ImportNode.map(arena, handle, 0, count, 8);
            assertThat(node.call(ImportNode.GET_MAP, map)).isEqualTo(-EFAULT);
            map.set(JAVA_INT, 12, 1);
            assertThat(node.call(ImportNode.GET_MAP, map)).as("a flag").isEqualTo(-Errno.EINVAL);
            assertThat(node.detach(handle)).isZero();
            assertThat(node.detach(handle)).isEqualTo(-Errno.ENOENT);
        }
        BarExport.awaitNothingLeft();
    }

    static void keepsEachOpenFileToItsOwn() throws IOException {
        try (BoundFunction function = bound();
                ImportNode mine = ImportNode.open();
                ImportNode other = ImportNode.open()) {
            int handle;
            try (OpenFile dmaBuf = BarExport.export(Kind.DYNAMIC, 0, PIECE)) {
                handle = mine.attach(dmaBuf);
            }
            assertThat(handle).as(function.address()).isPositive();
            assertThat(other.addresses(handle, 0, 1)).containsExactly(-Errno.ENOENT);
            assertThat(other.detach(handle)).isEqualTo(-Errno.ENOENT);
            assertThat(mine.addresses(handle, 0, 1)[0]).isPositive();
            assertThat(BarExport.counts()).as("its descriptor is closed").startsWith("1 buffers, 1 attachments");
        }
        BarExport.awaitNothingLeft();
    }

    static void takesNoMoreThanItsLimit() throws IOException {
        try (BoundFunction function = bound();
                ImportNode node = ImportNode.open();
                OpenFile dmaBuf = BarExport.export(Kind.DYNAMIC, 0, 4096)) {
            int[] handles = IntStream.range(0, MOST_IMPORTS)
                    .map(i -> node.attach(dmaBuf))
                    .toArray();
            assertThat(handles).as(function.address()).doesNotHaveDuplicates();
            assertThat(Arrays.stream(handles).allMatch(handle -> handle > 0)).isTrue();
            assertThat(node.attach(dmaBuf)).isEqualTo(-Errno.ENOSPC);
            assertThat(node.detach(handles[7])).isZero();
            assertThat(node.attach(dmaBuf))
                    .as("not the one just given back")
                    .isPositive()
                    .isNotEqualTo(handles[7]);
            assertThat(BarExport.count("attachments")).isEqualTo(MOST_IMPORTS);
        }
        BarExport.awaitNothingLeft();
    }

    static void movesDataThroughAnIommuThatTranslates() throws IOException {
        assertThat(Machine.read(Machine.function(Driven.CONTROLLER).resolve("iommu_group/type")))
                .startsWith("DMA");
        PeerToPeer.movesData(Access.UIO, Kind.DYNAMIC, true);
        PeerToPeer.movesData(Access.UIO, Kind.SCATTERED, true);
    }

    static void movesDataPastAnIommuThatPassesThrough() throws IOException {
        Path type = Machine.function(Driven.CONTROLLER).resolve("iommu_group/type");
        String before = Machine.read(type);
        setType(type, "identity");
        try {
            PeerToPeer.movesData(Access.UIO, Kind.STATIC, false);
        } finally {
            setType(type, before);
        }
    }

    /** No driver may be bound meanwhile. */
    private static void setType(Path file, String type) {
        Machine.write(Machine.function(Driven.CONTROLLER).resolve("driver/unbind"), Driven.CONTROLLER);
        try {
            Machine.write(file, type);
        } finally {
            Machine.write(Path.of("/sys/bus/pci/drivers_probe"), Driven.CONTROLLER);
        }
        assertThat(Machine.read(file)).isEqualTo(type);
        Machine.awaitNamespacesAt(Driven.CONTROLLER, 2);
    }

    /** The host finds the one in the BAR and the other on the device. */
    static void exchangesDataOfTheBarWithTheHost() throws IOException {
        long bytes = (long) Exchange.BLOCKS * Exchange.BLOCK_BYTES;
        try (BoundFunction function = bound();
                Device device = Device.open(Driven.name(Access.UIO, Exchange.NSID));
                BarExport.Memory memory = new BarExport.Memory(Kind.DYNAMIC, FOR_HOST, bytes);
                Buffer peer = device.map(memory)) {
            memory.segment().copyFrom(Exchange.guest(Access.UIO));
            device.write(Exchange.fromGuest(Access.UIO), peer);
            device.flush();
            device.read(Exchange.FROM_HOST, peer);
            assertThat(memory.segment().mismatch(Exchange.host()))
                    .as(function.address())
                    .isEqualTo(-1);
        }
    }

    static void takesMemoryBackWithItsAddresses() throws IOException {
        try (BoundFunction function = bound();
                ImportNode node = ImportNode.open();
                OpenFile dmaBuf = BarExport.export(Kind.DYNAMIC, 1 << 20, PIECE)) {
            int handle = node.attach(dmaBuf);
            assertThat(node.addresses(handle, 0, 1)[0]).as(function.address()).isPositive();
            BarExport.revoke(dmaBuf);
            assertThat(node.addresses(handle, 0, 1)).containsExactly(-Errno.ESTALE);
            assertThat(node.attach(dmaBuf)).isEqualTo(-Errno.ENODEV);
            assertThat(BarExport.counts()).isEqualTo("1 buffers, 1 attachments, 1 pins, 0 mappings");
            assertThat(node.detach(handle)).isZero();
        }
        BarExport.awaitNothingLeft();
    }

    /** With the memory the function's way to it is gone: the IOMMU keeps it from there. */
    static void cutsTheFunctionOffMemoryThatIsTakenBack() throws IOException {
        try (BoundFunction function = bound();
                Device device = Device.open(Driven.name(Access.UIO, 1));
                BarExport.Memory memory = new BarExport.Memory(Kind.DYNAMIC, 0, PIECE);
                Buffer peer = device.map(memory);
                Buffer host = device.allocate(PIECE)) {
            MemorySegment before = filled(PIECE, (byte) 0x5A);
            host.segment().fill((byte) 0x33);
            device.write(0, host);
            device.read(0, peer);
            assertThat(memory.segment().mismatch(filled(PIECE, (byte) 0x33)))
                    .as(function.address())
                    .isEqualTo(-1);
            memory.segment().copyFrom(before);
            memory.revoke();
            try {
                device.read(0, peer);
            } catch (IOException e) {
                // QEMU's controller says that all went well, others that it could not transfer the data.
                assertThat(e).hasMessageContaining("transfer");
            }
            assertThat(memory.segment().mismatch(before)).isEqualTo(-1);
            // And what it still has, it reaches.
            device.read(0, host);
            // The addresses are free: nothing may come to lie there while somebody still has them.
            try (BarExport.Memory refused = new BarExport.Memory(Kind.DYNAMIC, 1 << 20, PIECE);
                    BarExport.Memory taken = new BarExport.Memory(Kind.DYNAMIC, 1 << 20, PIECE)) {
                assertThatThrownBy(() -> device.map(refused)).hasMessageContaining("close it first");
                peer.close();
                device.map(taken).close();
            }
        }
        BarExport.awaitNothingLeft();
    }

    private static MemorySegment filled(int bytes, byte value) {
        byte[] array = new byte[bytes];
        Arrays.fill(array, value);
        return MemorySegment.ofArray(array);
    }

    static void endsWithTheDriverAndWithTheDevice() throws IOException {
        try (ImportNode node = ImportNode.open()) {
            int first;
            int second;
            try (BoundFunction function = bound();
                    OpenFile dmaBuf = BarExport.export(Kind.DYNAMIC, 0, PIECE);
                    OpenFile other = BarExport.export(Kind.STATIC, 0, PIECE)) {
                first = node.attach(dmaBuf);
                second = node.attach(other);
                assertThat(node.addresses(first, 0, 1)[0])
                        .as(function.address())
                        .isPositive();
                assertThat(node.addresses(second, 0, 1)[0]).isPositive();
            }
            assertThat(node.addresses(first, 0, 1)).containsExactly(-Errno.ESTALE);
            assertThat(node.addresses(second, 0, 1)).containsExactly(-Errno.ESTALE);
            assertThat(BarExport.counts()).isEqualTo("2 buffers, 0 attachments, 0 pins, 0 mappings");
            assertThat(node.detach(first)).isZero();

            BoundFunction function = bound();
            try (OpenFile dmaBuf = BarExport.export(Kind.DYNAMIC, 0, PIECE)) {
                first = node.attach(dmaBuf);
            }
            assertThat(first).isPositive();
            Machine.write(Machine.function(function.address()).resolve("remove"), "1");
            assertThat(node.addresses(first, 0, 1)).containsExactly(-Errno.ESTALE);
            Machine.write(Path.of("/sys/bus/pci/rescan"), "1");
            Machine.awaitNamespacesAt(function.address(), 2);
            assertThat(node.detach(first)).isZero();
        }
        BarExport.awaitNothingLeft();
    }

    static void cannotBeUnloadedWhileItIsOpen() throws IOException {
        PeerToPeer.load();
        try (ImportNode node = ImportNode.open()) {
            assertThat(node.detach(1)).isEqualTo(-Errno.ENOENT);
            assertThat(Machine.output(Machine.start("rmmod", "udmabuf-import"))).contains("in use");
        }
        // A child that lives longer than who opened it.
        Process child =
                Machine.start("sh", "-c", "exec 9<>" + UdmabufImport.PATH + "; sleep 1000 & echo $!; kill -9 $$");
        try (BufferedReader said = child.inputReader()) {
            String sleeping = said.readLine();
            assertThat(Machine.output(Machine.start("rmmod", "udmabuf-import"))).contains("in use");
            Machine.run("kill", "-9", sleeping);
        }
        Machine.await(
                "the module can be unloaded",
                () -> Machine.output(Machine.start("rmmod", "udmabuf-import")).isEmpty());
        assertThat(UdmabufImport.PATH).doesNotExist();
        Machine.run("rmmod", "bar-export");
        PeerToPeer.load();
        assertThat(UdmabufImport.PATH).exists();
    }

    /**
     * Last by its name, for what it looks for afterwards. Two processes call at random; one is killed, the function's driver
     * changes under the other. A file of the killed one that was passed on goes on.
     */
    static void zStandsClientsThatDoNotKnowWhatTheyDo() throws IOException, InterruptedException {
        Path socket = Path.of("/run/aisio-kmod.sock");
        Path debug = Path.of("/sys/kernel/debug");
        Machine.run("mount", "-t", "debugfs", "none", debug.toString());
        try (BoundFunction function = bound();
                UnixListener listener = UnixListener.bind(socket, 1)) {
            Process process = Machine.startJava(Fuzzing.class, socket.toString());
            try (UnixConnection connection = accept(listener);
                    Arena arena = Arena.ofConfined()) {
                MemorySegment handle = arena.allocate(JAVA_INT);
                UnixConnection.Received received = connection.receive(handle, 1, Duration.ofSeconds(60));
                assertThat(received.files()).hasSize(1);
                try (ImportNode passed = new ImportNode(received.files().getFirst());
                        KmodFuzz fuzz = KmodFuzz.start(1, 3)) {
                    // That it has made its calls, too.
                    assertThat(connection
                                    .receive(handle, 0, Duration.ofSeconds(120))
                                    .bytes())
                            .isEqualTo(4);
                    awaitDone(fuzz, 10);
                    assertThat(Machine.output(Machine.start("rmmod", "udmabuf-import")))
                            .contains("in use");
                    process.destroyForcibly();
                    assertThat(process.waitFor()).isEqualTo(128 + 9);
                    assertThat(passed.addresses(handle.get(JAVA_INT, 0), 0, 1)[0])
                            .as("of a file of a process that was killed")
                            .isPositive();
                    assertThat(allocatedBy(debug, "udmabuf_import")).isNotEmpty();
                    for (int i = 1; i <= 3; i++) {
                        Machine.write(
                                Machine.function(function.address()).resolve("driver/unbind"), function.address());
                        Machine.write(Path.of("/sys/bus/pci/drivers_probe"), function.address());
                        awaitDone(fuzz, 10 * (1 + i));
                    }
                    assertThat(passed.addresses(handle.get(JAVA_INT, 0), 0, 1)).containsExactly(-Errno.ESTALE);
                    System.out.println("rig: the fuzzing client: " + fuzz.done());
                }
            }
            BarExport.awaitNothingLeft();
            assertThat(allocatedBy(debug, "udmabuf_import")).isEmpty();
        } finally {
            Machine.run("umount", debug.toString());
        }
        Machine.run("rmmod", "udmabuf-import");
        Machine.run("rmmod", "bar-export");
        assertThat(Machine.run("dmesg")
                        .lines()
                        .filter(line -> COMPLAINT.matcher(line).find()))
                .isEmpty();
    }

    private static UnixConnection accept(UnixListener listener) {
        UnixConnection[] accepted = new UnixConnection[1];
        Machine.await("the other process connects", () -> {
            try {
                accepted[0] = listener.accept();
            } catch (IOException e) {
                throw new AssertionError(e);
            }
            return accepted[0] != null;
        });
        return accepted[0];
    }

    private static void awaitDone(KmodFuzz fuzz, int times) {
        Machine.await("each call succeeds " + times + " times: " + fuzz.done(), () -> fuzz.leastDone() >= times);
    }

    /** What slub's notes on who allocated name a module in: by the kernel's parameter slub_debug=U. */
    private static String allocatedBy(Path debug, String module) {
        // They are long: too long for a JVM that interprets.
        return Machine.output(Machine.start(
                "sh",
                "-c",
                "cat " + debug + "/slab/kmalloc*/alloc_traces " + debug + "/slab/radix_tree_node/alloc_traces"
                        + " | grep -F '[" + module + "]'"));
    }

    /** Attaches, passes the file on, and calls at random until it is killed. */
    static final class Fuzzing {
        private Fuzzing() {}

        public static void main(String[] args) throws IOException, InterruptedException {
            try (UnixConnection connection = UnixConnection.connect(Path.of(args[0]), Duration.ofSeconds(30));
                    Arena arena = Arena.ofConfined()) {
                MemorySegment number = arena.allocate(JAVA_INT);
                try (ImportNode passed = ImportNode.open();
                        OpenFile dmaBuf = BarExport.export(Kind.DYNAMIC, 0, PIECE)) {
                    number.set(JAVA_INT, 0, passed.attach(dmaBuf));
                    connection.send(number, List.of(passed.file()), Duration.ofSeconds(30));
                }
                try (KmodFuzz fuzz = KmodFuzz.start(1000, 3)) {
                    Machine.await("many calls", () -> fuzz.calls() >= FUZZ_CALLS || !fuzz.goesOn());
                    if (fuzz.goesOn()) {
                        connection.send(number, List.of(), Duration.ofSeconds(30));
                        Thread.sleep(Duration.ofMinutes(10));
                    }
                }
            }
        }
    }
}
