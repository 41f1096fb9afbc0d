package io.aisio.bench;

import io.aisio.fil.Batch;
import io.aisio.fil.Dataset;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/** Files as the generator of data sets makes them, again: nothing is read for them. */
final class ShapeContent implements FileContent {
    private final Dataset data;
    private final String name;
    /** Of each file, what its content follows from. */
    private final int[] states;

    private final DatasetContent content = new DatasetContent();

    private ShapeContent(Dataset data, String name, int[] states) {
        this.data = data;
        this.name = name;
        this.states = states;
    }

    /**
     * Finds the shape that has all files of a data set, of their sizes.
     *
     * @throws IOException if there is none
     */
    static ShapeContent of(Dataset data) throws IOException {
        List<DatasetShape> shapes = DatasetShape.all();
        for (DatasetShape shape : shapes) {
            int[] states = states(data, shape);
            if (states != null) {
                return new ShapeContent(data, shape.name(), states);
            }
        }
        throw new IOException("nothing to verify against, as the data set has not the files of %s: give --mnt FOLDER or"
                        .formatted(shapes.stream().map(DatasetShape::name).collect(Collectors.joining(", ")))
                + " --verify-against FOLDER, where the same files are mounted");
    }

    private static int @Nullable [] states(Dataset data, DatasetShape shape) {
        Map<String, DatasetClass> classes =
                shape.classes().stream().collect(Collectors.toMap(DatasetClass::name, one -> one));
        int[] states = new int[data.files()];
        Map<String, DatasetFile> files = new HashMap<>();
        String folder = null;
        for (int file = 0; file < states.length; file++) {
            String its = data.classes().get(data.label(file));
            if (!its.equals(folder)) {
                DatasetClass one = classes.get(its);
                if (one == null) {
                    return null;
                }
                files.clear();
                shape.filesOf(one).forEachRemaining(made -> files.put(made.name(), made));
                folder = its;
            }
            String path = data.path(file);
            DatasetFile made = files.get(path.substring(path.lastIndexOf('/') + 1));
            if (made == null || !fits(data.size(file), data.size(0), made.size(), shape)) {
                return null;
            }
            states[file] = made.state();
        }
        return states;
    }

    /** Whether it is a file's size: where all are of one size, they may have been scaled, all the same. */
    private static boolean fits(long size, long first, long whole, DatasetShape shape) {
        return size == whole
                || (shape.leastBytes() == shape.mostBytes()
                        && size == first
                        && size > 0
                        && size < whole
                        && size % DatasetShape.BLOCK_BYTES == 0);
    }

    @Override
    public String description() {
        return "what the generator makes of " + name;
    }

    @Override
    public long mismatch(Batch batch, int i, MemorySegment bytes) {
        return content.mismatch(made(batch, i), bytes);
    }

    @Override
    public int crc32c(Batch batch, int i) {
        DatasetFile file = made(batch, i);
        CRC32C crc = new CRC32C();
        content.begin(file);
        for (long at = 0; at < file.size(); at += DatasetContent.CHUNK) {
            int count = (int) Math.min(DatasetContent.CHUNK, file.size() - at);
            crc.update(content.next(count), 0, count);
        }
        return (int) crc.getValue();
    }

    private DatasetFile made(Batch batch, int i) {
        int file = batch.file(i);
        return new DatasetFile(data.path(file), data.size(file), states[file]);
    }
}
