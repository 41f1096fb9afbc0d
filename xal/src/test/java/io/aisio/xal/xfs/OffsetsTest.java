package io.aisio.xal.xfs;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.xal.Extent;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Our offsets against those of xfs_db: what it prints for a field is what we read where we think that it lies. */
class OffsetsTest {
    @TempDir
    private static Path folder;

    private static XfsImage image;
    private static FileBlocks file;
    private static PatchedBlocks blocks;

    @BeforeAll
    static void make() throws Exception {
        Path tree = folder.resolve("tree");
        XfsImage.fill(tree.resolve("file"), 300_000);
        for (int i = 0; i < 60; i++) {
            XfsImage.fill(tree.resolve("directory/entry-of-the-block-" + i), 0);
        }
        for (int i = 0; i < 300; i++) {
            XfsImage.fill(tree.resolve("more/entry-of-the-directory-" + i), 0);
        }
        image = XfsImage.of(
                folder, tree, "", "-b", "size=2048", "-n", "size=4096", "-i", "size=1024,nrext64=1", "-d", "agcount=5");
        file = FileBlocks.open(image.path());
        blocks = new PatchedBlocks(file);
    }

    @AfterAll
    static void close() {
        if (file != null) {
            file.close();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "magicnum, 0, 4",
        "blocksize, 4, 4",
        "dblocks, 8, 8",
        "rblocks, 16, 8",
        "logstart, 48, 8",
        "logblocks, 96, 4",
        "rootino, 56, 8",
        "agblocks, 84, 4",
        "agcount, 88, 4",
        "versionnum, 100, 2",
        "sectsize, 102, 2",
        "inodesize, 104, 2",
        "inopblock, 106, 2",
        "blocklog, 120, 1",
        "sectlog, 121, 1",
        "inodelog, 122, 1",
        "inopblog, 123, 1",
        "agblklog, 124, 1",
        "inprogress, 126, 1",
        "dirblklog, 192, 1",
        "features_incompat, 216, 4",
    })
    void superblock(String field, long offset, int bytes) throws Exception {
        assertThat(offset(Superblock.class, field)).isEqualTo(offset);
        assertThat(blocks.get(0, offset, bytes)).isEqualTo(image.dbNumber("sb 0", field));
    }

    @ParameterizedTest
    @CsvSource({"magicnum, 4", "versionnum, 4", "seqno, 4", "length, 4"})
    void headsOfAllocationGroups(String field, int bytes) throws Exception {
        long ag = geometry().agPosition(4);
        assertThat(blocks.get(ag + 512, offset(AgFreeHeader.class, field), bytes))
                .isEqualTo(image.dbNumber("agf 4", field));
        assertThat(blocks.get(ag + 1024, offset(AgInodeHeader.class, field), bytes))
                .isEqualTo(image.dbNumber("agi 4", field));
    }

    @ParameterizedTest
    @CsvSource({
        "core.magic, MAGIC_FIELD, 2",
        "core.mode, MODE, 2",
        "core.version, VERSION_FIELD, 1",
        "core.format, FORMAT, 1",
        "core.nlinkv2, NLINK, 4",
        "core.nextents, BIG_NEXTENTS, 8",
        "core.size, SIZE, 8",
        "core.forkoff, FORKOFF, 1",
        "core.gen, GEN, 4",
        "v3.flags2, FLAGS2, 8",
        "v3.inumber, INO, 8",
    })
    void inode(String field, String constant, int bytes) throws Exception {
        try (Xal xal = Xal.open(blocks)) {
            for (String path : new String[] {"/", "/file", "/directory", "/more"}) {
                long number = xal.lookup(path).inode().number();
                long position = geometry().inodePosition(number);
                assertThat(blocks.get(position, offset(InodeCore.class, constant), bytes))
                        .as(path)
                        .isEqualTo(image.dbNumber("inode " + number, field));
            }
        }
    }

    @Test
    void directoryBlocks() throws Exception {
        try (Xal xal = Xal.open(blocks)) {
            long number = xal.lookup("/more").inode().number();
            Extent extent = xal.extents(xal.lookup("/more")).getFirst();
            long position = extent.position();
            String address = "inode " + number;
            for (String[] field : new String[][] {
                {"dhdr.hdr.magic", "MAGIC_FIELD", "4"},
                {"dhdr.hdr.bno", "BLKNO", "8"},
                {"dhdr.hdr.owner", "OWNER", "8"},
            }) {
                long value = image.dbNumber(address, "dblock 0", field[0]);
                assertThat(blocks.get(position, offset(DirectoryBlock.class, field[1]), Integer.parseInt(field[2])))
                        .as(field[0])
                        .isEqualTo(value);
            }
            assertThat(image.dbNumber(address, "dblock 0", "du[0].inumber"))
                    .isEqualTo(blocks.get(position, DirectoryBlock.HEADER_BYTES + DirectoryBlock.ENTRY_INUMBER, 8));
            assertThat(image.dbNumber(address, "dblock 0", "du[1].namelen"))
                    .isEqualTo(
                            blocks.get(position, DirectoryBlock.HEADER_BYTES + 16 + DirectoryBlock.ENTRY_NAMELEN, 1));
        }
    }

    private static Geometry geometry() throws IOException {
        try (MetadataReader reader = new MetadataReader(file)) {
            return Superblock.read("image", reader, file.size());
        }
    }

    private static long offset(Class<?> structure, String field) throws ReflectiveOperationException {
        return structure.getDeclaredField(field.toUpperCase(Locale.ROOT)).getLong(null);
    }
}
