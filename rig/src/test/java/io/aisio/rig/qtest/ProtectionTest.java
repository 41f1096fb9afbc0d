package io.aisio.rig.qtest;

import static io.aisio.nvme.spec.Protection.ACTION;
import static io.aisio.nvme.spec.Protection.CHECK_APPLICATION_TAG;
import static io.aisio.nvme.spec.Protection.CHECK_GUARD;
import static io.aisio.nvme.spec.Protection.CHECK_REFERENCE_TAG;
import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.Command;
import io.aisio.nvme.Namespace;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Protection;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Metadata, separate and at the end of each block, and protection information of every type in it. */
class ProtectionTest {
    private static final int GOOD = Status.SUCCESS;
    private static final int COUNT = 5;
    private static final long LBA = 40;
    private static final int TAG = 0x1234;
    /** Where metadata that is separate lies in the buffer. */
    private static final long METADATA = 1 << 20;

    /** Type, metadata bytes, metadata at the end of each block, protection information first in it, block. */
    static Stream<String> formats() {
        return Stream.of(
                "1, 8, false, false, 512",
                "1, 8, true, true, 512",
                "1, 16, false, false, 512",
                "1, 64, true, false, 4096",
                "2, 8, true, false, 512",
                "2, 16, false, true, 4096",
                "3, 8, false, true, 512",
                "3, 16, true, false, 512");
    }

    /** A namespace with protection information, and what lies where in the buffer. */
    private static final class Protected implements AutoCloseable {
        final Rig rig;
        final Blocks blocks;
        final Namespace namespace;

        Protected(String format) throws IOException {
            String[] is = format.split(", ");
            rig = Rig.start(QemuNvme.build()
                    .controller("mdts=0")
                    .namespace(
                            1 << 20,
                            "pi=%s,ms=%s,mset=%d,pil=%d,logical_block_size=%s,physical_block_size=%s"
                                    .formatted(
                                            is[0],
                                            is[1],
                                            Boolean.parseBoolean(is[2]) ? 1 : 0,
                                            Boolean.parseBoolean(is[3]) ? 1 : 0,
                                            is[4],
                                            is[4])));
            blocks = new Blocks(rig, 1);
            namespace = blocks.namespace;
        }

        /** All that can be checked: in a namespace of type 3 the reference tag is the application's own too. */
        int checkAll() {
            return CHECK_GUARD | CHECK_APPLICATION_TAG | (namespace.protectionType() == 3 ? 0 : CHECK_REFERENCE_TAG);
        }

        int stride() {
            return namespace.lbaBytes() + (namespace.extendedLba() ? namespace.metadataBytes() : 0);
        }

        MemorySegment data(int block) {
            return blocks.memory.segment().asSlice((long) block * stride(), namespace.lbaBytes());
        }

        MemorySegment metadata(int block) {
            long at = namespace.extendedLba()
                    ? (long) block * stride() + namespace.lbaBytes()
                    : METADATA + (long) block * namespace.metadataBytes();
            return blocks.memory.segment().asSlice(at, namespace.metadataBytes());
        }

        /** Protection information of a block. */
        MemorySegment information(int block) {
            MemorySegment metadata = metadata(block);
            return metadata.asSlice(
                    namespace.protectionFirst() ? 0 : namespace.metadataBytes() - Protection.BYTES, Protection.BYTES);
        }

        /** The guard that a block must have: of its data, and of metadata before the protection information. */
        int guard(int block) {
            MemorySegment before = metadata(block)
                    .asSlice(0, namespace.protectionFirst() ? 0 : namespace.metadataBytes() - Protection.BYTES);
            return Protection.guard(Protection.guard(data(block)), before);
        }

        /** The reference tag that a block must have. */
        int referenceTag(int block) {
            return namespace.protectionType() == 3 ? (int) LBA : (int) LBA + block;
        }

        /** Fills data and metadata at random, with protection information that is right. */
        void fill(long seed) {
            Random random = new Random(seed);
            for (int i = 0; i < COUNT; i++) {
                byte[] bytes = new byte[namespace.lbaBytes()];
                random.nextBytes(bytes);
                data(i).copyFrom(MemorySegment.ofArray(bytes));
                byte[] meta = new byte[namespace.metadataBytes()];
                random.nextBytes(meta);
                metadata(i).copyFrom(MemorySegment.ofArray(meta));
                Protection.put(information(i), 0, guard(i), TAG, referenceTag(i));
            }
        }

        int run(int opcode, int prinfo) throws IOException {
            return run(opcode, prinfo, (int) LBA, TAG, 0xFFFF);
        }

        int run(int opcode, int prinfo, int referenceTag, int tag, int mask) throws IOException {
            Command command = Command.overBlocks(opcode, 1, LBA, COUNT).withProtection(prinfo, referenceTag, tag, mask);
            boolean onlyData = (prinfo & ACTION) != 0 && namespace.metadataBytes() == Protection.BYTES;
            int bytes = COUNT * (onlyData ? namespace.lbaBytes() : stride());
            return blocks.execute(command, 0, bytes, namespace.extendedLba() || onlyData ? 0 : METADATA)
                    .code();
        }

        /** The blocks as they are in the buffer. */
        byte[][] contents() {
            byte[][] all = new byte[2 * COUNT][];
            for (int i = 0; i < COUNT; i++) {
                all[2 * i] = data(i).toArray(ValueLayout.JAVA_BYTE);
                all[2 * i + 1] = metadata(i).toArray(ValueLayout.JAVA_BYTE);
            }
            return all;
        }

        @Override
        public void close() throws IOException {
            try (rig;
                    blocks) {
                blocks.memory.segment();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void carriesInformationThatTheHostMadeAndChecksIt(String format) throws Exception {
        try (Protected p = new Protected(format)) {
            p.fill(1);
            byte[][] written = p.contents();
            assertThat(p.run(Opcode.WRITE, p.checkAll())).isEqualTo(GOOD);
            p.blocks.memory.segment().fill((byte) 0);
            assertThat(p.run(Opcode.READ, p.checkAll())).isEqualTo(GOOD);
            assertThat(p.contents()).isDeepEqualTo(written);
            assertThat(p.blocks
                            .execute(Command.overBlocks(Opcode.VERIFY, 1, LBA, COUNT)
                                    .withProtection(p.checkAll(), (int) LBA, TAG, 0xFFFF))
                            .code())
                    .isEqualTo(GOOD);
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void makesInformationAndTakesItOff(String format) throws Exception {
        try (Protected p = new Protected(format)) {
            p.fill(2);
            boolean onlyData = p.namespace.metadataBytes() == Protection.BYTES;
            int lba = p.namespace.lbaBytes();
            MemorySegment written = p.blocks.fill(2, COUNT * (onlyData ? lba : p.stride()));
            assertThat(p.run(Opcode.WRITE, ACTION)).isEqualTo(GOOD);
            if (onlyData) {
                p.blocks.memory.segment().fill((byte) 0);
                assertThat(p.run(Opcode.READ, ACTION | p.checkAll())).isEqualTo(GOOD);
                assertThat(p.blocks.data((long) COUNT * lba).mismatch(written)).isEqualTo(-1);
            }
            p.blocks.memory.segment().fill((byte) 0);
            assertThat(p.run(Opcode.READ, p.checkAll())).isEqualTo(GOOD);
            for (int i = 0; i < COUNT; i++) {
                long at = (long) i * (onlyData ? lba : p.stride());
                assertThat(p.data(i).mismatch(written.asSlice(at, lba))).isEqualTo(-1);
                assertThat(Protection.guardAt(p.information(i), 0)).isEqualTo(p.guard(i));
                assertThat(Protection.applicationTagAt(p.information(i), 0)).isEqualTo(TAG);
                assertThat(Protection.referenceTagAt(p.information(i), 0)).isEqualTo(p.referenceTag(i));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void tellsWhichCheckFailed(String format) throws Exception {
        try (Protected p = new Protected(format)) {
            p.fill(3);
            Wire.u8(p.data(2), 100, Wire.u8(p.data(2), 100) ^ 0x40);
            assertThat(p.run(Opcode.WRITE, p.checkAll())).isEqualTo(Status.GUARD_CHECK_ERROR);
            assertThat(p.blocks.pair.failure(0)).hasMessageContaining("End-to-end Guard Check Error (sct 0x2, sc 0x82");
            assertThat(p.run(Opcode.WRITE, 0)).as("unchecked").isEqualTo(GOOD);
            assertThat(p.run(Opcode.READ, CHECK_GUARD)).isEqualTo(Status.GUARD_CHECK_ERROR);
            assertThat(p.run(Opcode.READ, p.checkAll() & ~CHECK_GUARD)).isEqualTo(GOOD);

            p.fill(4);
            assertThat(p.run(Opcode.WRITE, CHECK_APPLICATION_TAG, (int) LBA, TAG + 1, 0xFFFF))
                    .isEqualTo(Status.APPLICATION_TAG_CHECK_ERROR);
            assertThat(p.run(Opcode.WRITE, CHECK_APPLICATION_TAG, (int) LBA, TAG + 1, 0xFFF0))
                    .as("what differs is masked out")
                    .isEqualTo(GOOD);
            assertThat(p.run(Opcode.READ, CHECK_APPLICATION_TAG, (int) LBA, TAG ^ 0x8000, 0xFFFF))
                    .isEqualTo(Status.APPLICATION_TAG_CHECK_ERROR);

            p.fill(5);
            if (p.namespace.protectionType() == 3) {
                assertThat(p.run(Opcode.WRITE, CHECK_REFERENCE_TAG)).isEqualTo(Status.INVALID_PROTECTION);
                return;
            }
            Protection.put(p.information(3), 0, p.guard(3), TAG, p.referenceTag(3) + 7);
            assertThat(p.run(Opcode.WRITE, CHECK_REFERENCE_TAG)).isEqualTo(Status.REFERENCE_TAG_CHECK_ERROR);
            assertThat(p.run(Opcode.WRITE, CHECK_GUARD | CHECK_APPLICATION_TAG)).isEqualTo(GOOD);
            assertThat(p.run(Opcode.READ, p.checkAll())).isEqualTo(Status.REFERENCE_TAG_CHECK_ERROR);
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void checksNothingOfABlockWhoseTagSaysSo(String format) throws Exception {
        try (Protected p = new Protected(format)) {
            p.fill(6);
            // Types 1 and 2: by the application tag; type 3: by both tags.
            int reference = p.namespace.protectionType() == 3 ? -1 : 99;
            Protection.put(p.information(1), 0, 0xBAD, Protection.NO_CHECK, reference);
            assertThat(p.run(Opcode.WRITE, 0)).isEqualTo(GOOD);
            assertThat(p.run(Opcode.READ, p.checkAll())).isEqualTo(GOOD);
        }
    }

    @ParameterizedTest
    @CsvSource({"'1, 8, false, false, 512'"})
    void refusesAnInitialReferenceTagThatIsNotTheLbaOfAType1Namespace(String format) throws Exception {
        try (Protected p = new Protected(format)) {
            p.fill(7);
            assertThat(p.run(Opcode.WRITE, CHECK_REFERENCE_TAG, (int) LBA + 1, TAG, 0xFFFF))
                    .isEqualTo(Status.INVALID_PROTECTION);
        }
    }

    @ParameterizedTest
    @CsvSource({"8, 0", "16, 1", "64, 0", "64, 1"})
    void keepsMetadataWithoutProtectionInformation(int bytes, int atTheEndOfEachBlock) throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build()
                        .controller("")
                        .namespace(1 << 20, "ms=%d,mset=%d".formatted(bytes, atTheEndOfEachBlock)));
                Blocks blocks = new Blocks(rig, 1)) {
            boolean extended = atTheEndOfEachBlock == 1;
            int data = COUNT * (512 + (extended ? bytes : 0));
            long all = METADATA + (long) COUNT * bytes;
            MemorySegment written = blocks.fill(bytes, (int) all);
            Command write = Command.overBlocks(Opcode.WRITE, 1, LBA, COUNT);
            assertThat(blocks.execute(write, 0, data, extended ? 0 : METADATA).code())
                    .isEqualTo(GOOD);
            blocks.memory.segment().fill((byte) 0);
            Command read = Command.overBlocks(Opcode.READ, 1, LBA, COUNT);
            assertThat(blocks.execute(read, 0, data, extended ? 0 : METADATA).code())
                    .isEqualTo(GOOD);
            assertThat(blocks.data(data).mismatch(written.asSlice(0, data))).isEqualTo(-1);
            if (!extended) {
                assertThat(blocks.data(all).asSlice(METADATA).mismatch(written.asSlice(METADATA)))
                        .isEqualTo(-1);
            }
        }
    }
}
