package io.aisio.bench;

import java.nio.file.Path;

/**
 * A data set that was made.
 *
 * @param shape which
 * @param target the folder or the image
 * @param files how many
 * @param bytes of their content
 * @param targetBytes the size of the image; of a folder, that of its files in whole blocks
 * @param seconds that it took
 */
public record DatasetReport(DatasetShape shape, Path target, long files, long bytes, long targetBytes, double seconds) {
    /** Bytes of content that were made and written a second. */
    public double bytesPerSecond() {
        return bytes / seconds;
    }
}
