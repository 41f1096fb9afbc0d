package io.aisio.xal.index;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import io.aisio.xal.Extent;
import io.aisio.xal.FileType;
import io.aisio.xal.Inode;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * The columns of an index, by row. What refers to a row is checked against the rows in use by those methods whose name
 * says so, for a reader must not follow what a change, or somebody's hand, left there: they throw
 * {@link IndexOutOfBoundsException}.
 */
final class Tables {
    /** No row. */
    static final int NONE = -1;

    /** The bits of an extent's flags that are kept, packed, above the offset in its file. */
    private static final int FLAG_SHIFT = 54;

    private static final long OFFSET_MASK = (1L << FLAG_SHIFT) - 1;
    static final long LAST = 1L << 63;
    /** It goes on where the extent before it ends: the length of one row did not suffice. */
    static final long CONTINUED = 1L << 62;
    /** Its numbers are bytes, not blocks. */
    static final long IN_BYTES = 1L << 61;

    private static final long POSITION_MASK = IN_BYTES - 1;

    /** Each flag of {@link Extent#flags} that is kept; the index is its bit when packed. */
    private static final int[] FLAGS = {
        Extent.UNKNOWN, Extent.DELAYED, Extent.ENCODED, Extent.ENCRYPTED, Extent.NOT_ALIGNED,
        Extent.INLINE, Extent.TAIL, Extent.UNWRITTEN, Extent.MERGED, Extent.SHARED
    };

    private final MemorySegment memory;
    private final Layout at;
    private final int inodeBits;
    private final int entryBits;

    Tables(Region region) {
        memory = region.memory;
        at = region.layout;
        inodeBits = Layout.rowBits(at.inodeRoom);
        entryBits = Layout.rowBits(at.entryRoom);
    }

    int header(long field) {
        return memory.get(JAVA_INT, field);
    }

    void header(long field, int value) {
        memory.set(JAVA_INT, field, value);
    }

    void addToHeader(long field, int value) {
        header(field, header(field) + value);
    }

    long longHeader(long field) {
        return memory.get(JAVA_LONG, field);
    }

    void longHeader(long field, long value) {
        memory.set(JAVA_LONG, field, value);
    }

    int generation(int inode) {
        return memory.get(JAVA_INT, at.generation + 4L * inode);
    }

    void generation(int inode, int value) {
        memory.set(JAVA_INT, at.generation + 4L * inode, value);
    }

    int links(int inode) {
        return memory.get(JAVA_INT, at.links + 4L * inode);
    }

    void links(int inode, int value) {
        memory.set(JAVA_INT, at.links + 4L * inode, value);
    }

    int version(int inode) {
        return memory.get(JAVA_INT, at.version + 4L * inode);
    }

    void version(int inode, int value) {
        memory.set(JAVA_INT, at.version + 4L * inode, value);
    }

    int firstExtent(int inode) {
        return memory.get(JAVA_INT, at.firstExtent + 4L * inode);
    }

    void firstExtent(int inode, int value) {
        memory.set(JAVA_INT, at.firstExtent + 4L * inode, value);
    }

    int inodeName(int inode) {
        return memory.get(JAVA_INT, at.inodeName + 4L * inode);
    }

    void inodeName(int inode, int value) {
        memory.set(JAVA_INT, at.inodeName + 4L * inode, value);
    }

    int directoryInode(int directory) {
        return memory.get(JAVA_INT, at.directoryInode + 4L * directory);
    }

    void directoryInode(int directory, int value) {
        memory.set(JAVA_INT, at.directoryInode + 4L * directory, value);
    }

    int directoryName(int directory) {
        return memory.get(JAVA_INT, at.directoryName + 4L * directory);
    }

    void directoryName(int directory, int value) {
        memory.set(JAVA_INT, at.directoryName + 4L * directory, value);
    }

    int firstChild(int directory) {
        return memory.get(JAVA_INT, at.firstChild + 4L * directory);
    }

    void firstChild(int directory, int value) {
        memory.set(JAVA_INT, at.firstChild + 4L * directory, value);
    }

    int children(int directory) {
        return memory.get(JAVA_INT, at.children + 4L * directory);
    }

    void children(int directory, int value) {
        memory.set(JAVA_INT, at.children + 4L * directory, value);
    }

    int removed(int directory) {
        return memory.get(JAVA_INT, at.removed + 4L * directory);
    }

    void removed(int directory, int value) {
        memory.set(JAVA_INT, at.removed + 4L * directory, value);
    }

    int dirty(int directory) {
        return memory.get(JAVA_INT, at.dirty + 4L * directory);
    }

    void dirty(int directory, int value) {
        memory.set(JAVA_INT, at.dirty + 4L * directory, value);
    }

    int parent(int entry) {
        return memory.get(JAVA_INT, at.parent + 4L * entry);
    }

    void parent(int entry, int value) {
        memory.set(JAVA_INT, at.parent + 4L * entry, value);
    }

    int entryInode(int entry) {
        return memory.get(JAVA_INT, at.entryInode + 4L * entry);
    }

    void entryInode(int entry, int value) {
        memory.set(JAVA_INT, at.entryInode + 4L * entry, value);
    }

    int entryName(int entry) {
        return memory.get(JAVA_INT, at.entryName + 4L * entry);
    }

    void entryName(int entry, int value) {
        memory.set(JAVA_INT, at.entryName + 4L * entry, value);
    }

    int next(int entry) {
        return memory.get(JAVA_INT, at.next + 4L * entry);
    }

    void next(int entry, int value) {
        memory.set(JAVA_INT, at.next + 4L * entry, value);
    }

    long number(int inode) {
        return memory.get(JAVA_LONG, at.number + 8L * inode);
    }

    void number(int inode, long value) {
        memory.set(JAVA_LONG, at.number + 8L * inode, value);
    }

    long size(int inode) {
        return memory.get(JAVA_LONG, at.size + 8L * inode);
    }

    void size(int inode, long value) {
        memory.set(JAVA_LONG, at.size + 8L * inode, value);
    }

    long stamp(int inode) {
        return memory.get(JAVA_LONG, at.stamp + 8L * inode);
    }

    void stamp(int inode, long value) {
        memory.set(JAVA_LONG, at.stamp + 8L * inode, value);
    }

    /** Of an inode that is known not to be as the file system has it now: nobody's extents of it are current. */
    static final int STALE = 0;

    /** Type and permissions; 0 if names stand for the inode but it was not read. */
    int mode(int inode) {
        return memory.get(JAVA_SHORT, at.mode + 2L * inode) & 0xFFFF;
    }

    void mode(int inode, int value) {
        memory.set(JAVA_SHORT, at.mode + 2L * inode, (short) value);
    }

    boolean isDirectory(int inode) {
        return mode(inode) >>> 12 == 4;
    }

    int checkInode(int inode) {
        return check("inode", inode, header(Layout.INODES), at.inodeRoom);
    }

    int checkDirectory(int directory) {
        return check("directory", directory, header(Layout.DIRECTORIES), at.directoryRoom);
    }

    int checkEntry(int entry) {
        return check("entry", entry, header(Layout.ENTRIES), at.entryRoom);
    }

    private static int check(String column, int row, int rows, int room) {
        if (row < 0 || row >= rows || row >= room) {
            throw new IndexOutOfBoundsException(column + " " + row + " of " + rows);
        }
        return row;
    }

    /** What an inode says; it was read. */
    Inode inode(int inode) {
        int mode = mode(inode);
        FileType type;
        try {
            type = FileType.ofMode(mode);
        } catch (IllegalArgumentException e) {
            throw new IndexOutOfBoundsException(e.getMessage());
        }
        return new Inode(
                number(inode), generation(inode), type, mode & 07777, links(inode) & 0xFFFF_FFFFL, size(inode));
    }

    /** The same, looking first at a row where it may well be. Only who changes the index knows that rows are whole. */
    int findInode(long number, int likely) {
        boolean there = likely < header(Layout.INODES) && number(likely) == number && inodeName(likely) != Store.FREE;
        return there ? likely : findInode(number);
    }

    /** The row of an inode number, or {@link #NONE}. */
    int findInode(long number) {
        int slots = slots(Layout.INODE_SLOTS, at.inodeRoom);
        long hash = NameHash.of(number, longHeader(Layout.SEED));
        int place = NameHash.place(hash, slots);
        for (int probes = 0; probes < slots; probes++) {
            int slot = memory.get(JAVA_INT, at.inodeHash + 4L * place);
            if (slot == 0) {
                return NONE;
            }
            if (tagged(hash, slot, inodeBits)) {
                int inode = checkInode(row(slot, inodeBits));
                if (number(inode) == number) {
                    return inode;
                }
            }
            place = place + 1 == slots ? 0 : place + 1;
        }
        return NONE;
    }

    /** The entry of a name in a directory, or {@link #NONE}. */
    int findEntry(int directory, byte[] name, int length) {
        return findEntry(directory, NameHash.of(name, 0, length, longHeader(Layout.SEED)), name, 0, length);
    }

    /** The same of a name that lies among others, and whose hash is known. */
    int findEntry(int directory, long nameHash, byte[] bytes, int from, int length) {
        int slots = slots(Layout.ENTRY_SLOTS, at.entryRoom);
        long hash = NameHash.in(directory, nameHash);
        int place = NameHash.place(hash, slots);
        for (int probes = 0; probes < slots; probes++) {
            int slot = memory.get(JAVA_INT, at.entryHash + 4L * place);
            if (slot == 0) {
                return NONE;
            }
            if (tagged(hash, slot, entryBits)) {
                int entry = checkEntry(row(slot, entryBits));
                if (parent(entry) == directory && isName(entryName(entry), bytes, from, length)) {
                    return entry;
                }
            }
            place = place + 1 == slots ? 0 : place + 1;
        }
        return NONE;
    }

    private int slots(long field, int room) {
        int slots = header(field);
        if (slots < 0 || slots > Layout.SLOTS * (long) room) {
            throw new IndexOutOfBoundsException("a hash of " + slots + " slots");
        }
        return slots;
    }

    private static boolean tagged(long hash, int slot, int bits) {
        return (((int) hash << bits) ^ slot) >>> bits == 0;
    }

    private static int row(int slot, int bits) {
        return (slot & (1 << bits) - 1) - 1;
    }

    /**
     * The row of an inode number; if there is none, another row is made that of the number. Only who changes the index
     * knows that rows are whole.
     */
    int findOrPutInode(long number, int fresh, int slots, long seed) {
        long hash = NameHash.of(number, seed);
        int place = NameHash.place(hash, slots);
        while (true) {
            int slot = memory.get(JAVA_INT, at.inodeHash + 4L * place);
            if (slot == 0) {
                memory.set(JAVA_LONG, at.number + 8L * fresh, number);
                memory.set(JAVA_INT, at.inodeHash + 4L * place, (int) hash << inodeBits | fresh + 1);
                return fresh;
            }
            if (tagged(hash, slot, inodeBits) && number(row(slot, inodeBits)) == number) {
                return row(slot, inodeBits);
            }
            place = place + 1 == slots ? 0 : place + 1;
        }
    }

    /** Puts an entry that is written, unless its directory has one of this name; tells whether it did. */
    boolean putEntryOnce(int entry, int directory, long hash, byte[] bytes, int from, int length, int slots) {
        int place = NameHash.place(hash, slots);
        while (true) {
            int slot = memory.get(JAVA_INT, at.entryHash + 4L * place);
            if (slot == 0) {
                memory.set(JAVA_INT, at.entryHash + 4L * place, (int) hash << entryBits | entry + 1);
                return true;
            }
            int other = row(slot, entryBits);
            if (tagged(hash, slot, entryBits)
                    && parent(other) == directory
                    && isName(entryName(other), bytes, from, length)) {
                return false;
            }
            place = place + 1 == slots ? 0 : place + 1;
        }
    }

    void putInode(int inode) {
        put(at.inodeHash, header(Layout.INODE_SLOTS), inodeBits, hashOfInode(inode), inode);
    }

    void putEntry(int entry, long hash) {
        put(at.entryHash, header(Layout.ENTRY_SLOTS), entryBits, hash, entry);
    }

    void dropInode(int inode, byte[] scratch) {
        drop(at.inodeHash, header(Layout.INODE_SLOTS), inodeBits, true, inode, scratch);
    }

    void dropEntry(int entry, byte[] scratch) {
        drop(at.entryHash, header(Layout.ENTRY_SLOTS), entryBits, false, entry, scratch);
    }

    private long hashOfInode(int inode) {
        return NameHash.of(number(inode), longHeader(Layout.SEED));
    }

    long hashOfEntry(int entry, byte[] scratch) {
        int length = name(entryName(entry), scratch);
        return NameHash.in(parent(entry), NameHash.of(scratch, 0, length, longHeader(Layout.SEED)));
    }

    private void put(long column, int slots, int bits, long hash, int row) {
        int place = NameHash.place(hash, slots);
        while (memory.get(JAVA_INT, column + 4L * place) != 0) {
            place = place + 1 == slots ? 0 : place + 1;
        }
        memory.set(JAVA_INT, column + 4L * place, (int) hash << bits | row + 1);
    }

    /** Takes a row out, and moves those behind it up that would not be found any more. */
    private void drop(long column, int slots, int bits, boolean inodes, int row, byte[] scratch) {
        int hole = NameHash.place(inodes ? hashOfInode(row) : hashOfEntry(row, scratch), slots);
        while (row(memory.get(JAVA_INT, column + 4L * hole), bits) != row) {
            hole = hole + 1 == slots ? 0 : hole + 1;
        }
        for (int place = hole; ; ) {
            place = place + 1 == slots ? 0 : place + 1;
            int slot = memory.get(JAVA_INT, column + 4L * place);
            if (slot == 0) {
                break;
            }
            int moved = row(slot, bits);
            int home = NameHash.place(inodes ? hashOfInode(moved) : hashOfEntry(moved, scratch), slots);
            boolean stays = hole <= place ? hole < home && home <= place : hole < home || home <= place;
            if (!stays) {
                memory.set(JAVA_INT, column + 4L * hole, slot);
                hole = place;
            }
        }
        memory.set(JAVA_INT, column + 4L * hole, 0);
    }

    /** Copies a name; gives its length. */
    int name(int name, byte[] target) {
        long from = checkName(name);
        int length = memory.get(JAVA_BYTE, at.names + from) & 0xFF;
        MemorySegment.copy(memory, JAVA_BYTE, at.names + from + 1, target, 0, length);
        return length;
    }

    int nameLength(int name) {
        return memory.get(JAVA_BYTE, at.names + checkName(name)) & 0xFF;
    }

    private long checkName(int name) {
        long from = name & 0xFFFF_FFFFL;
        if (from >= longHeader(Layout.NAMES) || from >= at.nameRoom) {
            throw new IndexOutOfBoundsException("name " + from + " of " + longHeader(Layout.NAMES));
        }
        return from;
    }

    boolean isName(int name, byte[] bytes, int begin, int length) {
        long from = at.names + checkName(name);
        if ((memory.get(JAVA_BYTE, from) & 0xFF) != length) {
            return false;
        }
        int i = 0;
        for (; i + Long.BYTES <= length; i += Long.BYTES) {
            if (memory.get(JAVA_LONG_UNALIGNED, from + 1 + i) != (long) NameHash.WORDS.get(bytes, begin + i)) {
                return false;
            }
        }
        for (; i < length; i++) {
            if (memory.get(JAVA_BYTE, from + 1 + i) != bytes[begin + i]) {
                return false;
            }
        }
        return true;
    }

    /** Writes names that lie one after another, as they are to lie. */
    void writeNames(long name, byte[] bytes, int length) {
        MemorySegment.copy(bytes, 0, memory, JAVA_BYTE, at.names + name, length);
    }

    void writeName(int name, byte[] bytes, int from, int length) {
        long to = at.names + (name & 0xFFFF_FFFFL);
        memory.set(JAVA_BYTE, to, (byte) length);
        MemorySegment.copy(bytes, from, memory, JAVA_BYTE, to + 1, length);
    }

    /** Adds the extents of a run to a list, rows that go on where the one before ended as one extent. */
    void extents(int first, int blockBytes, List<Extent> target) {
        if (first == NONE) {
            return;
        }
        int rows = header(Layout.EXTENTS);
        for (int row = first; ; row++) {
            check("extent", row, rows, at.extentRoom);
            Extent extent = extent(row, blockBytes);
            Extent before = target.isEmpty() ? null : target.getLast();
            if (extent.length() < 1
                    || extent.offset() < 0
                    || extent.end() < extent.offset()
                    || (before != null && extent.offset() < before.end())) {
                throw new IndexOutOfBoundsException("extent " + row + " behind " + before + " is " + extent);
            }
            long word = memory.get(JAVA_LONG, at.position + 8L * row);
            if ((word & CONTINUED) != 0 && before != null && before.end() == extent.offset()) {
                target.removeLast();
                target.addLast(new Extent(
                        before.offset(), before.position(), before.length() + extent.length(), before.flags()));
            } else {
                target.addLast(extent);
            }
            if ((word & LAST) != 0) {
                return;
            }
        }
    }

    /** How many rows a run has. */
    int runRows(int first) {
        int row = first;
        while ((memory.get(JAVA_LONG, at.position + 8L * row) & LAST) == 0) {
            row++;
        }
        return row - first + 1;
    }

    private Extent extent(int row, int blockBytes) {
        long offset = memory.get(JAVA_LONG, at.offset + 8L * row);
        long position = memory.get(JAVA_LONG, at.position + 8L * row);
        long length = memory.get(JAVA_INT, at.length + 4L * row) & 0xFFFF_FFFFL;
        long unit = (position & IN_BYTES) != 0 ? 1 : blockBytes;
        return new Extent((offset & OFFSET_MASK) * unit, (position & POSITION_MASK) * unit, length * unit, unpack((int)
                (offset >>> FLAG_SHIFT)));
    }

    /** Writes a row: the first word as {@link #offsetWord}, the second with its marks. */
    void extent(int row, long offset, long position, int length) {
        memory.set(JAVA_LONG, at.offset + 8L * row, offset);
        memory.set(JAVA_LONG, at.position + 8L * row, position);
        memory.set(JAVA_INT, at.length + 4L * row, length);
    }

    /** Writes many rows; those that are NONE are left out. */
    void extents(int[] rows, long[] offset, long[] position, int[] length, int count) {
        longs(at.offset, rows, offset, count);
        longs(at.position, rows, position, count);
        ints(at.length, rows, length, count);
    }

    /** The first word of a row. */
    static long offsetWord(long offset, int flags) {
        return offset | (long) pack(flags) << FLAG_SHIFT;
    }

    /** Whether a row is exactly this. */
    boolean isExtent(int row, long offset, long position, int length) {
        return memory.get(JAVA_LONG, at.offset + 8L * row) == offset
                && memory.get(JAVA_LONG, at.position + 8L * row) == position
                && memory.get(JAVA_INT, at.length + 4L * row) == length;
    }

    // Many rows of one column: small loops, which are compiled soon. Rows that are NONE are left out.

    /** Sets 4 bytes of each row. */
    void ints(long column, int[] rows, int[] values, int count) {
        for (int i = 0; i < count; i++) {
            if (rows[i] >= 0) {
                memory.set(JAVA_INT, column + 4L * rows[i], values[i]);
            }
        }
    }

    /** Sets 4 bytes of each row to the same. */
    void ints(long column, int[] rows, int value, int count) {
        for (int i = 0; i < count; i++) {
            if (rows[i] >= 0) {
                memory.set(JAVA_INT, column + 4L * rows[i], value);
            }
        }
    }

    /** Sets 8 bytes of each row. */
    void longs(long column, int[] rows, long[] values, int count) {
        for (int i = 0; i < count; i++) {
            if (rows[i] >= 0) {
                memory.set(JAVA_LONG, column + 8L * rows[i], values[i]);
            }
        }
    }

    /** Sets the modes of inodes. */
    void modes(int[] rows, int[] values, int count) {
        for (int i = 0; i < count; i++) {
            if (rows[i] >= 0) {
                memory.set(JAVA_SHORT, at.mode + 2L * rows[i], (short) values[i]);
            }
        }
    }

    void copyExtents(Tables from, int first, int target, int rows) {
        MemorySegment.copy(from.memory, from.at.offset + 8L * first, memory, at.offset + 8L * target, 8L * rows);
        MemorySegment.copy(from.memory, from.at.position + 8L * first, memory, at.position + 8L * target, 8L * rows);
        MemorySegment.copy(from.memory, from.at.length + 4L * first, memory, at.length + 4L * target, 4L * rows);
    }

    /** Whether numbers fit a row in this unit. */
    static boolean fits(long offset, long position) {
        return offset >= 0 && offset <= OFFSET_MASK && position >= 0 && position <= POSITION_MASK;
    }

    private static int pack(int flags) {
        int packed = 0;
        for (int i = 0; i < FLAGS.length; i++) {
            packed |= (flags & FLAGS[i]) != 0 ? 1 << i : 0;
        }
        return packed;
    }

    private static int unpack(int packed) {
        int flags = 0;
        for (int rest = packed; rest != 0; rest &= rest - 1) {
            flags |= FLAGS[Integer.numberOfTrailingZeros(rest)];
        }
        return flags;
    }

    /** The bytes of a problem; the next is two bytes behind them. */
    byte[] problem(int from) {
        int length = memory.get(JAVA_SHORT_UNALIGNED, at.problems + from) & 0xFFFF;
        if (from + Short.BYTES + length > Layout.PROBLEM_ROOM) {
            throw new IndexOutOfBoundsException("a problem of " + length + " bytes");
        }
        return memory.asSlice(at.problems + from + Short.BYTES, length).toArray(JAVA_BYTE);
    }

    void problem(int from, byte[] text) {
        memory.set(JAVA_SHORT_UNALIGNED, at.problems + from, (short) text.length);
        MemorySegment.copy(text, 0, memory, JAVA_BYTE, at.problems + from + 2, text.length);
    }
}
