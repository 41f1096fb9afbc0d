package io.aisio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ZeroTest {
    private static final int SIZE = 5 * Mapping.PAGE_SIZE;

    /** Start and length: nothing, inside a page, across a boundary, whole pages, and pages with both edges. */
    private static final int[][] RANGES = {{10, 0}, {10, 20}, {4000, 200}, {4096, 8192}, {100, 12_400}, {0, SIZE}};

    @Test
    void touchesTheRangeOfAMappingAndNothingElse() throws Exception {
        try (Mapping mapping = Mapping.anonymous(SIZE)) {
            for (int[] range : RANGES) {
                mapping.segment().fill((byte) 7);
                mapping.zero(range[0], range[1]);
                assertThat(mapping.segment().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(expected(range));
            }
            assertThatThrownBy(() -> mapping.zero(SIZE - 1, 2)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void touchesTheRangeOfAFileAndKeepsItsSize(@TempDir Path folder) throws Exception {
        for (int[] range : RANGES) {
            if (range[1] > 0) {
                Path path = folder.resolve("file");
                byte[] sevens = new byte[SIZE];
                Arrays.fill(sevens, (byte) 7);
                Files.write(path, sevens);
                try (OpenFile file = OpenFile.open(path, OpenFile.Access.READ_WRITE)) {
                    file.zero(range[0], range[1]);
                }
                assertThat(Files.readAllBytes(path)).isEqualTo(expected(range));
            }
        }
    }

    private static byte[] expected(int[] range) {
        byte[] bytes = new byte[SIZE];
        Arrays.fill(bytes, (byte) 7);
        Arrays.fill(bytes, range[0], range[0] + range[1], (byte) 0);
        return bytes;
    }
}
