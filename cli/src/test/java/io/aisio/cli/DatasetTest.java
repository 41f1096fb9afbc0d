package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.bench.DatasetContent;
import io.aisio.bench.DatasetFile;
import io.aisio.bench.DatasetImage;
import io.aisio.bench.DatasetShape;
import io.aisio.fil.DeviceBlocks;
import io.aisio.fil.ExtentReader;
import io.aisio.xal.Entry;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A data set in an image, read through the software controller. */
class DatasetTest {
    @TempDir
    private Path folder;

    @Test
    void isReadBackThroughAQueuePairAsItWasGenerated() throws IOException {
        assumeTrue(
                Stream.of("/sbin/mkfs.xfs", "/usr/sbin/mkfs.xfs").map(Path::of).anyMatch(Files::isExecutable),
                "needs mkfs.xfs (apt-get install xfsprogs)");
        DatasetShape shape = DatasetShape.of("imagenetish").scaled(0.0001);
        Path image = folder.resolve("set.img");
        DatasetImage.make(shape, image, false, step -> {});
        Map<String, DatasetFile> files = new HashMap<>();
        List<Entry> entries = new ArrayList<>();
        DatasetContent content = new DatasetContent();
        try (Device device = Device.open("emu:" + image + "?readonly");
                DeviceBlocks blocks = DeviceBlocks.open(device);
                Xal xal = Xal.open(blocks);
                ExtentReader reader = ExtentReader.open(device, xal, 32, 4 << 20)) {
            for (Iterator<DatasetFile> all = shape.iterator(); all.hasNext(); ) {
                DatasetFile file = all.next();
                files.put("/" + file.path(), file);
                entries.add(xal.lookup("/" + file.path()));
            }
            reader.read(
                    entries,
                    (entry, bytes) -> assertThat(content.mismatch(files.get(entry.path()), bytes))
                            .as(entry.path())
                            .isEqualTo(-1));
        }
        assertThat(entries).hasSize(120);
    }
}
