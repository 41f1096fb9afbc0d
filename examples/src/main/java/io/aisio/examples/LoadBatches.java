package io.aisio.examples;

import io.aisio.fil.Batch;
import io.aisio.fil.BatchReader;
import io.aisio.fil.Dataset;
import java.io.IOException;

/** A loader for training: all files of a device, in shuffled batches, the next ones read while this one is used. */
final class LoadBatches {
    private LoadBatches() {}

    public static void main(String[] arguments) throws IOException {
        try (Dataset data = Dataset.open(arguments[0], "/");
                BatchReader batches = data.batches(64).shuffle(42).epochs(2).open()) {
            System.out.println(data.files() + " files of " + data.classes().size() + " classes by " + data.path());
            for (Batch batch : batches) {
                long sum = 0;
                for (int i = 0; i < batch.size(); i++) {
                    sum += batch.label(i) * 31L + batch.content(i).byteSize();
                }
                System.out.println("epoch %d, batch %d: %d files, %d bytes, sum %d"
                        .formatted(batch.epoch(), batch.number(), batch.size(), batch.bytes(), sum));
            }
        }
    }
}
