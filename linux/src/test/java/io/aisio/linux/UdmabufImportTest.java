package io.aisio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class UdmabufImportTest {
    private static final long MIB = 1 << 20;

    private static MemorySegment pairs(long... words) {
        return Arena.ofAuto().allocateFrom(ValueLayout.JAVA_LONG, words);
    }

    @Test
    void takesWhatLiesInARowForOne() throws Exception {
        assertThat(UdmabufImport.runs(pairs(MIB, 65536, MIB + 65536, 4096, 7 * MIB, MIB - 69632), MIB))
                .containsExactly(new UdmabufImport.Run(MIB, 69632), new UdmabufImport.Run(7 * MIB, MIB - 69632));
    }

    static List<long[]> impossible() {
        return List.of(
                new long[] {0, MIB},
                new long[] {MIB, 0},
                new long[] {MIB, -MIB},
                new long[] {MIB, 2 * MIB},
                new long[] {MIB, MIB / 2},
                new long[] {MIB + 512, MIB},
                new long[] {MIB, 4095, 2 * MIB, MIB - 4095},
                new long[] {-MIB, MIB},
                new long[] {Long.MAX_VALUE - 4095, MIB},
                new long[] {MIB, MIB, 4 * MIB, 4096},
                new long[] {4 * MIB, MIB / 2, 4 * MIB, MIB / 2},
                new long[] {4 * MIB, MIB / 2, 9 * MIB, MIB / 4, 4 * MIB + MIB / 4, MIB / 4},
                new long[] {MIB, MIB / 2, 0, 0});
    }

    @ParameterizedTest
    @MethodSource("impossible")
    void believesNoAddressesThatCannotBe(long[] words) {
        assertThatThrownBy(() -> UdmabufImport.runs(pairs(words), MIB))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("/dev/udmabuf-import");
    }

    @Test
    void saysThatTheModuleIsMissing() throws Exception {
        Assumptions.assumeFalse(Files.exists(UdmabufImport.PATH), "needs a kernel without udmabuf-import");
        try (OpenFile file = OpenFile.inMemory("no-dma-buf", 4096)) {
            assertThatThrownBy(() -> UdmabufImport.of(file, 0, 1, 0, 0, 64))
                    .isInstanceOfSatisfying(
                            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOENT));
        }
    }
}
