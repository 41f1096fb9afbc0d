package io.aisio.xal.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BtfTest {
    /** int a; struct outer { int a @0; struct { int b @4 } @8 }; typedef outer named. */
    private static byte[] small() {
        return btf("\0a\0b\0outer\0named\0int\0", new int[] {
            17,
            1 << 24,
            4,
            32, // 1: int
            0,
            4 << 24 | 1,
            8,
            3,
            1,
            32, // 2: struct { int b }
            5,
            4 << 24 | 2,
            16,
            1,
            1,
            0,
            0,
            2,
            64, // 3: struct outer
            11,
            8 << 24,
            3, // 4: typedef
        });
    }

    /** Of a module that builds upon it: typedef void (*trace)(void *, const struct outer *, outer *, int, struct own *). */
    private static byte[] ofModule() {
        return btf("\0trace\0own\0", new int[] {
            28,
            4 << 24 | 1,
            8,
            1,
            1,
            32, // 5: struct own { int a @4 }
            0,
            2 << 24,
            0, // 6: void *
            0,
            10 << 24,
            3, // 7: const struct outer
            0,
            2 << 24,
            7, // 8: const struct outer *
            0,
            2 << 24,
            4, // 9: named *
            0,
            2 << 24,
            5, // 10: struct own *
            0,
            13 << 24 | 5,
            0,
            0,
            6,
            0,
            8,
            0,
            9,
            0,
            1,
            0,
            10, // 11: the function
            0,
            2 << 24,
            11, // 12: a pointer to it
            22,
            8 << 24,
            12, // 13: typedef
        });
    }

    private static byte[] btf(String text, int[] types) {
        byte[] strings = text.getBytes(StandardCharsets.US_ASCII);
        ByteBuffer out = ByteBuffer.allocate(24 + 4 * types.length).order(ByteOrder.LITTLE_ENDIAN);
        out.putChar((char) 0xEB9F).put((byte) 1).put((byte) 0).putInt(24);
        out.putInt(0).putInt(4 * types.length).putInt(4 * types.length).putInt(strings.length);
        for (int word : types) {
            out.putInt(word);
        }
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes(out.array());
        all.writeBytes(strings);
        return all.toByteArray();
    }

    @Test
    void findsMembersInUnnamedStructuresToo() {
        Btf btf = new Btf(small());
        assertThat(btf.find(Btf.TYPEDEF, "named")).isEqualTo(4);
        assertThat(btf.offset("outer", "a")).isZero();
        assertThat(btf.offset("outer", "b")).isEqualTo(12);
        assertThatThrownBy(() -> btf.offset("outer", "c")).hasMessage("the kernel's struct outer has no member c");
        assertThatThrownBy(() -> btf.offset("inner", "c")).hasMessage("the kernel has no struct inner");
    }

    @Test
    void readsAModulesTypesBehindThoseOfTheKernel() {
        Btf btf = Btf.ofModule(small(), ofModule());
        assertThat(btf.find(Btf.TYPEDEF, "named")).isEqualTo(4);
        assertThat(btf.find(Btf.TYPEDEF, "trace")).isEqualTo(13);
        assertThat(btf.offset("own", "a")).isEqualTo(4);
        assertThat(btf.arguments("trace")).containsExactly("struct outer *", "", "", "struct own *");
        assertThatThrownBy(() -> new Btf(ofModule())).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void namesATracepointThatThereIsNot() {
        Btf btf = new Btf(small());
        assertThatThrownBy(() -> btf.arguments("trace")).hasMessage("the kernel has no typedef trace");
        assertThatThrownBy(() -> btf.arguments("named")).hasMessage("BTF type 3 is not of kind 2");
    }

    @Test
    void declaresWhateverIsWrongWithBrokenBytes() {
        byte[] good = small();
        Random random = new Random(5);
        int refused = 0;
        for (int round = 0; round < 200_000; round++) {
            byte[] bad = Arrays.copyOf(good, random.nextInt(8) == 0 ? random.nextInt(good.length) : good.length);
            for (int i = random.nextInt(4); i >= 0 && bad.length > 0; i--) {
                bad[random.nextInt(bad.length)] = (byte) (random.nextBoolean() ? random.nextInt() : random.nextInt(6));
            }
            try {
                Btf btf = new Btf(bad);
                assertThat(btf.offset("outer", "b")).isNotNull();
                if (round % 16 == 0) {
                    assertThat(Btf.ofModule(bad, ofModule()).arguments("trace")).isNotNull();
                }
            } catch (IllegalArgumentException e) {
                assertThat(e.getMessage()).isNotBlank();
                refused++;
            }
        }
        assertThat(refused).isGreaterThan(50_000);
    }

    @Test
    void readsTheTypesOfTheRunningKernel() throws Exception {
        Path types = Path.of("/sys/kernel/btf/vmlinux");
        assumeTrue(Files.isReadable(types), "needs a kernel with BTF (CONFIG_DEBUG_INFO_BTF)");
        Btf btf = new Btf(Files.readAllBytes(types));
        assertThat(btf.find(Btf.STRUCT, "task_struct")).isPositive();
        assertThat(btf.offset("super_block", "s_dev")).isPositive();
        assertThat(btf.offset("list_head", "prev")).isEqualTo(8);
        assertThat(btf.arguments("btf_trace_sched_process_fork"))
                .containsExactly("struct task_struct *", "struct task_struct *");
    }
}
