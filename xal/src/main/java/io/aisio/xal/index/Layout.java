package io.aisio.xal.index;

import io.aisio.linux.Mapping;

/** Where the header's fields and each column lie, for the rows that there is room for. All are in bytes. */
final class Layout {
    /** {@code AISIOXAL}, and the version of this layout. */
    static final long MAGIC_VALUE = 0x4C41584F49534941L;

    static final int VERSION_VALUE = 4;

    static final long MAGIC = 0;
    static final long VERSION = 8;
    static final long BLOCK_BYTES = 12;
    static final long OWNER = 16;
    static final long INODE_ROOM = 20;
    static final long DIRECTORY_ROOM = 24;
    static final long ENTRY_ROOM = 28;
    static final long EXTENT_ROOM = 32;
    static final long NAME_ROOM = 40;
    static final long SEED = 48;
    /** Odd while the owner changes something. Alone on its cache line. */
    static final long SEQUENCE = 64;

    static final long STATE = 128;
    static final long INODES = 192;
    static final long DIRECTORIES = 196;
    static final long ENTRIES = 200;
    static final long EXTENTS = 204;
    static final long NAMES = 208;
    static final long INODE_SLOTS = 216;
    static final long ENTRY_SLOTS = 220;
    static final long LIVE_INODES = 224;
    static final long LIVE_DIRECTORIES = 228;
    static final long LIVE_FILES = 232;
    static final long LIVE_EXTENTS = 236;
    static final long LIVE_ENTRIES = 240;
    static final long ROOT = 244;
    static final long PROBLEM_BYTES = 248;
    static final long PROBLEMS = 252;
    static final long DIRTY_DIRECTORIES = 256;
    static final long NEXT_VERSION = 260;
    /** Why it is dirty: length in 2 bytes, UTF-8. */
    static final long REASON = 512;

    static final int REASON_ROOM = 500;
    /** What the file system says of itself, as {@link Region} writes it. */
    static final long VOLUME = 1024;

    static final int VOLUME_ROOM = 3072;
    static final int HEADER_BYTES = 4096;
    static final int PROBLEM_ROOM = 256 << 10;

    /** A hash has at most this many slots for each row. */
    static final int SLOTS = 2;

    /** More rows than this no column has, so that no sum of sizes overflows. */
    static final int MAX_ROWS = 1 << 29;

    static final long MAX_NAMES = 1L << 32;

    /** Behind the last name, so that eight bytes at a time can be compared. */
    static final int NAME_SLACK = 8;

    final int inodeRoom;
    final int directoryRoom;
    final int entryRoom;
    final int extentRoom;
    final long nameRoom;

    final long problems;
    final long inodeHash;
    final long entryHash;
    final long number;
    final long size;
    final long stamp;
    final long generation;
    final long links;
    final long version;
    final long firstExtent;
    final long inodeName;
    final long mode;
    final long directoryInode;
    final long directoryName;
    final long firstChild;
    final long children;
    final long removed;
    final long dirty;
    final long parent;
    final long entryInode;
    final long entryName;
    final long next;
    final long offset;
    final long position;
    final long length;
    final long names;
    /** All of it. */
    final long bytes;

    private long end = HEADER_BYTES;

    Layout(int inodeRoom, int directoryRoom, int entryRoom, int extentRoom, long nameRoom) {
        this.inodeRoom = inodeRoom;
        this.directoryRoom = directoryRoom;
        this.entryRoom = entryRoom;
        this.extentRoom = extentRoom;
        this.nameRoom = nameRoom;
        problems = column(PROBLEM_ROOM, 1);
        inodeHash = column((long) SLOTS * inodeRoom, 4);
        entryHash = column((long) SLOTS * entryRoom, 4);
        number = column(inodeRoom, 8);
        size = column(inodeRoom, 8);
        stamp = column(inodeRoom, 8);
        generation = column(inodeRoom, 4);
        links = column(inodeRoom, 4);
        version = column(inodeRoom, 4);
        firstExtent = column(inodeRoom, 4);
        inodeName = column(inodeRoom, 4);
        mode = column(inodeRoom, 2);
        directoryInode = column(directoryRoom, 4);
        directoryName = column(directoryRoom, 4);
        firstChild = column(directoryRoom, 4);
        children = column(directoryRoom, 4);
        removed = column(directoryRoom, 4);
        dirty = column(directoryRoom, 4);
        parent = column(entryRoom, 4);
        entryInode = column(entryRoom, 4);
        entryName = column(entryRoom, 4);
        next = column(entryRoom, 4);
        offset = column(extentRoom, 8);
        position = column(extentRoom, 8);
        length = column(extentRoom, 4);
        names = column(nameRoom + NAME_SLACK, 1);
        bytes = end;
    }

    /** Columns of 8 bytes an inode. */
    long[] longsOfInodes() {
        return new long[] {number, size, stamp};
    }

    /** Columns of 4 bytes an inode. */
    long[] intsOfInodes() {
        return new long[] {generation, links, version, firstExtent, inodeName};
    }

    /** Columns of 4 bytes an entry, which are all that it has. */
    long[] intsOfEntries() {
        return new long[] {parent, entryInode, entryName, next};
    }

    private long column(long rows, int width) {
        // One that is large begins where a huge page does.
        long unit = rows * width < Mapping.HUGE_PAGE_SIZE ? Mapping.PAGE_SIZE : Mapping.HUGE_PAGE_SIZE;
        long at = Math.ceilDiv(end, unit) * unit;
        end = Math.ceilDiv(at + rows * width, Mapping.PAGE_SIZE) * Mapping.PAGE_SIZE;
        return at;
    }

    /** Room for a number of inodes, with names of a usual length, and for changes. */
    static Layout forInodes(long inodes) {
        int rows = Math.clamp(inodes, 1 << 10, MAX_ROWS);
        return new Layout(rows, rows, rows, rows, Math.min(MAX_NAMES, rows * 64L));
    }

    /** How many low bits of a hash slot hold a row and one: the rest tells most other keys apart. */
    static int rowBits(int room) {
        return Integer.SIZE - Integer.numberOfLeadingZeros(room);
    }
}
