package io.aisio.xal.mount;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.aisio.linux.Beneath;
import io.aisio.linux.Errno;
import io.aisio.linux.FileExtent;
import io.aisio.linux.FileHandle;
import io.aisio.linux.FileStatus;
import io.aisio.linux.FileSystemStatus;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mounts;
import io.aisio.xal.Attributes;
import io.aisio.xal.Child;
import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.FileName;
import io.aisio.xal.FileType;
import io.aisio.xal.Inode;
import io.aisio.xal.Volume;
import io.aisio.xal.Xal;
import io.aisio.xal.backend.Backend;
import io.aisio.xal.backend.Catalog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The files beneath a directory of a mounted XFS, ext2/3/4 or btrfs, as the kernel tells them. Any thread may call it.
 *
 * <p>It stays in the file system: links are listed, never followed, and other mounts are not entered. Only regular files
 * have extents here: the kernel does not tell those of directories and links.
 */
public final class MountedTree implements Backend {
    private static final Set<String> KNOWN = Set.of("xfs", "ext2", "ext3", "ext4", "btrfs");
    /** Those that may write what is written to a file into their journal first. */
    private static final Set<String> JOURNALING = Set.of("ext3", "ext4");

    private static final Path EXT4_MOUNTS = Path.of("/proc/fs/ext4");
    /** How often a file that changes is mapped again: chosen so that a file under a busy writer ends too. */
    private static final int ATTEMPTS = 8;

    /** With these, what is in memory may be written elsewhere, or change what is told of the place. */
    private static final int MOVABLE = Extent.UNKNOWN | Extent.DELAYED | Extent.UNWRITTEN | Extent.SHARED;

    private static final int TYPE_SHIFT = 12;
    private static final int PERMISSIONS = 07777;

    private final Beneath top;
    private final Path path;
    private final Mounts.Mount mount;
    private final FileSystemStatus status;
    /** Of the directory itself: subvolumes of btrfs have others. */
    private final FileStatus.Device volume;
    /** What translates addresses, where the kernel does not tell positions on the device. */
    private final @Nullable BtrfsPlaces btrfs;

    private final boolean sync;
    private final int attempts;

    private MountedTree(
            Beneath top,
            Path path,
            Mounts.Mount mount,
            FileSystemStatus status,
            FileStatus.Device volume,
            @Nullable BtrfsPlaces btrfs,
            boolean sync,
            int attempts) {
        this.top = top;
        this.path = path;
        this.mount = mount;
        this.status = status;
        this.volume = volume;
        this.btrfs = btrfs;
        this.sync = sync;
        this.attempts = attempts;
    }

    /**
     * Opens a directory of a mounted file system.
     *
     * @param path a mount point or a directory beneath one
     * @param sync whether a file is written out before it is mapped, so that all of it has a place
     * @throws IOException if it is no directory, or its file system's maps do not tell where bytes lie on a device
     */
    public static MountedTree open(Path path, boolean sync) throws IOException {
        return open(path, sync, ATTEMPTS);
    }

    /** As {@link #open(Path, boolean)}, mapping a file that changes so often: once is too seldom for any to stand still. */
    static MountedTree open(Path path, boolean sync, int attempts) throws IOException {
        Beneath top = Beneath.directory(path);
        try {
            FileStatus status = top.status();
            long id = status.mount();
            Mounts.Mount mount = Mounts.read().of(id);
            if (mount == null) {
                throw new IOException(path + ": mount " + id
                        + " is not in /proc/self/mountinfo: run in the mount namespace that it belongs to");
            }
            refuse(path, mount);
            BtrfsPlaces btrfs = mount.type().equals("btrfs") ? BtrfsPlaces.of(top, path) : null;
            return new MountedTree(top, path, mount, top.fileSystem(), status.device(), btrfs, sync, attempts);
        } catch (IOException | RuntimeException e) {
            top.close();
            throw e;
        }
    }

    private static void refuse(Path path, Mounts.Mount mount) throws IOException {
        String type = mount.type();
        if (KNOWN.contains(type)) {
            if (JOURNALING.contains(type) && options(path, mount.device()).contains("data=journal")) {
                throw new IOException(path + " is mounted with data=journal: what was written may lie in the journal"
                        + " only; mount it with data=ordered");
            }
            if (mount.has("rtdev")) {
                throw new IOException(path + " has a real-time device: the kernel does not say on which of the two"
                        + " devices a block lies; read the unmounted data device instead");
            }
            return;
        }
        String reason = switch (type) {
            case "overlay" -> "its files lie in other file systems; name the directory of the layer that holds them";
            case "tmpfs", "ramfs", "devtmpfs" -> "its files lie in memory, on no device; copy them to XFS or ext4";
            case "nfs", "nfs4", "cifs", "ceph", "9p", "virtiofs" ->
                "its files lie on another machine; run there, or copy them to a local XFS or ext4";
            default ->
                type.startsWith("fuse")
                        ? "a program answers for it and does not tell where bytes lie; name the file system"
                                + " beneath"
                        : "it is not known whether what it tells are positions on its device; keep the files on"
                                + " XFS or ext4";
        };
        throw new IOException(path + " is on " + type + ": " + reason);
    }

    /**
     * All options that an ext3 or ext4 is mounted with: the table of mounts leaves out those that its superblock has as
     * defaults.
     */
    private static List<String> options(Path path, FileStatus.Device device) throws IOException {
        try {
            // The last part of the link's target is what the kernel calls the device.
            Path name = Path.of("/sys/dev/block/" + device).toRealPath().getFileName();
            return Files.readAllLines(EXT4_MOUNTS.resolve(name).resolve("options"), ISO_8859_1);
        } catch (IOException e) {
            throw new IOException(
                    path + ": whether it is mounted with data=journal, so that what was written may lie in the journal"
                            + " only, is told by /sys/dev/block and " + EXT4_MOUNTS + ", which cannot be read: " + e,
                    e);
        }
    }

    /** {@inheritDoc} How full it is was looked at when it was opened. */
    @Override
    public Volume describe() {
        return new Volume(
                mount.type(),
                path.toString(),
                "FIEMAP",
                status.uuid(),
                status.label(),
                status.blockBytes(),
                status.blocks(),
                status.freeBlocks(),
                status.inodes() == 0 ? -1 : status.inodes() - status.freeInodes(),
                List.of());
    }

    /** Whether nobody writes to the file system: it is mounted to read. */
    public boolean readOnly() {
        return mount.has("ro");
    }

    /** Waits until all that was written to the file system is on its device, of metadata at least in the log. */
    public void syncFileSystem() throws IOException {
        top.syncFileSystem();
    }

    /**
     * The path of this tree's directory from the root of its file system.
     *
     * @throws IOException if it lies beneath no directory that is mounted, because something else is mounted above it
     */
    public String inFileSystem() throws IOException {
        Path real = path.toRealPath();
        Path point = Path.of(mount.point());
        if (!real.startsWith(point)) {
            throw new IOException(path + " is " + real + ", and its file system is mounted at " + point);
        }
        return Path.of(mount.root()).resolve(point.relativize(real)).normalize().toString();
    }

    /** The device that the file system lies on. */
    public FileStatus.Device device() {
        return btrfs == null ? mount.device() : btrfs.number();
    }

    @Override
    public Entry root() throws IOException {
        return new Entry("/", foundRoot().inode());
    }

    @Override
    public Entry child(String directory, Child child) throws IOException {
        try (Beneath parent = directory(directory)) {
            return new Entry(
                    Backend.path(directory, child.name()), look(parent, FileName.encode(child.name()), directory));
        }
    }

    @Override
    public @Nullable Child find(Entry directory, String name) throws IOException {
        byte[] bytes = FileName.encode(name);
        if (name.equals(".") || name.equals("..") || bytes.length > 255 || name.indexOf('\0') >= 0) {
            return null;
        }
        try (Beneath parent = directory(directory.path())) {
            Inode inode = look(parent, bytes, directory.path());
            return new Child(name, inode.number(), inode.type());
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                return null;
            }
            throw e;
        }
    }

    @Override
    public void list(Entry directory, Consumer<Child> children, Consumer<IOException> problems) {
        try (Beneath opened = openDirectory(directory)) {
            for (Beneath.Name name : opened.list()) {
                if (!name.isDot()) {
                    children.accept(new Child(
                            FileName.decode(name.bytes()),
                            name.inode(),
                            name.type() == 0 ? null : FileType.ofMode(name.type() << TYPE_SHIFT)));
                }
            }
        } catch (IOException e) {
            problems.accept(e);
        }
    }

    /**
     * {@inheritDoc}
     *
     * @return empty for all but regular files
     */
    @Override
    public List<Extent> extents(Entry file) throws IOException {
        if (file.type() != FileType.REGULAR) {
            return List.of();
        }
        try (Beneath opened = open(file)) {
            return map(opened, file.path()).extents();
        }
    }

    /** {@inheritDoc} The kernel's flags of inodes are not asked for. */
    @Override
    public Attributes attributes(Entry entry) throws IOException {
        if (entry.path().equals("/")) {
            return attributes(top.status(), root().inode(), null);
        }
        int slash = entry.path().lastIndexOf('/');
        byte[] name = FileName.encode(entry.path().substring(slash + 1));
        String directory = slash == 0 ? "/" : entry.path().substring(0, slash);
        try (Beneath parent = directory(directory)) {
            Found found = find(parent, name, directory);
            Inode now = found.inode();
            if (now.number() != entry.inode().number()
                    || now.generation() != entry.inode().generation()) {
                throw another(entry, now.number());
            }
            String target =
                    now.type() == FileType.SYMLINK ? FileName.decode(parent.target(name, shown(entry.path()))) : null;
            return attributes(found.status(), now, target);
        }
    }

    private static Attributes attributes(FileStatus status, Inode inode, @Nullable String target) {
        boolean device = inode.type() == FileType.CHARACTER_DEVICE || inode.type() == FileType.BLOCK_DEVICE;
        return new Attributes(
                inode,
                status.owner(),
                status.group(),
                status.allocated(),
                status.accessed(),
                status.modified(),
                status.changed(),
                status.created(),
                device
                        ? new Attributes.DeviceNumber(
                                status.represents().major(), status.represents().minor())
                        : null,
                target,
                List.of());
    }

    /**
     * Opens a regular file to read its bytes through the file system.
     *
     * @throws IOException if it may not be read, or is not the file that the entry names
     */
    public Beneath open(Entry file) throws IOException {
        int slash = file.path().lastIndexOf('/');
        try (Beneath parent = directory(file.path().substring(0, slash))) {
            Beneath opened = parent.openFile(FileName.encode(file.path().substring(slash + 1)), shown(file.path()));
            try {
                same(file, opened);
                return opened;
            } catch (IOException e) {
                opened.close();
                throw e;
            }
        }
    }

    /**
     * Something as it was at one moment.
     *
     * @param inode what it says of itself
     * @param mode file type and permissions, as {@code st_mode}
     * @param stamp as {@link io.aisio.xal.backend.InodeBatch#stamp}
     * @param extents empty for all but regular files
     */
    public record Sighting(Inode inode, int mode, long stamp, List<Extent> extents) {}

    /**
     * Opens a directory, to look at names in it: it stays the same one, wherever it is renamed to.
     *
     * @throws LinuxException if there is none at the path, or another mount hides it
     */
    public Beneath openDirectory(String directory) throws LinuxException {
        return directory(directory);
    }

    /** What an open directory is now. */
    public Sighting look(Beneath directory) throws IOException {
        FileStatus status = directory.status();
        return sighting(new Found(status, inode(status, directory.handle())), List.of());
    }

    /**
     * What a name in an open directory stands for now, with its map if it is a regular file.
     *
     * @param parent the path of the directory, for messages
     * @return null if the directory has none of this name
     * @throws FileChangedException if it is something else meanwhile, or changed each time that it was mapped
     * @throws IOException if it cannot be read
     */
    public @Nullable Sighting look(Beneath directory, String parent, String name) throws IOException {
        byte[] bytes = FileName.encode(name);
        String child = Backend.path(parent, name);
        try {
            Found found = find(directory, bytes, parent);
            if (found.inode().type() != FileType.REGULAR) {
                return sighting(found, List.of());
            }
            try (Beneath file = openRegular(directory, bytes, shown(child))) {
                Map map = map(file, child);
                return sighting(new Found(map.status(), inode(map.status(), file.handle())), map.extents());
            }
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                return null;
            }
            throw e;
        }
    }

    /** Opens what was a regular file a moment ago. */
    private static Beneath openRegular(Beneath directory, byte[] name, String shown) throws IOException {
        Beneath opened;
        try {
            opened = directory.openFile(name, shown);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ELOOP) {
                throw new FileChangedException(shown + ": it was a file, and is a symbolic link a moment later");
            }
            throw e;
        }
        try {
            if (opened.status().isRegular()) {
                return opened;
            }
        } catch (LinuxException e) {
            opened.close();
            throw e;
        }
        opened.close();
        throw new FileChangedException(shown + ": it was a file, and is none a moment later");
    }

    private Sighting sighting(Found found, List<Extent> extents) {
        return new Sighting(
                found.inode(), found.status().mode(), TreeScan.stamp(this, found.status(), extents), extents);
    }

    /**
     * Clones a file into one without a name.
     *
     * @throws IOException if the file system shares no blocks between files, or the directory may not be written to
     */
    public Beneath clone(Entry file) throws IOException {
        try (Beneath opened = open(file)) {
            return top.cloneOf(opened);
        } catch (LinuxException e) {
            if (e.errno() == Errno.EOPNOTSUPP) {
                throw new IOException(
                        shown(file.path()) + ": this " + mount.type()
                                + " shares no blocks between files, so none can be"
                                + " held still; use XFS made with reflink=1",
                        e);
            }
            throw e;
        }
    }

    /** What a name stands for, as it was looked at. */
    record Found(FileStatus status, Inode inode) {}

    /** A file's map and its status, that were true together. */
    record Map(FileStatus status, List<Extent> extents) {}

    /**
     * Whether a map stays as it is until the file is written to again: all was written out first, or there is nothing that
     * writing out may put elsewhere.
     */
    boolean settled(List<Extent> extents) {
        return sync || extents.stream().noneMatch(extent -> (extent.flags() & MOVABLE) != 0);
    }

    Map map(Beneath opened, String name) throws IOException {
        return steady(opened::status, status -> extents(opened, status, sync, name), shown(name), attempts);
    }

    /** Looks at a file. */
    @FunctionalInterface
    interface Look {
        /** Its status now. */
        FileStatus status() throws IOException;
    }

    /** Asks for a file's map. */
    @FunctionalInterface
    interface Mapping {
        /**
         * Its map now.
         *
         * @param status that it had before
         * @throws FileChangedException if what the kernel told last is not true any more
         */
        List<Extent> extents(FileStatus status) throws IOException;
    }

    /** Maps a file until its status and its map stay as they are. */
    static Map steady(Look look, Mapping mapping, String shown, int attempts) throws IOException {
        FileStatus before = look.status();
        List<Extent> last = null;
        FileChangedException untrue = null;
        for (int attempt = 0; attempt < attempts; attempt++) {
            List<Extent> extents = null;
            try {
                extents = mapping.extents(before);
                untrue = null;
            } catch (FileChangedException e) {
                untrue = e;
            }
            FileStatus after = look.status();
            // The same map twice is as good as a status that stood still: writing out changes maps, not times.
            if (extents != null && unchanged(before, after) && extents.equals(last)) {
                return new Map(after, extents);
            }
            last = extents;
            before = after;
        }
        if (untrue != null) {
            // What does not pass is no change.
            throw new IOException(untrue.getMessage() + ", though it was mapped " + attempts + " times", untrue);
        }
        throw new FileChangedException(shown + ": it changed while it was mapped, " + attempts
                + " times in a row; try again when its writer rests");
    }

    /** A file's map as the kernel tells it now; if it changes meanwhile, perhaps a mixture. */
    public List<Extent> extents(Beneath opened, boolean synced, String name) throws IOException {
        return extents(opened, opened.status(), synced, name);
    }

    private List<Extent> extents(Beneath opened, FileStatus status, boolean synced, String name) throws IOException {
        List<FileExtent> map = opened.extents(synced);
        int untold = untold(opened, status);
        if (btrfs != null) {
            return btrfs.locate(top, map, shown(name));
        }
        List<Extent> extents = new ArrayList<>(map.size());
        for (FileExtent extent : map) {
            extents.add(new Extent(extent.offset(), extent.position(), extent.length(), extent.flags() | untold));
        }
        return extents;
    }

    /** Flags of all extents of a file that the kernel's map leaves out, though the device does not hold its bytes there. */
    private int untold(Beneath opened, FileStatus status) throws IOException {
        int flags = status.isEncrypted() ? Extent.ENCRYPTED | Extent.ENCODED : 0;
        // What was written last may lie in the journal only.
        return JOURNALING.contains(mount.type()) && opened.isJournaled() ? flags | Extent.UNKNOWN : flags;
    }

    private static boolean unchanged(FileStatus before, FileStatus after) {
        return before.size() == after.size()
                && before.changed().equals(after.changed())
                && before.allocated() == after.allocated();
    }

    /**
     * {@inheritDoc} A file whose stamp did not change is kept unread; {@link TreeScan} says what is not seen so.
     *
     * <p>A file with several names is given once.
     */
    @Override
    public void readAll(Catalog catalog) throws IOException {
        TreeScan.read(this, catalog);
    }

    @Override
    public boolean isStale() {
        return false;
    }

    @Override
    public List<Xal.Sign> signs() {
        return List.of();
    }

    @Override
    public IOException damaged(Entry directory, String problem) {
        return new IOException(shown(directory.path()) + ": " + problem);
    }

    /** Closes the directory. Closing again does nothing. */
    @Override
    public void close() {
        top.close();
    }

    /** The inode that a name in an open directory stands for. */
    private Inode look(Beneath parent, byte[] name, String directory) throws IOException {
        return find(parent, name, directory).inode();
    }

    /** What a name in an open directory stands for. */
    Found find(Beneath parent, byte[] name, String directory) throws IOException {
        String shown = shown(Backend.path(directory, FileName.decode(name)));
        FileStatus status = parent.status(name, shown);
        if (status.mount() != mount.id()) {
            throw new IOException(shown + ": something else is mounted there, which hides what this file system has;"
                    + " unmount it, or bind-mount this one elsewhere");
        }
        if (!status.device().equals(volume)) {
            throw new IOException(shown + ": a subvolume, which numbers its files by itself; name it on its own");
        }
        FileHandle handle = parent.handle(name, shown);
        if (status.inode() != handle.inode()) {
            throw new FileChangedException(shown + ": it was inode " + status.inode() + ", and is inode "
                    + handle.inode() + " a moment later; try again");
        }
        return new Found(status, inode(status, handle));
    }

    /** The directory that all is beneath. */
    Found foundRoot() throws IOException {
        FileStatus status = top.status();
        return new Found(status, inode(status, top.handle()));
    }

    Inode inode(FileStatus status, FileHandle handle) throws IOException {
        if (status.inode() != handle.inode()) {
            throw new IOException(path + ": a file is inode " + status.inode() + " by its status, and inode "
                    + handle.inode() + " by its handle");
        }
        return new Inode(
                status.inode(),
                handle.generation(),
                FileType.ofMode(status.mode()),
                status.mode() & PERMISSIONS,
                status.links(),
                status.size());
    }

    /** What was opened must be the file that the entry names; it may have grown since. */
    void same(Entry entry, Beneath opened) throws IOException {
        FileHandle now = opened.handle();
        if (now.inode() != entry.inode().number()
                || now.generation() != entry.inode().generation()) {
            throw another(entry, now.inode());
        }
    }

    private FileChangedException another(Entry entry, long now) {
        return new FileChangedException(shown(entry.path()) + ": it is not the file that it was: it was inode "
                + entry.inode().number() + ", it is inode " + now);
    }

    /** Opens a directory, which must be the one that the entry names. */
    Beneath openDirectory(Entry directory) throws IOException {
        Beneath opened = directory(directory.path());
        try {
            same(directory, opened);
            return opened;
        } catch (IOException e) {
            opened.close();
            throw e;
        }
    }

    /** Opens a directory, in steps where its path is longer than the kernel takes at once. */
    private Beneath directory(String name) throws LinuxException {
        byte[] bytes = FileName.encode(name.startsWith("/") ? name.substring(1) : name);
        Beneath opened = top.openDirectory(".".getBytes(UTF_8), shown(name));
        int begin = 0;
        while (begin < bytes.length) {
            int end = Beneath.endOfStep(bytes, begin);
            try (Beneath from = opened) {
                opened = from.openDirectory(Arrays.copyOfRange(bytes, begin, end), shown(name));
            }
            begin = end + 1;
        }
        return opened;
    }

    String shown(String name) {
        return path + name;
    }

    /** What it is and where, such as {@code xfs at /data}. */
    @Override
    public String toString() {
        return mount.type().toLowerCase(Locale.ROOT) + " at " + path;
    }
}
