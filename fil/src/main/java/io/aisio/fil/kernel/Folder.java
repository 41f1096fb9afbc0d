package io.aisio.fil.kernel;

import io.aisio.cuda.CuFile;
import io.aisio.fil.spi.Backend.CuFileCalls;
import io.aisio.fil.spi.Backend.Settings;
import io.aisio.fil.spi.Backend.Target;
import io.aisio.fil.spi.BatchReads;
import io.aisio.fil.spi.FileSource;
import io.aisio.fil.spi.FileTable;
import io.aisio.fil.spi.Selection;
import io.aisio.linux.Beneath;
import io.aisio.linux.Errno;
import io.aisio.linux.FileSystemKind;
import io.aisio.linux.IoUring;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.linux.OpenFile.DirectAlignment;
import io.aisio.linux.ReadableFiles;
import io.aisio.xal.FileName;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A folder of a mounted file system, as a place of files. It does not leave its mount, and follows no symbolic link but one
 * that it is named by.
 *
 * <p>Whether files are read past the page cache is known once the first of them was opened: some file systems only then say
 * that they cannot. {@link #path()} tells which it is, and why not what was asked for. A file of which that only shows later
 * is read through the cache then, unless that was ruled out.
 */
final class Folder implements FileSource {
    /** Of a command, unless told otherwise: large enough that its cost does not show. */
    private static final int URING_BYTES = 1 << 20;

    /** Of a call, unless told otherwise; other places wait for it. */
    private static final int PREAD_BYTES = 4 << 20;

    private static final int MOST_BYTES = 1 << 30;

    /** Files that are asked at most whether they can be read past the cache: some may be gone or forbidden. */
    private static final int ASKED = 16;

    private final String place;
    private final Beneath top;
    private final Settings settings;
    private final boolean uring;
    /** What reads instead, into a GPU's memory; null if the kernel's own calls do. */
    private final @Nullable CuFile cuFile;

    private final List<String> notes;
    private boolean direct;
    /** Whether a file has shown that this is so. */
    private boolean asked;

    /** The path of a file of which it has shown later that it cannot. */
    private volatile @Nullable String notDirect;

    private DirectAlignment alignment = new DirectAlignment(Mapping.PAGE_SIZE, Mapping.PAGE_SIZE);
    private @Nullable String notRegistered;
    private long indexNanos;

    private Folder(
            String place,
            Beneath top,
            Settings settings,
            boolean direct,
            boolean uring,
            @Nullable CuFile cuFile,
            List<String> notes) {
        this.cuFile = cuFile;
        this.place = place;
        this.top = top;
        this.settings = settings;
        this.direct = direct;
        this.uring = uring;
        this.notes = notes;
    }

    /**
     * Opens it.
     *
     * @param wantsUring whether files are to be read through io_uring
     * @throws IllegalArgumentException if it is no folder
     * @throws IOException if there is none or it may not be read, or with {@link Settings#require()} not as it should be
     */
    static Folder open(String place, Settings settings, boolean wantsUring) throws IOException {
        return open(place, settings, wantsUring, null);
    }

    /** The same, read by cuFile, which is closed with it; not if this throws. */
    static Folder open(String place, Settings settings, CuFile cuFile) throws IOException {
        return open(place, settings, false, cuFile);
    }

    private static Folder open(String place, Settings settings, boolean wantsUring, @Nullable CuFile cuFile)
            throws IOException {
        Beneath top = top(place);
        try {
            List<String> notes = new ArrayList<>();
            boolean uring = wantsUring && offersUring(place, settings, notes);
            boolean direct = !settings.buffered();
            if (direct && new FileSystemKind(top.fileSystem().magic(), 0).isInMemory()) {
                refuseDirect(place, settings, "the file system's files are in memory alone", null, notes);
                direct = false;
            }
            Folder folder = new Folder(place, top, settings, direct, uring, cuFile, notes);
            if (uring) {
                folder.tryRegistering();
            }
            return folder;
        } catch (IOException | RuntimeException e) {
            top.close();
            throw e;
        }
    }

    private static Beneath top(String place) throws IOException {
        try {
            return Beneath.directory(Path.of(place));
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                throw new NoSuchFileException(place, null, "there is no such folder");
            }
            if (e.errno() == Errno.ENOTDIR) {
                throw new IllegalArgumentException(
                        "'%s' is no folder of a mounted file system; a device is read by aisio-cpu".formatted(place),
                        e);
            }
            throw e;
        }
    }

    private static boolean offersUring(String place, Settings settings, List<String> notes) throws IOException {
        try (IoUring _ = IoUring.open(place, IoUring.Options.of(1))) {
            return true;
        } catch (LinuxException e) {
            String why = IoUring.refusal(e.errno());
            if (settings.require()) {
                throw new IOException(place + ": no io_uring: " + why + "; or read it by the backend posix", e);
            }
            notes.add("no io_uring: " + why);
            return false;
        }
    }

    private static void refuseDirect(
            String place, Settings settings, String why, @Nullable IOException cause, List<String> notes)
            throws IOException {
        if (settings.require()) {
            throw new IOException(
                    "%s: nothing is read past the page cache here: %s; ask for buffered reads, or put the files on a file system such as XFS or ext4"
                            .formatted(place, why),
                    cause);
        }
        notes.add("not direct: " + why);
    }

    /** So that what the path can is known before anything is read. */
    private void tryRegistering() throws IOException {
        try (IoUring ring = IoUring.open(place, IoUring.Options.of(1));
                Mapping memory = Mapping.anonymous(1)) {
            ring.reserveBuffers(1);
            ring.registerBuffer(0, memory.segment());
        } catch (LinuxException e) {
            notRegistered(e);
        }
    }

    /** Notes that the kernel does not have the batches' memory at hand. */
    void notRegistered(LinuxException why) {
        notRegistered = Errno.name(why.errno());
    }

    /** Notes that a file is read through the page cache, although others are not. */
    void notDirect(String path) {
        notDirect = path;
    }

    @Override
    public String place() {
        return place;
    }

    @Override
    public String path() {
        String cache = !direct ? "page cache" : asked ? "direct" : "direct if it can be";
        String calls = cuFile != null
                ? "cuFile"
                        + (calls() == CuFileCalls.BATCHES
                                ? " batches"
                                : calls() == CuFileCalls.STREAM ? " on a stream" : "")
                : uring ? "io_uring" : "pread";
        String path = "kernel, " + calls + ", " + cache;
        if (cuFile != null) {
            path += ", into GPU memory, " + cuFile.mode();
        } else if (settings.target() != null) {
            path += ", then copied into GPU memory";
        }
        List<String> all = new ArrayList<>(notes);
        if (direct && !asked) {
            all.add("there is no file that could be asked");
        }
        String other = notDirect;
        if (other != null) {
            all.add("some through the page cache, such as " + other);
        }
        if (uring && notRegistered != null) {
            all.add("buffers not registered: " + notRegistered);
        }
        return all.isEmpty() ? path : path + " (" + String.join("; ", all) + ")";
    }

    @Override
    public void list(Selection selection, FileTable files) throws IOException {
        long begun = System.nanoTime();
        try (ReadableFiles looks = new ReadableFiles(1)) {
            Listing listing = new Listing(this, looks, files);
            switch (selection) {
                case Selection.Folder folder -> listing.folder(folder.root(), folder.wanted());
                case Selection.Paths paths -> listing.paths(paths.paths());
            }
            if (direct) {
                askDirect(looks, files);
            }
            if (cuFile != null) {
                askCuFile(looks, files, cuFile);
            }
        }
        indexNanos += System.nanoTime() - begun;
    }

    /** Reads a block of a file past the cache, the first that can be asked. */
    private void askDirect(ReadableFiles looks, FileTable files) throws IOException {
        int opened = 0;
        for (int row = 0; row < files.files() && opened < ASKED; row++) {
            if (files.size(row) == 0) {
                continue;
            }
            opened++;
            String path = files.path(row);
            int errno = open(looks, 0, path, true);
            try {
                if (errno == Errno.EINVAL) {
                    buffer(new LinuxException("openat2 O_DIRECT", shown(path), errno));
                    return;
                }
                if (errno == 0 && looks.isRegular()) {
                    askDirect(looks, path);
                    return;
                }
            } finally {
                looks.close(0);
            }
        }
    }

    /** Whether cuFile takes a file of this file system at all, asked with the first: otherwise each would fail alone. */
    private void askCuFile(ReadableFiles looks, FileTable files, CuFile reader) throws IOException {
        for (int row = 0; row < files.files() && row < ASKED; row++) {
            int errno = open(looks, 0, files.path(row), false);
            try {
                if (errno == 0 && looks.isRegular()) {
                    reader.openFile(looks.link(0), OpenFile.Access.READ_ONLY).close();
                    return;
                }
            } finally {
                looks.close(0);
            }
        }
    }

    private void askDirect(ReadableFiles looks, String path) throws IOException {
        DirectAlignment told = looks.directAlignment(0);
        if (told != null && told.positionBytes() == 0) {
            buffer(new IOException(shown(path) + ": the file system reads nothing of it past the page cache"));
            return;
        }
        // One that does not tell takes a page, and the read shows whether it does.
        alignment = told == null ? alignment : told;
        try (Mapping memory = Mapping.anonymous(unit())) {
            long n = looks.read(0, memory.segment(), 0, unit(), 0);
            // What the device says of this block is for whoever reads it.
            if (n == -Errno.EINVAL || n == -Errno.EOPNOTSUPP) {
                buffer(new LinuxException("pread", shown(path), (int) -n));
            }
            asked = n >= 0;
        }
    }

    private void buffer(IOException why) throws IOException {
        refuseDirect(place, settings, String.valueOf(why.getMessage()), why, notes);
        direct = false;
    }

    @Override
    public long indexNanos() {
        return indexNanos;
    }

    @Override
    public int unit() {
        return Math.max(Mapping.PAGE_SIZE, Math.max(alignment.memoryBytes(), alignment.positionBytes()));
    }

    /** Bytes of which positions and lengths are multiples. */
    int block() {
        return direct ? alignment.positionBytes() : 1;
    }

    /** Bytes of one command at most, a multiple of a block. */
    int commandBytes() {
        int most = settings.ioBytes() == 0 ? (uring ? URING_BYTES : PREAD_BYTES) : settings.ioBytes();
        return Math.max(block(), Math.min(most, MOST_BYTES) / block() * block());
    }

    private CuFileCalls calls() {
        Target target = settings.target();
        return target == null ? CuFileCalls.ONE_BY_ONE : target.calls();
    }

    /** Whether a file is opened to be read past the page cache. */
    boolean direct() {
        return direct;
    }

    /** Whether it must be read as it was asked for. */
    boolean requires() {
        return settings.require();
    }

    @Override
    public BatchReads openReads(FileTable files, int slots, long slotBytes, int batchFiles) throws IOException {
        Target target = settings.target();
        CuFile reader = cuFile;
        if (reader != null && target != null) {
            SlotMemory memory = new SlotMemory.OfGpu(target.gpu().allocate(Math.multiplyExact(slotBytes, slots)));
            try {
                BatchSlots batches = new BatchSlots(this, files, memory, slots, slotBytes, batchFiles);
                return CuFileReads.open(this, batches, reader, target, settings.queueDepth());
            } catch (IOException | RuntimeException | Error e) {
                memory.close();
                throw e;
            }
        }
        BatchReads reads =
                openReads(files, Mapping.anonymous(Math.multiplyExact(slotBytes, slots)), slots, slotBytes, batchFiles);
        return target == null ? reads : CopiedReads.open(reads, this, files, target.gpu(), slots, slotBytes);
    }

    private BatchReads openReads(FileTable files, Mapping memory, int slots, long slotBytes, int batchFiles)
            throws IOException {
        try {
            boolean _ = memory.preferHugePages();
            BatchSlots batches =
                    new BatchSlots(this, files, new SlotMemory.OfHost(memory), slots, slotBytes, batchFiles);
            return uring
                    ? UringReads.open(this, batches, settings.queues(), settings.queueDepth())
                    : new PreadReads(this, batches);
        } catch (IOException | RuntimeException | Error e) {
            memory.close();
            throw e;
        }
    }

    /** How messages name a file. */
    String shown(String path) {
        return path.equals("/") ? place : place.equals("/") ? path : place + path;
    }

    /**
     * Opens a file as {@link ReadableFiles#open} does.
     *
     * @param path beginning with {@code /}
     */
    int open(ReadableFiles files, int file, String path, boolean throughDirect) {
        byte[] name = FileName.encode(path.substring(1));
        if (name.length <= Beneath.MAX_PATH_BYTES) {
            return files.open(file, top, name, throughDirect);
        }
        int slash = path.lastIndexOf('/');
        try (Beneath parent = directory(path.substring(0, slash))) {
            return files.open(file, parent, FileName.encode(path.substring(slash + 1)), throughDirect);
        } catch (LinuxException e) {
            return e.errno();
        }
    }

    /**
     * Opens a directory, in as many steps as its path takes.
     *
     * @param path beginning with {@code /}
     */
    Beneath directory(String path) throws LinuxException {
        String shown = shown(path);
        byte[] name = path.equals("/") ? new byte[] {'.'} : FileName.encode(path.substring(1));
        int end = Beneath.endOfStep(name, 0);
        Beneath opened = top.openDirectory(Arrays.copyOf(name, end), shown);
        while (end < name.length) {
            int begin = end + 1;
            end = Beneath.endOfStep(name, begin);
            try (Beneath from = opened) {
                opened = from.openDirectory(Arrays.copyOfRange(name, begin, end), shown);
            }
        }
        return opened;
    }

    /** Closes it. Closing again does nothing. */
    @Override
    public void close() {
        if (cuFile != null) {
            cuFile.close();
        }
        top.close();
    }
}
