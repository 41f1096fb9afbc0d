package io.aisio.xal.xfs;

import com.sun.management.ThreadMXBean;
import io.aisio.xal.Entry;
import io.aisio.xal.Extent;
import io.aisio.xal.FileType;
import io.aisio.xal.Index;
import io.aisio.xal.IndexException;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsException;
import io.aisio.xal.xfs.SeedImage.Kind;
import io.aisio.xal.xfs.SeedImage.Row;
import io.aisio.xal.xfs.SeedImage.Structure;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What a fuzzer calls: an input is a list of changes to one of two small file systems, which then is read in all ways
 * there are. Checksums are made right again, so that what is behind them is reached.
 *
 * <p>An input begins with a byte: bit 0 tells which file system, bit 1 whether its log is looked at. Each change is
 *
 * <pre>
 *   what to do (1 byte), structure (2, modulo their number), offset (2, modulo its length), then by the low 3 bits
 *     0 to 3   1, 2, 4 or 8 bytes in their place       6   a structure (2) whose bytes take their place
 *     4        a number from -128 to 127 to add there  7   a size (2, in 64 KiB) to cut the device to; or, of
 *     5        16 bytes in their place                     bit 4, that the structure cannot be read
 *   bit 3: the checksum stays as it is
 * </pre>
 *
 * It demands that nothing but the declared exceptions comes out, that nothing grows without bound, and that damage is
 * told and hides nothing else: what the changes did not touch is found as it was, by a walk and in an index.
 */
public final class XfsFuzzTarget {
    private static final SeedImage[] SEEDS = {SeedImage.load("seed-1k"), SeedImage.load("seed-4k")};
    /** What all threads may allocate for one input: more than ten times of what a sound file system takes. */
    private static final long MAX_ALLOCATED = 64L << 20;

    private static final int MAX_CHANGES = 16;
    /** How all exceptions end that tell of a directory that two names have. */
    private static final String OTHER_NAME = "a directory has one name: this is another";

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final SeedImage image;
    private final boolean unrecovered;
    private final List<Structure> touched = new ArrayList<>();
    /** Whether only fields of inodes before their forks, and block maps, were changed: no name anywhere. */
    private boolean names;

    private boolean cut;
    private boolean unreadable;

    private XfsFuzzTarget(SeedImage image, boolean unrecovered) {
        this.image = image;
        this.unrecovered = unrecovered;
    }

    /** Tries one input. */
    public static void fuzzerTestOneInput(byte[] input) {
        if (input.length == 0) {
            return;
        }
        // The first time, the virtual machine and the fuzzer load classes too.
        long allocated = once(input) < MAX_ALLOCATED ? 0 : once(input);
        demand(allocated < MAX_ALLOCATED, () -> "allocated " + allocated + " bytes");
    }

    /** @return how many bytes were allocated */
    private static long once(byte[] input) {
        long before = THREADS.getTotalThreadAllocatedBytes();
        SeedImage image = SEEDS[input[0] & 1];
        try {
            XfsFuzzTarget target = new XfsFuzzTarget(image, (input[0] & 2) != 0);
            target.change(input);
            target.read();
        } finally {
            image.restore();
        }
        return THREADS.getTotalThreadAllocatedBytes() - before;
    }

    private static void demand(boolean met, Supplier<String> message) {
        if (!met) {
            throw new AssertionError(message.get());
        }
    }

    // The changes.

    private void change(byte[] input) {
        int at = 1;
        for (int i = 0; i < MAX_CHANGES && at + 5 <= input.length; i++) {
            int what = input[at] & 0xFF;
            Structure structure = structure(number(input, at + 1));
            int offset = number(input, at + 3) % structure.length();
            at += 5;
            int taken = switch (what & 7) {
                case 0, 1, 2, 3 -> 1 << (what & 3);
                case 4 -> 1;
                case 5 -> 16;
                default -> 2;
            };
            if (at + taken > input.length) {
                return;
            }
            switch (what & 7) {
                case 4 -> add(structure, offset & -4, input[at]);
                case 6 -> copy(structure(number(input, at)), structure);
                case 7 -> {
                    if ((what & 16) != 0) {
                        image.fail(structure);
                        unreadable = true;
                    } else {
                        image.truncate(number(input, at) << 16);
                        cut = true;
                    }
                }
                default -> {
                    for (int k = 0; k < taken && offset + k < structure.length(); k++) {
                        put(structure, offset + k, input[at + k]);
                    }
                }
            }
            at += taken;
            if ((what & 8) == 0 && (what & 7) != 7) {
                image.seal(structure);
            }
            touched.add(structure);
        }
    }

    private static int number(byte[] input, int at) {
        return (input[at] & 0xFF) << 8 | input[at + 1] & 0xFF;
    }

    private Structure structure(int number) {
        return image.structures().get(number % image.structures().size());
    }

    private void put(Structure structure, int offset, byte value) {
        names |= structure.kind() == Kind.DIRECTORY || structure.kind() == Kind.INODE && offset >= InodeCore.CORE_BYTES;
        image.put(structure, offset, value);
    }

    private void add(Structure structure, int offset, int number) {
        int value = 0;
        for (int i = 0; i < Integer.BYTES; i++) {
            value = value << 8 | image.get(structure, offset + i) & 0xFF;
        }
        value += number;
        for (int i = 0; i < Integer.BYTES; i++) {
            put(structure, offset + i, (byte) (value >> (24 - 8 * i)));
        }
    }

    private void copy(Structure from, Structure to) {
        for (int i = 0; i < Math.min(from.length(), to.length()); i++) {
            put(to, i, image.get(from, i));
        }
    }

    // What is read, and what is demanded of it.

    /** What one way to read gave. */
    private static final class Listing implements Xal.Visitor {
        final Map<String, Entry> found = new TreeMap<>();
        final Map<String, List<Extent>> extents = new TreeMap<>();
        final Map<String, String> targets = new TreeMap<>();
        final Map<String, IOException> damage = new TreeMap<>();

        @Override
        public void visit(Entry entry) {
            found.put(entry.path(), entry);
        }

        @Override
        public void damaged(String path, IOException problem) {
            declared(problem);
            damage.putIfAbsent(path, problem);
        }

        /** Whether damage explains that a path is missing: its own, or of a directory above. */
        boolean explains(String path) {
            for (String at = path; ; at = parent(at)) {
                if (damage.containsKey(at)) {
                    return true;
                }
                if (at.equals("/")) {
                    return false;
                }
            }
        }

        boolean hasOtherNames() {
            return damage.values().stream().anyMatch(e -> e.getMessage().endsWith(OTHER_NAME));
        }
    }

    private static String parent(String path) {
        return path.substring(0, Math.max(1, path.lastIndexOf('/')));
    }

    private static void declared(IOException e) {
        if (!(e instanceof XfsException || e instanceof IndexException || e instanceof SeedImage.Unreadable)) {
            throw new AssertionError("an exception that is not declared", e);
        }
        demand(e.getMessage() != null && !e.getMessage().isBlank(), () -> "an exception without a word");
    }

    /** Whether more than the inodes' own structures was changed: then any of it may be refused. */
    private boolean whole() {
        return cut
                || unreadable
                || touched.stream()
                        .anyMatch(s -> s.owner() == SeedImage.NOBODY
                                && s.kind() != Kind.REFCOUNT_TREE
                                && s.kind() != Kind.INODE_TREE);
    }

    private void read() {
        try (Xal xal = unrecovered ? Xal.openUnrecovered(image) : Xal.open(image)) {
            Listing walked = walk(xal);
            Listing indexed = new Listing();
            List<String> problems;
            try (Index index = xal.index()) {
                problems = index.problems();
                index(index, indexed);
            }
            agree(walked, indexed, problems);
            if (!whole()) {
                untouched(walked, false);
                if (touched.stream().noneMatch(s -> s.kind() == Kind.INODE_TREE)) {
                    untouched(indexed, true);
                }
                complete(walked);
            }
        } catch (IOException e) {
            declared(e);
            if (!whole() && !rootTouched()) {
                throw new AssertionError("all is refused, for what is wrong with a part", e);
            }
        }
    }

    private boolean rootTouched() {
        long root = image.files().get("/").entry().inode().number();
        return touched.stream().anyMatch(s -> s.owner() == root || s.kind() == Kind.INODE_TREE);
    }

    private Listing walk(Xal xal) throws IOException {
        Listing listing = new Listing();
        xal.walk("/", listing);
        Map<Long, String> seen = new HashMap<>();
        for (Entry entry : listing.found.values()) {
            String same = seen.putIfAbsent(entry.inode().number(), entry.path());
            if (same != null && listing.targets.containsKey(same)) {
                listing.extents.put(entry.path(), listing.extents.get(same));
                listing.targets.put(entry.path(), listing.targets.get(same));
                continue;
            }
            try {
                List<Extent> extents = xal.extents(entry);
                sound(entry, extents);
                listing.extents.put(entry.path(), extents);
                if (entry.type() == FileType.REGULAR) {
                    pieces(entry, xal.pieces(entry));
                }
            } catch (IOException e) {
                listing.damaged(entry.path(), e);
                continue;
            }
            try {
                String target = xal.attributes(entry).target();
                listing.targets.put(entry.path(), target == null ? "" : target);
            } catch (IOException e) {
                // Neither a name nor an extent is missing; an index knows nothing of it.
                declared(e);
            }
        }
        return listing;
    }

    private void index(Index index, Listing listing) throws IOException {
        index.walk("/", listing);
        Map<Long, List<Extent>> seen = new HashMap<>();
        for (Entry entry : listing.found.values()) {
            List<Extent> known = seen.get(entry.inode().number());
            if (known != null) {
                listing.extents.put(entry.path(), known);
                continue;
            }
            List<Extent> extents = index.extents(entry.inode().number()).extents();
            sound(entry, extents);
            seen.put(entry.inode().number(), extents);
            listing.extents.put(entry.path(), extents);
        }
    }

    private void sound(Entry entry, List<Extent> extents) {
        long end = 0;
        for (Extent e : extents) {
            demand(
                    e.offset() >= end
                            && e.length() > 0
                            && e.position() > 0
                            && e.position() + e.length() <= image.size(),
                    () -> entry.path() + " has " + e + " among " + extents);
            end = e.end();
        }
    }

    private static void pieces(Entry entry, List<Piece> pieces) {
        long at = 0;
        for (Piece piece : pieces) {
            demand(
                    piece.offset() == at && piece.length() > 0,
                    () -> entry.path() + " has " + piece + " among " + pieces);
            at += piece.length();
        }
        demand(at == entry.inode().size(), () -> entry + " has pieces up to elsewhere: " + pieces);
    }

    /** What is found by a walk or in an index is found in the other, or that tells why not. */
    private void agree(Listing walked, Listing indexed, List<String> problems) {
        if (walked.hasOtherNames() || indexed.hasOtherNames()) {
            // Which name of a directory is the other one is not determined, and so what lies beneath which.
            return;
        }
        for (Entry entry : walked.found.values()) {
            String path = entry.path();
            Entry other = indexed.found.get(path);
            if (other == null) {
                demand(indexed.explains(path), () -> path + " is walked and not in the index, which tells " + problems);
            } else if (walked.extents.containsKey(path)) {
                demand(other.equals(entry), () -> entry + " is walked, the index has " + other);
                List<Extent> extents = walked.extents.get(path);
                demand(
                        entry.type() != FileType.REGULAR || extents.equals(indexed.extents.get(path)),
                        () -> path + " has " + extents + ", in the index " + indexed.extents.get(path));
            }
        }
        for (String path : indexed.found.keySet()) {
            demand(
                    walked.found.containsKey(path) || walked.explains(path),
                    () -> path + " is in the index and not walked, which tells " + walked.damage);
        }
        boolean explained = !problems.isEmpty() || !indexed.damage.isEmpty();
        walked.damage.forEach((path, problem) -> demand(
                explained || isMapOfNoFile(walked.found.get(path), walked, path),
                () -> path + ": a walk tells " + problem + ", the index nothing"));
    }

    /** Whether what is wrong is where a symbolic link or a device has its blocks, which is not in an index. */
    private static boolean isMapOfNoFile(@Nullable Entry entry, Listing walked, String path) {
        return entry != null
                && entry.type() != FileType.REGULAR
                && entry.type() != FileType.DIRECTORY
                && !walked.extents.containsKey(path);
    }

    /** What lies in structures that were not changed, and beneath directories that were not, is found as it was. */
    private void untouched(Listing listing, boolean index) {
        Set<Long> owners = new HashSet<>();
        touched.forEach(s -> owners.add(s.owner()));
        boolean counts = touched.stream().anyMatch(s -> s.kind() == Kind.REFCOUNT_TREE);
        for (Map.Entry<String, Row> seed : image.files().entrySet()) {
            String path = seed.getKey();
            Row row = seed.getValue();
            if (isBeneath(path, owners) || listing.hasOtherNames() && listing.explains(path)) {
                continue;
            }
            if (counts && row.extents().stream().anyMatch(Extent::shared) && listing.explains(path)) {
                continue;
            }
            demand(
                    row.entry().equals(listing.found.get(path)),
                    () -> (index ? "in the index, " : "") + row.entry() + " was not touched, and is "
                            + listing.found.get(path) + ": " + listing.damage);
            boolean mapped = row.entry().type() == FileType.REGULAR || !index;
            if (mapped && !(counts && row.extents().stream().anyMatch(e -> e.shared()))) {
                demand(
                        counts || row.extents().equals(listing.extents.get(path)),
                        () -> path + " was not touched, and lies at " + listing.extents.get(path) + ", not "
                                + row.extents());
            }
            demand(
                    index || row.target().equals(listing.targets.get(path)),
                    () -> path + " was not touched, and leads to " + listing.targets.get(path));
        }
    }

    /** Whether a path's inode or a directory above belongs to those. */
    private boolean isBeneath(String path, Set<Long> owners) {
        for (String at = path; ; at = parent(at)) {
            if (owners.contains(image.files().get(at).entry().inode().number())) {
                return true;
            }
            if (at.equals("/")) {
                return false;
            }
        }
    }

    /** Where one field of an inode or one block of a block map was changed, a shorter listing tells why it is. */
    private void complete(Listing walked) {
        if (names || touched.size() != 1) {
            return;
        }
        for (String path : image.files().keySet()) {
            demand(
                    walked.found.containsKey(path) || walked.explains(path),
                    () -> path + " is missing, and nothing is said of it: " + walked.damage);
        }
    }
}
