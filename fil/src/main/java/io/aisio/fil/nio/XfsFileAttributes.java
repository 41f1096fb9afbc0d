package io.aisio.fil.nio;

import io.aisio.xal.Attributes;
import io.aisio.xal.FileType;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Instant;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * What an inode says, as {@code java.nio.file} asks for it. Times have nanoseconds; the time of creation is that of the
 * last modification where the file system does not record it.
 *
 * @param device that holds the file system
 * @param inode what its inode says
 */
record XfsFileAttributes(String device, Attributes inode) implements PosixFileAttributes {
    /** Bits of a mode, from the owner's right to read down to the others' right to execute, in the order of the enum. */
    private static final int HIGHEST = 0400;

    private static final int TYPE_SHIFT = 12;

    /** The views, each with what it adds to those before it. */
    static final Map<String, Map<String, Function<XfsFileAttributes, Object>>> VIEWS = views();

    /**
     * What tells files apart.
     *
     * @param device that holds the file system
     * @param inode number
     */
    record Key(String device, long inode) {
        @Override
        public String toString() {
            return "(dev=" + device + ",ino=" + inode + ")";
        }
    }

    private static Map<String, Map<String, Function<XfsFileAttributes, Object>>> views() {
        Map<String, Function<XfsFileAttributes, Object>> basic = new LinkedHashMap<>();
        basic.put("lastModifiedTime", XfsFileAttributes::lastModifiedTime);
        basic.put("lastAccessTime", XfsFileAttributes::lastAccessTime);
        basic.put("creationTime", XfsFileAttributes::creationTime);
        basic.put("size", XfsFileAttributes::size);
        basic.put("isRegularFile", XfsFileAttributes::isRegularFile);
        basic.put("isDirectory", XfsFileAttributes::isDirectory);
        basic.put("isSymbolicLink", XfsFileAttributes::isSymbolicLink);
        basic.put("isOther", XfsFileAttributes::isOther);
        basic.put("fileKey", XfsFileAttributes::fileKey);
        Map<String, Function<XfsFileAttributes, Object>> owner = Map.of("owner", XfsFileAttributes::owner);
        Map<String, Function<XfsFileAttributes, Object>> posix = new LinkedHashMap<>(basic);
        posix.putAll(owner);
        posix.put("group", XfsFileAttributes::group);
        posix.put("permissions", XfsFileAttributes::permissions);
        Map<String, Function<XfsFileAttributes, Object>> unix = new LinkedHashMap<>(posix);
        unix.put("mode", XfsFileAttributes::mode);
        unix.put("ino", file -> file.inode.inode().number());
        unix.put("nlink", file -> (int) file.inode.inode().links());
        unix.put("uid", file -> (int) file.inode.owner());
        unix.put("gid", file -> (int) file.inode.group());
        unix.put("ctime", file -> FileTime.from(file.inode.changed()));
        return Map.of("basic", basic, "owner", owner, "posix", posix, "unix", unix);
    }

    /** Type and permissions, as {@code st_mode} has them. */
    private int mode() {
        int type = switch (inode.inode().type()) {
            case FIFO -> 1;
            case CHARACTER_DEVICE -> 2;
            case DIRECTORY -> 4;
            case BLOCK_DEVICE -> 6;
            case REGULAR -> 8;
            case SYMLINK -> 10;
            case SOCKET -> 12;
        };
        return type << TYPE_SHIFT | inode.inode().mode();
    }

    @Override
    public FileTime lastModifiedTime() {
        return FileTime.from(inode.modified());
    }

    @Override
    public FileTime lastAccessTime() {
        return FileTime.from(inode.accessed());
    }

    @Override
    public FileTime creationTime() {
        Instant created = inode.created();
        return FileTime.from(created == null ? inode.modified() : created);
    }

    @Override
    public boolean isRegularFile() {
        return inode.inode().type() == FileType.REGULAR;
    }

    @Override
    public boolean isDirectory() {
        return inode.inode().type() == FileType.DIRECTORY;
    }

    @Override
    public boolean isSymbolicLink() {
        return inode.inode().type() == FileType.SYMLINK;
    }

    @Override
    public boolean isOther() {
        return !isRegularFile() && !isDirectory() && !isSymbolicLink();
    }

    @Override
    public long size() {
        return inode.inode().size();
    }

    @Override
    public Key fileKey() {
        return new Key(device, inode.inode().number());
    }

    @Override
    public NumericPrincipal owner() {
        return new NumericPrincipal(inode.owner());
    }

    @Override
    public NumericPrincipal group() {
        return new NumericPrincipal(inode.group());
    }

    @Override
    public Set<PosixFilePermission> permissions() {
        Set<PosixFilePermission> permissions = EnumSet.noneOf(PosixFilePermission.class);
        int bit = HIGHEST;
        for (PosixFilePermission permission : PosixFilePermission.values()) {
            if ((inode.inode().mode() & bit) != 0) {
                permissions.add(permission);
            }
            bit >>= 1;
        }
        return permissions;
    }
}
