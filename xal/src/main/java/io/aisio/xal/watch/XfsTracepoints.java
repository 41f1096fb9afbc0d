package io.aisio.xal.watch;

import static java.util.concurrent.TimeUnit.MILLISECONDS;

import io.aisio.linux.Beneath;
import io.aisio.linux.BpfCounters;
import io.aisio.linux.BpfProgram;
import io.aisio.linux.BpfRing;
import io.aisio.linux.BpfTypes;
import io.aisio.linux.Errno;
import io.aisio.linux.FileStatus;
import io.aisio.linux.Inotify;
import io.aisio.linux.LinuxException;
import io.aisio.linux.XfsGeometry;
import io.aisio.xal.Change;
import io.aisio.xal.Extent;
import io.aisio.xal.Watch;
import io.aisio.xal.watch.ExtentRecord.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Tells the changes of extents of one mounted XFS, by programs at XFS's own tracepoints. One thread opens it, then one
 * waits, tells and closes.
 *
 * <p>The kernel runs the programs under the lock of the inode that changes, and they reserve room in one ring: so the
 * records of an inode lie in it in the order of its changes. Replaying them from any point up to now onto a map that was
 * read at any time in between gives the map of now, as long as none is missing in between. So when some were lost, all
 * that were put into the ring before are thrown away before {@link Change.Everything} is told.
 */
final class XfsTracepoints implements AutoCloseable {
    /** Chosen for 100,000 records of 40 bytes, so that a file of that many extents may go while nobody reads. */
    static final int RING_BYTES = 4 << 20;

    /**
     * How long after records were read it is looked once more whether some were lost, in milliseconds: a program counts
     * a loss a moment after it found the ring full, and nothing wakes for that. Chosen to be much longer than that moment,
     * and soon.
     */
    private static final int SETTLE_MILLIS = 20;

    private static final long SETTLE_NANOS = MILLISECONDS.toNanos(SETTLE_MILLIS);

    /**
     * How often it is looked whether a program was to run and did not while there are no records, in milliseconds: nothing wakes for
     * that either, and it may be the last change for long. Chosen to be soon for whoever relies on an index, and to cost nothing.
     */
    private static final int IDLE_MILLIS = 500;

    private static final long IDLE_NANOS = MILLISECONDS.toNanos(IDLE_MILLIS);

    private static final Path KERNEL_TYPES = Path.of("/sys/kernel/btf/vmlinux");
    private static final String MODULE = "xfs";
    private static final Path MODULE_TYPES = KERNEL_TYPES.resolveSibling(MODULE);

    private final Path directory;
    private final BpfRing ring;
    private final BpfCounters lost;
    private final List<BpfProgram> programs = new ArrayList<>();
    /** What extents are about to become others; each is told with the next record of its inode. */
    private final Map<Long, Extent> updated = new HashMap<>();

    private XfsGeometry geometry;
    private long lostAndTold;
    private long records;
    /** How often programs were to run and did not, and when that was asked. */
    private long missed;

    private long lookedAt = System.nanoTime();
    /** When records were read, and whether that is long enough ago for all losses to be counted. */
    private long readAt = lookedAt;

    private boolean settled = true;

    private XfsTracepoints(Path directory, XfsGeometry geometry, BpfRing ring, BpfCounters lost) {
        this.directory = directory;
        this.geometry = geometry;
        this.ring = ring;
        this.lost = lost;
    }

    /**
     * Loads the programs. When this returns, whatever happens next will be told.
     *
     * @param directory of the mounted file system
     * @param ringBytes {@link #RING_BYTES}; tests have smaller ones
     * @throws IOException if it cannot be; the message says why in a sentence, with the next step
     */
    static XfsTracepoints open(Path directory, int ringBytes) throws IOException {
        try (Beneath opened = Beneath.directory(directory)) {
            XfsGeometry geometry = geometry(opened, directory);
            FileStatus.Device device = opened.status().device();
            try (Types types = Types.read()) {
                BpfRing ring = new BpfRing("xal_extents", ringBytes);
                BpfCounters lost;
                try {
                    lost = new BpfCounters("xal_lost", 1);
                } catch (LinuxException e) {
                    ring.close();
                    throw e;
                }
                XfsTracepoints tracepoints = new XfsTracepoints(directory, geometry, ring, lost);
                try {
                    tracepoints.attach(types, new ExtentProgram(types.btf, device, ring, lost));
                } catch (IOException | RuntimeException e) {
                    tracepoints.close();
                    throw e;
                }
                return tracepoints;
            } catch (LinuxException e) {
                throw explained(e);
            } catch (IllegalArgumentException e) {
                throw new IOException(e.getMessage() + ": extents are told by inotify and FIEMAP only", e);
            }
        }
    }

    private static XfsGeometry geometry(Beneath opened, Path directory) throws IOException {
        try {
            return opened.xfsGeometry();
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOTTY || e.errno() == Errno.EOPNOTSUPP) {
                throw new IOException(directory + " is not on XFS, the only file system whose tracepoints are read", e);
            }
            throw e;
        }
    }

    private static IOException explained(LinuxException e) {
        String next = switch (e.errno()) {
            case Errno.EPERM ->
                "run as root, or with CAP_BPF and CAP_PERFMON (where XFS is a module, CAP_SYS_ADMIN), and not under"
                        + " kernel lockdown";
            case Errno.EACCES -> "this kernel's verifier refuses it: report this line with what uname -r says";
            case Errno.ENOSYS -> "this kernel has no bpf(2), or a filter hides it (CONFIG_BPF_SYSCALL, seccomp)";
            default -> "Linux 5.13 or newer is needed, with CONFIG_DEBUG_INFO_BTF and CONFIG_BPF_EVENTS";
        };
        return new IOException(e.getMessage() + ": " + next, e);
    }

    /** The types of the kernel, and of XFS. */
    private record Types(Btf btf, @Nullable BpfTypes module) implements AutoCloseable {
        static Types read() throws IOException {
            if (!Files.isReadable(KERNEL_TYPES)) {
                throw new IOException(KERNEL_TYPES + " cannot be read: the kernel has no types of its structures"
                        + " (CONFIG_DEBUG_INFO_BTF)");
            }
            byte[] kernel = Files.readAllBytes(KERNEL_TYPES);
            if (!Files.isReadable(MODULE_TYPES)) {
                return new Types(new Btf(kernel), null);
            }
            Btf btf = Btf.ofModule(kernel, Files.readAllBytes(MODULE_TYPES));
            BpfTypes module = BpfTypes.ofModule(MODULE);
            if (module == null) {
                throw new IOException("XFS's types are in a module, and the kernel has none of that name for programs");
            }
            return new Types(btf, module);
        }

        @Override
        public void close() {
            if (module != null) {
                module.close();
            }
        }
    }

    private void attach(Types types, ExtentProgram program) throws IOException {
        for (Kind kind : Kind.values()) {
            if (kind != Kind.SWAP || !geometry.mapsOwners()) {
                int type = program.type(kind);
                String name = "xal_" + kind.name().toLowerCase(Locale.ROOT);
                programs.add(BpfProgram.load(name, program.code(kind), type, types.module));
            }
        }
        for (BpfProgram loaded : programs) {
            loaded.attach();
        }
        // What was told when not all ran is told by halves, so it is thrown away.
        lostAndTold = lost();
        ring.read(_ -> {});
    }

    /**
     * Waits until there are events of inotify, or records.
     *
     * @return whether there are events of inotify
     */
    boolean await(Inotify inotify, int millis) throws LinuxException {
        boolean events = inotify.await(ring, atMost(settled ? IDLE_MILLIS : SETTLE_MILLIS, millis));
        long now = System.nanoTime();
        if (now - lookedAt >= (settled ? IDLE_NANOS : SETTLE_NANOS)) {
            lookedAt = now;
            missed = missed();
        }
        settled |= now - readAt >= SETTLE_NANOS;
        return events;
    }

    private static int atMost(int most, int millis) {
        return millis < 0 ? most : Math.min(millis, most);
    }

    private long missed() throws LinuxException {
        long count = 0;
        for (BpfProgram program : programs) {
            count += program.missed();
        }
        return count;
    }

    /** Tells what the ring holds. */
    void tell(Watch.Listener listener) throws IOException {
        long before = lost();
        if (before == lostAndTold) {
            long count = records;
            ring.read(record -> {
                records++;
                tell(ExtentRecord.of(record), listener);
            });
            if (count != records) {
                settled = false;
                readAt = System.nanoTime();
            }
            before = lost();
        }
        if (before != lostAndTold) {
            tellLoss(before, listener);
        }
    }

    /**
     * Throws away what was put into the ring before the last loss, and tells that. If a program still writes to the
     * ring, that is done next time: the ring is not empty then, and nobody waits.
     */
    private void tellLoss(long known, Watch.Listener listener) throws IOException {
        settled = false;
        readAt = System.nanoTime();
        long before = known;
        while (ring.read(_ -> {})) {
            long after = lost();
            if (after == before) {
                lostAndTold = after;
                updated.clear();
                listener.told(new Change.Everything(
                        "changed extents of " + directory + " were lost, because the ring of them was full"));
                return;
            }
            before = after;
        }
    }

    /** How much could not be told: what programs counted, and how often one was to run and did not. */
    private long lost() {
        return lost.get(0) + missed;
    }

    private void tell(ExtentRecord record, Watch.Listener listener) throws IOException {
        if (record.isBehind(geometry)) {
            // xfs_growfs adds groups; their size stays.
            try (Beneath opened = Beneath.directory(directory)) {
                geometry = opened.xfsGeometry();
            }
        }
        long inode = record.inode();
        switch (record.kind()) {
            case INSERT -> listener.told(new Change.Mapped(inode, record.extent(geometry)));
            case REMOVE -> {
                Extent gone = record.extent(geometry);
                unmapped(inode, gone.offset(), gone.end(), listener);
            }
            case PRE_UPDATE -> updated.put(inode, record.extent(geometry));
            case POST_UPDATE -> {
                Extent extent = record.extent(geometry);
                Extent old = updated.remove(inode);
                if (old != null) {
                    unmapped(inode, old.offset(), Math.min(old.end(), extent.offset()), listener);
                    unmapped(inode, Math.max(old.offset(), extent.end()), old.end(), listener);
                }
                listener.told(new Change.Mapped(inode, extent));
            }
            case SWAP ->
                listener.told(new Change.Everything(
                        "inode " + inode + " exchanged its extents with another (xfs_fsr does that)"));
        }
    }

    private static void unmapped(long inode, long from, long to, Watch.Listener listener) throws IOException {
        if (from < to) {
            listener.told(new Change.Unmapped(inode, from, to - from));
        }
    }

    /** Takes the programs away. Closing again does nothing. */
    @Override
    public void close() {
        programs.forEach(BpfProgram::close);
        lost.close();
        ring.close();
    }
}
