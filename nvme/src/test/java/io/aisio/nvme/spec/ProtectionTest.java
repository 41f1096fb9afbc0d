package io.aisio.nvme.spec;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ProtectionTest {
    @Test
    void theGuardIsTheOneThatCatalogsGiveForT10Dif() {
        assertThat(Protection.guard(MemorySegment.ofArray("123456789".getBytes(US_ASCII))))
                .isEqualTo(0xD0DB);
        assertThat(Protection.guard(MemorySegment.ofArray(new byte[512]))).isZero();
    }

    @Test
    void theGuardOfAWholeIsTheGuardOfItsPartsOneAfterAnother() {
        byte[] bytes = new byte[520];
        new Random(1).nextBytes(bytes);
        MemorySegment all = MemorySegment.ofArray(bytes);
        for (int at : new int[] {0, 1, 512, 519, 520}) {
            assertThat(Protection.guard(Protection.guard(all.asSlice(0, at)), all.asSlice(at)))
                    .isEqualTo(Protection.guard(all));
        }
    }

    @Test
    void informationIsBigEndianAndReadAsItWasPut() {
        MemorySegment tuple = MemorySegment.ofArray(new byte[10]);
        Protection.put(tuple, 1, 0xABCD, 0x1234, 0x8765_4321);
        assertThat(Wire.i64(tuple, 1)).isEqualTo(0x2143_6587_3412_CDABL);
        assertThat(Protection.guardAt(tuple, 1)).isEqualTo(0xABCD);
        assertThat(Protection.applicationTagAt(tuple, 1)).isEqualTo(0x1234);
        assertThat(Protection.referenceTagAt(tuple, 1)).isEqualTo(0x8765_4321);
    }
}
