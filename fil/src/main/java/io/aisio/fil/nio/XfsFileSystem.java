package io.aisio.fil.nio;

import io.aisio.xal.Attributes;
import io.aisio.xal.Entry;
import io.aisio.xal.FileType;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.DeviceUri;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.ClosedFileSystemException;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.WatchService;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.UserPrincipal;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.nio.file.spi.FileSystemProvider;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Pattern;

/**
 * An XFS on a device, open to read. Any thread may use it. It has the device for itself and closes it; without that, the
 * device is given up when the JVM ends, as it would be then in any case.
 */
final class XfsFileSystem extends FileSystem {
    /** Schemes whose devices take {@code readonly}, so that others may read them too. */
    private static final Set<String> READ_ONLY_SCHEMES = Set.of("emu", "file");

    private static final long MAX_ID = (1L << 32) - 1;

    private final AisioFileSystemProvider provider;
    private final String name;
    private final Device device;
    private final Lanes lanes;
    private final Xal xal;
    private final Tree tree;
    private final XfsPath root = XfsPath.parse(this, "/");

    private final Set<XfsChannel> channels = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;
    /** Completed when all is closed. */
    private final CountDownLatch over = new CountDownLatch(1);

    private XfsFileSystem(AisioFileSystemProvider provider, String name, Device device, Lanes lanes, Xal xal)
            throws IOException {
        this.provider = provider;
        this.name = name;
        this.device = device;
        this.lanes = lanes;
        this.xal = xal;
        tree = new Tree(xal);
    }

    /**
     * Opens the file system on a device.
     *
     * @param name of the device
     * @param queues that are open at once, at most
     * @throws IllegalArgumentException if the name makes no sense
     * @throws IOException if the device cannot be opened, or holds no XFS that can be read
     */
    static XfsFileSystem open(AisioFileSystemProvider provider, String name, int queues) throws IOException {
        Device device = Device.open(readOnly(DeviceUri.parse(name)));
        try {
            Lanes lanes = new Lanes(device, queues);
            try {
                Xal xal = Xal.open(lanes);
                try {
                    return new XfsFileSystem(provider, name, device, lanes, xal);
                } catch (Throwable e) {
                    closeAfter(e, xal::close);
                    throw e;
                }
            } catch (Throwable e) {
                closeAfter(e, lanes::close);
                throw e;
            }
        } catch (Throwable e) {
            closeAfter(e, device::close);
            throw e;
        }
    }

    private static void closeAfter(Throwable failure, Closeable opened) {
        try {
            opened.close();
        } catch (IOException | RuntimeException e) {
            failure.addSuppressed(e);
        }
    }

    private static String readOnly(DeviceUri uri) {
        if (!READ_ONLY_SCHEMES.contains(uri.scheme()) || uri.options().containsKey("readonly")) {
            return uri.text();
        }
        return uri.text() + (uri.options().isEmpty() ? "?" : "&") + "readonly";
    }

    /** The device's name, as it was given. */
    String device() {
        return name;
    }

    XfsPath root() {
        return root;
    }

    Lanes lanes() {
        return lanes;
    }

    /** @throws ClosedFileSystemException if it is closed */
    void requireOpen() {
        if (closed) {
            throw new ClosedFileSystemException();
        }
    }

    /** What is at a path; {@link Tree#find} has the errors. */
    Entry find(XfsPath path, boolean follow) throws IOException {
        requireOpen();
        return tree.find(path.names(), follow, path.toString());
    }

    /** What a directory holds. */
    Tree.Directory list(Entry directory) {
        requireOpen();
        return tree.list(directory);
    }

    /** All that is recorded of a file. */
    Attributes attributes(Entry entry) throws IOException {
        requireOpen();
        return tree.attributes(entry);
    }

    /** Where a symbolic link leads. */
    String target(Entry link) throws IOException {
        requireOpen();
        return tree.target(link);
    }

    /**
     * Opens a file.
     *
     * @param interruptible whether an interruption of a reader closes the channel, as it does any {@code FileChannel}
     * @throws FileSystemException if it has no bytes of its own, or the device does not hold them as they are
     */
    XfsChannel openChannel(XfsPath path, boolean follow, boolean interruptible) throws IOException {
        Entry file = find(path, follow);
        if (file.type() != FileType.REGULAR) {
            throw new FileSystemException(
                    path.toString(),
                    null,
                    switch (file.type()) {
                        case DIRECTORY -> "Is a directory";
                        case SYMLINK -> "Is a symbolic link, and NOFOLLOW_LINKS was given";
                        default -> "No bytes are in it: it is of type " + file.type();
                    });
        }
        List<Piece> pieces = xal.pieces(file);
        for (Piece piece : pieces) {
            if (piece.kind() == Piece.Kind.ELSEWHERE) {
                throw new FileSystemException(
                        path.toString(),
                        null,
                        "The device does not hold it as it is, from byte %d on: read it through a mount"
                                .formatted(piece.offset()));
            }
        }
        XfsChannel channel = new XfsChannel(this, file, pieces, interruptible);
        channels.add(channel);
        if (closed) {
            channel.close();
            throw new ClosedFileSystemException();
        }
        return channel;
    }

    void closed(XfsChannel channel) {
        channels.remove(channel);
    }

    @Override
    public FileSystemProvider provider() {
        return provider;
    }

    /**
     * Closes what is open in it, waits for the parts of reads that are under way, and closes the device. Whoever closes it
     * meanwhile waits for that too.
     */
    @Override
    public void close() throws IOException {
        synchronized (this) {
            if (closed) {
                awaitClosed();
                return;
            }
            closed = true;
        }
        try {
            for (XfsChannel channel : channels) {
                channel.close();
            }
            lanes.close();
        } finally {
            closeDevice();
        }
    }

    private void closeDevice() throws IOException {
        try {
            xal.close();
        } finally {
            try {
                device.close();
            } finally {
                // Only now: before, the device could not be opened anew.
                provider.closed(this);
                over.countDown();
            }
        }
    }

    /** Waits for whoever closes it. */
    void awaitClosed() {
        boolean interrupted = false;
        while (true) {
            try {
                over.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public boolean isOpen() {
        return !closed;
    }

    @Override
    public boolean isReadOnly() {
        return true;
    }

    @Override
    public String getSeparator() {
        return "/";
    }

    @Override
    public Iterable<Path> getRootDirectories() {
        return List.of(root);
    }

    @Override
    public Iterable<FileStore> getFileStores() {
        return List.of(fileStore());
    }

    FileStore fileStore() {
        requireOpen();
        return new XfsFileStore(name, xal.volume());
    }

    @Override
    public Set<String> supportedFileAttributeViews() {
        return XfsFileAttributes.VIEWS.keySet();
    }

    @Override
    public XfsPath getPath(String first, String... more) {
        StringBuilder path = new StringBuilder(first);
        for (String part : more) {
            if (!part.isEmpty()) {
                path.append(path.isEmpty() ? "" : "/").append(part);
            }
        }
        return XfsPath.parse(this, path.toString());
    }

    @Override
    public PathMatcher getPathMatcher(String syntaxAndPattern) {
        int colon = syntaxAndPattern.indexOf(':');
        if (colon <= 0) {
            throw new IllegalArgumentException("'" + syntaxAndPattern + "' is not glob:PATTERN or regex:PATTERN");
        }
        String input = syntaxAndPattern.substring(colon + 1);
        String syntax = syntaxAndPattern.substring(0, colon);
        Pattern pattern;
        if (syntax.equalsIgnoreCase("glob")) {
            pattern = Glob.compile(input);
        } else if (syntax.equalsIgnoreCase("regex")) {
            pattern = Pattern.compile(input);
        } else {
            throw new UnsupportedOperationException("no syntax '" + syntax + "': there is glob and regex");
        }
        return path -> pattern.matcher(path.toString()).matches();
    }

    /** Names are numbers, see {@link NumericPrincipal}. */
    @Override
    public UserPrincipalLookupService getUserPrincipalLookupService() {
        return new UserPrincipalLookupService() {
            @Override
            public UserPrincipal lookupPrincipalByName(String name) throws IOException {
                return lookupPrincipalByGroupName(name);
            }

            @Override
            public GroupPrincipal lookupPrincipalByGroupName(String group) throws IOException {
                try {
                    long id = Long.parseLong(group);
                    if (id >= 0 && id <= MAX_ID) {
                        return new NumericPrincipal(id);
                    }
                } catch (NumberFormatException e) {
                    // It is told below.
                }
                throw new UserPrincipalNotFoundException(group);
            }
        };
    }

    /**
     * {@inheritDoc}
     *
     * @throws UnsupportedOperationException always: what is read from its blocks does not change
     */
    @Override
    public WatchService newWatchService() {
        throw new UnsupportedOperationException("a file system that is read from its blocks does not change");
    }

    @Override
    public String toString() {
        return name;
    }
}
