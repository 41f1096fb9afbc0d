package io.aisio.emu;

import static io.aisio.nvme.spec.Protection.CHECK_APPLICATION_TAG;
import static io.aisio.nvme.spec.Protection.CHECK_GUARD;
import static io.aisio.nvme.spec.Protection.CHECK_REFERENCE_TAG;
import static io.aisio.nvme.spec.Protection.CHECK_STORAGE_TAG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.BlockProtection;
import io.aisio.nvme.DriverPassthrough;
import io.aisio.nvme.Guard;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Prinfo;
import io.aisio.nvme.command.LbaRange;
import io.aisio.nvme.command.NvmCommandSet;
import io.aisio.nvme.spec.Protection;
import io.aisio.nvme.spec.Status;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Metadata, separate and at the end of each block, and protection information of every type and guard in it. */
class ProtectionTest {
    private static final int BLOCKS = 512;

    static Stream<EmuConfiguration> configurations() {
        List<EmuConfiguration> all = new ArrayList<>();
        for (Guard guard : Guard.values()) {
            for (int type = 1; type <= 3; type++) {
                for (int bytes : new int[] {8, 16, 64}) {
                    if (bytes >= guard.bytes()) {
                        boolean extended = (type + bytes & 1) == 0;
                        for (boolean first : new boolean[] {false, true}) {
                            int lba = bytes == 64 ? 4096 : 512;
                            all.add(EmuConfiguration.memory((long) BLOCKS * lba)
                                    .withLbaBytes(lba)
                                    .withMetadata(new EmuConfiguration.Metadata(
                                            bytes, extended ^ first, type, first, guard)));
                        }
                    }
                }
            }
        }
        return all.stream();
    }

    /** Blocks as a command takes them, and what is in them. */
    private record Content(MemorySegment data, MemorySegment metadata) {
        MemorySegment wire(NvmCommandSet nvm) {
            int lba = nvm.namespace().lbaBytes();
            int beside = nvm.namespace().metadataBytes();
            if (!nvm.namespace().extendedLba()) {
                return data;
            }
            int count = (int) (data.byteSize() / lba);
            MemorySegment all = MemorySegment.ofArray(new byte[count * (lba + beside)]);
            for (int i = 0; i < count; i++) {
                MemorySegment.copy(data, (long) i * lba, all, (long) i * (lba + beside), lba);
                MemorySegment.copy(metadata, (long) i * beside, all, (long) i * (lba + beside) + lba, beside);
            }
            return all;
        }

        MemorySegment wireMetadata(NvmCommandSet nvm) {
            return nvm.namespace().extendedLba() ? MemorySegment.NULL : metadata;
        }
    }

    private static Content random(NvmCommandSet nvm, Random random, int count) {
        byte[] data = new byte[count * nvm.namespace().lbaBytes()];
        byte[] metadata = new byte[count * nvm.namespace().metadataBytes()];
        random.nextBytes(data);
        random.nextBytes(metadata);
        return new Content(MemorySegment.ofArray(data), MemorySegment.ofArray(metadata));
    }

    private static Content read(NvmCommandSet nvm, long lba, int count, Prinfo prinfo) throws IOException {
        int block = nvm.namespace().lbaBytes();
        int beside = nvm.namespace().metadataBytes();
        Content got = new Content(
                MemorySegment.ofArray(new byte[count * block]), MemorySegment.ofArray(new byte[count * beside]));
        if (!nvm.namespace().extendedLba()) {
            nvm.read(lba, got.data, got.metadata, prinfo);
            return got;
        }
        MemorySegment all = MemorySegment.ofArray(new byte[count * (block + beside)]);
        nvm.read(lba, all, MemorySegment.NULL, prinfo);
        for (int i = 0; i < count; i++) {
            MemorySegment.copy(all, (long) i * (block + beside), got.data, (long) i * block, block);
            MemorySegment.copy(all, (long) i * (block + beside) + block, got.metadata, (long) i * beside, beside);
        }
        return got;
    }

    private static int code(Call call) throws IOException {
        try {
            call.run();
            return Status.SUCCESS;
        } catch (NvmeException e) {
            if (e.status() == null) {
                throw e;
            }
            return e.status().code();
        }
    }

    private interface Call {
        void run() throws IOException;
    }

    private static int all(BlockProtection protection) {
        return CHECK_GUARD
                | CHECK_APPLICATION_TAG
                | (protection.type() == 3 ? 0 : CHECK_REFERENCE_TAG)
                | (protection.guard() == Guard.CRC32C ? CHECK_STORAGE_TAG : 0);
    }

    private static Prinfo prinfo(BlockProtection protection, long lba, int tag) {
        return new Prinfo(all(protection), lba, tag, 0xFFFF, protection.guard() == Guard.CRC32C ? 0x77 : 0);
    }

    @ParameterizedTest
    @MethodSource("configurations")
    void checksWhatTheHostSendsAndWhatIsStored(EmuConfiguration configuration) throws Exception {
        try (Driven driven = new Driven(configuration);
                DriverPassthrough passthrough = new DriverPassthrough(driven.driver, 1)) {
            NvmCommandSet nvm = NvmCommandSet.of(passthrough);
            BlockProtection protection = nvm.namespace().protection().orElseThrow();
            assertThat(protection.guard()).isEqualTo(configuration.metadata().guard());
            Content content = random(nvm, new Random(5), 5);
            Prinfo good = prinfo(protection, 40, 0x1234);
            protection.generate(content.data, content.metadata, good);
            nvm.write(40, content.wire(nvm), content.wireMetadata(nvm), good, false);
            Content got = read(nvm, 40, 5, good);
            assertThat(got.data.mismatch(content.data)).isEqualTo(-1);
            assertThat(got.metadata.mismatch(content.metadata)).isEqualTo(-1);
            assertThat(nvm.compare(40, content.wire(nvm), content.wireMetadata(nvm), good))
                    .isTrue();
            nvm.verify(40, 5, good);
            assertThat(code(() -> nvm.verify(40, 5, prinfo(protection, 40, 0x1235))))
                    .isEqualTo(Status.APPLICATION_TAG_CHECK_ERROR);
            if (protection.guard() == Guard.CRC32C) {
                Prinfo other = new Prinfo(all(protection), 40, 0x1234, 0xFFFF, 0x78);
                assertThat(code(() -> nvm.verify(40, 5, other))).isEqualTo(Status.STORAGE_TAG_CHECK_ERROR);
            }
            // Wrong on the way: refused, and nothing written.
            flip(content.data, 3L * protection.lbaBytes() + 9);
            assertThat(code(() -> nvm.write(40, content.wire(nvm), content.wireMetadata(nvm), good, false)))
                    .isEqualTo(Status.GUARD_CHECK_ERROR);
            assertThat(read(nvm, 40, 5, good).data.mismatch(got.data)).isEqualTo(-1);
            // Stored unchecked: found by who reads.
            nvm.write(40, content.wire(nvm), content.wireMetadata(nvm), Prinfo.NONE, false);
            assertThat(code(() -> read(nvm, 40, 5, good))).isEqualTo(Status.GUARD_CHECK_ERROR);
            assertThat(code(() -> nvm.verify(40, 5, good))).isEqualTo(Status.GUARD_CHECK_ERROR);
            read(nvm, 40, 3, good);
            checkReferenceTags(nvm, protection);
        }
    }

    private static void checkReferenceTags(NvmCommandSet nvm, BlockProtection protection) throws IOException {
        Content content = random(nvm, new Random(6), 2);
        protection.generate(content.data, content.metadata, prinfo(protection, 99, 1));
        nvm.write(60, content.wire(nvm), content.wireMetadata(nvm), Prinfo.NONE, false);
        int expected = protection.type() == 3 ? Status.SUCCESS : Status.REFERENCE_TAG_CHECK_ERROR;
        assertThat(code(() -> read(nvm, 60, 2, prinfo(protection, 60, 1)))).isEqualTo(expected);
        Prinfo asked = new Prinfo(CHECK_REFERENCE_TAG, 99, 0, 0, 0);
        assertThat(code(() -> read(nvm, 60, 2, asked)))
                .as("type 1 fixes the tag, type 3 has none")
                .isEqualTo(protection.type() == 2 ? Status.SUCCESS : Status.INVALID_PROTECTION);
    }

    @ParameterizedTest
    @MethodSource("configurations")
    void makesAndTakesOffProtectionInformation(EmuConfiguration configuration) throws Exception {
        try (Driven driven = new Driven(configuration);
                DriverPassthrough passthrough = new DriverPassthrough(driven.driver, 1)) {
            NvmCommandSet nvm = NvmCommandSet.of(passthrough);
            BlockProtection protection = nvm.namespace().protection().orElseThrow();
            boolean alone = protection.metadataBytes() == protection.guard().bytes();
            Prinfo good = prinfo(protection, 8, 0xBEE);
            Content content = random(nvm, new Random(7), 4);
            MemorySegment data = alone ? content.data : content.wire(nvm);
            MemorySegment metadata = alone ? MemorySegment.NULL : content.wireMetadata(nvm);
            nvm.write(8, data, metadata, good.withAction(), false);
            Content stored = read(nvm, 8, 4, good);
            assertThat(stored.data.mismatch(content.data)).isEqualTo(-1);
            protection.generate(content.data, content.metadata, good);
            assertThat(stored.metadata.mismatch(content.metadata)).isEqualTo(-1);
            if (alone) {
                MemorySegment got = MemorySegment.ofArray(new byte[4 * protection.lbaBytes()]);
                nvm.read(8, got, MemorySegment.NULL, good.withAction());
                assertThat(got.mismatch(content.data)).isEqualTo(-1);
            }
            // Zeroes with protection information, and without.
            nvm.writeZeroes(8, 4, false, good.withAction());
            assertThat(read(nvm, 8, 4, good).data.mismatch(MemorySegment.ofArray(new byte[4 * protection.lbaBytes()])))
                    .isEqualTo(-1);
            assertThat(code(() -> nvm.verify(8, 4, prinfo(protection, 8, 1))))
                    .isEqualTo(Status.APPLICATION_TAG_CHECK_ERROR);
            nvm.writeZeroes(8, 2, false, Prinfo.NONE);
            nvm.deallocate(List.of(new LbaRange(10, 2)));
            nvm.verify(8, 4, prinfo(protection, 8, 1));
        }
    }

    @ParameterizedTest
    @MethodSource("configurations")
    void copiesWithProtectionInformationMadeAnew(EmuConfiguration configuration) throws Exception {
        try (Driven driven = new Driven(configuration);
                DriverPassthrough passthrough = new DriverPassthrough(driven.driver, 1)) {
            NvmCommandSet nvm = NvmCommandSet.of(passthrough);
            BlockProtection protection = nvm.namespace().protection().orElseThrow();
            Content content = random(nvm, new Random(8), 6);
            Prinfo source = prinfo(protection, 16, 3);
            protection.generate(content.data, content.metadata, source);
            nvm.write(16, content.wire(nvm), content.wireMetadata(nvm), source, false);
            nvm.copy(
                    List.of(new LbaRange(16, 2), new LbaRange(20, 2)),
                    100,
                    source.withAction(),
                    prinfo(protection, 100, 4).withAction());
            Content got = read(nvm, 100, 4, prinfo(protection, 100, 4));
            int block = protection.lbaBytes();
            assertThat(got.data.asSlice(0, 2L * block).mismatch(content.data.asSlice(0, 2L * block)))
                    .isEqualTo(-1);
            assertThat(got.data.asSlice(2L * block).mismatch(content.data.asSlice(4L * block)))
                    .isEqualTo(-1);
            assertThat(code(() -> nvm.copy(List.of(new LbaRange(16, 2)), 100, prinfo(protection, 16, 5), Prinfo.NONE)))
                    .isEqualTo(Status.APPLICATION_TAG_CHECK_ERROR);
            assertThatThrownBy(() -> nvm.copy(List.of(new LbaRange(16, 2)), 100, source, source.withAction()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("both sides have the action, or none");
            if (protection.guard() == Guard.CRC32C) {
                Prinfo other = new Prinfo(all(protection), 16, 3, 0xFFFF, 0x78);
                assertThat(code(() -> nvm.copy(List.of(new LbaRange(16, 2)), 100, other, Prinfo.NONE)))
                        .isEqualTo(Status.STORAGE_TAG_CHECK_ERROR);
            }
        }
    }

    /** Block 0 has the reference tag 0, and what follows it others. */
    @ParameterizedTest
    @MethodSource("configurations")
    void countsReferenceTagsOverTheRangesOfACopy(EmuConfiguration configuration) throws Exception {
        try (Driven driven = new Driven(configuration);
                DriverPassthrough passthrough = new DriverPassthrough(driven.driver, 1)) {
            NvmCommandSet nvm = NvmCommandSet.of(passthrough);
            BlockProtection protection = nvm.namespace().protection().orElseThrow();
            Content content = random(nvm, new Random(9), 8);
            Prinfo source = prinfo(protection, 0, 3);
            protection.generate(content.data, content.metadata, source);
            nvm.write(0, content.wire(nvm), content.wireMetadata(nvm), source, false);
            Prinfo target = prinfo(protection, 300, 4);
            nvm.copy(
                    List.of(new LbaRange(0, 1), new LbaRange(5, 3), new LbaRange(2, 1)),
                    300,
                    source.withAction(),
                    target.withAction());
            nvm.verify(300, 5, target);
            Prinfo wrong = prinfo(protection, 1, 3);
            assertThat(code(() -> nvm.copy(List.of(new LbaRange(5, 1)), 300, wrong, Prinfo.NONE)))
                    .isEqualTo(
                            switch (protection.type()) {
                                case 1 -> Status.INVALID_PROTECTION;
                                case 2 -> Status.REFERENCE_TAG_CHECK_ERROR;
                                default -> Status.SUCCESS;
                            });
        }
    }

    /** Random commands on metadata and data, each checked against plain arrays. */
    @ParameterizedTest
    @MethodSource("configurations")
    void keepsWhatArraysWouldKeep(EmuConfiguration configuration) throws Exception {
        long seed = 11;
        try (Driven driven = new Driven(configuration);
                DriverPassthrough passthrough = new DriverPassthrough(driven.driver, 1)) {
            NvmCommandSet nvm = NvmCommandSet.of(passthrough);
            BlockProtection protection = nvm.namespace().protection().orElseThrow();
            Random random = new Random(seed);
            Content oracle = new Content(
                    MemorySegment.ofArray(new byte[BLOCKS * protection.lbaBytes()]),
                    MemorySegment.ofArray(new byte[BLOCKS * protection.metadataBytes()]));
            oracle.metadata.fill((byte) 0xFF);
            for (int i = 0; i < 150; i++) {
                int count = 1 + random.nextInt(8);
                long lba = random.nextInt(BLOCKS - count);
                Content of = slice(protection, oracle, lba, count);
                Prinfo prinfo = prinfo(protection, lba, 9);
                switch (random.nextInt(5)) {
                    case 0, 1 -> {
                        Content content = random(nvm, random, count);
                        protection.generate(content.data, content.metadata, prinfo);
                        nvm.write(lba, content.wire(nvm), content.wireMetadata(nvm), prinfo, random.nextBoolean());
                        of.data.copyFrom(content.data);
                        of.metadata.copyFrom(content.metadata);
                    }
                    case 2 -> {
                        nvm.deallocate(List.of(new LbaRange(lba, count)));
                        of.data.fill((byte) 0);
                        of.metadata.fill((byte) 0xFF);
                    }
                    case 3 -> {
                        nvm.writeZeroes(lba, count, true, Prinfo.NONE);
                        of.data.fill((byte) 0);
                        of.metadata.fill((byte) 0xFF);
                    }
                    default ->
                        assertThat(nvm.compare(lba, of.wire(nvm), of.wireMetadata(nvm), prinfo))
                                .as("seed %d, command %d", seed, i)
                                .isTrue();
                }
                Content got = read(nvm, lba, count, prinfo);
                assertThat(got.data.mismatch(of.data))
                        .as("seed %d, command %d: data", seed, i)
                        .isEqualTo(-1);
                assertThat(got.metadata.mismatch(of.metadata))
                        .as("seed %d, command %d: metadata", seed, i)
                        .isEqualTo(-1);
            }
        }
    }

    private static Content slice(BlockProtection protection, Content of, long lba, int count) {
        return new Content(
                of.data.asSlice(lba * protection.lbaBytes(), (long) count * protection.lbaBytes()),
                of.metadata.asSlice(lba * protection.metadataBytes(), (long) count * protection.metadataBytes()));
    }

    private static void flip(MemorySegment s, long at) {
        s.set(ValueLayout.JAVA_BYTE, at, (byte) (s.get(ValueLayout.JAVA_BYTE, at) ^ 1));
    }

    @org.junit.jupiter.api.Test
    void refusesMetadataWhereThereIsNoPlaceForIt() {
        EmuConfiguration.Metadata metadata = new EmuConfiguration.Metadata(8, false, 1, false, Guard.CRC16);
        assertThatThrownBy(() -> EmuConfiguration.nothing(1 << 20).withMetadata(metadata))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("metadata is kept in memory");
        assertThatThrownBy(() -> new EmuConfiguration.Metadata(8, false, 1, false, Guard.CRC64))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("protection information of 16 bytes in 8 bytes of metadata");
        assertThat(Protection.BYTES).isEqualTo(Guard.CRC16.bytes());
    }
}
