package io.aisio.linux;

import static io.aisio.linux.BpfCode.Register.R0;
import static io.aisio.linux.BpfCode.Register.R1;
import static io.aisio.linux.BpfCode.Register.R10;
import static io.aisio.linux.BpfCode.Register.R2;
import static io.aisio.linux.BpfCode.Register.R3;
import static io.aisio.linux.BpfCode.Register.R6;
import static io.aisio.linux.BpfCode.Size.BYTE;
import static io.aisio.linux.BpfCode.Size.DOUBLE;
import static io.aisio.linux.BpfCode.Size.HALF;
import static io.aisio.linux.BpfCode.Size.WORD;
import static io.aisio.linux.BpfCode.When.ANY_BIT;
import static io.aisio.linux.BpfCode.When.AT_LEAST;
import static io.aisio.linux.BpfCode.When.EQUAL;
import static io.aisio.linux.BpfCode.When.NOT_EQUAL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Each instruction against the bytes that LLVM and the macros of the kernel's filter.h give it. */
class BpfCodeTest {
    /** As disassemblers print them: eight bytes in the order of memory. */
    private static List<String> bytes(BpfCode code) {
        return Arrays.stream(code.words())
                .mapToObj(word -> "%016x".formatted(Long.reverseBytes(word)))
                .toList();
    }

    @Test
    void encodesLoadsAndStores() {
        assertThat(bytes(new BpfCode()
                        .load(DOUBLE, R6, R1, 0)
                        .load(WORD, R1, R1, 16)
                        .load(HALF, R3, R6, 312)
                        .load(BYTE, R0, R10, -1)
                        .store(DOUBLE, R10, -32, R1)
                        .store(WORD, R10, -8, 7)
                        .store(DOUBLE, R10, -24, -1)))
                .containsExactly(
                        "7916000000000000",
                        "6111100000000000",
                        "6963380100000000",
                        "71a0ffff00000000",
                        "7b1ae0ff00000000",
                        "620af8ff07000000",
                        "7a0ae8ffffffffff");
    }

    @Test
    void encodesArithmeticCallsAndTheEnd() {
        assertThat(bytes(new BpfCode()
                        .move(R2, R10)
                        .move(R0, 0)
                        .add(R2, -40)
                        .add(R3, R1)
                        .and(R1, 0xF000)
                        .shiftLeft(R1, 4)
                        .atomicAdd(R1, 0, R2)
                        .call(113)
                        .exit()))
                .containsExactly(
                        "bfa2000000000000",
                        "b700000000000000",
                        "07020000d8ffffff",
                        "0f13000000000000",
                        "5701000000f00000",
                        "6701000004000000",
                        "db21000000000000",
                        "8500000071000000",
                        "9500000000000000");
    }

    @Test
    void jumpsForwardAndBackToLabels() {
        BpfCode.Label end = new BpfCode.Label();
        BpfCode.Label begin = new BpfCode.Label();
        assertThat(bytes(new BpfCode()
                        .bind(begin)
                        .jumpIf(EQUAL, R0, 0, end)
                        .jumpIf(ANY_BIT, R1, 0x300, end)
                        .jumpIf32(NOT_EQUAL, R1, -1, begin)
                        .jumpIf32(AT_LEAST, R6, 15, end)
                        .jump(begin)
                        .bind(end)
                        .exit()))
                .containsExactly(
                        "1500040000000000",
                        "4501030000030000",
                        "5601fdffffffffff",
                        "360601000f000000",
                        "0500fbff00000000",
                        "9500000000000000");
    }

    @Test
    void refusesWhatHasNoEncoding() {
        assertThatThrownBy(() -> new BpfCode().load(WORD, R0, R1, 40_000))
                .hasMessage("an offset of 40000 does not fit into 16 bits");
        BpfCode.Label label = new BpfCode.Label();
        BpfCode open = new BpfCode().jump(label);
        assertThatThrownBy(open::words).hasMessage("1 labels are jumped to and not bound");
        open.bind(label);
        assertThat(open.words()).hasSize(1);
        assertThatThrownBy(() -> open.bind(label)).hasMessageContaining("bound twice");
        BpfCode far = new BpfCode();
        BpfCode.Label begin = new BpfCode.Label();
        far.bind(begin);
        for (int i = 0; i < 32_768; i++) {
            far.move(R0, i);
        }
        assertThatThrownBy(() -> far.jump(begin)).hasMessageContaining("does not fit into 16 bits");
    }
}
