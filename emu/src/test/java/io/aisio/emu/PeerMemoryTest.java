package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.Guard;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.spec.DatasetRange;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.LogPage;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Sgl;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.DmaMemory;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Commands on another device's memory. */
class PeerMemoryTest {
    private static final int MIB = 1 << 20;
    private static final int CARD_BYTES = 4 * MIB;

    @TempDir
    private Path folder;

    /** A controller by hand, with a card whose memory it reaches. */
    private static final class Rig implements AutoCloseable {
        final Host host;
        final Host.Ring io;
        final CardMemory card = new CardMemory(CARD_BYTES);
        final DmaMemory mapped;

        Rig(EmuConfiguration configuration) throws IOException {
            host = Host.ready(configuration);
            io = host.createQueue(1, 16);
            mapped = host.function.map(card);
        }

        Host.Entry transfer(int opcode, long lba, int blocks, long offset) {
            return host.io(opcode, lba, blocks).prps(mapped.iova(offset), mapped.iova((offset & -4096) + 4096));
        }

        byte[] fill(long offset, int bytes, int seed) {
            byte[] content = new byte[bytes];
            new Random(seed).nextBytes(content);
            MemorySegment.copy(content, 0, card.inside(), ValueLayout.JAVA_BYTE, offset, bytes);
            return content;
        }

        byte[] inside(long offset, int bytes) {
            return card.inside().asSlice(offset, bytes).toArray(ValueLayout.JAVA_BYTE);
        }

        @Override
        public void close() {
            host.close();
        }
    }

    private static Rig rig() throws IOException {
        return new Rig(EmuConfiguration.memory(16 * MIB).withSgl(true));
    }

    @ParameterizedTest
    @ValueSource(strings = {"memory", "image"})
    void readsAndWritesRandomRangesOfItAsOfTheHosts(String medium) throws Exception {
        String name = "emu:4MiB?mdts=6";
        if (medium.equals("image")) {
            Path image = folder.resolve("image");
            Files.write(image, new byte[CARD_BYTES]);
            name = "emu:" + image + "?mdts=6";
        }
        Random random = new Random(5);
        byte[] model = new byte[CARD_BYTES];
        try (CardMemory card = new CardMemory(2 * MIB);
                Device device = Device.open(name);
                Buffer peer = device.map(card);
                Buffer own = device.allocate(2 * MIB)) {
            assertThat(peer.size()).isEqualTo(2 * MIB);
            assertThat(peer.segment().byteSize()).isZero();
            assertThat(peer.segment().address()).isEqualTo(card.address());
            for (int round = 0; round < 300; round++) {
                int bytes = 512 << random.nextInt(1, 12);
                long offset = 4L * random.nextInt((2 * MIB - bytes) / 4);
                int lba = random.nextInt((CARD_BYTES - bytes) / 512);
                Buffer buffer = random.nextInt(3) == 0 ? own : peer;
                MemorySegment inside = buffer == own ? own.segment() : card.inside();
                if (random.nextBoolean()) {
                    byte[] content = new byte[bytes];
                    random.nextBytes(content);
                    MemorySegment.copy(content, 0, inside, ValueLayout.JAVA_BYTE, offset, bytes);
                    System.arraycopy(content, 0, model, lba * 512, bytes);
                    device.write(lba, buffer, offset, bytes);
                } else {
                    device.read(lba, buffer, offset, bytes);
                    assertThat(inside.asSlice(offset, bytes)
                                    .mismatch(MemorySegment.ofArray(model).asSlice(lba * 512L, bytes)))
                            .as("round %d: %d bytes from LBA %d to %d", round, bytes, lba, offset)
                            .isEqualTo(-1);
                }
            }
        }
    }

    @Test
    void comparesWithIt() throws Exception {
        try (Rig rig = rig()) {
            rig.fill(512, 4096, 1);
            assertThat(rig.io.status(rig.transfer(Opcode.WRITE, 3, 8, 512))).isZero();
            assertThat(rig.io.status(rig.transfer(Opcode.COMPARE, 3, 8, 512))).isZero();
            rig.card.inside().set(ValueLayout.JAVA_BYTE, 512 + 4095, (byte) ~rig.inside(512 + 4095, 1)[0]);
            assertThat(rig.io.status(rig.transfer(Opcode.COMPARE, 3, 8, 512))).isEqualTo(Status.COMPARE_FAILURE);
        }
    }

    @Test
    void takesRangesToDeallocateFromIt() throws Exception {
        try (Rig rig = rig()) {
            rig.fill(0, 8192, 2);
            assertThat(rig.io.status(rig.transfer(Opcode.WRITE, 0, 16, 0))).isZero();
            MemorySegment ranges = rig.card.inside().asSlice(65536 + 4080);
            Wire.i32(ranges, DatasetRange.NLB, 4);
            Wire.i64(ranges, DatasetRange.SLBA, 2);
            Wire.i32(ranges, DatasetRange.BYTES + DatasetRange.NLB, 1);
            Wire.i64(ranges, DatasetRange.BYTES + DatasetRange.SLBA, 9);
            assertThat(rig.io.status(Host.Entry.of(Opcode.DATASET_MANAGEMENT, 1)
                            .prps(rig.mapped.iova(65536 + 4080), rig.mapped.iova(65536 + 4096))
                            .dwords(1, DatasetRange.DEALLOCATE)))
                    .isZero();
            byte[] before = rig.inside(0, 8192);
            assertThat(rig.io.status(rig.transfer(Opcode.READ, 0, 16, MIB))).isZero();
            for (int lba = 0; lba < 16; lba++) {
                boolean gone = (lba >= 2 && lba < 6) || lba == 9;
                byte[] expected = new byte[512];
                if (!gone) {
                    System.arraycopy(before, lba * 512, expected, 0, 512);
                }
                assertThat(rig.inside(MIB + lba * 512, 512)).as("LBA %d", lba).isEqualTo(expected);
            }
        }
    }

    @Test
    void followsListsThatLieInItFromPageToPage() throws Exception {
        try (Rig rig = new Rig(EmuConfiguration.memory(16 * MIB).withMdts(11))) {
            int pages = 1200;
            int bytes = pages * 4096;
            CardMemory data = new CardMemory(bytes);
            try (data) {
                DmaMemory there = rig.host.function.map(data);
                byte[] content = new byte[bytes];
                new Random(4).nextBytes(content);
                MemorySegment.copy(content, 0, data.inside(), ValueLayout.JAVA_BYTE, 0, bytes);
                // The first page is in PRP1; entries from the middle of a page on, then of whole pages, in reverse.
                long list = 2048;
                for (int i = 1; i < pages; i++) {
                    if (list % 4096 == 4088 && i != pages - 1) {
                        Wire.i64(rig.card.inside(), list, rig.mapped.iova(list + 8));
                        list += 8;
                    }
                    Wire.i64(rig.card.inside(), list, there.iova((long) (pages - i) * 4096));
                    list += 8;
                }
                Host.Entry write = rig.host.io(Opcode.WRITE, 0, bytes / 512).prps(there.iova(0), rig.mapped.iova(2048));
                assertThat(rig.io.status(write)).isZero();
                data.inside().fill((byte) 0);
                assertThat(rig.io.status(
                                rig.host.io(Opcode.READ, 0, bytes / 512).prps(there.iova(0), rig.mapped.iova(2048))))
                        .isZero();
                assertThat(data.inside().mismatch(MemorySegment.ofArray(content)))
                        .isEqualTo(-1);
                rig.card.failures.set(1);
                assertThat(rig.io.status(write)).isEqualTo(Status.DATA_TRANSFER_ERROR);
                there.close();
                assertThat(rig.io.status(write)).isEqualTo(Status.DATA_TRANSFER_ERROR);
            }
        }
    }

    @Test
    void followsSegmentsOfAnSglThatLieInIt() throws Exception {
        try (Rig rig = rig()) {
            byte[] content = rig.fill(0, 4096, 6);
            MemorySegment lists = rig.card.inside().asSlice(MIB, 4096);
            Sgl.put(lists, 0, rig.mapped.iova(0), Sgl.word1(Sgl.DATA_BLOCK, 1000));
            Sgl.put(lists, 16, rig.mapped.iova(MIB + 64), Sgl.word1(Sgl.LAST_SEGMENT, 32));
            Sgl.put(lists, 64, rig.mapped.iova(1000), Sgl.word1(Sgl.DATA_BLOCK, 3000));
            Sgl.put(lists, 80, rig.mapped.iova(4000), Sgl.word1(Sgl.DATA_BLOCK, 96));
            Host.Entry write = rig.host
                    .io(Opcode.WRITE, 40, 8)
                    .prps(rig.mapped.iova(MIB), Sgl.word1(Sgl.SEGMENT, 32))
                    .flags(Sgl.PSDT << 14);
            assertThat(rig.io.status(write)).isZero();
            assertThat(rig.io.status(rig.transfer(Opcode.READ, 40, 8, 8192))).isZero();
            assertThat(rig.inside(8192, 4096)).isEqualTo(content);
            rig.card.failures.set(1);
            assertThat(rig.io.status(write)).isEqualTo(Status.DATA_TRANSFER_ERROR);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void carriesMetadataInItBesideTheDataOrAmongIt(boolean extended) throws Exception {
        EmuConfiguration configuration = EmuConfiguration.memory(MIB)
                .withMetadata(new EmuConfiguration.Metadata(16, extended, 0, false, Guard.CRC16));
        try (Rig rig = new Rig(configuration)) {
            int bytes = extended ? 4 * 528 : 4 * 512;
            byte[] content = rig.fill(4096, bytes, 7);
            byte[] metadata = rig.fill(MIB, 64, 8);
            assertThat(status(rig, rig.transfer(Opcode.WRITE, 5, 4, 4096), rig.mapped.iova(MIB)))
                    .isZero();
            assertThat(status(rig, rig.transfer(Opcode.READ, 5, 4, 65536), rig.mapped.iova(MIB + 4096)))
                    .isZero();
            assertThat(rig.inside(65536, bytes)).isEqualTo(content);
            assertThat(rig.inside(MIB + 4096, 64)).isEqualTo(extended ? new byte[64] : metadata);
            assertThat(status(rig, rig.transfer(Opcode.COMPARE, 5, 4, 65536), rig.mapped.iova(MIB + 4096)))
                    .isZero();
            rig.card.failures.set(1);
            assertThat(status(rig, rig.transfer(Opcode.WRITE, 5, 4, 4096), rig.mapped.iova(MIB)))
                    .isEqualTo(Status.DATA_TRANSFER_ERROR);
        }
    }

    /** A command with a metadata pointer. */
    private static int status(Rig rig, Host.Entry entry, long mptr) {
        long at = (long) rig.io.tail * Sqe.BYTES;
        rig.io.put(entry, 7);
        Wire.i64(rig.io.sq.segment(), at + Sqe.MPTR, mptr);
        rig.io.ring();
        rig.host.await(rig.io::ready);
        int status = rig.io.take().status().code();
        rig.io.release();
        return status;
    }

    @Test
    void deliversPagesOfAdminCommandsToIt() throws Exception {
        try (Rig rig = rig()) {
            rig.card.inside().fill((byte) 0x5C);
            Host.Ring admin = rig.host.admin;
            long second = rig.mapped.iova(8192);
            assertThat(admin.status(Host.Entry.of(Opcode.IDENTIFY, 0)
                            .prps(rig.mapped.iova(512), rig.mapped.iova(4096))
                            .dwords(Identify.CNS_CONTROLLER, 0)))
                    .isZero();
            assertThat(Wire.ascii(rig.card.inside(), 512 + IdentifyController.SN, 20))
                    .isEqualTo("AISIO0001");
            // A log page that is asked for beyond its end is zeroes there.
            assertThat(admin.status(Host.Entry.of(Opcode.GET_LOG_PAGE, -1)
                            .prps(rig.mapped.iova(4096), second)
                            .dwords(1535 << 16 | LogPage.SMART, 0)))
                    .isZero();
            assertThat(rig.inside(4096 + 512, 6144 - 512)).containsOnly(0);
            assertThat(rig.inside(4096 + 6144, 1)).containsExactly(0x5C);
            rig.card.failures.set(1);
            assertThat(admin.status(Host.Entry.of(Opcode.IDENTIFY, 0)
                            .prps(rig.mapped.iova(0), 0)
                            .dwords(Identify.CNS_CONTROLLER, 0)))
                    .isEqualTo(Status.DATA_TRANSFER_ERROR);
        }
    }

    @Test
    void tellsOfACopyThatFailedAndGoesOn() throws Exception {
        try (Rig rig = rig()) {
            rig.fill(0, 4096, 9);
            for (int opcode : new int[] {Opcode.WRITE, Opcode.READ, Opcode.COMPARE}) {
                rig.card.failures.set(1);
                Host.Done done = rig.io.run(rig.transfer(opcode, 0, 8, 0));
                assertThat(done.status().code()).as("opcode %d", opcode).isEqualTo(Status.DATA_TRANSFER_ERROR);
                assertThat(done.status().doNotRetry()).isTrue();
                assertThat(rig.io.status(rig.transfer(opcode, 0, 8, 0))).isZero();
            }
        }
    }

    @Test
    void tellsOfMemoryThatIsFreedOrTakenAway() throws Exception {
        try (Rig rig = rig()) {
            Host.Entry read = rig.transfer(Opcode.READ, 0, 8, 0);
            assertThat(rig.io.status(read)).isZero();
            rig.card.close();
            assertThat(rig.io.status(read)).isEqualTo(Status.DATA_TRANSFER_ERROR);
            assertThatThrownBy(() -> rig.mapped.iova(0)).isInstanceOf(IllegalStateException.class);
            rig.mapped.close();
            rig.mapped.close();
            assertThat(rig.mapped.segment().scope().isAlive()).isFalse();
            assertThat(rig.io.status(read)).isEqualTo(Status.DATA_TRANSFER_ERROR);
            assertThatThrownBy(() -> rig.host.function.map(rig.card)).isInstanceOf(IllegalStateException.class);
            assertThat(rig.io.status(rig.host.io(Opcode.READ, 0, 8))).isZero();
        }
    }

    @Test
    void takesNoQueuesInIt() throws Exception {
        try (Rig rig = rig()) {
            Host.Ring admin = rig.host.admin;
            assertThat(admin.status(Host.Entry.of(Opcode.CREATE_IO_CQ, 0)
                            .prps(rig.mapped.iova(0), 0)
                            .dwords(15 << 16 | 2, 1)))
                    .isEqualTo(Status.INVALID_FIELD);
            assertThat(admin.status(Host.Entry.of(Opcode.CREATE_IO_SQ, 0)
                            .prps(rig.mapped.iova(4096), 0)
                            .dwords(15 << 16 | 2, 1 << 16 | 1)))
                    .isEqualTo(Status.INVALID_FIELD);
        }
    }

    @Test
    void spoilsWhatItDeliversThereAsAnywhere() throws Exception {
        EmuConfiguration configuration = EmuConfiguration.memory(MIB)
                .withFaults(FaultPlan.parse("corrupt@read.lba3:1,torn@read:2,put=100/abcd@read:3"));
        try (Rig rig = new Rig(configuration)) {
            byte[] content = rig.fill(0, 4096, 10);
            assertThat(rig.io.status(rig.transfer(Opcode.WRITE, 0, 8, 0))).isZero();
            assertThat(rig.io.status(rig.transfer(Opcode.READ, 0, 8, 8192))).isZero();
            byte[] corrupt = rig.inside(8192, 4096);
            int different = 0;
            for (int i = 0; i < 4096; i++) {
                different += Integer.bitCount((corrupt[i] ^ content[i]) & 0xFF);
            }
            assertThat(different).as("bits that differ").isEqualTo(1);
            assertThat(rig.io.status(rig.transfer(Opcode.READ, 0, 8, 8192))).isZero();
            assertThat(rig.inside(8192, 2048)).isEqualTo(Arrays.copyOf(content, 2048));
            assertThat(rig.inside(8192 + 2048, 2048)).containsOnly(0);
            assertThat(rig.io.status(rig.transfer(Opcode.READ, 0, 8, 8192))).isZero();
            assertThat(rig.inside(8192 + 100, 2)).containsExactly(0xAB, 0xCD);
        }
    }

    @Test
    void bindsNoCommandToItOnceItIsFreed() throws Exception {
        try (Device device = Device.open("emu:1MiB")) {
            CardMemory card = new CardMemory(65536);
            try (Buffer buffer = device.map(card);
                    Queue queue = device.openQueue(1)) {
                card.failures.set(1);
                assertThatThrownBy(() -> device.read(0, buffer, 0, 4096))
                        .isInstanceOfSatisfying(
                                NvmeException.class,
                                e -> assertThat(e.getMessage()).contains("Data Transfer Error"));
                device.read(0, buffer, 0, 4096);
                card.close();
                assertThatThrownBy(() -> queue.bindRead(0, buffer, 0, 4096)).isInstanceOf(IllegalStateException.class);
            }
        }
    }

    @Test
    void saysThatAPathThroughTheKernelLeadsToNone() throws Exception {
        Path image = folder.resolve("other");
        Files.write(image, new byte[MIB]);
        try (CardMemory card = new CardMemory(65536);
                Device device = Device.open("file:" + image)) {
            assertThatThrownBy(() -> device.map(card))
                    .isInstanceOf(UnsupportedOperationException.class)
                    .hasMessageContaining("reaches no memory of other devices")
                    .hasMessageContaining("next:");
        }
    }
}
