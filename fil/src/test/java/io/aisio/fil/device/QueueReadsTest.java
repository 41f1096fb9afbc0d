package io.aisio.fil.device;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.fil.SilentDevice;
import io.aisio.fil.Xfs;
import io.aisio.fil.spi.Backend.Settings;
import io.aisio.fil.spi.BatchReads;
import io.aisio.fil.spi.FileTable;
import io.aisio.fil.spi.Selection;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QueueReadsTest {
    private static final int SLOTS = 3;

    @TempDir
    private Path folder;

    /** All files of all batches have failed then, an empty one too as nobody can tell that it still is, those under way and those that begin later, and it can be closed. */
    @Test
    void queuesThatTellNoMoreFailAllTheirFiles() throws Exception {
        Xfs xfs = new Xfs(folder)
                .with("a", 100_000)
                .with("b", 300_000)
                .with("empty", 0)
                .make();
        Settings settings = new Settings(true, false, 2, 4, 16384);
        Device device = Device.open("emu:" + xfs.image);
        try (DeviceSource source = DeviceSource.open(device, settings, QueueReads::open, "")) {
            FileTable files = new FileTable();
            source.list(new Selection.Folder("/", any -> true), files);
            try (BatchReads reads =
                    QueueReads.open(SilentDevice.of(device), settings, source, files, SLOTS, 512 << 10, 64)) {
                for (int round = 0; round < 2; round++) {
                    for (int slot = 0; slot < SLOTS; slot++) {
                        reads.begin(slot, new int[] {0, 1, 2}, new long[] {0, 102_400, 409_600}, 3);
                    }
                    int done = 0;
                    long end = System.nanoTime() + 20_000_000_000L;
                    while (done < SLOTS && System.nanoTime() < end) {
                        done += Math.max(0, reads.drive(new int[SLOTS], true));
                    }
                    assertThat(done).isEqualTo(SLOTS);
                    for (int slot = 0; slot < SLOTS; slot++) {
                        for (int i = 0; i < 3; i++) {
                            IOException why = reads.failure(slot, i);
                            assertThat(why)
                                    .hasMessageContaining(device.name())
                                    .hasMessageContaining(files.path(i))
                                    .hasMessageContaining("taken away");
                        }
                    }
                }
            }
        }
    }
}
