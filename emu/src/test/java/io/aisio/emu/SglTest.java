package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Sgl;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.DmaMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SglTest {
    private static final int PSDT_SGL = Sgl.PSDT << 14;
    private static final int BLOCKS = 16;
    private static final int BYTES = BLOCKS * 512;

    private Host host;
    private Host.Ring io;
    private DmaMemory lists;

    @BeforeEach
    void open() throws Exception {
        host = Host.ready(EmuConfiguration.memory(1 << 20).withSgl(true));
        io = host.createQueue(1, 16);
        lists = host.function.allocate(2 << 20);
    }

    @AfterEach
    void close() {
        host.close();
    }

    private Host.Entry transfer(int opcode, long address, long word1) {
        return host.io(opcode, 8, BLOCKS).prps(address, word1).flags(PSDT_SGL);
    }

    private void descriptor(long at, int type, long address, int length) {
        Sgl.put(lists.segment(), at, address, Sgl.word1(type, length));
    }

    @Test
    void readsWhatWasWrittenFromPiecesOfAnySizeAndPlace() {
        MemorySegment data = host.data.segment();
        for (int i = 0; i < BYTES; i++) {
            data.set(ValueLayout.JAVA_BYTE, i, (byte) (i * 31 + i / 256));
        }
        byte[] expected = data.asSlice(0, BYTES).toArray(ValueLayout.JAVA_BYTE);
        assertThat(io.status(transfer(Opcode.WRITE, host.data.iova(0), Sgl.word1(Sgl.DATA_BLOCK, BYTES))))
                .isZero();
        SplittableRandom random = new SplittableRandom(1);
        for (int round = 0; round < 100; round++) {
            // Pieces in turn, each after a gap; segments of a few descriptors.
            int perSegment = 2 + random.nextInt(6);
            int done = 0;
            long place = 1 << 20;
            long at = 0;
            int inSegment = 0;
            long[] places = new long[BYTES];
            while (done < BYTES) {
                int length = Math.min(BYTES - done, 1 + random.nextInt(1000));
                if (inSegment == perSegment - 1 && done + length < BYTES) {
                    descriptor(at, Sgl.SEGMENT, lists.iova(at + 64), perSegment * Sgl.BYTES);
                    at += 64;
                    inSegment = 0;
                }
                place += random.nextInt(5);
                descriptor(at, Sgl.DATA_BLOCK, host.data.iova(place), length);
                for (int i = 0; i < length; i++) {
                    places[done + i] = place + i;
                }
                place += length;
                done += length;
                at += Sgl.BYTES;
                inSegment++;
            }
            // The last segment is as long as what it has, so it is told to be the last one.
            closeLastSegment(at, inSegment);
            data.asSlice(1 << 20, 1 << 20).fill((byte) 0);
            boolean one = at == (long) inSegment * Sgl.BYTES;
            assertThat(io.status(transfer(
                            Opcode.READ,
                            lists.iova(0),
                            Sgl.word1(one ? Sgl.LAST_SEGMENT : Sgl.SEGMENT, (one ? inSegment : perSegment) * 16))))
                    .as("round %d", round)
                    .isZero();
            for (int i = 0; i < BYTES; i++) {
                assertThat(data.get(ValueLayout.JAVA_BYTE, places[i]))
                        .as("round %d, byte %d", round, i)
                        .isEqualTo(expected[i]);
            }
        }
    }

    private void closeLastSegment(long at, int inSegment) {
        long start = at - (long) inSegment * Sgl.BYTES;
        if (start > 0) {
            descriptor(start - 64, Sgl.LAST_SEGMENT, lists.iova(start), inSegment * Sgl.BYTES);
        }
    }

    @Test
    void refusesWhatIsNoProperList() {
        long data = host.data.iova(0);
        long list = lists.iova(0);
        assertThat(io.status(transfer(Opcode.READ, data, Sgl.word1(Sgl.DATA_BLOCK, BYTES - 1))))
                .isEqualTo(Status.INVALID_SGL_LENGTH);
        assertThat(io.status(transfer(Opcode.READ, data, Sgl.word1(Sgl.DATA_BLOCK, -1))))
                .isEqualTo(Status.INVALID_SGL_LENGTH);
        assertThat(io.status(transfer(Opcode.READ, data, Sgl.word1(1, BYTES)))).isEqualTo(Status.INVALID_SGL_TYPE);
        assertThat(io.status(transfer(Opcode.READ, list, Sgl.word1(Sgl.LAST_SEGMENT, 0))))
                .isEqualTo(Status.INVALID_SGL_SEGMENT);
        assertThat(io.status(transfer(Opcode.READ, list, Sgl.word1(Sgl.LAST_SEGMENT, 17))))
                .isEqualTo(Status.INVALID_SGL_SEGMENT);
        assertThat(io.status(transfer(Opcode.READ, list, Sgl.word1(Sgl.LAST_SEGMENT, 16 << 20))))
                .isEqualTo(Status.INVALID_SGL_COUNT);
        assertThat(io.status(transfer(Opcode.READ, 0, Sgl.word1(Sgl.LAST_SEGMENT, 16))))
                .isEqualTo(Status.DATA_TRANSFER_ERROR);
        descriptor(0, Sgl.DATA_BLOCK, data, BYTES / 2);
        assertThat(io.status(transfer(Opcode.READ, list, Sgl.word1(Sgl.LAST_SEGMENT, 16))))
                .as("too short")
                .isEqualTo(Status.INVALID_SGL_LENGTH);
        assertThat(io.status(transfer(Opcode.READ, list, Sgl.word1(Sgl.SEGMENT, 16))))
                .as("data where the next segment is expected")
                .isEqualTo(Status.INVALID_SGL_SEGMENT);
        descriptor(0, Sgl.LAST_SEGMENT, list, 16);
        descriptor(16, Sgl.DATA_BLOCK, data, BYTES);
        assertThat(io.status(transfer(Opcode.READ, list, Sgl.word1(Sgl.LAST_SEGMENT, 32))))
                .as("a segment before the end")
                .isEqualTo(Status.INVALID_SGL_SEGMENT);
    }

    @Test
    void givesUpOnAListWithoutAnEnd() {
        descriptor(0, Sgl.DATA_BLOCK, host.data.iova(0), 0);
        descriptor(16, Sgl.SEGMENT, lists.iova(0), 32);
        assertThat(io.status(transfer(Opcode.READ, lists.iova(0), Sgl.word1(Sgl.SEGMENT, 32))))
                .isEqualTo(Status.INVALID_SGL_COUNT);
    }

    @Test
    void staysInItsMemoryWhateverTheListSays() {
        SplittableRandom random = new SplittableRandom(2);
        for (int round = 0; round < 3000; round++) {
            for (int i = 0; i < 8; i++) {
                long address = random.nextBoolean()
                        ? host.data.iova(random.nextInt(1 << 20))
                        : random.nextBoolean() ? lists.iova(random.nextInt(8) * 16L) : random.nextLong();
                int length = random.nextBoolean() ? random.nextInt(BYTES) : random.nextInt() & ~15;
                Sgl.put(
                        lists.segment(),
                        i * 16L,
                        address,
                        Sgl.word1(random.nextInt(5), length) | (random.nextInt(20) == 0 ? random.nextLong() : 0));
            }
            int type = random.nextInt(4);
            Host.Done done = io.run(transfer(
                    random.nextBoolean() ? Opcode.READ : Opcode.WRITE,
                    lists.iova(0),
                    Sgl.word1(type, 16 * random.nextInt(9))));
            assertThat(done.status().code()).isBetween(0, 0x7FF);
        }
        assertThat(host.csts()).isEqualTo(1);
    }

    @Test
    void refusesSglsWhereItHasNone() throws Exception {
        try (Host without = Host.ready(EmuConfiguration.memory(1 << 20))) {
            Host.Ring ring = without.createQueue(1, 16);
            assertThat(ring.status(without.io(Opcode.READ, 0, 1)
                            .prps(without.data.iova(0), Sgl.word1(Sgl.DATA_BLOCK, 512))
                            .flags(PSDT_SGL)))
                    .isEqualTo(Status.INVALID_FIELD);
        }
        assertThat(host.admin.status(Host.Entry.of(Opcode.IDENTIFY, 0)
                        .prps(host.data.iova(0), Sgl.word1(Sgl.DATA_BLOCK, 4096))
                        .dwords(1, 0)
                        .flags(PSDT_SGL)))
                .as("admin commands have PRPs")
                .isEqualTo(Status.INVALID_FIELD);
        assertThat(io.status(host.io(Opcode.READ, 0, 16))).as("PRPs go on").isZero();
    }
}
