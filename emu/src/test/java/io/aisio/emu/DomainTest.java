package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.nvme.Command;
import io.aisio.nvme.LentQueuePair;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.CopyRange;
import io.aisio.nvme.spec.DatasetRange;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Sgl;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.nvme.spec.ZoneReport;
import io.aisio.upcie.DmaDomain;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.SharedMemory;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Users of one controller, kept apart by it. */
@Timeout(60)
class DomainTest {
    private static final int PAGE = Mapping.PAGE_SIZE;
    private static final byte MINE = 0x11;
    private static final byte THEIRS = 0x77;

    private static NvmeDevice open(String name) throws IOException {
        return (NvmeDevice) Device.open(name);
    }

    private static boolean holds(MemorySegment memory, byte value) {
        return IntStream.range(0, (int) memory.byteSize()).allMatch(i -> memory.get(ValueLayout.JAVA_BYTE, i) == value);
    }

    /** Every way in which a command of 16 KiB can name another's page, among pages of its own. */
    private static Tenant.Entry[] reaching(int opcode, Tenant own, DmaMemory theirs) {
        DmaMemory mine = own.data;
        MemorySegment lists = mine.segment();
        // Own lists that name the other's page, at 32 KiB; a copy of a good list in the other's memory.
        for (int i = 0; i < 3; i++) {
            Wire.i64(lists, 32768 + 8L * i, i == 1 ? theirs.iova(0) : mine.iova(4096L * (i + 1)));
            Wire.i64(theirs.segment(), 8192 + 8L * i, mine.iova(4096L * (i + 1)));
        }
        for (int i = 0; i < 2; i++) {
            long of = i == 0 ? mine.iova(0) : theirs.iova(0);
            Sgl.put(lists, 36864 + 16L * i, of, Sgl.word1(Sgl.DATA_BLOCK, 8192));
            Sgl.put(theirs.segment(), 12288 + 16L * i, mine.iova(8192L * i), Sgl.word1(Sgl.DATA_BLOCK, 8192));
        }
        Sgl.put(lists, 40960, theirs.iova(12288), Sgl.word1(Sgl.LAST_SEGMENT, 32));
        Tenant.Entry two = Tenant.Entry.of(opcode, 8, 16);
        Tenant.Entry four = Tenant.Entry.of(opcode, 8, 32);
        return new Tenant.Entry[] {
            two.prps(theirs.iova(0), mine.iova(0)),
            two.prps(mine.iova(0), theirs.iova(0)),
            four.prps(mine.iova(0), mine.iova(32768)),
            four.prps(mine.iova(0), theirs.iova(8192)),
            two.sgl(theirs.iova(0), Sgl.word1(Sgl.DATA_BLOCK, 8192)),
            four.sgl(mine.iova(36864), Sgl.word1(Sgl.LAST_SEGMENT, 32)),
            four.sgl(theirs.iova(12288), Sgl.word1(Sgl.LAST_SEGMENT, 32)),
            four.sgl(mine.iova(40960), Sgl.word1(Sgl.SEGMENT, 16)),
        };
    }

    @ParameterizedTest
    @ValueSource(ints = {Opcode.READ, Opcode.WRITE, Opcode.COMPARE})
    void commandsReachMemoryOfTheirOwnDomainAlone(int opcode) throws Exception {
        try (NvmeDevice device = open("emu:4MiB?shared&sgl");
                Buffer owners = device.allocate(64 << 10);
                Tenant mallory = new Tenant(device.controller(), false);
                Tenant alice = new Tenant(device.controller(), false)) {
            for (DmaMemory theirs : new DmaMemory[] {alice.data, owners.memory(), alice.rings}) {
                boolean rings = theirs == alice.rings;
                Tenant.Entry[] all = rings
                        ? new Tenant.Entry[] {Tenant.Entry.of(opcode, 8, 8).prps(theirs.iova(0), 0)}
                        : reaching(opcode, mallory, theirs);
                mallory.data.segment().asSlice(0, 16384).fill(MINE);
                if (!rings) {
                    theirs.segment().asSlice(0, 8192).fill(THEIRS);
                }
                for (int i = 0; i < all.length; i++) {
                    assertThat(mallory.run(all[i]))
                            .as("%s, way %d", Opcode.nvmName(opcode), i)
                            .isEqualTo(Status.DATA_TRANSFER_ERROR);
                }
                if (!rings) {
                    assertThat(holds(theirs.segment().asSlice(0, 8192), THEIRS)).isTrue();
                }
                assertThat(holds(mallory.data.segment().asSlice(0, 16384), MINE))
                        .as("nothing is moved before all is known")
                        .isTrue();
            }
            device.read(8, owners, 0, 16384);
            assertThat(holds(owners.segment().asSlice(0, 16384), (byte) 0))
                    .as("nothing of anybody's was written")
                    .isTrue();
            // His own memory he reaches, and alice hers.
            assertThat(mallory.run(Tenant.Entry.of(Opcode.WRITE, 8, 8).prps(mallory.data.iova(0), 0)))
                    .isEqualTo(Status.SUCCESS);
            assertThat(alice.run(Tenant.Entry.of(Opcode.READ, 8, 8).prps(alice.data.iova(0), 0)))
                    .isEqualTo(Status.SUCCESS);
            assertThat(holds(alice.data.segment().asSlice(0, PAGE), MINE)).isTrue();
            assertThat(device.controller().resets()).isZero();
        }
    }

    @Test
    void metadataIsInTheirOwnDomainToo() throws Exception {
        try (NvmeDevice device = open("emu:4MiB?shared&ms=8");
                Tenant mallory = new Tenant(device.controller(), false);
                Tenant alice = new Tenant(device.controller(), false)) {
            alice.data.segment().fill(THEIRS);
            for (int opcode : new int[] {Opcode.WRITE, Opcode.READ}) {
                Tenant.Entry entry = Tenant.Entry.of(opcode, 0, 8).prps(mallory.data.iova(0), 0);
                assertThat(mallory.run(entry.metadata(alice.data.iova(0)))).isEqualTo(Status.DATA_TRANSFER_ERROR);
                assertThat(mallory.run(entry.metadata(mallory.data.iova(8192)))).isEqualTo(Status.SUCCESS);
            }
            assertThat(holds(alice.data.segment(), THEIRS)).isTrue();
        }
    }

    @Test
    void aReadOnlyDomainChangesNothingOnTheMedia() throws Exception {
        try (NvmeDevice device = open("emu:4MiB?shared");
                Buffer own = device.allocate(PAGE);
                Tenant reader = new Tenant(device.controller(), true)) {
            assertThat(reader.domain.isProtected()).isTrue();
            assertThat(reader.domain.isReadOnly()).isTrue();
            own.segment().fill(THEIRS);
            device.write(0, own, 0, PAGE);
            long data = reader.data.iova(0);
            MemorySegment ranges = reader.data.segment().asSlice(8192);
            Wire.i64(ranges, DatasetRange.NLB, 8);
            Wire.i64(ranges, 4096 + CopyRange.SLBA, 100);
            Tenant.Entry deallocate =
                    Tenant.Entry.of(Opcode.DATASET_MANAGEMENT, 0, 1).prps(data + 8192, 0);
            Tenant.Entry[] refused = {
                Tenant.Entry.of(Opcode.WRITE, 0, 8).prps(data, 0),
                Tenant.Entry.of(Opcode.WRITE_ZEROES, 0, 8),
                Tenant.Entry.of(Opcode.WRITE_UNCORRECTABLE, 0, 8),
                deallocate.dwords((long) DatasetRange.DEALLOCATE << 32, 0, 0),
                Tenant.Entry.of(Opcode.COPY, 0, 1).prps(data + 12288, 0),
            };
            for (Tenant.Entry entry : refused) {
                assertThat(reader.run(entry))
                        .as(Opcode.nvmName(entry.opcode()))
                        .isEqualTo(Status.NAMESPACE_WRITE_PROTECTED);
            }
            Tenant.Entry[] taken = {
                Tenant.Entry.of(Opcode.READ, 0, 8).prps(data, 0),
                Tenant.Entry.of(Opcode.COMPARE, 0, 8).prps(data, 0),
                Tenant.Entry.of(Opcode.VERIFY, 0, 8),
                Tenant.Entry.of(Opcode.FLUSH, 0, 1),
                deallocate.dwords((long) DatasetRange.INTEGRAL_READ << 32, 0, 0),
            };
            for (Tenant.Entry entry : taken) {
                assertThat(reader.run(entry)).as(Opcode.nvmName(entry.opcode())).isEqualTo(Status.SUCCESS);
            }
            assertThat(holds(reader.data.segment().asSlice(0, PAGE), THEIRS)).isTrue();
            device.read(0, own, 0, PAGE);
            assertThat(holds(own.segment(), THEIRS)).isTrue();
        }
    }

    @Test
    void aReadOnlyDomainChangesNoZone() throws Exception {
        try (NvmeDevice device = open("emu:4MiB?shared&zoned=1MiB");
                Tenant reader = new Tenant(device.controller(), true)) {
            long data = reader.data.iova(0);
            assertThat(reader.run(Tenant.Entry.of(Opcode.ZONE_APPEND, 0, 8).prps(data, 0)))
                    .isEqualTo(Status.NAMESPACE_WRITE_PROTECTED);
            assertThat(reader.run(Tenant.Entry.of(Opcode.WRITE, 0, 8).prps(data, 0)))
                    .isEqualTo(Status.NAMESPACE_WRITE_PROTECTED);
            for (int action : new int[] {ZoneReport.ACTION_OPEN, ZoneReport.ACTION_RESET, ZoneReport.ACTION_FINISH}) {
                assertThat(reader.run(Tenant.Entry.of(Opcode.ZONE_MANAGEMENT_SEND, 0, 1)
                                .dwords(0, 0, action)))
                        .isEqualTo(Status.NAMESPACE_WRITE_PROTECTED);
            }
            assertThat(reader.run(Tenant.Entry.of(Opcode.ZONE_MANAGEMENT_RECEIVE, 0, 1)
                            .prps(data, 0)
                            .dwords(0, PAGE / 4 - 1, ZoneReport.RECEIVE_REPORT)))
                    .isEqualTo(Status.SUCCESS);
            assertThat(Wire.i64(reader.data.segment(), ZoneReport.HEADER_BYTES + ZoneReport.WP))
                    .as("the write pointer of the first zone")
                    .isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, Tenant.DEPTH + 1, 0x7FFF_FFFF, Integer.MIN_VALUE})
    void aWildDoorbellHurtsItsOwnQueueAlone(int value) throws Exception {
        try (NvmeDevice device = open("emu:4MiB?shared&qpairs=4");
                Tenant wild = new Tenant(device.controller(), false);
                Tenant other = new Tenant(device.controller(), false)) {
            Tenant.Entry read = Tenant.Entry.of(Opcode.READ, 0, 8);
            for (int i = 0; i < 50; i++) {
                wild.doorbells.write32(wild.pages.tail(), value + (i & 1));
                wild.doorbells.write32(wild.pages.head(), value + (i & 1));
                assertThat(other.run(read.prps(other.data.iova(0), 0))).isEqualTo(Status.SUCCESS);
            }
            assertThat(device.controller().resets()).isZero();
            assertThat(device.controller().failure()).isNull();
            // Deleted, and made anew, by whoever has the controller.
            wild.pair.stop();
            wild.pair.recreate();
            assertThat(wild.pair.isLost()).isFalse();
            assertThat(wild.run(read.prps(wild.data.iova(0), 0))).isEqualTo(Status.SUCCESS);
        }
    }

    @Test
    void doorbellsOfAPairThatIsGoneRingForNobody() throws Exception {
        try (NvmeDevice device = open("emu:4MiB?shared&qpairs=2")) {
            NvmeController controller = device.controller();
            Tenant dead = new Tenant(controller, false);
            assertThat(dead.pages.alone()).isTrue();
            int qid = dead.pair.qid();
            try (Mapping kept = Mapping.of(dead.pages.file(), dead.pages.offset(), dead.pages.bytes(), true)) {
                dead.close();
                try (Tenant next = new Tenant(controller, false)) {
                    assertThat(next.pair.qid()).isEqualTo(qid);
                    next.put(Tenant.Entry.of(Opcode.WRITE, 0, 8).prps(next.data.iova(0), 0), 9);
                    kept.segment().set(ValueLayout.JAVA_INT, 0, 1);
                    kept.segment().set(ValueLayout.JAVA_INT, PAGE, 1);
                    assertThat(next.doorbells.read32(0)).isZero();
                    assertThat(controller.register(next.pair.tailDoorbell(), 4)).isZero();
                    next.ring();
                    assertThat(next.take(9).isSuccess()).isTrue();
                }
            }
        }
    }

    @Test
    void memoryIsTakenBackOnlyAfterItsQueues() throws Exception {
        try (NvmeDevice device = open("emu:4MiB?shared")) {
            Tenant tenant = new Tenant(device.controller(), false);
            assertThatThrownBy(tenant.domain::close)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("a queue has its rings");
            assertThatThrownBy(tenant.rings::close).isInstanceOf(IllegalStateException.class);
            // Data is his own affair: his command fails, and nothing else.
            long gone = tenant.data.iova(0);
            tenant.data.close();
            tenant.data.close();
            assertThat(tenant.run(Tenant.Entry.of(Opcode.READ, 0, 8).prps(gone, 0)))
                    .isEqualTo(Status.DATA_TRANSFER_ERROR);
            tenant.pair.stop();
            tenant.rings.close();
            tenant.close();
            assertThatThrownBy(() -> tenant.domain.allocate(1)).isInstanceOf(IllegalStateException.class);

            Tenant reset = new Tenant(device.controller(), false);
            device.controller().reset();
            assertThat(reset.pair.isLost()).isTrue();
            reset.domain.close();
            reset.close();
        }
    }

    @Test
    void memoryIsTakenBackFromAControllerThatIsGone() throws Exception {
        try (NvmeDevice device = open("emu:4MiB?shared&faults=vanish@flush:1")) {
            Tenant tenant = new Tenant(device.controller(), false);
            tenant.put(Tenant.Entry.of(Opcode.FLUSH, 0, 1), 1);
            tenant.ring();
            long end = System.nanoTime() + Host.GIVE_UP_NANOS;
            while (!tenant.pair.isLost()) {
                assertThat(System.nanoTime()).as("the deadline").isLessThan(end);
                tenant.pair.look();
            }
            tenant.close();
        }
    }

    @Test
    void aFileIsTakenOnlyIfItStays(@TempDir Path folder) throws Exception {
        Path path = folder.resolve("plain");
        Files.write(path, new byte[PAGE]);
        try (NvmeDevice device = open("emu:4MiB?shared");
                Tenant tenant = new Tenant(device.controller(), false);
                OpenFile plain = OpenFile.open(path, OpenFile.Access.READ_WRITE);
                OpenFile sealed = OpenFile.inMemory("aisio-test", 4 * PAGE)) {
            DmaDomain domain = tenant.domain;
            assertThatIOException().isThrownBy(() -> domain.map(plain, PAGE)).withMessageContaining("sealed");
            for (long bytes : new long[] {0, -1, PAGE + 1, 5 * PAGE, Long.MAX_VALUE}) {
                assertThatIOException()
                        .isThrownBy(() -> domain.map(sealed, bytes))
                        .withMessageContaining("whole pages");
            }
            SharedMemory memory = domain.map(sealed, 4 * PAGE);
            assertThat(memory.size()).isEqualTo(4 * PAGE);
            assertThatThrownBy(() -> sealed.resize(PAGE)).isInstanceOf(LinuxException.class);
            assertThatThrownBy(() -> tenant.rings.file().resize(0)).isInstanceOf(LinuxException.class);
            assertThatThrownBy(() -> tenant.pages.file().resize(0)).isInstanceOf(LinuxException.class);
            sealed.close();
            memory.segment().fill(MINE);
            assertThat(tenant.run(Tenant.Entry.of(Opcode.WRITE, 0, 16).prps(memory.iova(0), memory.iova(8192))))
                    .isEqualTo(Status.SUCCESS);
            assertThat(memory.file().size()).isEqualTo(4 * PAGE);
            memory.close();
        }
    }

    @Test
    void ringsOfBothQueuesAreInOneDomain() throws Exception {
        try (NvmeDevice device = open("emu:4MiB?shared");
                Buffer own = device.allocate(PAGE);
                DmaDomain domain = device.openDomain(false, 1);
                DmaDomain other = device.openDomain(false, 1)) {
            SharedMemory submission = domain.allocate(PAGE);
            SharedMemory completion = other.allocate(PAGE);
            assertThatThrownBy(() -> device.lendQueuePair(submission, completion, 8))
                    .isInstanceOf(NvmeException.class);
            assertThatThrownBy(() -> device.lendQueuePair(submission, own.memory(), 8))
                    .isInstanceOf(NvmeException.class);
            assertThatThrownBy(() -> device.lendQueuePair(domain.allocate(PAGE), 8))
                    .isInstanceOf(IllegalArgumentException.class);
            SharedMemory rings = domain.allocate(QueuePair.bytesOfRings(8));
            try (LentQueuePair pair = device.lendQueuePair(rings, 8)) {
                assertThat(device.doorbellPages(pair).alone()).isTrue();
            }
        }
    }

    @Test
    void aControllerThatIsNotSharedSaysHowItWouldBe() throws Exception {
        try (NvmeDevice device = open("emu:4MiB");
                Buffer rings = device.allocate(QueuePair.bytesOfRings(8));
                LentQueuePair pair = device.lendQueuePair(rings.memory(), 8)) {
            assertThatThrownBy(() -> device.openDomain(false, 1))
                    .isInstanceOf(UnsupportedOperationException.class)
                    .hasMessageContaining("next: open it with the option shared");
            assertThatThrownBy(() -> device.doorbellPages(pair))
                    .isInstanceOf(UnsupportedOperationException.class)
                    .hasMessageContaining("shared");
        }
        assertThatThrownBy(() -> Device.open("emu:4MiB?shared&dstrd=2")).hasMessageContaining("leave out 'dstrd'");
        assertThatThrownBy(() -> Device.open("emu:4MiB?shared&shadow")).hasMessageContaining("leave out shadow");
    }

    @Test
    void commandsAreAboutTheirDomainsNamespaceAlone() throws Exception {
        try (NvmeDevice device = open("emu:4MiB?shared&namespaces=2");
                NvmeDevice second = open("emu:4MiB?shared&namespaces=2&nsid=2");
                Tenant tenant = new Tenant(device.controller(), false)) {
            assertThat(second.nsid()).isEqualTo(2);
            long data = tenant.data.iova(0);
            Tenant.Entry[] all = {
                Tenant.Entry.of(Opcode.READ, 0, 8).prps(data, 0),
                Tenant.Entry.of(Opcode.WRITE, 0, 8).prps(data, 0),
                Tenant.Entry.of(Opcode.COMPARE, 0, 8).prps(data, 0),
                Tenant.Entry.of(Opcode.WRITE_ZEROES, 0, 8),
                Tenant.Entry.of(Opcode.VERIFY, 0, 8),
                Tenant.Entry.of(Opcode.FLUSH, 0, 1),
            };
            for (Tenant.Entry entry : all) {
                for (int nsid : new int[] {2, 0, 3, Identify.ALL_NAMESPACES}) {
                    assertThat(tenant.run(entry, nsid))
                            .as("%s of namespace %d", Opcode.nvmName(entry.opcode()), nsid)
                            .isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
                }
                assertThat(tenant.run(entry, 1))
                        .as(Opcode.nvmName(entry.opcode()))
                        .isEqualTo(Status.SUCCESS);
            }
            assertThatThrownBy(() -> device.openDomain(false, 0)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void aUsersRingsWithoutPagesHurtHimAlone(@TempDir Path folder) throws Exception {
        Path path = folder.resolve("rings");
        try (NvmeDevice device = open("emu:4MiB?shared");
                OpenFile file = OpenFile.create(path, 0600);
                Tenant other = new Tenant(device.controller(), false)) {
            Tenant hostile = new Tenant(device.controller(), false, (domain, bytes) -> cuttable(domain, file, bytes));
            Tenant.Entry read = Tenant.Entry.of(Opcode.READ, 0, 8);
            assertThat(hostile.run(read.prps(hostile.data.iova(0), 0))).isEqualTo(Status.SUCCESS);
            file.resize(0);
            hostile.doorbells.write32(hostile.pages.tail(), 5);
            for (int i = 0; i < 50; i++) {
                assertThat(other.run(read.prps(other.data.iova(0), 0))).isEqualTo(Status.SUCCESS);
            }
            hostile.close();
            try (Tenant next = new Tenant(device.controller(), false)) {
                assertThat(next.run(read.prps(next.data.iova(0), 0))).isEqualTo(Status.SUCCESS);
            }
            assertThat(device.controller().failure()).isNull();
            assertThat(device.controller().resets()).isZero();
        }
    }

    @Test
    void aUsersDataWithoutPagesIsATransferThatFailed(@TempDir Path folder) throws Exception {
        Path path = folder.resolve("data");
        try (NvmeDevice device = open("emu:4MiB?shared");
                OpenFile file = OpenFile.create(path, 0600);
                Tenant other = new Tenant(device.controller(), false)) {
            Tenant hostile = new Tenant(device.controller(), false);
            SharedMemory data = cuttable(hostile.domain, file, 64 << 10);
            file.resize(0);
            for (int i = 0; i < 8; i++) {
                hostile.put(Tenant.Entry.of(Opcode.WRITE, 0, 8).prps(data.iova(4096L * i), 0), i);
            }
            hostile.ring();
            for (int i = 0; i < 50; i++) {
                assertThat(other.run(Tenant.Entry.of(Opcode.READ, 0, 8).prps(other.data.iova(0), 0)))
                        .isEqualTo(Status.SUCCESS);
            }
            hostile.close();
            assertThat(device.controller().failure()).isNull();
            assertThat(device.controller().resets()).isZero();
        }
    }

    @Test
    void aUsersDataWithoutPagesIsNoFaultOfTheOwnersCommandsNorOfOtherUsers(@TempDir Path folder) throws Exception {
        Path path = folder.resolve("data");
        try (NvmeDevice device = open("emu:4MiB?shared");
                Buffer page = device.allocate(4096);
                OpenFile file = OpenFile.create(path, 0600);
                Tenant other = new Tenant(device.controller(), false)) {
            Command identify = Command.of(Opcode.IDENTIFY, 0, Identify.CNS_CONTROLLER, 0);
            Tenant.Entry read = Tenant.Entry.of(Opcode.READ, 0, 8).prps(other.data.iova(0), 0);
            for (int i = 0; i < 100; i++) {
                Tenant hostile = new Tenant(device.controller(), false);
                SharedMemory data = cuttable(hostile.domain, file, 64 << 10);
                file.resize(0);
                for (int j = 0; j < 6; j++) {
                    hostile.put(Tenant.Entry.of(Opcode.WRITE, 0, 8).prps(data.iova(4096L * j), 0), j);
                }
                hostile.ring();
                device.controller().execute(identify, page.segment());
                Status status;
                do {
                    // What is told late may fail it, and it may be tried again then.
                    other.put(read, 9);
                    other.ring();
                    status = other.take(9);
                    assertThat(status.doNotRetry()).as("%s", status).isFalse();
                } while (!status.isSuccess());
                hostile.close();
            }
            assertThat(device.controller().failure()).isNull();
            assertThat(device.controller().resets()).isZero();
        }
    }

    /** Of a file that can be cut short, as one that is sealed can only where memory is scarce. */
    private static SharedMemory cuttable(DmaDomain domain, OpenFile file, long bytes) throws IOException {
        long whole = bytes + PAGE - 1 & -PAGE;
        file.resize(whole);
        return ((ProtectionDomain) domain).add(Mapping.of(file, 0, whole, true), file.another());
    }

    @Test
    void refusedCommandsTakeNothingOfTheBandwidth() throws Exception {
        try (NvmeDevice device = open("emu:4MiB?shared&bw=1MiB");
                Tenant greedy = new Tenant(device.controller(), true);
                Tenant other = new Tenant(device.controller(), false)) {
            for (int i = 0; i < 4; i++) {
                // Outside, too long, of another namespace: half a minute each, were it moved.
                greedy.put(Tenant.Entry.of(Opcode.READ, 1, 65536), 10 + i);
                greedy.put(Tenant.Entry.of(Opcode.READ, 0, 8192), 20 + i);
                greedy.put(Tenant.Entry.of(Opcode.READ, 0, 256), 30 + i, 2);
            }
            greedy.ring();
            long began = System.nanoTime();
            for (int i = 0; i < 4; i++) {
                assertThat(greedy.take(10 + i).code()).isEqualTo(Status.LBA_OUT_OF_RANGE);
                assertThat(greedy.take(20 + i).code()).isEqualTo(Status.INVALID_FIELD);
                assertThat(greedy.take(30 + i).code()).isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
            }
            assertThat(other.run(Tenant.Entry.of(Opcode.READ, 0, 8).prps(other.data.iova(0), 0)))
                    .isEqualTo(Status.SUCCESS);
            assertThat(System.nanoTime() - began).isLessThan(3_000_000_000L);
        }
    }

    @Test
    void aPairThatIsClosedAbortsNothingAndHasNoDoorbells() throws Exception {
        try (NvmeDevice device = open("emu:4MiB?shared")) {
            Tenant dead = new Tenant(device.controller(), false);
            dead.close();
            try (Tenant next = new Tenant(device.controller(), false)) {
                assertThat(next.pair.qid()).isEqualTo(dead.pair.qid());
                assertThat(dead.pair.abort(1)).isNull();
                assertThatThrownBy(() -> device.doorbellPages(dead.pair)).isInstanceOf(IllegalStateException.class);
                assertThat(next.pair.abort(1)).isNotNull();
            }
        }
    }

    @Test
    void noQueueBeginsInMemoryThatIsTakenBack() throws Exception {
        try (Host host = Host.ready(EmuConfiguration.memory(1 << 20).withShared(true))) {
            DmaDomain domain = host.function.openDomain(false, 1);
            SharedMemory memory = domain.allocate(2 * PAGE);
            IovaSpace.Region region = ((ProtectionDomain.Memory) memory).region;
            region.refuseRings();
            assertThat(createCompletionQueue(host, memory).isSuccess()).isFalse();
            assertThat(region.hasRings()).isFalse();
            region.takeRings();
            assertThat(createCompletionQueue(host, memory).isSuccess()).isTrue();
            assertThatThrownBy(memory::close).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(domain::close).isInstanceOf(IllegalStateException.class);
            // Neither has left anything behind.
            Host.Entry create = Host.Entry.of(Opcode.CREATE_IO_SQ, 0)
                    .prps(memory.iova(PAGE), 0)
                    .dwords(7 << 16 | 1, 1 << 16 | 1);
            assertThat(host.admin.run(create).status().isSuccess()).isTrue();
        }
    }

    @Test
    void aControllerWhoseThreadHasEndedKeepsNobodysMemory() throws Exception {
        try (Host host = Host.ready(EmuConfiguration.memory(1 << 20).withShared(true));
                DmaDomain domain = host.function.openDomain(false, 1)) {
            assertThat(createCompletionQueue(host, domain.allocate(PAGE)).isSuccess())
                    .isTrue();
            assertThatThrownBy(domain::close).isInstanceOf(IllegalStateException.class);
            host.controller.die();
            domain.close();
        }
    }

    private static Status createCompletionQueue(Host host, SharedMemory memory) {
        return host.admin
                .run(Host.Entry.of(Opcode.CREATE_IO_CQ, 0)
                        .prps(memory.iova(0), 0)
                        .dwords(7 << 16 | 1, 1))
                .status();
    }
}
