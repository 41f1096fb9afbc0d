package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Test;

class IovaSpaceTest {
    private static final long LARGE = 1L << 20;

    /** The range of addresses is used up by memory that is freed again, until a gap has to do. */
    @Test
    void addressesFromAGapDoNotOverlapWhatLiesBehindIt() throws IOException {
        IovaSpace space = new IovaSpace(IovaSpace.FIRST + 64 * LARGE);
        try {
            IovaSpace.Region gap = space.allocate(LARGE);
            IovaSpace.Region behind = space.allocate(LARGE);
            gap.close();
            IovaSpace.Region small = space.allocate(4096);
            while (small.iova > behind.iova) {
                space.allocate(LARGE).close();
                small.close();
                small = space.allocate(4096);
            }
            IovaSpace.Region next = space.allocate(LARGE);
            assertThat(next.iova >= behind.iova + behind.bytes || next.iova + next.bytes <= behind.iova)
                    .as("0x%x and 0x%x, %d bytes each", next.iova, behind.iova, LARGE)
                    .isTrue();
        } finally {
            space.close();
        }
    }
}
