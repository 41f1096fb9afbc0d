package io.aisio.emu;

import static io.aisio.emu.Host.Entry.of;
import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.spec.Feature;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class NvmCommandTest {
    private static final int SIZE = 2 << 20;

    @TempDir
    private Path folder;

    private enum On {
        MEMORY,
        MEMORY_OF_4096,
        FILE
    }

    private EmuConfiguration on(On medium) throws IOException {
        return switch (medium) {
            case MEMORY -> EmuConfiguration.memory(SIZE);
            case MEMORY_OF_4096 -> EmuConfiguration.memory(SIZE).withLbaBytes(4096);
            case FILE -> EmuConfiguration.image(image(SIZE));
        };
    }

    private Path image(long bytes) throws IOException {
        Path path = folder.resolve("image");
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(bytes);
        }
        return path;
    }

    /** Random commands, each checked against a plain array. */
    @ParameterizedTest
    @EnumSource(On.class)
    void keepWhatAnArrayWouldKeep(On medium) throws Exception {
        try (Host host = Host.ready(on(medium))) {
            Host.Ring io = host.createQueue(1, 16);
            int lba = host.controller.configuration().lbaBytes();
            int blocks = SIZE / lba;
            byte[] oracle = new byte[SIZE];
            SplittableRandom random = new SplittableRandom(7);
            MemorySegment data = host.data.segment();
            for (int i = 0; i < 3000; i++) {
                int start = random.nextInt(blocks);
                int count = 1 + random.nextInt(Math.min(blocks - start, 16384 / lba));
                int from = start * lba;
                int bytes = count * lba;
                switch (random.nextInt(6)) {
                    case 0, 1 -> {
                        byte[] written = new byte[bytes];
                        random.nextBytes(written);
                        MemorySegment.copy(written, 0, data, ValueLayout.JAVA_BYTE, 0, bytes);
                        long fua = random.nextBoolean() ? 1L << 30 : 0;
                        assertThat(io.status(contiguous(host, Opcode.WRITE, start, count, bytes, fua)))
                                .isZero();
                        System.arraycopy(written, 0, oracle, from, bytes);
                    }
                    case 2 -> {
                        assertThat(io.status(contiguous(host, Opcode.WRITE_ZEROES, start, count, bytes, 1 << 25)))
                                .isZero();
                        Arrays.fill(oracle, from, from + bytes, (byte) 0);
                    }
                    case 3 -> {
                        Wire.i32(data, 0, 0);
                        Wire.i32(data, 4, count);
                        Wire.i64(data, 8, start);
                        assertThat(io.status(of(Opcode.DATASET_MANAGEMENT, 1)
                                        .prps(host.data.iova(0), 0)
                                        .dwords(0, 1 << 2)))
                                .isZero();
                        Arrays.fill(oracle, from, from + bytes, (byte) 0);
                    }
                    case 4 -> {
                        MemorySegment.copy(oracle, from, data, ValueLayout.JAVA_BYTE, 0, bytes);
                        boolean differ = random.nextBoolean();
                        if (differ) {
                            int at = random.nextInt(bytes);
                            data.set(ValueLayout.JAVA_BYTE, at, (byte) (oracle[from + at] + 1));
                        }
                        assertThat(io.status(contiguous(host, Opcode.COMPARE, start, count, bytes, 0)))
                                .isEqualTo(differ ? Status.COMPARE_FAILURE : 0);
                    }
                    default -> {
                        data.asSlice(0, bytes).fill((byte) 0x3C);
                        assertThat(io.status(contiguous(host, Opcode.READ, start, count, bytes, 0)))
                                .isZero();
                        assertThat(data.asSlice(0, bytes)
                                        .mismatch(MemorySegment.ofArray(oracle).asSlice(from, bytes)))
                                .isEqualTo(-1);
                    }
                }
            }
            assertThat(io.status(of(Opcode.FLUSH, Identify.ALL_NAMESPACES))).isZero();
            assertThat(io.status(host.io(Opcode.VERIFY, 0, 256))).isZero();
            if (medium == On.FILE) {
                assertThat(Files.readAllBytes(folder.resolve("image"))).isEqualTo(oracle);
            }
        }
    }

    /** Data at the start of the host's buffer, with a PRP list at its end. */
    private static Host.Entry contiguous(Host host, int opcode, long lba, int blocks, int bytes, long cdw12) {
        long list = host.data.size() - 4096;
        for (int page = 1; page * 4096 < bytes; page++) {
            Wire.i64(host.data.segment(), list + (page - 1) * 8L, host.data.iova(page * 4096L));
        }
        return of(opcode, 1)
                .cdw12(cdw12)
                .blocks(lba, blocks)
                .prps(host.data.iova(0), host.data.iova(bytes > 8192 ? list : 4096));
    }

    @Test
    void areRefusedByTheStatusThatTheSpecificationNames() throws Exception {
        try (Host host = Host.ready(EmuConfiguration.memory(SIZE).withMdts(2))) {
            Host.Ring io = host.createQueue(1, 16);
            int[] ranged = {Opcode.READ, Opcode.WRITE, Opcode.COMPARE, Opcode.WRITE_ZEROES, Opcode.VERIFY};
            for (int opcode : ranged) {
                for (long lba : new long[] {4096, 4095 + 1, Long.MAX_VALUE, -1, Long.MIN_VALUE, -4}) {
                    Host.Done done = io.run(host.io(opcode, lba, 1));
                    assertThat(done.status().code()).isEqualTo(Status.LBA_OUT_OF_RANGE);
                    assertThat(done.status().doNotRetry()).isTrue();
                }
                assertThat(io.status(host.io(opcode, 4090, 7))).isEqualTo(Status.LBA_OUT_OF_RANGE);
                assertThat(io.status(host.io(opcode, 0, 65536))).isEqualTo(Status.LBA_OUT_OF_RANGE);
                assertThat(io.status(host.io(opcode, 4095, 1))).isIn(0, Status.COMPARE_FAILURE);
            }
            for (int opcode : new int[] {Opcode.READ, Opcode.WRITE, Opcode.COMPARE}) {
                assertThat(io.status(host.io(opcode, 0, 33))).as("over MDTS").isEqualTo(Status.INVALID_FIELD);
            }
            assertThat(io.status(host.io(Opcode.WRITE_ZEROES, 0, 4096)))
                    .as("no data, no MDTS")
                    .isZero();
            for (int opcode : new int[] {
                Opcode.READ,
                Opcode.WRITE,
                Opcode.COMPARE,
                Opcode.WRITE_ZEROES,
                Opcode.VERIFY,
                Opcode.FLUSH,
                Opcode.DATASET_MANAGEMENT
            }) {
                for (int nsid : new int[] {0, 2, -2}) {
                    assertThat(io.status(of(opcode, nsid).prps(host.data.iova(0), 0)))
                            .isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
                }
                for (int flag : new int[] {1 << 8, 2 << 8, 1 << 14, 2 << 14}) {
                    assertThat(io.status(host.io(opcode, 0, 1).flags(flag))).isEqualTo(Status.INVALID_FIELD);
                }
            }
            for (int opcode : new int[] {0x0D, 0x0E, 0x11, 0x12, 0x15, 0x1D, 0x79, 0x7A, 0x7D, 0x80, 0xFF}) {
                assertThat(io.status(of(opcode, 1))).isEqualTo(Status.INVALID_OPCODE);
            }
            Wire.i32(host.data.segment(), 4, 2);
            Wire.i64(host.data.segment(), 8, 4095);
            assertThat(io.status(of(Opcode.DATASET_MANAGEMENT, 1)
                            .prps(host.data.iova(0), 0)
                            .dwords(0, 4)))
                    .isEqualTo(Status.LBA_OUT_OF_RANGE);
        }
    }

    @Test
    void leaveReadOnlyMediaAsTheyAre() throws Exception {
        Path image = image(1 << 20);
        assertThat(image.toFile().setReadOnly()).isTrue();
        try (Host host = Host.ready(EmuConfiguration.image(image).withReadOnly(true))) {
            Host.Ring io = host.createQueue(1, 16);
            assertThat(io.status(host.io(Opcode.WRITE, 0, 1))).isEqualTo(Status.NAMESPACE_WRITE_PROTECTED);
            assertThat(io.status(host.io(Opcode.WRITE_ZEROES, 0, 1))).isEqualTo(Status.NAMESPACE_WRITE_PROTECTED);
            assertThat(io.status(host.io(Opcode.DATASET_MANAGEMENT, 0, 1).dwords(0, 4)))
                    .isEqualTo(Status.NAMESPACE_WRITE_PROTECTED);
            assertThat(io.status(host.io(Opcode.READ, 0, 1))).isZero();
            assertThat(io.status(of(Opcode.FLUSH, 1))).isZero();
        }
    }

    @Test
    void failAsUnrecoveredWhereAnImageWasCutShort() throws Exception {
        Path image = image(1 << 20);
        try (Host host = Host.ready(EmuConfiguration.image(image))) {
            Host.Ring io = host.createQueue(1, 16);
            try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
                file.setLength(4096);
            }
            assertThat(io.status(host.io(Opcode.READ, 0, 8))).isZero();
            assertThat(io.status(host.io(Opcode.READ, 8, 1))).isEqualTo(Status.UNRECOVERED_READ_ERROR);
            assertThat(io.status(host.io(Opcode.VERIFY, 0, 16))).isEqualTo(Status.UNRECOVERED_READ_ERROR);
        }
    }

    @Test
    void failAsCapacityExceededWhereTheDiskIsFull() throws Exception {
        Path full = Path.of("/dev/full");
        org.junit.jupiter.api.Assumptions.assumeTrue(Files.isWritable(full), "needs /dev/full");
        try (io.aisio.linux.OpenFile file =
                        io.aisio.linux.OpenFile.open(full, io.aisio.linux.OpenFile.Access.READ_WRITE);
                io.aisio.linux.Mapping data = io.aisio.linux.Mapping.anonymous(4096)) {
            FileMedia media = new FileMedia(file, 4096, false, data, data);
            assertThat(media.write(0, data.segment(), 0, 512)).isEqualTo(Status.CAPACITY_EXCEEDED);
        }
    }

    @Test
    void workWithTheWriteCacheOff() throws Exception {
        try (Host host = Host.ready(EmuConfiguration.image(image(1 << 20)))) {
            Host.Ring io = host.createQueue(1, 16);
            assertThat(host.admin.status(of(Opcode.SET_FEATURES, 0).dwords(Feature.VOLATILE_WRITE_CACHE, 0)))
                    .isZero();
            host.data.segment().fill((byte) 5);
            assertThat(io.status(host.io(Opcode.WRITE, 1, 1))).isZero();
            assertThat(Files.readAllBytes(folder.resolve("image"))[512]).isEqualTo((byte) 5);
        }
    }

    @Test
    void reachEachNamespaceOnItsOwn() throws Exception {
        try (Host host = Host.ready(EmuConfiguration.memory(SIZE).withNamespaces(2))) {
            Host.Ring io = host.createQueue(1, 16);
            host.data.segment().fill((byte) 9);
            assertThat(io.status(of(Opcode.WRITE, 2).prps(host.data.iova(0), 0)))
                    .isZero();
            assertThat(io.status(of(Opcode.READ, 1).prps(host.data.iova(0), 0))).isZero();
            assertThat(Wire.u8(host.data.segment(), 0)).isZero();
            assertThat(io.status(of(Opcode.READ, 2).prps(host.data.iova(0), 0))).isZero();
            assertThat(Wire.u8(host.data.segment(), 511)).isEqualTo(9);
        }
    }
}
