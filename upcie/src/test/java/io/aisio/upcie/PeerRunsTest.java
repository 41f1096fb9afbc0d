package io.aisio.upcie;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.linux.UdmabufImport;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PeerRunsTest {
    @Test
    void findsEveryByteInItsRun() {
        Random random = new Random(11);
        for (int count = 1; count < 40; count++) {
            List<UdmabufImport.Run> runs = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                runs.add(new UdmabufImport.Run((1L << 40) - (i * 64L << 16), (1 + random.nextInt(4)) * 0x1_0000L));
            }
            PeerRuns all = new PeerRuns(runs);
            long offset = 0;
            for (UdmabufImport.Run run : runs) {
                assertThat(all.address(offset)).isEqualTo(run.address());
                assertThat(all.address(offset + 4096)).isEqualTo(run.address() + 4096);
                offset += run.bytes();
                assertThat(all.address(offset - 1)).isEqualTo(run.address() + run.bytes() - 1);
            }
            assertThat(all.bytes()).isEqualTo(offset);
        }
    }
}
