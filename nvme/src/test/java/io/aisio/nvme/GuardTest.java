package io.aisio.nvme;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.spec.Protection;
import io.aisio.nvme.spec.Status;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Guards against published values, and protection information made and checked over buffers. */
class GuardTest {
    private static final MemorySegment CHECK = MemorySegment.ofArray("123456789".getBytes(US_ASCII));
    private static final MemorySegment NOTHING = MemorySegment.ofArray(new byte[0]);
    private static final int ALL = Protection.CHECK_GUARD
            | Protection.CHECK_APPLICATION_TAG
            | Protection.CHECK_REFERENCE_TAG
            | Protection.CHECK_STORAGE_TAG;

    /** The check values of CRC-16/T10-DIF, CRC-32C and CRC-64/NVME in catalogues of CRCs. */
    @Test
    void computesThePublishedCheckValues() {
        assertThat(Guard.CRC16.compute(CHECK, NOTHING)).isEqualTo(0xD0DB);
        assertThat(Guard.CRC32C.compute(CHECK, NOTHING)).isEqualTo(0xE306_9283L);
        assertThat(Guard.CRC64.compute(CHECK, NOTHING)).isEqualTo(0xAE8B_1486_0A79_9888L);
    }

    /** The 64-bit guard's test cases in the NVM command set specification (section 5.2.1.3.4). */
    @Test
    void computesTheSpecificationsExamplesOfTheLargeGuard() {
        byte[] block = new byte[4096];
        assertThat(Guard.CRC64.compute(MemorySegment.ofArray(block), NOTHING)).isEqualTo(0x6482_D367_EB22_B64EL);
        java.util.Arrays.fill(block, (byte) 0xFF);
        assertThat(Guard.CRC64.compute(MemorySegment.ofArray(block), NOTHING)).isEqualTo(0xC0DD_BA73_02EC_A3ACL);
        for (int i = 0; i < block.length; i++) {
            block[i] = (byte) i;
        }
        assertThat(Guard.CRC64.compute(MemorySegment.ofArray(block), NOTHING)).isEqualTo(0x3E72_9F5F_6750_449CL);
        for (int i = 0; i < block.length; i++) {
            block[i] = (byte) (0xFF - i);
        }
        assertThat(Guard.CRC64.compute(MemorySegment.ofArray(block), NOTHING)).isEqualTo(0x9A2D_F64B_8E9E_517EL);
    }

    @ParameterizedTest
    @EnumSource(Guard.class)
    void goesOnWithTheMetadataBeforeIt(Guard guard) {
        byte[] bytes = new byte[523];
        new Random(1).nextBytes(bytes);
        MemorySegment all = MemorySegment.ofArray(bytes);
        for (int at = 0; at < bytes.length; at++) {
            assertThat(guard.compute(all.asSlice(0, at), all.asSlice(at))).isEqualTo(guard.compute(all, NOTHING));
        }
    }

    @ParameterizedTest
    @EnumSource(Guard.class)
    void findsWhatWasChangedSinceItMadeProtectionInformation(Guard guard) {
        for (int type = 1; type <= 3; type++) {
            for (boolean first : new boolean[] {false, true}) {
                changeAndCheck(new BlockProtection(guard, type, 512, 24, first));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Guard.class)
    void isTheSameWhateverMemoryHoldsTheData(Guard guard) {
        long[] words = new Random(4).longs(64).toArray();
        MemorySegment ofWords = MemorySegment.ofArray(words);
        MemorySegment ofBytes = MemorySegment.ofArray(ofWords.toArray(ValueLayout.JAVA_BYTE));
        long expected = guard.compute(ofBytes, NOTHING);
        assertThat(guard.compute(ofWords, NOTHING)).isEqualTo(expected);
        assertThat(guard.compute(ofBytes.asReadOnly(), NOTHING)).isEqualTo(expected);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment outside = arena.allocate(ofBytes.byteSize()).copyFrom(ofBytes);
            assertThat(guard.compute(outside, NOTHING)).isEqualTo(expected);
        }
    }

    @Test
    void tellsAStorageTagFromAReferenceTag() {
        BlockProtection protection = new BlockProtection(Guard.CRC32C, 1, 512, 16, false);
        MemorySegment data = MemorySegment.ofArray(new byte[512]);
        MemorySegment metadata = MemorySegment.ofArray(new byte[16]);
        protection.generate(data, metadata, new Prinfo(0, 9, 1, 0xFFFF, 7));
        assertThat(protection.check(data, metadata, new Prinfo(ALL, 9, 1, 0xFFFF, 8)))
                .isEqualTo(Status.STORAGE_TAG_CHECK_ERROR);
        assertThat(protection.check(data, metadata, new Prinfo(ALL, 8, 1, 0xFFFF, 7)))
                .isEqualTo(Status.REFERENCE_TAG_CHECK_ERROR);
    }

    @ParameterizedTest
    @EnumSource(Guard.class)
    void leavesTheReferenceTagOfType3ToTheApplication(Guard guard) {
        BlockProtection protection = new BlockProtection(guard, 3, 512, 16, false);
        MemorySegment data = MemorySegment.ofArray(new byte[512]);
        MemorySegment metadata = MemorySegment.ofArray(new byte[16]);
        protection.generate(data, metadata, new Prinfo(0, -1, Protection.NO_CHECK, 0, 0));
        flip(data, 5);
        Prinfo checked = new Prinfo(Protection.CHECK_GUARD | Protection.CHECK_STORAGE_TAG, 0, 0, 0, 1);
        assertThat(protection.check(data, metadata, checked))
                .as("turned off by application tag and reference tag, whatever the storage tag is")
                .isEqualTo(Status.SUCCESS);
        protection.generate(data, metadata, new Prinfo(0, 5, 1, 0, 0));
        assertThat(protection.check(data, metadata, new Prinfo(Protection.CHECK_REFERENCE_TAG, 5, 0, 0, 0)))
                .isEqualTo(Status.INVALID_PROTECTION);
    }

    private static void changeAndCheck(BlockProtection protection) {
        byte[] bytes = new byte[4 * 512];
        byte[] more = new byte[4 * 24];
        new Random(2).nextBytes(bytes);
        new Random(3).nextBytes(more);
        MemorySegment data = MemorySegment.ofArray(bytes);
        MemorySegment metadata = MemorySegment.ofArray(more);
        boolean counts = protection.type() != 3;
        int all = counts ? ALL : ALL & ~Protection.CHECK_REFERENCE_TAG;
        Prinfo prinfo = new Prinfo(all, 0x1_2345_6789L, 0x1234, 0xFFF0, protection.guard() == Guard.CRC32C ? 7 : 0);
        protection.generate(data, metadata, prinfo);
        assertThat(protection.check(data, metadata, prinfo)).isEqualTo(Status.SUCCESS);
        assertThat(protection.check(data, metadata, prinfo.withApplicationTag(0x1235)))
                .isEqualTo(Status.APPLICATION_TAG_CHECK_ERROR);
        assertThat(protection.check(
                        data, metadata, new Prinfo(all, 0x1_2345_6789L, 0x123F, 0xFFF0, prinfo.storageTag())))
                .as("a bit that the mask leaves out")
                .isEqualTo(Status.SUCCESS);
        assertThat(protection.check(
                        data, metadata, new Prinfo(all, 0x1_2345_678AL, 0x1234, 0xFFF0, prinfo.storageTag())))
                .isEqualTo(counts ? Status.REFERENCE_TAG_CHECK_ERROR : Status.SUCCESS);
        flip(data, 3 * 512 + 17);
        assertThat(protection.check(data, metadata, prinfo)).isEqualTo(Status.GUARD_CHECK_ERROR);
        assertThat(protection.check(data, metadata, new Prinfo(0, 0, 0, 0, 0))).isEqualTo(Status.SUCCESS);
        flip(data, 3 * 512 + 17);
        if (!protection.first()) {
            flip(metadata, 24 + 1);
            assertThat(protection.check(data, metadata, prinfo)).isEqualTo(Status.GUARD_CHECK_ERROR);
            flip(metadata, 24 + 1);
        }
        metadata.fill((byte) 0xFF);
        assertThat(protection.check(data, metadata, prinfo)).as("turned off").isEqualTo(Status.SUCCESS);
    }

    private static void flip(MemorySegment s, long at) {
        s.set(ValueLayout.JAVA_BYTE, at, (byte) (s.get(ValueLayout.JAVA_BYTE, at) ^ 0x40));
    }
}
