package io.aisio.fil.nio;

import io.aisio.xal.Attributes;
import io.aisio.xal.Entry;
import io.aisio.xal.FileType;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.FileSystemAlreadyExistsException;
import java.nio.file.FileSystemNotFoundException;
import java.nio.file.LinkOption;
import java.nio.file.NotDirectoryException;
import java.nio.file.NotLinkException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.ReadOnlyFileSystemException;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.attribute.FileOwnerAttributeView;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.spi.FileSystemProvider;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * {@code java.nio.file} for an XFS on any device, to read: scheme {@code aisio}.
 *
 * <pre>{@code
 * try (FileSystem files = FileSystems.newFileSystem(URI.create("aisio:emu:/data/set.img"), Map.of())) {
 *     Files.walk(files.getPath("/")) …
 * }
 * }</pre>
 *
 * <p>{@code aisio:DEVICE!/PATH} names a file; the device's options belong to its name ({@code aisio:emu:/img?lba=4096!/}).
 * {@link Path#of(URI)} opens a device that is not open yet, which then stays open until its file system is closed, or the
 * JVM ends. A file system must have been unmounted cleanly, and nobody may write to it meanwhile.
 *
 * <p>The environment of {@link #newFileSystem(URI, Map)} may hold {@code queues}, an {@link Integer}: how many queues of the
 * device are used at most, each by one thread at a time. It is the number of processors unless given.
 */
public final class AisioFileSystemProvider extends FileSystemProvider {
    private static final String QUEUES = "queues";

    /** By the device's name: what is being opened, is open, or is being closed. Under its own lock, that nobody waits in. */
    private final Map<String, CompletableFuture<XfsFileSystem>> open = new HashMap<>();

    /** Made by the service loader. */
    public AisioFileSystemProvider() {}

    @Override
    public String getScheme() {
        return AisioUri.SCHEME;
    }

    /**
     * {@inheritDoc}
     *
     * @throws IOException if the device cannot be opened, or holds no XFS that can be read
     */
    @Override
    public FileSystem newFileSystem(URI uri, Map<String, ?> env) throws IOException {
        String device = AisioUri.parse(uri).device();
        int queues = queues(env);
        CompletableFuture<XfsFileSystem> mine = new CompletableFuture<>();
        for (var there = claim(device, mine); there != null; there = claim(device, mine)) {
            XfsFileSystem found = there.isDone() ? outcome(there) : null;
            if (found == null || found.isOpen()) {
                throw new FileSystemAlreadyExistsException(device);
            }
            found.awaitClosed();
        }
        return open(device, queues, mine);
    }

    private static int queues(Map<String, ?> env) {
        for (String key : env.keySet()) {
            if (!key.equals(QUEUES)) {
                throw new IllegalArgumentException("no option '" + key + "' here; there is " + QUEUES);
            }
        }
        Object queues = env.get(QUEUES);
        if (queues == null) {
            return Runtime.getRuntime().availableProcessors();
        }
        if (queues instanceof Integer number && number >= 1) {
            return number;
        }
        throw new IllegalArgumentException(QUEUES + " is a number of at least 1, not '" + queues + "'");
    }

    /** Says that the caller opens a device, unless it is there in some way: then how. */
    private @Nullable CompletableFuture<XfsFileSystem> claim(String device, CompletableFuture<XfsFileSystem> mine) {
        synchronized (open) {
            return open.putIfAbsent(device, mine);
        }
    }

    /** Opens a device that the caller has claimed. */
    private XfsFileSystem open(String device, int queues, CompletableFuture<XfsFileSystem> mine) throws IOException {
        try {
            XfsFileSystem opened = XfsFileSystem.open(this, device, queues);
            mine.complete(opened);
            return opened;
        } catch (Throwable e) {
            synchronized (open) {
                open.remove(device, mine);
            }
            mine.completeExceptionally(e);
            throw e;
        }
    }

    /** What opening has come to, waiting for whoever does it. */
    private static XfsFileSystem outcome(CompletableFuture<XfsFileSystem> opening) throws IOException {
        try {
            return opening.join();
        } catch (CompletionException e) {
            switch (e.getCause()) {
                case IOException cause -> throw cause;
                case RuntimeException cause -> throw cause;
                case Error cause -> throw cause;
                case null, default -> throw e;
            }
        }
    }

    void closed(XfsFileSystem fileSystem) {
        synchronized (open) {
            var there = open.get(fileSystem.device());
            // What failed to open is not there.
            if (there != null && there.getNow(null) == fileSystem) {
                open.remove(fileSystem.device());
            }
        }
    }

    @Override
    public FileSystem getFileSystem(URI uri) {
        String device = AisioUri.parse(uri).device();
        synchronized (open) {
            var there = open.get(device);
            XfsFileSystem found = there == null ? null : there.getNow(null);
            if (found == null || !found.isOpen()) {
                throw new FileSystemNotFoundException(device + " is not open");
            }
            return found;
        }
    }

    /**
     * {@inheritDoc} The device is opened if it is not open yet. Who else opens it, or closes it, is waited for.
     *
     * @throws FileSystemNotFoundException if that fails: its cause tells why
     */
    @Override
    public Path getPath(URI uri) {
        AisioUri name = AisioUri.parse(uri);
        String path = name.path();
        if (path == null) {
            throw new IllegalArgumentException("'" + uri + "' names no file: write " + uri + "!/ for the root");
        }
        try {
            while (true) {
                CompletableFuture<XfsFileSystem> mine = new CompletableFuture<>();
                var there = claim(name.device(), mine);
                XfsFileSystem found = there == null ? open(name.device(), queues(Map.of()), mine) : outcome(there);
                if (found.isOpen()) {
                    return found.getPath(path);
                }
                found.awaitClosed();
            }
        } catch (IOException e) {
            FileSystemNotFoundException none =
                    new FileSystemNotFoundException(name.device() + " could not be opened: " + e.getMessage());
            none.initCause(e);
            throw none;
        }
    }

    private static XfsPath openPath(Path path) {
        XfsPath own = XfsPath.of(path);
        own.getFileSystem().requireOpen();
        return own;
    }

    private static boolean follows(Object... options) {
        return !Arrays.asList(options).contains(LinkOption.NOFOLLOW_LINKS);
    }

    @Override
    public SeekableByteChannel newByteChannel(
            Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes) throws IOException {
        return newFileChannel(path, options, attributes);
    }

    @Override
    public FileChannel newFileChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
            throws IOException {
        XfsPath own = openPath(path);
        for (OpenOption option : options) {
            if (option == StandardOpenOption.WRITE
                    || option == StandardOpenOption.APPEND
                    || option == StandardOpenOption.DELETE_ON_CLOSE) {
                throw new ReadOnlyFileSystemException();
            }
            // Those of the others that are about writing mean nothing where it is read, as on any file system.
            if (!(option instanceof StandardOpenOption) && option != LinkOption.NOFOLLOW_LINKS) {
                throw new UnsupportedOperationException("no open option '" + option + "' here");
            }
        }
        return own.getFileSystem().openChannel(own, follows(options.toArray()), true);
    }

    @Override
    public InputStream newInputStream(Path path, OpenOption... options) throws IOException {
        for (OpenOption option : options) {
            if (option == StandardOpenOption.APPEND || option == StandardOpenOption.WRITE) {
                throw new UnsupportedOperationException("'" + option + "' not allowed: a stream that is read");
            }
        }
        XfsPath own = openPath(path);
        return new FileInput(own.getFileSystem().openChannel(own, follows((Object[]) options), false));
    }

    @Override
    public DirectoryStream<Path> newDirectoryStream(Path dir, DirectoryStream.Filter<? super Path> filter)
            throws IOException {
        XfsPath own = openPath(dir);
        Entry directory = own.getFileSystem().find(own, true);
        if (directory.type() != FileType.DIRECTORY) {
            throw new NotDirectoryException(dir.toString());
        }
        return new XfsDirectoryStream(own, own.getFileSystem().list(directory), filter);
    }

    @Override
    public Path readSymbolicLink(Path link) throws IOException {
        XfsPath own = openPath(link);
        Entry found = own.getFileSystem().find(own, false);
        if (found.type() != FileType.SYMLINK) {
            throw new NotLinkException(link.toString());
        }
        return own.getFileSystem().getPath(own.getFileSystem().target(found));
    }

    @Override
    public boolean isSameFile(Path path, Path path2) throws IOException {
        XfsPath first = openPath(path);
        if (first.equals(path2)) {
            return true;
        }
        if (!(path2 instanceof XfsPath second) || second.getFileSystem() != first.getFileSystem()) {
            return false;
        }
        return first.getFileSystem().find(first, true).inode().number()
                == first.getFileSystem().find(second, true).inode().number();
    }

    /** {@inheritDoc} As on Linux, it is if its name begins with a dot. */
    @Override
    public boolean isHidden(Path path) {
        Path name = openPath(path).getFileName();
        return name != null && name.toString().startsWith(".");
    }

    @Override
    public FileStore getFileStore(Path path) throws IOException {
        XfsPath own = openPath(path);
        own.getFileSystem().find(own, true);
        return own.getFileSystem().fileStore();
    }

    /**
     * {@inheritDoc} Who reads the device may read all that is on it; a file may be executed if somebody may.
     *
     * @throws AccessDeniedException if it is to be written, or executed and is no program
     */
    @Override
    public void checkAccess(Path path, AccessMode... modes) throws IOException {
        XfsPath own = openPath(path);
        Entry found = own.getFileSystem().find(own, true);
        for (AccessMode mode : modes) {
            if (mode == AccessMode.WRITE) {
                throw new AccessDeniedException(path.toString(), null, "the file system is read only");
            }
            if (mode == AccessMode.EXECUTE
                    && found.type() != FileType.DIRECTORY
                    && (found.inode().mode() & 0111) == 0) {
                throw new AccessDeniedException(path.toString(), null, "nobody may execute it");
            }
        }
    }

    private static XfsFileAttributes attributes(XfsPath path, boolean follow) throws IOException {
        XfsFileSystem files = path.getFileSystem();
        Attributes all = files.attributes(files.find(path, follow));
        return new XfsFileAttributes(files.device(), all);
    }

    @Override
    public <A extends BasicFileAttributes> A readAttributes(Path path, Class<A> type, LinkOption... options)
            throws IOException {
        if (type != BasicFileAttributes.class && type != PosixFileAttributes.class) {
            throw new UnsupportedOperationException("no attributes of " + type + " here");
        }
        return type.cast(attributes(openPath(path), follows((Object[]) options)));
    }

    @Override
    public Map<String, Object> readAttributes(Path path, String attributes, LinkOption... options) throws IOException {
        int colon = attributes.indexOf(':');
        String view = colon < 0 ? "basic" : attributes.substring(0, colon);
        Map<String, Function<XfsFileAttributes, Object>> known = XfsFileAttributes.VIEWS.get(view);
        if (known == null) {
            throw new UnsupportedOperationException("View '" + view + "' not available");
        }
        List<String> names = List.of(attributes.substring(colon + 1).split(",", -1));
        for (String name : names) {
            if (!name.equals("*") && !known.containsKey(name)) {
                throw new IllegalArgumentException("'" + name + "' not recognized: there is " + known.keySet());
            }
        }
        XfsFileAttributes file = attributes(openPath(path), follows((Object[]) options));
        Map<String, Object> values = new LinkedHashMap<>();
        for (String name : names.contains("*") ? known.keySet() : names) {
            Function<XfsFileAttributes, Object> value = known.get(name);
            if (value != null) {
                values.put(name, value.apply(file));
            }
        }
        return values;
    }

    @Override
    public <V extends FileAttributeView> @Nullable V getFileAttributeView(
            Path path, Class<V> type, LinkOption... options) {
        XfsPath own = XfsPath.of(path);
        if (type != BasicFileAttributeView.class
                && type != PosixFileAttributeView.class
                && type != FileOwnerAttributeView.class) {
            return null;
        }
        String name = type == BasicFileAttributeView.class
                ? "basic"
                : type == PosixFileAttributeView.class ? "posix" : "owner";
        boolean follow = follows((Object[]) options);
        return type.cast(new XfsAttributeView(name, () -> {
            own.getFileSystem().requireOpen();
            return attributes(own, follow);
        }));
    }

    @Override
    public void createDirectory(Path dir, FileAttribute<?>... attributes) {
        throw readOnly(dir);
    }

    @Override
    public void createSymbolicLink(Path link, Path target, FileAttribute<?>... attributes) {
        throw readOnly(link);
    }

    @Override
    public void createLink(Path link, Path existing) {
        throw readOnly(link);
    }

    @Override
    public void delete(Path path) {
        throw readOnly(path);
    }

    @Override
    public void copy(Path source, Path target, CopyOption... options) {
        throw readOnly(target);
    }

    @Override
    public void move(Path source, Path target, CopyOption... options) {
        throw readOnly(target);
    }

    @Override
    public void setAttribute(Path path, String attribute, @Nullable Object value, LinkOption... options) {
        throw readOnly(path);
    }

    private static ReadOnlyFileSystemException readOnly(Path path) {
        openPath(path);
        return new ReadOnlyFileSystemException();
    }
}
