package io.aisio.xal.xfs;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.xal.BlockSource;
import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.FileName;
import io.aisio.xal.FileType;
import io.aisio.xal.Inode;
import io.aisio.xal.Xal;
import io.aisio.xal.backend.Backend;
import io.aisio.xal.backend.Catalog;
import io.aisio.xal.backend.InodeBatch;
import io.aisio.xal.backend.NameBatch;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A catalog in maps, to be compared with what a walk finds. */
public final class RecordedCatalog implements Catalog {
    /** An inode and its extents. */
    public record File(Inode inode, List<Extent> extents) {}

    private final Map<Long, File> files = new TreeMap<>();
    private final Map<Long, Map<String, Long>> names = new TreeMap<>();
    private final List<IOException> damage = new ArrayList<>();

    /** Reads all of a file system. */
    public static RecordedCatalog of(BlockSource source) throws IOException {
        RecordedCatalog catalog = new RecordedCatalog();
        try (XfsVolume volume = XfsVolume.open(source)) {
            volume.readAll(catalog);
        }
        return catalog;
    }

    /** Compares what reading all gives with what a walk gives, of a file system without damage. */
    public static void agreesWithAWalk(BlockSource source) throws IOException {
        RecordedCatalog catalog = of(source);
        assertThat(catalog.damage()).isEmpty();
        Map<String, File> walked = new TreeMap<>();
        try (Xal xal = Xal.open(source)) {
            long root = xal.lookup("/").inode().number();
            xal.walk("/", new Xal.Visitor() {
                @Override
                public void visit(Entry entry) throws IOException {
                    List<Extent> extents = entry.type() == FileType.REGULAR ? xal.extents(entry) : List.of();
                    walked.put(entry.path(), new File(entry.inode(), extents));
                }

                @Override
                public void damaged(String path, IOException problem) throws IOException {
                    throw problem;
                }
            });
            assertThat(catalog.tree(root)).isEqualTo(walked);
        }
    }

    @Override
    public synchronized void inodes(InodeBatch batch) {
        for (int i = 0; i < batch.inodes(); i++) {
            List<Extent> extents = new ArrayList<>();
            for (int e = batch.firstExtent(i); e < batch.firstExtent(i + 1); e++) {
                extents.add(new Extent(batch.offset(e), batch.position(e), batch.length(e), batch.flags(e)));
            }
            Inode inode = new Inode(
                    batch.number(i),
                    batch.generation(i),
                    batch.type(i),
                    batch.mode(i) & 0xFFF,
                    batch.links(i),
                    batch.size(i));
            assertThat(files.put(batch.number(i), new File(inode, extents)))
                    .as("given twice")
                    .isNull();
        }
    }

    @Override
    public synchronized void names(long directory, NameBatch batch) {
        assertThat(files).as("the directory's inode comes first").containsKey(directory);
        Map<String, Long> children = new TreeMap<>();
        for (int i = 0; i < batch.names(); i++) {
            String name = FileName.decode(Arrays.copyOfRange(batch.bytes(), batch.begin(i), batch.begin(i + 1)));
            children.put(name, batch.inode(i));
        }
        assertThat(names.put(directory, children)).as("listed twice").isNull();
    }

    @Override
    public boolean knows(long number, int generation, long stamp) {
        return false;
    }

    @Override
    public void keep(long number) {
        throw new AssertionError("inode " + number + " was never known");
    }

    @Override
    public synchronized void damaged(IOException problem) {
        damage.add(problem);
    }

    /** What could not be read. */
    public List<IOException> damage() {
        return damage;
    }

    /** Files by path, of a tree without circles. */
    public Map<String, File> tree(long root) {
        Map<String, File> tree = new TreeMap<>();
        add(tree, "/", root);
        return tree;
    }

    private void add(Map<String, File> tree, String path, long number) {
        File file = files.get(number);
        if (file != null && tree.put(path, file) == null) {
            names.getOrDefault(number, Map.of()).forEach((name, child) -> add(tree, Backend.path(path, name), child));
        }
    }
}
