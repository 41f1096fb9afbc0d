package io.aisio.xal.index;

import io.aisio.xal.Extent;
import io.aisio.xal.FileExtents;
import io.aisio.xal.FileType;
import io.aisio.xal.Inode;
import io.aisio.xal.backend.InodeBatch;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** A process that owns a shared index and changes it until it is killed. */
final class IndexOwner {
    static final int FILES = 50;
    private static final long ROOT = 1;
    private static final long FIRST = 100;

    private IndexOwner() {}

    /** @param args the file, and {@code halfway} to stop within a change */
    public static void main(String[] args) throws IOException {
        IndexWriter writer = IndexWriter.create(IndexWriterTest.VOLUME, Path.of(args[0]), 1);
        writer.beginReading(ROOT);
        InodeBatch batch = new InodeBatch();
        batch.addInode(ROOT, 0, 040755, 2, 0, 0);
        batch.addInode(ROOT + 1, 0, 040755, 2, 0, 0);
        writer.inodes(batch);
        writer.names(ROOT, IndexWriterTest.batch(Map.of("d", ROOT + 1)));
        for (int file = 0; file < FILES; file++) {
            put(writer, file, 0);
            writer.addName(ROOT, "f" + file, FIRST + file);
        }
        for (long inode : new long[] {ROOT, ROOT + 1}) {
            writer.keep(inode);
        }
        writer.endReading();
        if (args.length > 1) {
            writer.region().begin();
        }
        System.out.println("ready");
        Random random = new Random();
        for (long write = 1; args.length == 1; write++) {
            int file = random.nextInt(FILES);
            put(writer, file, write);
            writer.rename(ROOT, "f" + file, ROOT + 1, "f" + file);
            writer.rename(ROOT + 1, "f" + file, ROOT, "f" + file);
        }
        while (System.in.read() >= 0) {
            Thread.onSpinWait();
        }
    }

    /** Each write of a file is told from any other by its size, and all its extents by where they lie. */
    private static void put(IndexWriter writer, int file, long write) throws IOException {
        List<Extent> extents = new ArrayList<>();
        for (int i = 0; i < extents(write); i++) {
            extents.add(new Extent(i * 8192L, (write * 128 + i) * 8192, 4096, 0));
        }
        writer.put(new Inode(FIRST + file, 1, FileType.REGULAR, 0644, 1, write), 0100644, write, extents);
    }

    private static int extents(long write) {
        return (int) (write * 7 % 60);
    }

    /** Fails unless these are extents that were written whole. */
    static void check(FileExtents file) {
        long write = file.inode().size();
        List<Extent> extents = file.extents();
        if (extents.size() != extents(write)) {
            throw new AssertionError(extents.size() + " extents of write " + write);
        }
        for (int i = 0; i < extents.size(); i++) {
            if (!extents.get(i).equals(new Extent(i * 8192L, (write * 128 + i) * 8192, 4096, 0))) {
                throw new AssertionError(extents.get(i) + " is extent " + i + " of write " + write);
            }
        }
    }
}
