package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.bench.DatasetContent;
import io.aisio.bench.DatasetFile;
import io.aisio.bench.DatasetImage;
import io.aisio.bench.DatasetShape;
import io.aisio.fil.Batch;
import io.aisio.fil.BatchReader;
import io.aisio.fil.Dataset;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A data set in an image, read through the software controller. */
class DatasetTest {
    @TempDir
    private Path folder;

    @Test
    void isReadBackThroughAQueuePairAsItWasGenerated() throws IOException {
        DatasetCommandTest.assumeMkfs();
        DatasetShape shape = DatasetShape.of("imagenetish").scaled(0.00003);
        Path image = folder.resolve("set.img");
        DatasetImage.make(shape, image, false, step -> {});
        Map<String, DatasetFile> left = new HashMap<>();
        shape.iterator().forEachRemaining(file -> left.put("/" + file.path(), file));
        assertThat(left).hasSize(36);
        DatasetContent content = new DatasetContent();
        try (Dataset data = Dataset.open("emu:" + image + "?readonly", "/");
                BatchReader batches = data.batches(32).open()) {
            for (Batch batch : batches) {
                for (int i = 0; i < batch.size(); i++) {
                    DatasetFile file = left.remove(batch.path(i));
                    assertThat(file).as(batch.path(i)).isNotNull();
                    assertThat(content.mismatch(file, batch.content(i)))
                            .as(batch.path(i))
                            .isEqualTo(-1);
                }
            }
        }
        assertThat(left).isEmpty();
    }
}
