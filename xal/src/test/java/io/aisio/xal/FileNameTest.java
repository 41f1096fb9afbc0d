package io.aisio.xal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FileNameTest {
    @Test
    void anyBytesComeBack() {
        Random random = new Random(6);
        for (int i = 0; i < 10_000; i++) {
            byte[] name = new byte[random.nextInt(12)];
            random.nextBytes(name);
            if (i % 3 == 0) {
                for (int at = 0; at < name.length; at++) {
                    name[at] &= 0x7F;
                }
            }
            assertThat(FileName.encode(FileName.decode(name)))
                    .as(Arrays.toString(name))
                    .isEqualTo(name);
        }
    }

    @Test
    void isTheStringOfItsUtf8() {
        for (String name : new String[] {"", "plain.bin", "gr\u00FC\u00DFe", "\uD83D\uDE00", "\uFB01 \u0000"}) {
            assertThat(FileName.decode(name.getBytes(UTF_8))).isEqualTo(name);
            assertThat(FileName.encode(name)).isEqualTo(name.getBytes(UTF_8));
        }
        assertThat(FileName.decode(new byte[] {'a', (byte) 0xFF, 'b'})).isEqualTo("a\uDCFFb");
    }
}
