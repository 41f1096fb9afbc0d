package io.aisio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class HugePageTest {
    private static final Path RESERVED = Path.of("/proc/sys/vm/nr_hugepages");

    @Test
    void comeWholeAndStayWhereTheyAre() throws Exception {
        assumeTrue(Files.isWritable(RESERVED), "needs root, to set huge pages aside");
        String before = Files.readString(RESERVED).trim();
        try {
            Files.writeString(RESERVED, Long.toString(Long.parseLong(before) + 4));
            assumeTrue(Long.parseLong(Files.readString(RESERVED).trim()) >= 4, "needs 8 MiB of memory in huge pages");
            try (Mapping mapping = Mapping.hugePages(Mapping.HUGE_PAGE_SIZE + 1, Mapping.HUGE_PAGE_SIZE)) {
                MemorySegment memory = mapping.segment();
                assertThat(memory.byteSize()).isEqualTo(2 * Mapping.HUGE_PAGE_SIZE);
                long[] pages = PageMap.physicalAddresses(memory, Mapping.HUGE_PAGE_SIZE);
                long[] small = PageMap.physicalAddresses(memory, Mapping.PAGE_SIZE);
                assertThat(pages).hasSize(2);
                for (int i = 0; i < small.length; i++) {
                    assertThat(small[i]).isEqualTo(pages[i / 512] + i % 512 * 4096L);
                }
            }
        } finally {
            Files.writeString(RESERVED, before);
        }
    }

    @Test
    void areRefusedWhereThereAreNotSoMany() {
        assertThatThrownBy(() -> Mapping.hugePages(1L << 50, Mapping.HUGE_PAGE_SIZE))
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOMEM));
    }

    @Test
    void aPartThatIsLentEndsByItself() throws Exception {
        try (Mapping mapping = Mapping.anonymous(8192)) {
            Arena arena = Arena.ofShared();
            MemorySegment part = mapping.lend(arena, 4096, 4096);
            part.set(ValueLayout.JAVA_INT, 0, 7);
            assertThat(mapping.segment().get(ValueLayout.JAVA_INT, 4096)).isEqualTo(7);
            assertThatThrownBy(() -> mapping.lend(arena, 4097, 4096)).isInstanceOf(IndexOutOfBoundsException.class);
            arena.close();
            assertThatThrownBy(() -> part.get(ValueLayout.JAVA_INT, 0)).isInstanceOf(IllegalStateException.class);
        }
    }
}
