package io.aisio.xal.xfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.FileType;
import io.aisio.xal.Index;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsException;
import io.aisio.xal.xfs.SeedImage.Kind;
import io.aisio.xal.xfs.SeedImage.Structure;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * One field after the other set to what it cannot be, under a right checksum: what is told names the structure, its place
 * and the field, and everything else is read as before.
 */
class HostileFieldsTest {
    private static final SeedImage SMALL = SeedImage.load("seed-1k");
    private static final SeedImage LARGE = SeedImage.load("seed-4k");

    @AfterEach
    void restore() {
        SMALL.restore();
        LARGE.restore();
    }

    private static void put(SeedImage image, Structure structure, int offset, int bytes, long value) {
        for (int i = 0; i < bytes; i++) {
            image.put(structure, offset + i, (byte) (value >> 8 * (bytes - 1 - i)));
        }
        image.seal(structure);
    }

    private static long number(SeedImage image, String path) {
        return image.files().get(path).entry().inode().number();
    }

    /** Structures of a kind, of one file or, with an empty path, of all. */
    private static List<Structure> structures(SeedImage image, Kind kind, String path) {
        return image.structures().stream()
                .filter(s -> s.kind() == kind && (path.isEmpty() || s.owner() == number(image, path)))
                .toList();
    }

    /** What a walk finds, and what it tells: of each path the first. */
    private static final class Walk implements Xal.Visitor {
        final Map<String, Entry> found = new TreeMap<>();
        final Map<String, IOException> damage = new TreeMap<>();

        static Walk of(SeedImage image) throws IOException {
            Walk walk = new Walk();
            try (Xal xal = Xal.open(image)) {
                xal.walk("/", walk);
                for (Entry entry : walk.found.values()) {
                    try {
                        List<Extent> extents = xal.extents(entry);
                        Extent last = extents.isEmpty() ? null : extents.getLast();
                        assertThat(last == null || last.position() + last.length() <= image.size())
                                .isTrue();
                        xal.attributes(entry);
                    } catch (XfsException e) {
                        walk.damaged(entry.path(), e);
                    }
                }
            }
            return walk;
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

    // ---- files ----

    @ParameterizedTest
    @CsvSource({
        // Inodes: offset in the structure, bytes, value, what is told.
        "/one, INODE, 0, 0, 2, 0x494F, inode, magic is 0x494f",
        "/one, INODE, 0, 2, 2, 0, inode, mode is 0",
        "/one, INODE, 0, 2, 2, 0x31ED, inode, mode is 0x31ed",
        "/one, INODE, 0, 2, 2, 0x41ED, inode, 'mode says that it is of type DIRECTORY, its directory entry says REGULAR'",
        "/one, INODE, 0, 4, 1, 2, inode, version is 2",
        "/one, INODE, 0, 5, 1, 0, inode, format is 0",
        "/one, INODE, 0, 5, 1, 1, inode, format is 1",
        "/one, INODE, 0, 5, 1, 5, inode, format is 5",
        "/one, INODE, 0, 5, 1, 2, inode, nextents is 60",
        "/one, INODE, 0, 16, 4, 0, inode, nlink is 0",
        "/one, INODE, 0, 56, 8, -1, inode, size is -1",
        "/one, INODE, 0, 64, 8, -1, inode, nblocks is -1",
        "/one, INODE, 0, 76, 4, 59, inode, nextents is 59",
        "/one, INODE, 0, 76, 4, 0, inode, nextents is 0",
        "/one, INODE, 0, 82, 1, 255, inode, forkoff is 255",
        "/one, INODE, 0, 82, 1, 43, inode, forkoff is 43",
        "/one, INODE, 0, 90, 2, 1, inode, 'flags has realtime (bit 0)'",
        "/one, INODE, 0, 120, 8, 16, inode, flags2 is 0x10",
        "/one, INODE, 0, 152, 8, 7, inode, ino is 7",
        "/one, INODE, 0, 160, 8, 7, inode, uuid is",
        // The root of its block map, in the inode.
        "/one, INODE, 0, 176, 2, 0, inode, bmdr level is 0",
        "/one, INODE, 0, 176, 2, 10, inode, bmdr level is 10",
        "/one, INODE, 0, 176, 2, 2, block map of inode, level is 0",
        "/one, INODE, 0, 178, 2, 0, inode, bmdr numrecs is 0",
        "/one, INODE, 0, 178, 2, 12, inode, bmdr numrecs is 12",
        "/one, INODE, 0, 178, 2, 1, inode, nextents is 60",
        "/one, INODE, 0, 82, 1, 1, inode, bmdr numrecs is 2",
        // A pointer of it: that to the first leaf, behind room for 11 keys.
        "/one, INODE, 0, 268, 8, 0, inode, block map pointer is 0x0",
        "/one, INODE, 0, 268, 8, 3, block map of inode, magic is",
        "/one, INODE, 0, 268, 8, -1, inode, block map pointer is 0x",
        "/one, INODE, 0, 268, 8, 0x4000, inode, block map pointer is 0x4000",
        // Its leaves.
        "/one, BLOCK_MAP, 0, 0, 4, 0, block map of inode, magic is 0x0",
        "/one, BLOCK_MAP, 0, 4, 2, 1, block map of inode, level is 1",
        "/one, BLOCK_MAP, 0, 6, 2, 0, block map of inode, numrecs is 0",
        "/one, BLOCK_MAP, 0, 6, 2, 60, block map of inode, numrecs is 60",
        "/one, BLOCK_MAP, 0, 6, 2, 20, inode, nextents is 60",
        "/one, BLOCK_MAP, 0, 24, 8, 1, block map of inode, blkno is 1",
        "/one, BLOCK_MAP, 0, 40, 8, 1, block map of inode, uuid is",
        "/one, BLOCK_MAP, 0, 56, 8, 1, block map of inode, owner is 1",
        // The first record of the second leaf: offset 0, startblock 0, blockcount 0, and behind the device.
        "/one, BLOCK_MAP, 1, 72, 8, 0, block map of inode, startoff is 0",
        "/one, BLOCK_MAP, 1, 80, 8, 1, block map of inode, startblock is 0x0 and blockcount 1",
        "/one, BLOCK_MAP, 1, 86, 2, 0, block map of inode, blockcount",
        "/one, BLOCK_MAP, 1, 80, 4, -1, block map of inode, startblock is 0x",
        // A map of two levels above its leaves: the node between them.
        "/two, BLOCK_MAP, 0, 4, 2, 2, block map of inode, level is 2",
        "/two, BLOCK_MAP, 0, 6, 2, 0, block map of inode, numrecs is 0",
        "/two, BLOCK_MAP, 0, 6, 2, 60, block map of inode, numrecs is 60",
        "/two, BLOCK_MAP, 0, 6, 2, 2, inode, nextents is 540",
        "/two, BLOCK_MAP, 0, 544, 8, 0, inode, block map pointer is 0x0",
        "/two, BLOCK_MAP, 0, 544, 8, -1, inode, block map pointer is 0x",
        // An inline map: records of 16 bytes.
        "/few, INODE, 0, 76, 4, 13, inode, nextents is 13",
        "/few, INODE, 0, 82, 1, 3, inode, nextents is 3",
        "/few, INODE, 0, 192, 8, 0, inode, startoff is 0",
        "/few, INODE, 0, 184, 8, 20, inode, startblock is 0x0 and blockcount 20",
        "/few, INODE, 0, 184, 8, 0xFFFFFFFFFFFFFFF, inode, startblock is 0x7fffffffff and blockcount 2097151",
        // Symbolic links: in the inode, and in blocks.
        "/short/link, INODE, 0, 56, 8, 0, inode, size is 0",
        "/short/link, INODE, 0, 56, 8, 1000, inode, size is 1000",
        "/short/link, INODE, 0, 56, 8, 5000, inode, size is 5000",
        "/short/link, INODE, 0, 178, 1, 0, inode, a NUL in it",
        "/longest, INODE, 0, 56, 8, 1021, path of symbolic link, bytes is 1022",
        "/longest, INODE, 0, 56, 8, 900, path of symbolic link, bytes is 1022",
        "/longest, INODE, 0, 76, 4, 0, inode, size is 1022",
        "/remote, SYMLINK, 0, 0, 4, 0, path of symbolic link, magic is 0x0",
        "/remote, SYMLINK, 0, 4, 4, 1, path of symbolic link, offset is 1",
        "/remote, SYMLINK, 0, 8, 4, 0, path of symbolic link, bytes is 0",
        "/remote, SYMLINK, 0, 8, 4, 799, path of symbolic link, bytes is 799",
        "/remote, SYMLINK, 0, 8, 4, -1, path of symbolic link, bytes is 4294967295",
        "/remote, SYMLINK, 0, 16, 8, 1, path of symbolic link, uuid is",
        "/remote, SYMLINK, 0, 32, 8, 1, path of symbolic link, owner is 1",
        "/remote, SYMLINK, 0, 40, 8, 1, path of symbolic link, blkno is 1",
        "/remote, SYMLINK, 0, 60, 1, 0, inode, a NUL in it",
        // A device.
        "/short/null, INODE, 0, 5, 1, 2, inode, format is 2",
    })
    void aFileIsRefusedByItsFieldAndAllOthersAreRead(
            String path, Kind kind, int index, int offset, int bytes, String value, String structure, String told)
            throws IOException {
        put(SMALL, structures(SMALL, kind, path).get(index), offset, bytes, Long.decode(value));
        Walk walk = Walk.of(SMALL);
        assertThat(walk.damage).containsOnlyKeys(path);
        assertThat(walk.damage.get(path))
                .hasMessageContaining(structure + " " + number(SMALL, path) + " (AG ")
                .hasMessageContaining(", byte ")
                .hasMessageContaining(told);
        SMALL.files().forEach((other, row) -> {
            if (!other.equals(path)) {
                assertThat(walk.found.get(other)).isEqualTo(row.entry());
            }
        });
        try (Xal xal = Xal.open(SMALL);
                Index index1 = xal.index()) {
            for (String other : SMALL.files().keySet()) {
                if (!other.equals(path)) {
                    assertThat(index1.lookup(other))
                            .isEqualTo(SMALL.files().get(other).entry());
                }
            }
        }
    }

    /** A link whose blocks are mapped again and again would be read again and again. */
    @Test
    void aLinkHasNoBlockBehindItsPath() throws IOException {
        Structure inode = structures(SMALL, Kind.INODE, "/remote").getFirst();
        for (int i = 0; i < 16; i++) {
            SMALL.put(inode, 192 + i, SMALL.get(inode, 176 + i));
        }
        put(SMALL, inode, 192, 8, 1 << 9);
        put(SMALL, inode, 76, 4, 2);
        try (Xal xal = Xal.open(SMALL)) {
            Entry link = xal.lookup("/remote");
            assertThatThrownBy(() -> xal.attributes(link))
                    .isInstanceOf(XfsException.class)
                    .hasMessageContaining("inode " + number(SMALL, "/remote"))
                    .hasMessageContaining("nextents is 2");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "24, 8, -1, nextents is -1",
        "24, 8, 0x100000000, nextents is 4294967296",
        "24, 8, 0x7FFFFFFFFFFFFFFF, nextents is 9223372036854775807",
    })
    void countsOfExtentsIn64BitsAreChecked(int offset, int bytes, String value, String told) throws IOException {
        for (String path : List.of("/few", "/one")) {
            put(LARGE, structures(LARGE, Kind.INODE, path).getFirst(), offset, bytes, Long.decode(value));
            assertThat(Walk.of(LARGE).damage).containsOnlyKeys(path);
            assertThat(Walk.of(LARGE).damage.get(path)).hasMessageContaining(told);
            LARGE.restore();
        }
    }

    /** Without reflink, no two extents of a file have a block together. */
    @Test
    void extentsOfAFileThatSharesNothingDoNotOverlapOnTheDevice() throws IOException {
        Structure inode = structures(SMALL, Kind.INODE, "/few").getFirst();
        for (int i = 8; i < 16; i++) {
            SMALL.put(inode, 192 + i, SMALL.get(inode, 176 + i));
        }
        SMALL.seal(inode);
        Walk walk = Walk.of(SMALL);
        assertThat(walk.damage).containsOnlyKeys("/few");
        assertThat(walk.damage.get("/few")).hasMessageContaining("two of its extents overlap at byte");
        try (Xal xal = Xal.open(SMALL);
                Index index = xal.index()) {
            assertThat(index.problems()).singleElement().asString().contains("two of its extents overlap at byte");
        }
    }

    // ---- directories ----

    @ParameterizedTest
    @CsvSource({
        // In the inode: file, link, below, pipe, disk, null.
        "/short, INODE, 0, 56, 8, 5, inode, size is 5",
        "/short, INODE, 0, 56, 8, 78, inode, namelen of the entry at 67 is 4",
        "/short, INODE, 0, 56, 8, 80, inode, size is 80",
        "/short, INODE, 0, 56, 8, 337, inode, size is 337",
        "/short, INODE, 0, 176, 1, 5, inode, size is 79",
        "/short, INODE, 0, 176, 1, 7, inode, namelen of the entry at 79 is 0",
        "/short, INODE, 0, 177, 1, 1, inode, entry at",
        "/short, INODE, 0, 182, 1, 0, inode, namelen of the entry at 6 is 0",
        "/short, INODE, 0, 182, 1, 255, inode, namelen of the entry at 6 is 255",
        "/short, INODE, 0, 185, 1, 47, inode, 'the name of the entry at 6 has a slash'",
        "/short, INODE, 0, 185, 1, 0, inode, 'the name of the entry at 6 has a NUL'",
        "/short, INODE, 0, 189, 1, 9, inode, ftype of the entry at 6 is 9",
        // Blocks and their map.
        "/tree, INODE, 0, 56, 8, 0, inode, size is 0",
        "/tree, INODE, 0, 56, 8, 4095, inode, size is 4095",
        "/tree, INODE, 0, 56, 8, 0x1000000000, inode, size is 68719476736",
        "/tree, INODE, 0, 56, 8, 20480, inode, size is 20480",
        "/tree, INODE, 0, 56, 8, 28672, inode, size is 28672",
        "/tree, INODE, 0, 5, 1, 1, inode, size is 24576",
        "/tree, BLOCK_MAP, 0, 6, 2, 3, inode, nextents is 7",
        "/tree, BLOCK_MAP, 0, 72, 1, 0x80, inode, is unwritten",
        "/tree, DIRECTORY, 1, 0, 4, 0x58444233, directory block of inode, magic is 0x58444233",
        "/tree, DIRECTORY, 1, 0, 4, 0, directory block of inode, magic is 0x0",
        "/tree, DIRECTORY, 1, 8, 8, 0, directory block of inode, blkno is 0",
        "/tree, DIRECTORY, 1, 24, 8, 0, directory block of inode, uuid is",
        "/tree, DIRECTORY, 1, 40, 8, 0, directory block of inode, owner is 0",
        "/tree, DIRECTORY, 1, 72, 1, 0, directory block of inode, namelen of the entry at 64 is 0",
        "/tree, DIRECTORY, 1, 72, 1, 9, directory block of inode, tag of what begins at 64",
        "/tree, DIRECTORY, 1, 75, 1, 47, directory block of inode, 'the name of the entry at 64 has a slash'",
        "/tree, DIRECTORY, 1, 75, 1, 0, directory block of inode, 'the name of the entry at 64 has a NUL'",
        "/tree, DIRECTORY, 1, 64, 4, 0xFFFF0000, directory block of inode, length of the free room at 64 is 0",
        "/tree, DIRECTORY, 1, 64, 4, 0xFFFF0007, directory block of inode, length of the free room at 64 is 7",
        "/tree, DIRECTORY, 1, 64, 4, 0xFFFFFFF8, directory block of inode, length of the free room at 64 is 65528",
        "/tree, DIRECTORY, 0, 73, 1, 46, directory block of inode, tag",
        "/block, DIRECTORY, 0, 4088, 4, 0, directory block of inode, namelen of the entry at",
        "/block, DIRECTORY, 0, 4088, 4, -1, directory block of inode, count is 4294967295",
        "/block, DIRECTORY, 0, 4092, 4, 3, directory block of inode, count less stale is",
        "/block, DIRECTORY, 0, 64, 8, 5, directory block of inode, inumber of . is 5",
    })
    void aDirectoryIsToldDamagedAndAllElseIsRead(
            String path, Kind kind, int index, int offset, int bytes, String value, String structure, String told)
            throws IOException {
        Structure structure1 = structures(SMALL, kind, path).get(index);
        if (told.equals("tag")) {
            // The last bytes of the entry of the directory itself, 16 bytes long.
            put(SMALL, structure1, 64 + 14, 2, 7);
        } else {
            put(SMALL, structure1, offset, bytes, Long.decode(value));
        }
        Walk walk = Walk.of(SMALL);
        assertThat(walk.damage.keySet()).allMatch(at -> at.startsWith(path)).isNotEmpty();
        assertThat(walk.damage.values())
                .anySatisfy(problem -> assertThat(problem)
                        .hasMessageContaining(structure + " " + number(SMALL, path) + " (AG ")
                        .hasMessageContaining(told));
        SMALL.files().forEach((other, row) -> {
            if (!other.startsWith(path + "/") && !other.equals(path)) {
                assertThat(walk.found.get(other)).as(other).isEqualTo(row.entry());
            }
        });
        if (kind == Kind.DIRECTORY && path.equals("/tree")) {
            // One block of several: most names are in the others.
            long before = SMALL.files().keySet().stream()
                    .filter(p -> p.startsWith("/tree/"))
                    .count();
            assertThat(walk.found.keySet().stream()
                            .filter(p -> p.startsWith("/tree/"))
                            .count())
                    .isBetween(before - 20, before - 1);
        }
    }

    // ---- what belongs to the file system ----

    @ParameterizedTest
    @CsvSource({
        // Reference counts: the head, the root, a leaf of the tree.
        "AGF, 0, 88, 4, 0, refcount B-tree block is 0",
        "AGF, 0, 88, 4, -1, refcount B-tree block is 4294967295",
        "AGF, 0, 92, 4, 0, refcount B-tree levels is 0",
        "AGF, 0, 92, 4, 10, refcount B-tree levels is 10",
        "AGF, 0, 92, 4, 1, level is 1",
        "REFCOUNT_TREE, 0, 0, 4, 0, magic is 0x0",
        "REFCOUNT_TREE, 0, 4, 2, 0, level is 0",
        "REFCOUNT_TREE, 0, 6, 2, 0, numrecs is 0",
        "REFCOUNT_TREE, 0, 6, 2, 122, numrecs is 122",
        "REFCOUNT_TREE, 0, 16, 8, 0, blkno is 0",
        "REFCOUNT_TREE, 0, 32, 8, 0, uuid is",
        "REFCOUNT_TREE, 0, 48, 4, 1, owner is 1",
        "REFCOUNT_TREE, 0, 60, 4, 0, key 1 is 0",
        "REFCOUNT_TREE, 0, 540, 4, 0, refcount B-tree block is 0",
        "REFCOUNT_TREE, 0, 540, 4, 9, magic is",
        "REFCOUNT_TREE, 1, 0, 4, 0x52334644, magic is 0x52334644",
        "REFCOUNT_TREE, 1, 6, 2, 0, numrecs is 0",
        "REFCOUNT_TREE, 1, 6, 2, 81, numrecs is 81",
        "REFCOUNT_TREE, 1, 60, 4, 0, blockcount is 0",
        "REFCOUNT_TREE, 1, 60, 4, -1, blockcount is 4294967295",
        "REFCOUNT_TREE, 1, 64, 4, 1, refcount is 1",
        "REFCOUNT_TREE, 1, 68, 4, 0, startblock is 0",
    })
    void damagedCountsOfReferencesHideNoFileAndNoExtentOfOthers(
            Kind kind, int index, int offset, int bytes, String value, String told) throws IOException {
        int ag = sharedGroup();
        List<Structure> trees = structures(SMALL, kind, "");
        Structure structure =
                kind == Kind.AGF ? trees.get(ag) : trees.get(ag == 0 ? index : trees.size() - trees(1) + index);
        put(SMALL, structure, offset, bytes, Long.decode(value));
        Walk walk = Walk.of(SMALL);
        assertThat(walk.found.keySet()).isEqualTo(SMALL.files().keySet());
        assertThat(walk.damage.keySet()).isSubsetOf("/two", "/clone").isNotEmpty();
        assertThat(walk.damage.values())
                .allSatisfy(problem -> assertThat(problem)
                        .hasMessageContaining(
                                kind == Kind.AGF && !told.startsWith("level") ? "AGF " + ag : "of AG " + ag)
                        .hasMessageContaining(told));
    }

    /** The allocation group in which blocks are shared. */
    private static int sharedGroup() {
        return trees(0) > 1 ? 0 : 1;
    }

    /** How many blocks the tree of reference counts of an allocation group has. */
    private static int trees(int ag) {
        List<Structure> all = structures(SMALL, Kind.REFCOUNT_TREE, "");
        Structure second = structures(SMALL, Kind.AGF, "").get(1);
        int first = (int)
                all.stream().filter(s -> s.pieces()[0] < second.pieces()[0]).count();
        return ag == 0 ? first : all.size() - first;
    }

    @ParameterizedTest
    @CsvSource({
        "AGI, 20, 4, 0, AGI, inode B-tree block is 0",
        "AGI, 20, 4, -1, AGI, inode B-tree block is 4294967295",
        "AGI, 24, 4, 0, AGI, inode B-tree levels is 0",
        "AGI, 24, 4, 10, AGI, inode B-tree levels is 10",
        "AGI, 16, 4, 128, AGI, count is 128",
        "AGI, 28, 4, 3, AGI, freecount is 3",
        "INODE_TREE, 0, 4, 0, inode B-tree of AG, magic is 0x0",
        "INODE_TREE, 4, 2, 1, inode B-tree of AG, level is 1",
        "INODE_TREE, 6, 2, 0, AGI, count is 64",
        "INODE_TREE, 6, 2, 61, inode B-tree of AG, numrecs is 61",
        "INODE_TREE, 16, 8, 0, inode B-tree of AG, blkno is 0",
        "INODE_TREE, 32, 8, 0, inode B-tree of AG, uuid is",
        "INODE_TREE, 48, 4, 1, inode B-tree of AG, owner is 1",
        "INODE_TREE, 56, 4, -1, inode B-tree of AG, startino is 4294967295",
        "INODE_TREE, 56, 4, 0, inode B-tree of AG, startino is 0",
        "INODE_TREE, 60, 2, 1, inode B-tree of AG, holemask of startino",
        "INODE_TREE, 60, 2, 0x8000, inode B-tree of AG, count of startino",
        "INODE_TREE, 62, 1, 63, inode B-tree of AG, count of startino",
        "INODE_TREE, 63, 1, 0, inode B-tree of AG, freecount of startino",
    })
    void aDamagedTreeOfInodesIsToldByWhoReadsAllAndAWalkFindsEverything(
            Kind kind, int offset, int bytes, String value, String structure, String told) throws IOException {
        put(SMALL, structures(SMALL, kind, "").getFirst(), offset, bytes, Long.decode(value));
        Walk walk = Walk.of(SMALL);
        assertThat(walk.damage).isEmpty();
        assertThat(walk.found.keySet()).isEqualTo(SMALL.files().keySet());
        RecordedCatalog catalog = RecordedCatalog.of(SMALL);
        assertThat(catalog.damage())
                .anySatisfy(problem -> assertThat(problem)
                        .isInstanceOf(XfsException.class)
                        .hasMessageContaining(structure + " 0 (AG 0 block ")
                        .hasMessageContaining(told));
    }

    /** Records of inodes are 16 bytes each, and there is one. */
    @Test
    void oneDamagedRecordOfInodesHidesNoOther() throws IOException {
        Structure tree = structures(SMALL, Kind.INODE_TREE, "").getFirst();
        // The record becomes the second; before it comes one that lies nowhere.
        for (int i = 0; i < 16; i++) {
            SMALL.put(tree, 72 + i, SMALL.get(tree, 56 + i));
        }
        put(SMALL, tree, 56, 4, 0);
        put(SMALL, tree, 6, 2, 2);
        RecordedCatalog catalog = RecordedCatalog.of(SMALL);
        assertThat(catalog.damage())
                .singleElement()
                .satisfies(problem -> assertThat(problem)
                        .hasMessageContaining("inode B-tree of AG 0")
                        .hasMessageContaining("startino is 0"));
        assertThat(catalog.tree(number(SMALL, "/")).keySet())
                .isEqualTo(SMALL.files().keySet());
    }

    @ParameterizedTest
    @CsvSource({
        "SUPERBLOCK, 0, 4, 0x58465341, superblock, magic",
        "SUPERBLOCK, 4, 4, 0, superblock, blocksize is 0",
        "SUPERBLOCK, 4, 4, 0x80000000, superblock, blocksize is 2147483648",
        "SUPERBLOCK, 4, 4, 4096, superblock, blocksize is 4096",
        "SUPERBLOCK, 120, 1, 9, superblock, blocklog is 9",
        "SUPERBLOCK, 120, 1, 31, superblock, blocklog is 31",
        "SUPERBLOCK, 120, 1, 255, superblock, blocklog is 255",
        "SUPERBLOCK, 8, 8, 0, superblock, dblocks is 0",
        "SUPERBLOCK, 8, 8, -1, superblock, dblocks is -1",
        "SUPERBLOCK, 8, 8, 0x7FFFFFFFFFFFFFFF, superblock, dblocks is 9223372036854775807",
        "SUPERBLOCK, 84, 4, 0, superblock, agblocks is 0",
        "SUPERBLOCK, 84, 4, 63, superblock, agblocks is 63",
        "SUPERBLOCK, 84, 4, -1, superblock, agblocks is 4294967295",
        "SUPERBLOCK, 84, 4, 16385, superblock, agblklog is 14",
        "SUPERBLOCK, 88, 4, 0, superblock, agcount is 0",
        "SUPERBLOCK, 88, 4, 1, superblock, dblocks is 32768",
        "SUPERBLOCK, 88, 4, 3, superblock, dblocks is 32768",
        "SUPERBLOCK, 88, 4, -1, superblock, dblocks is 32768",
        "SUPERBLOCK, 124, 1, 13, superblock, agblklog is 13",
        "SUPERBLOCK, 124, 1, 15, superblock, agblklog is 15",
        "SUPERBLOCK, 124, 1, 255, superblock, agblklog is 255",
        "SUPERBLOCK, 102, 2, 0, superblock, sectsize is 0",
        "SUPERBLOCK, 121, 1, 0, superblock, sectlog is 0",
        "SUPERBLOCK, 121, 1, 16, superblock, sectlog is 16",
        "SUPERBLOCK, 104, 2, 0, superblock, inodesize is 0",
        "SUPERBLOCK, 122, 1, 7, superblock, inodelog is 7",
        "SUPERBLOCK, 122, 1, 12, superblock, inodelog is 12",
        "SUPERBLOCK, 106, 2, 0, superblock, inopblock is 0",
        "SUPERBLOCK, 123, 1, 2, superblock, inopblog is 2",
        "SUPERBLOCK, 192, 1, 7, superblock, dirblklog is 7",
        "SUPERBLOCK, 192, 1, 255, superblock, dirblklog is 255",
        "SUPERBLOCK, 126, 1, 1, superblock, inprogress is 1",
        "SUPERBLOCK, 100, 2, 0xB4A4, superblock, 'XFS version 4; only version 5 is read'",
        "SUPERBLOCK, 48, 8, 0, superblock, logstart is 0",
        "SUPERBLOCK, 48, 8, -1, superblock, logstart is 0xffffffffffffffff",
        "SUPERBLOCK, 48, 8, 1, superblock, logstart is 0x1",
        "SUPERBLOCK, 96, 4, 0, superblock, logblocks 0",
        "SUPERBLOCK, 96, 4, -1, superblock, logblocks 4294967295",
        "SUPERBLOCK, 32, 8, 1, log, is of the file system",
        "AGF, 0, 4, 0, AGF 0, magic is 0x0",
        "AGF, 4, 4, 2, AGF 0, versionnum is 2",
        "AGF, 8, 4, 1, AGF 0, seqno is 1",
        "AGF, 12, 4, 1, AGF 0, length is 1",
        "AGF, 64, 8, 1, AGF 0, uuid is",
        "AGI, 0, 4, 0, AGI 0, magic is 0x0",
        "AGI, 4, 4, 2, AGI 0, versionnum is 2",
        "AGI, 8, 4, 1, AGI 0, seqno is 1",
        "AGI, 12, 4, 1, AGI 0, length is 1",
        "AGI, 28, 4, 65, AGI 0, freecount is 65",
        "AGI, 296, 8, 1, AGI 0, uuid is",
        "AGFL, 0, 4, 0, AGFL 0, magic is 0x0",
        "AGFL, 4, 4, 1, AGFL 0, seqno is 1",
        "AGFL, 8, 8, 1, AGFL 0, uuid is",
        "LOG, 0, 4, 0, log, is not that of an unmount",
        "LOG, 4, 4, 0, log, is not that of an unmount",
        "LOG, 8, 4, 1, log, has version 1",
        "LOG, 12, 4, 2048, log, has 2048 bytes",
        "LOG, 16, 8, 1, log, has the number 0x1",
        "LOG, 40, 4, 2, log, is not that of an unmount",
        "LOG, 304, 8, 1, log, is of the file system",
    })
    void aHeadIsRefusedByItsField(Kind kind, int offset, int bytes, String value, String structure, String told) {
        put(SMALL, structures(SMALL, kind, "").getFirst(), offset, bytes, Long.decode(value));
        assertThatThrownBy(() -> Xal.open(SMALL).close())
                .isInstanceOf(XfsException.class)
                .hasMessageContaining("seed-1k: " + structure + " (")
                .hasMessageContaining(told);
    }

    @ParameterizedTest
    @CsvSource({
        "0, 'inode 0 (nowhere on the device)'",
        "3, 'inode 3 (nowhere on the device)'",
        "-1, '(nowhere on the device)'",
        "0x7FFFFFFF, '(nowhere on the device)'",
        "200, 'inode 200 ('",
    })
    void aRootThatIsNoneIsRefused(String value, String told) throws IOException {
        put(SMALL, structures(SMALL, Kind.SUPERBLOCK, "").getFirst(), 56, 8, Long.decode(value));
        assertThatThrownBy(() -> Walk.of(SMALL))
                .isInstanceOf(XfsException.class)
                .hasMessageContaining(told);
        try (Xal xal = Xal.open(SMALL)) {
            assertThatThrownBy(() -> xal.index().close())
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(told);
        }
    }

    /** Exchange-range concerns the log alone, parent pointers are attributes: who only reads needs to know neither. */
    @Test
    void featuresThatChangeNothingOfWhatIsReadAreTakenAndOthersRefusedByName() throws IOException {
        Structure superblock = structures(SMALL, Kind.SUPERBLOCK, "").getFirst();
        long known = SMALL.get(superblock, 219) & 0xFF;
        put(SMALL, superblock, 216, 4, known | 1 << 6 | 1 << 7);
        assertThat(Walk.of(SMALL).found.keySet()).isEqualTo(SMALL.files().keySet());
        try (Xal xal = Xal.open(SMALL)) {
            assertThat(xal.volume().features()).contains("exchange-range", "parent pointers");
        }
        Map<Integer, String> names =
                Map.of(8, "metadata directory", 9, "zoned", 10, "zone gaps", 11, "bit 11", 31, "bit 31");
        names.forEach((bit, name) -> {
            put(SMALL, superblock, 216, 4, known | 1L << bit);
            assertThatThrownBy(() -> Xal.open(SMALL).close())
                    .isInstanceOf(XfsException.class)
                    .hasMessageEndingWith("it uses features that are not known here: " + name);
        });
    }

    /** A sector that cannot be read is like one that is damaged: it hides what is in it, and nothing else. */
    @Test
    void aSectorThatCannotBeReadHidesNoOtherDirectory() throws IOException {
        List<String> lost = new ArrayList<>();
        for (SeedImage image : List.of(SMALL, LARGE)) {
            for (Structure structure : image.structures()) {
                if (structure.kind() != Kind.DIRECTORY && structure.kind() != Kind.BLOCK_MAP) {
                    continue;
                }
                image.fail(structure);
                try (Xal xal = Xal.open(image);
                        Index index = xal.index()) {
                    String path = image.files().values().stream()
                            .filter(row -> row.entry().inode().number() == structure.owner())
                            .map(row -> row.entry().path())
                            .findFirst()
                            .orElseThrow();
                    assertThat(index.problems()).as(path).isNotEmpty();
                    assertThat(index.lookup("/").type()).isEqualTo(FileType.DIRECTORY);
                    lost.add(path);
                } catch (SeedImage.Unreadable e) {
                    throw new AssertionError(structure.kind() + " of inode " + structure.owner() + " ends all", e);
                } finally {
                    image.restore();
                }
            }
        }
        assertThat(lost).contains("/tree", "/two", "/block");
    }
}
