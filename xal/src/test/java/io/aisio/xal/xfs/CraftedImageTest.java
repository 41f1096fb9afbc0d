package io.aisio.xal.xfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.FileType;
import io.aisio.xal.Inode;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsException;
import io.aisio.xal.XfsImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Structures that mkfs.xfs does not make, and damaged ones: an image of blocks of 1 KiB, changed in memory. */
class CraftedImageTest {
    private static final int BLOCK = 1024;
    /** How often the hostile tests try, each some milliseconds. */
    private static final int TRIES = 1_500;

    @TempDir
    private static Path folder;

    private static FileBlocks image;
    private static Geometry geometry;
    private static Map<String, Entry> pristine;

    private PatchedBlocks blocks;

    @BeforeAll
    static void make() throws Exception {
        Path tree = folder.resolve("tree");
        XfsImage.fill(tree.resolve("file"), 64 * BLOCK);
        XfsImage.fill(tree.resolve("spare"), 64 * BLOCK);
        Files.createDirectories(tree.resolve("empty"));
        XfsImage.fill(tree.resolve("short/below/bottom"), 5);
        for (int i = 0; i < 40; i++) {
            XfsImage.fill(tree.resolve("block/entry-" + i + "-of-a-block"), 0);
        }
        for (int i = 0; i < 400; i++) {
            XfsImage.fill(tree.resolve("leaf/a-name-of-some-length-" + i), i % 10);
        }
        String specials = "link l--777 0 0 /nowhere\npipe p--600 0 0\n";
        XfsImage made = XfsImage.of(folder, tree, specials, "-b", "size=1024", "-n", "size=4096", "-i", "nrext64=1");
        image = FileBlocks.open(made.path());
        try (MetadataReader reader = new MetadataReader(image)) {
            geometry = Superblock.read("image", reader, image.size());
        }
        pristine = new Walk(new PatchedBlocks(image)).sound();
        assertThat(pristine).hasSizeGreaterThan(440);
    }

    @AfterAll
    static void close() {
        if (image != null) {
            image.close();
        }
    }

    @BeforeEach
    void fresh() throws IOException {
        blocks = new PatchedBlocks(image);
        // mkfs.xfs was told nrext64, so that every inode counts in 64 bits; the crafted ones count in 32.
        for (String path : List.of("/file", "/leaf", "/block")) {
            clearLargeCounts(number(path));
        }
    }

    private void clearLargeCounts(long number) throws IOException {
        long at = geometry.inodePosition(number);
        long count = blocks.get(at, InodeCore.BIG_NEXTENTS, 8);
        long flags2 = blocks.get(at, InodeCore.FLAGS2, 8);
        assertThat(flags2 & InodeCore.NREXT64).isNotZero();
        blocks.put(at, InodeCore.FLAGS2, 8, flags2 & ~InodeCore.NREXT64);
        blocks.put(at, InodeCore.BIG_NEXTENTS, 8, 0);
        blocks.put(at, InodeCore.NEXTENTS, 4, count);
        blocks.sealInode(geometry, number);
    }

    private static long number(String path) {
        return pristine.get(path).inode().number();
    }

    /** The blocks of a file, each an extent of its own, in order. */
    private List<Extent> single(String path) throws IOException {
        List<Extent> singles = new ArrayList<>();
        for (Extent extent : extents(path)) {
            for (long at = 0; at < extent.length(); at += BLOCK) {
                singles.add(new Extent(extent.offset() + at, extent.position() + at, BLOCK, 0));
            }
        }
        return singles;
    }

    private List<Extent> extents(String path) throws IOException {
        try (Xal xal = Xal.open(blocks)) {
            return xal.extents(xal.lookup(path));
        }
    }

    /** What a walk found, and what it told of damage. */
    private static final class Walk implements Xal.Visitor {
        final Map<String, Entry> found = new TreeMap<>();
        final Map<String, IOException> damage = new TreeMap<>();

        Walk(PatchedBlocks blocks) throws IOException {
            assertThat(RecordedCatalog.of(blocks).damage()).hasOnlyElementsOfType(XfsException.class);
            try (Xal xal = Xal.open(blocks)) {
                xal.walk("/", this);
                for (Map.Entry<String, Entry> file : found.entrySet()) {
                    try {
                        for (Extent extent : xal.extents(file.getValue())) {
                            assertThat(extent.position()).isBetween(BLOCK * 2L, blocks.size() - extent.length());
                        }
                        if (file.getValue().type() == FileType.REGULAR) {
                            long at = 0;
                            for (Piece piece : xal.pieces(file.getValue())) {
                                assertThat(piece.offset()).isEqualTo(at);
                                at += piece.length();
                            }
                            assertThat(at).isEqualTo(file.getValue().inode().size());
                        }
                    } catch (XfsException e) {
                        damage.putIfAbsent(file.getKey(), e);
                    }
                }
            }
        }

        Map<String, Entry> sound() {
            assertThat(damage).isEmpty();
            return found;
        }

        @Override
        public void visit(Entry entry) {
            found.put(entry.path(), entry);
        }

        @Override
        public void damaged(String path, IOException problem) {
            assertThat(problem).isInstanceOf(XfsException.class);
            damage.putIfAbsent(path, problem);
        }
    }

    // ---- block maps ----

    @Test
    void givesHolesAndUnwrittenBlocksTheirPieces() throws IOException {
        long at = single("/file").getFirst().position();
        blocks.inline(
                geometry,
                number("/file"),
                List.of(
                        new Extent(2 * BLOCK, at, 3 * BLOCK, 0),
                        new Extent(5 * BLOCK, at + 8 * BLOCK, BLOCK, Extent.UNWRITTEN),
                        new Extent(10 * BLOCK, at + 3 * BLOCK, BLOCK, 0),
                        new Extent(90 * BLOCK, at + 5 * BLOCK, BLOCK, 0)));
        blocks.inodeField(geometry, number("/file"), InodeCore.SIZE, 8, 12 * BLOCK + 7);
        try (Xal xal = Xal.open(blocks)) {
            Entry file = xal.lookup("/file");
            assertThat(xal.pieces(file))
                    .containsExactly(
                            new Piece(Piece.Kind.HOLE, 0, Piece.NOWHERE, 2 * BLOCK),
                            new Piece(Piece.Kind.DATA, 2 * BLOCK, at, 3 * BLOCK),
                            new Piece(Piece.Kind.UNWRITTEN, 5 * BLOCK, at + 8 * BLOCK, BLOCK),
                            new Piece(Piece.Kind.HOLE, 6 * BLOCK, Piece.NOWHERE, 4 * BLOCK),
                            new Piece(Piece.Kind.DATA, 10 * BLOCK, at + 3 * BLOCK, BLOCK),
                            new Piece(Piece.Kind.HOLE, 11 * BLOCK, Piece.NOWHERE, BLOCK + 7));
            assertThat(xal.extents(file).getLast().sectors())
                    .isEqualTo(new Extent.Sectors(180, 181, at / 512 + 10, at / 512 + 11));
            assertThat(xal.extents(file).getLast().lba(BLOCK)).isEqualTo(at / BLOCK + 5);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 15, 31})
    void readsBlockMapsOfSeveralLevels(int forkoff) throws IOException {
        List<Extent> singles = single("/file");
        List<Extent> scattered = new ArrayList<>();
        for (int i = 0; i < singles.size(); i++) {
            scattered.add(
                    new Extent(i * 3L * BLOCK, singles.get(i).position(), BLOCK, i % 5 == 0 ? Extent.UNWRITTEN : 0));
        }
        long spare = single("/spare").getFirst().position();
        assertThat(blocks.tree(geometry, number("/file"), scattered, spare, 4, 3, forkoff))
                .as("16 leaves, 6 nodes and 2 above them")
                .isEqualTo(24);
        assertThat(extents("/file")).isEqualTo(scattered);
    }

    @Test
    void refusesABlockMapThatRunsInCircles() throws IOException {
        long spare = single("/spare").getFirst().position();
        blocks.tree(geometry, number("/file"), single("/file"), spare, 4, 3, 0);
        // The first node above the leaves has three children: let the third be the first.
        long node = spare + 16 * BLOCK + BmapBlock.HEADER_BYTES;
        long pointers = (BLOCK - BmapBlock.HEADER_BYTES) / 16 * 8;
        blocks.put(node, pointers + 16, 8, blocks.get(node, pointers, 8));
        blocks.seal(spare + 16 * BLOCK, BLOCK, BmapBlock.CRC);
        assertThatThrownBy(() -> extents("/file"))
                .isInstanceOf(XfsException.class)
                .hasMessageContaining("startoff is 0, expected 8 or more");
        // And a node that is its own child has the wrong level.
        blocks.put(node, pointers + 16, 8, PatchedBlocks.block(geometry, spare + 16 * BLOCK));
        blocks.seal(spare + 16 * BLOCK, BLOCK, BmapBlock.CRC);
        assertThatThrownBy(() -> extents("/file")).hasMessageContaining("level is 1, expected 0");
    }

    @Test
    void refusesExtentsThatOverlapOrLeaveTheirAllocationGroup() throws IOException {
        long at = single("/file").getFirst().position();
        long number = number("/file");
        blocks.inline(geometry, number, List.of(new Extent(0, at, 2 * BLOCK, 0), new Extent(BLOCK, at, BLOCK, 0)));
        assertThatThrownBy(() -> extents("/file")).hasMessageContaining("startoff is 1, expected 2 or more");
        long end = geometry.agPosition(1);
        blocks.inline(geometry, number, List.of(new Extent(0, end - BLOCK, 2 * BLOCK, 0)));
        assertThatThrownBy(() -> extents("/file")).hasMessageContaining("blockcount 2, expected blocks inside");
        blocks.inline(geometry, number, List.of(new Extent(0, end, BLOCK, 0)));
        assertThatThrownBy(() -> extents("/file")).hasMessageContaining("inode " + number);
        blocks.inline(geometry, number, List.of(new Extent(0, geometry.blocks() * BLOCK, BLOCK, 0)));
        assertThatThrownBy(() -> extents("/file")).isInstanceOf(XfsException.class);
        blocks.inline(geometry, number, List.of(new Extent(0, at, 0, 0)));
        assertThatThrownBy(() -> extents("/file")).hasMessageContaining("blockcount 0");
        blocks.inodeField(geometry, number, InodeCore.NEXTENTS, 4, 22);
        assertThatThrownBy(() -> extents("/file")).hasMessageContaining("nextents is 22, expected at most 21");
    }

    @Test
    void refusesARealTimeFileAndListsIt() throws IOException {
        blocks.inodeField(geometry, number("/file"), InodeCore.FLAGS, 2, InodeCore.REALTIME);
        assertThatThrownBy(() -> extents("/file"))
                .isInstanceOf(XfsException.class)
                .hasMessageContaining("real-time device");
        Walk walk = new Walk(blocks);
        assertThat(walk.found).containsOnlyKeys(pristine.keySet());
        assertThat(walk.damage).containsOnlyKeys("/file");
    }

    @Test
    void refusesToMapAnInodeThatChanged() throws IOException {
        try (Xal xal = Xal.open(blocks)) {
            Inode file = xal.lookup("/file").inode();
            Entry reused = new Entry(
                    "/file",
                    new Inode(
                            file.number(), file.generation() + 1, file.type(), file.mode(), file.links(), file.size()));
            assertThatThrownBy(() -> xal.extents(reused)).hasMessageContaining("changed since it was read");
        }
    }

    // ---- directories ----

    @Test
    void readsNamesBehindARemovedOne() throws IOException {
        long block = extents("/block").getFirst().position();
        int[] entry = entry(block, "entry-7-of-a-block");
        blocks.put(block, entry[0], 2, DirectoryBlock.FREE);
        blocks.put(block, entry[0] + DirectoryBlock.FREE_LENGTH, 2, entry[1]);
        long stale = blocks.get(block, 4096 - DirectoryBlock.TAIL_STALE, 4);
        blocks.put(block, 4096 - DirectoryBlock.TAIL_STALE, 4, stale + 1);
        blocks.seal(block, 4096, DirectoryBlock.CRC);
        TreeMap<String, Entry> expected = new TreeMap<>(pristine);
        expected.remove("/block/entry-7-of-a-block");
        assertThat(new Walk(blocks).sound()).containsOnlyKeys(expected.keySet());
    }

    @Test
    void readsDirectoryBlocksThatLieInSeveralExtents() throws IOException {
        List<Extent> singles = single("/leaf");
        assertThat(singles).hasSizeGreaterThan(12);
        blocks.inline(geometry, number("/leaf"), singles.subList(0, 4));
        blocks.tree(
                geometry, number("/leaf"), singles, single("/spare").getFirst().position(), 3, 4, 0);
        assertThat(new Walk(blocks).sound()).containsOnlyKeys(pristine.keySet());
    }

    @Test
    void readsShortDirectoriesWithLargeInodeNumbers() throws IOException {
        long at = geometry.inodePosition(number("/short"));
        long data = at + InodeCore.CORE_BYTES;
        long parent = blocks.get(data, 2, 4);
        long below = number("/short/below");
        byte[] name = blocks.get(data + 6, 3 + 5 + 1);
        blocks.put(data, ShortDirectory.I8COUNT, 1, 1);
        blocks.put(data, ShortDirectory.PARENT, 8, parent);
        blocks.put(data + 10, name);
        blocks.put(data + 10, name.length, 8, below);
        blocks.inodeField(geometry, number("/short"), InodeCore.SIZE, 8, 10 + name.length + 8);
        assertThat(new Walk(blocks).sound()).containsOnlyKeys(pristine.keySet());
        blocks.put(data + 10, name.length, 8, below + (1L << 40));
        blocks.sealInode(geometry, number("/short"));
        assertThat(new Walk(blocks).damage.get("/short/below"))
                .hasMessageContaining("inode " + (below + (1L << 40)))
                .hasMessageContaining("no allocation group");
    }

    @Test
    void refusesEntriesWithoutLengthAndNamesWithSlashOrNul() throws IOException {
        long block = extents("/block").getFirst().position();
        int entry = entry(block, "entry-7-of-a-block")[0];
        Map<Integer, String> changes = Map.of(
                (int) DirectoryBlock.ENTRY_NAMELEN << 8,
                "namelen of the entry at " + entry + " is 0",
                (int) DirectoryBlock.ENTRY_NAME << 8,
                "a NUL",
                (int) DirectoryBlock.ENTRY_NAME << 8 | '/',
                "a slash",
                (int) DirectoryBlock.ENTRY_NAMELEN << 8 | 255,
                "tag of what begins at " + entry);
        for (Map.Entry<Integer, String> change : changes.entrySet()) {
            PatchedBlocks changed = new PatchedBlocks(blocks);
            changed.put(block, entry + (change.getKey() >> 8), 1, change.getKey() & 0xFF);
            changed.seal(block, 4096, DirectoryBlock.CRC);
            Walk walk = new Walk(changed);
            assertThat(walk.damage).containsOnlyKeys("/block");
            assertThat(walk.damage.get("/block"))
                    .hasMessageContaining(change.getValue())
                    .hasMessageContaining("directory block of inode " + number("/block"))
                    .hasMessageContaining(geometry.place(block) + ", byte " + block + ")");
            assertThat(walk.found)
                    .containsKeys("/leaf", "/spare", "/block/entry-6-of-a-block")
                    .doesNotContainKey("/block/entry-8-of-a-block");
        }
    }

    @Test
    void refusesARootThatIsNoDirectory() throws IOException {
        blocks.put(0, Superblock.ROOTINO, 8, number("/file"));
        blocks.seal(0, 512, Superblock.CRC);
        assertThatThrownBy(() -> new Walk(blocks))
                .isInstanceOf(XfsException.class)
                .hasMessageContaining("inode " + number("/file"))
                .hasMessageContaining("the root is no directory");
    }

    @Test
    void tellsOfTwoEntriesOfOneName() throws IOException {
        long block = extents("/block").getFirst().position();
        int entry = entry(block, "entry-7-of-a-block")[0];
        blocks.put(block, entry + DirectoryBlock.ENTRY_NAME + 6, 1, '6');
        blocks.seal(block, 4096, DirectoryBlock.CRC);
        assertThat(new Walk(blocks).damage.get("/block"))
                .hasMessageContaining("two of its entries are named entry-6-of-a-block");
    }

    @Test
    void tellsOfDirectoriesThatAppearTwice() throws IOException {
        long data = geometry.inodePosition(number("/short/below")) + InodeCore.CORE_BYTES;
        // Its only entry, a file named "bottom", now names the directory itself.
        blocks.put(data, 6 + 3 + 6, 1, 2);
        blocks.put(data, 6 + 3 + 6 + 1, 4, number("/short/below"));
        blocks.sealInode(geometry, number("/short/below"));
        Walk walk = new Walk(blocks);
        assertThat(walk.damage).containsOnlyKeys("/short/below/bottom");
        assertThat(walk.damage.get("/short/below/bottom")).hasMessageContaining("a directory has one name");
    }

    @Test
    void tellsOfDamageWithoutHidingTheRest() throws IOException {
        long inode = geometry.inodePosition(number("/leaf/a-name-of-some-length-77"));
        blocks.put(inode, InodeCore.SIZE, 8, 1);
        long second = single("/leaf").get(4).position();
        blocks.put(second, 100, 1, 0x55);
        Walk walk = new Walk(blocks);
        assertThat(walk.damage).containsKey("/leaf");
        assertThat(walk.damage.get("/leaf")).hasMessageContaining("crc is 0x");
        TreeMap<String, Entry> lost = new TreeMap<>(pristine);
        lost.keySet().removeAll(walk.found.keySet());
        assertThat(lost).hasSizeBetween(20, 110);
        assertThat(lost.keySet()).allMatch(path -> path.startsWith("/leaf/"));
        PatchedBlocks oneInode = new PatchedBlocks(image);
        oneInode.put(inode, InodeCore.SIZE, 8, 1);
        walk = new Walk(oneInode);
        assertThat(walk.damage).containsOnlyKeys("/leaf/a-name-of-some-length-77");
        assertThat(walk.found).hasSize(pristine.size() - 1);
    }

    @Test
    void tellsOfADirectoryWhoseLastBlockIsNotMapped() throws IOException {
        blocks.inodeField(
                geometry,
                number("/leaf"),
                InodeCore.SIZE,
                8,
                pristine.get("/leaf").inode().size() + 4096);
        Walk walk = new Walk(blocks);
        assertThat(walk.damage).containsOnlyKeys("/leaf");
        assertThat(walk.damage.get("/leaf")).hasMessageContaining("where its last block of entries ends");
        assertThat(walk.found).hasSameSizeAs(pristine);
    }

    /** Where an entry begins in a directory block, and its length. */
    private int[] entry(long block, String name) throws IOException {
        int at = DirectoryBlock.HEADER_BYTES;
        while (true) {
            int length = (int) blocks.get(block, at + DirectoryBlock.ENTRY_NAMELEN, 1);
            String here =
                    new String(blocks.get(block + at + DirectoryBlock.ENTRY_NAME, length), StandardCharsets.UTF_8);
            int whole = (int) (DirectoryBlock.ENTRY_NAME + length + 1 + 2 + 7) & -8;
            if (here.equals(name)) {
                return new int[] {at, whole};
            }
            at += whole;
        }
    }

    // ---- inode B-trees ----

    /** Writes a block of an inode B-tree. */
    private void inodeBlock(long ag, long at, int level, List<long[]> keysAndPointers) throws IOException {
        blocks.put(at, new byte[BLOCK]);
        blocks.put(at, AgBtree.MAGIC_FIELD, 4, InodeChunk.MAGIC);
        blocks.put(at, AgBtree.LEVEL, 2, level);
        blocks.put(at, AgBtree.NUMRECS, 2, keysAndPointers.size());
        blocks.put(at, AgBtree.BLKNO, 8, at / 512);
        blocks.put(at, AgBtree.UUID, 8, geometry.uuid().high());
        blocks.put(at, AgBtree.UUID + 8, 8, geometry.uuid().low());
        blocks.put(at, AgBtree.OWNER, 4, ag);
        long room = (BLOCK - AgBtree.HEADER_BYTES) / 8;
        for (int i = 0; i < keysAndPointers.size(); i++) {
            blocks.put(at + AgBtree.HEADER_BYTES, i * 4L, 4, keysAndPointers.get(i)[0]);
            blocks.put(
                    at + AgBtree.HEADER_BYTES,
                    (room + i) * 4L,
                    4,
                    keysAndPointers.get(i)[1]);
        }
        blocks.seal(at, BLOCK, AgBtree.CRC);
    }

    private void inodeRoot(long ag, long block, int levels) throws IOException {
        long agi = geometry.agPosition(ag) + 1024;
        blocks.put(agi, AgInodeHeader.ROOT, 4, block);
        blocks.put(agi, AgInodeHeader.LEVEL, 4, levels);
        blocks.seal(agi, 512, AgInodeHeader.CRC);
    }

    @Test
    void readsAnInodeTreeOfManyLevelsAndTellsWhatOfItIsDamaged() throws IOException {
        long spare = single("/spare").getFirst().position();
        long ag = spare / BLOCK / geometry.agBlocks();
        long root = blocks.get(geometry.agPosition(ag) + 1024, AgInodeHeader.ROOT, 4);
        long first = blocks.get(geometry.agPosition(ag) + root * BLOCK, AgBtree.HEADER_BYTES, 4);
        for (int level = 1; level <= 4; level++) {
            long at = spare + (level - 1L) * BLOCK;
            inodeBlock(ag, at, level, List.of(new long[] {
                first, level == 1 ? root : at / BLOCK % geometry.agBlocks() - 1
            }));
        }
        inodeRoot(ag, (spare / BLOCK + 3) % geometry.agBlocks(), 5);
        RecordedCatalog.agreesWithAWalk(blocks);

        // A block that is none of the tree, before the one that is.
        inodeBlock(ag, spare, 1, List.of(new long[] {first, spare / BLOCK % geometry.agBlocks() + 9}, new long[] {
            first + 1, root
        }));
        RecordedCatalog catalog = RecordedCatalog.of(blocks);
        assertThat(catalog.damage())
                .singleElement()
                .satisfies(problem -> assertThat(problem)
                        .isInstanceOf(XfsException.class)
                        .hasMessageContaining("inode B-tree of AG " + ag)
                        .hasMessageContaining("magic"));
        assertThat(catalog.tree(geometry.rootInode())).containsOnlyKeys(pristine.keySet());
    }

    @Test
    @Timeout(value = 10, unit = TimeUnit.SECONDS)
    void endsAtAnInodeTreeWhoseNodesNameTheSameBlockAgain() throws IOException {
        long spare = single("/spare").getFirst().position();
        long ag = spare / BLOCK / geometry.agBlocks();
        inodeBlock(ag, spare, 0, List.of());
        for (int level = 1; level <= 8; level++) {
            long below = (spare / BLOCK + level - 1) % geometry.agBlocks();
            List<long[]> children = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                children.add(new long[] {i, below});
            }
            inodeBlock(ag, spare + (long) level * BLOCK, level, children);
        }
        inodeRoot(ag, (spare / BLOCK + 8) % geometry.agBlocks(), 9);
        assertThat(RecordedCatalog.of(blocks).damage())
                .hasSizeBetween(1, 100)
                .allSatisfy(problem -> assertThat(problem).hasMessageContaining("numrecs is 0, expected 1 to"));
    }

    // ---- the file system as a whole ----

    @Test
    void refusesWhatIsNoXfsOfVersionFive() throws Exception {
        Path zeros = Files.write(folder.resolve("zeros"), new byte[1 << 20]);
        Path empty = Files.write(folder.resolve("empty"), new byte[0]);
        Path odd = Files.write(folder.resolve("odd"), new byte[700]);
        assertThatThrownBy(() -> open(zeros))
                .isInstanceOf(XfsException.class)
                .hasMessageContaining(zeros.toString())
                .hasMessageContaining("no XFS file system: the magic is 0x00000000");
        assertThatThrownBy(() -> open(empty)).hasMessageContaining("holds 0 bytes");
        assertThatThrownBy(() -> open(odd)).hasMessageContaining("no XFS file system");
        assertThatThrownBy(() -> open(folder)).isInstanceOf(IOException.class).hasMessageContaining("is a directory");
        assertThatThrownBy(() -> open(folder.resolve("absent"))).hasMessageContaining("ENOENT");
        XfsImage old = XfsImage.empty(folder, "-m", "crc=0");
        assertThatThrownBy(() -> open(old.path()))
                .isInstanceOf(XfsException.class)
                .hasMessageContaining("XFS version 4; only version 5 is read");
        Files.delete(old.path());
    }

    private static void open(Path path) throws IOException {
        try (FileBlocks file = FileBlocks.open(path);
                Xal xal = Xal.open(file)) {
            throw new AssertionError(
                    "opened " + path + " with blocks of " + xal.volume().blockBytes());
        }
    }

    @Test
    void refusesFeaturesByTheirNames() throws IOException {
        long known = blocks.get(0, Superblock.FEATURES_INCOMPAT, 4);
        superblock(Superblock.FEATURES_INCOMPAT, known | 1 << 8 | 1 << 9 | 1 << 27);
        assertThatThrownBy(() -> Xal.open(blocks))
                .isInstanceOf(XfsException.class)
                .hasMessageContaining("not known here: metadata directory, zoned, bit 27");
        superblock(Superblock.FEATURES_INCOMPAT, known | Superblock.NEEDSREPAIR);
        assertThatThrownBy(() -> Xal.open(blocks)).hasMessageContaining("run xfs_repair");
        superblock(Superblock.FEATURES_INCOMPAT, known & ~Superblock.FTYPE);
        assertThatThrownBy(() -> Xal.open(blocks)).hasMessageContaining("ftype");
        superblock(Superblock.FEATURES_INCOMPAT, known & ~Superblock.NREXT64);
        assertThatThrownBy(() -> new Walk(blocks)).hasMessageContaining("flags2");
    }

    private void superblock(long offset, long value) throws IOException {
        blocks.put(0, offset, 4, value);
        blocks.seal(0, 512, Superblock.CRC);
    }

    @Test
    void takesTheMetadataUuidWhereThereIsOne() throws IOException {
        long known = blocks.get(0, Superblock.FEATURES_INCOMPAT, 4);
        blocks.put(Superblock.META_UUID, blocks.get(Superblock.UUID, 16));
        blocks.put(Superblock.UUID, new byte[16]);
        blocks.put(log() + LogHead.FS_UUID, new byte[16]);
        superblock(Superblock.FEATURES_INCOMPAT, known | Superblock.HAS_META_UUID);
        assertThat(new Walk(blocks).sound()).containsOnlyKeys(pristine.keySet());
        superblock(Superblock.FEATURES_INCOMPAT, known);
        assertThatThrownBy(() -> Xal.open(blocks))
                .hasMessageContaining("AGF 0")
                .hasMessageContaining("uuid is " + geometry.uuid());
    }

    /** Where the log begins, in bytes. */
    private long log() throws IOException {
        return geometry.position(blocks.get(0, Superblock.LOGSTART, 8));
    }

    @Test
    void refusesALogOfWhichAnythingIsInDoubt() throws IOException {
        long operation = log() + 512 + LogHead.OP_FLAGS;
        for (long[] change : new long[][] {
            {log() + LogHead.NUM_LOGOPS, 4, 2},
            {log() + LogHead.FS_UUID, 4, 7},
            {log() + LogHead.LEN, 4, 1024},
            {log() + LogHead.LSN, 8, 1L << 32 | 1},
            {log() + LogHead.VERSION, 4, 1},
            {log() + LogHead.CYCLE, 4, 0},
            {log() + LogHead.CYCLE, 4, 2},
            {log() + LogHead.MAGICNO, 4, 1},
            {log() + LogHead.SIZE, 4, 0xFFFF_FFFFL},
            {operation, 1, 0},
            {log() + 512 * 3, 4, 1},
            {log() + 512 * 200, 4, 7},
            {log() + 512, 4, 0},
        }) {
            PatchedBlocks changed = new PatchedBlocks(blocks);
            changed.put(change[0], 0, (int) change[1], change[2]);
            assertThatThrownBy(() -> Xal.open(changed))
                    .as("%d at %d of the log", change[2], change[0] - log())
                    .isInstanceOf(XfsException.class)
                    .hasMessageContaining("log (")
                    .hasMessageContaining("mount and unmount it once");
            try (Xal unrecovered = Xal.openUnrecovered(changed)) {
                assertThat(unrecovered.lookup("/file").type()).isEqualTo(FileType.REGULAR);
            }
        }
        superblock(Superblock.LOGBLOCKS, 0x7FFF_FFFF);
        assertThatThrownBy(() -> Xal.open(blocks)).hasMessageContaining("logblocks 2147483647");
    }

    @Test
    void saysThatALogOnAnotherDeviceCannotBeChecked() throws IOException {
        blocks.put(0, Superblock.LOGSTART, 8, 0);
        blocks.seal(0, 512, Superblock.CRC);
        assertThatThrownBy(() -> Xal.open(blocks)).hasMessageContaining("the log is on another device");
        try (Xal unrecovered = Xal.openUnrecovered(blocks)) {
            assertThat(unrecovered.volume().features()).contains("external log", "ftype");
        }
    }

    @Test
    void refusesASuperblockAndHeadersWhoseChecksumIsWrong() throws IOException {
        blocks.put(300, (byte) 1);
        assertThatThrownBy(() -> Xal.open(blocks))
                .isInstanceOf(XfsException.class)
                .hasMessageContaining("crc is 0x");
        PatchedBlocks agi = new PatchedBlocks(image);
        agi.put(geometry.agPosition(2) + 1024, 40, 4, 7);
        assertThatThrownBy(() -> Xal.open(agi)).hasMessageContaining("AGI 2").hasMessageContaining("crc");
    }

    @Test
    void refusesAnImageThatIsCutShort() throws IOException {
        Random random = new Random(11);
        for (int i = 0; i < 200; i++) {
            blocks.truncate(random.nextLong(image.size()) >> random.nextInt(30));
            assertThatThrownBy(() -> Xal.open(blocks)).isInstanceOf(XfsException.class);
        }
    }

    @Test
    void readsNoBlockTwiceInAWalk() throws IOException {
        PatchedBlocks counted = new PatchedBlocks(image);
        try (Xal xal = Xal.open(counted)) {
            List<String> paths = new ArrayList<>();
            xal.walk("/", new Xal.Visitor() {
                @Override
                public void visit(Entry entry) {
                    paths.add(entry.path());
                }

                @Override
                public void damaged(String path, IOException problem) throws IOException {
                    throw problem;
                }
            });
            long once = counted.bytesRead();
            assertThat(once).isLessThan(2 << 20);
            for (String path : paths) {
                xal.lookup(path);
            }
            assertThat(counted.bytesRead()).isEqualTo(once);
        }
    }

    // ---- hostile ----

    /** A structure that may be changed: where it lies, how long it is, where its checksum is, and what to aim at. */
    private record Target(long position, int length, int crcOffset, int hot) {}

    @Test
    @Timeout(value = 50, unit = TimeUnit.SECONDS)
    void neverFailsInAnyOtherWayWhateverTheBytes() throws IOException {
        long spare = single("/spare").getFirst().position();
        int treeBlocks = blocks.tree(geometry, number("/file"), single("/file"), spare, 4, 3, 0);
        treeBlocks +=
                blocks.tree(geometry, number("/leaf"), single("/leaf"), spare + (long) treeBlocks * BLOCK, 3, 4, 0);
        List<Target> targets = new ArrayList<>();
        targets.add(new Target(0, 512, (int) Superblock.CRC, 264));
        for (int ag = 0; ag < 2; ag++) {
            targets.add(new Target(geometry.agPosition(ag) + 512, 512, (int) AgFreeHeader.CRC, 224));
            targets.add(new Target(geometry.agPosition(ag) + 1024, 512, (int) AgInodeHeader.CRC, 344));
            targets.add(new Target(geometry.agPosition(ag) + 1536, 512, (int) AgFreeList.CRC, 36));
        }
        for (String path : List.of("/", "/file", "/leaf", "/block", "/short", "/link", "/pipe", "/empty", "/spare")) {
            targets.add(
                    new Target(geometry.inodePosition(number(path)), geometry.inodeSize(), (int) InodeCore.CRC, 240));
        }
        for (int i = 0; i < treeBlocks; i++) {
            targets.add(new Target(spare + (long) i * BLOCK, BLOCK, (int) BmapBlock.CRC, 200));
        }
        for (String path : List.of("/leaf", "/block")) {
            Extent extent = extents(path).getFirst();
            targets.add(new Target(extent.position(), 4096, (int) DirectoryBlock.CRC, 400));
        }
        for (int ag = 0; ag < geometry.agCount(); ag++) {
            long root = blocks.get(geometry.agPosition(ag) + 1024, AgInodeHeader.ROOT, 4);
            targets.add(new Target(geometry.agPosition(ag) + root * BLOCK, BLOCK, (int) AgBtree.CRC, 120));
        }
        Random random = new Random(20);
        int refused = 0;
        int damaged = 0;
        for (int i = 0; i < TRIES; i++) {
            PatchedBlocks hostile = new PatchedBlocks(blocks);
            for (int changes = 1 + random.nextInt(3); changes > 0; changes--) {
                change(hostile, targets.get(random.nextInt(targets.size())), random);
            }
            try {
                damaged += new Walk(hostile).damage.isEmpty() ? 0 : 1;
            } catch (XfsException e) {
                refused++;
            }
        }
        assertThat(refused).as("refused").isGreaterThan(TRIES / 50);
        assertThat(damaged).as("damaged").isGreaterThan(TRIES / 5);
    }

    private static void change(PatchedBlocks hostile, Target target, Random random) throws IOException {
        int bytes = 1 << random.nextInt(4);
        int range = random.nextInt(4) == 0 ? target.length() : target.hot();
        int offset = random.nextInt((range - bytes) / bytes) * bytes;
        long old = hostile.get(target.position(), offset, bytes);
        long value = switch (random.nextInt(6)) {
            case 0 -> 0;
            case 1 -> -1;
            case 2 -> old + 1 - random.nextInt(3);
            case 3 -> old ^ 1L << random.nextInt(bytes * 8);
            case 4 -> 1L << random.nextInt(bytes * 8);
            default -> random.nextLong();
        };
        hostile.put(target.position(), offset, bytes, value);
        hostile.seal(target.position(), target.length(), target.crcOffset());
    }
}
