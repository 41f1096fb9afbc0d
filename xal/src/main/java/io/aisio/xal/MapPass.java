package io.aisio.xal;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** One walk through two ways to read one file system, and what was not alike. One thread uses it. */
final class MapPass {
    private final Runnable looked;
    private final Map<String, List<Doubt>> doubts = new TreeMap<>();
    private long entries;
    private long extents;
    private boolean failed;

    /** @param looked is run after each entry */
    MapPass(Runnable looked) {
        this.looked = looked;
    }

    /**
     * Something that was not alike, or that one side could not read.
     *
     * @param problem null if both could be read
     */
    record Doubt(
            String what,
            String first,
            String second,
            @Nullable IOException problem) {}

    /** What was not alike, by path. */
    Map<String, List<Doubt>> doubts() {
        return doubts;
    }

    /** Names, of all types. */
    long entries() {
        return entries;
    }

    /** After those that continue each other were joined. */
    long extents() {
        return extents;
    }

    /**
     * Compares names, inodes and the maps of regular files. All entries of the first are held in memory.
     *
     * @param top which directory of the first is the root of the second
     * @throws IOException if a root cannot be read
     */
    void run(Xal first, String top, Xal second) throws IOException {
        TreeMap<String, Entry> rest = new TreeMap<>();
        String prefix = top.equals("/") ? "" : top;
        first.walk(top, visitor(prefix, entry -> rest.put(beneath(prefix, entry.path()), entry)));
        second.walk("/", visitor("", entry -> {
            entries++;
            looked.run();
            Entry other = rest.remove(entry.path());
            if (other == null) {
                doubt(entry.path(), "existence", "missing", entry.inode().toString());
            } else {
                compare(first, other, second, entry);
            }
        }));
        rest.forEach((path, entry) -> {
            entries++;
            doubt(path, "existence", entry.inode().toString(), "missing");
        });
    }

    /** Ends it before all was compared. */
    void fail(IOException problem) {
        failed = true;
        doubts.clear();
        damaged("/", problem);
    }

    /** Whether not all was compared; its one doubt says why. */
    boolean failed() {
        return failed;
    }

    /** Something that cannot be read. */
    private void damaged(String path, IOException problem) {
        add(path, new Doubt("", "", "", problem));
    }

    private static String beneath(String prefix, String path) {
        String rest = path.substring(prefix.length());
        return rest.isEmpty() ? "/" : rest;
    }

    private void compare(Xal first, Entry one, Xal second, Entry other) throws IOException {
        if (!one.inode().equals(other.inode())) {
            doubt(other.path(), "inode", one.inode().toString(), other.inode().toString());
        }
        if (one.type() == FileType.REGULAR && other.type() == FileType.REGULAR) {
            try {
                maps(other.path(), joined(first.extents(one)), joined(second.extents(other)));
            } catch (InterruptedIOException e) {
                throw e;
            } catch (IOException e) {
                damaged(other.path(), e);
            }
        }
    }

    private void maps(String path, List<Extent> left, List<Extent> right) {
        extents += right.size();
        if (!left.equals(right)) {
            int at = 0;
            while (at < left.size() && at < right.size() && left.get(at).equals(right.get(at))) {
                at++;
            }
            doubt(path, "extent " + at + " of the joined", told(left, at), told(right, at));
        }
    }

    private static String told(List<Extent> extents, int at) {
        return at < extents.size() ? extents.get(at).toString() : "none, there are " + extents.size();
    }

    /**
     * Neighbours that continue each other as one, shared if a part of it is: where a map is cut is a matter of the one who
     * tells it.
     */
    private static List<Extent> joined(List<Extent> extents) {
        List<Extent> joined = new ArrayList<>();
        for (Extent extent : extents) {
            Extent last = joined.isEmpty() ? null : joined.getLast();
            if (last != null
                    && last.end() == extent.offset()
                    && last.position() + last.length() == extent.position()
                    && ((last.flags() ^ extent.flags()) & ~Extent.SHARED) == 0) {
                joined.removeLast();
                extent = new Extent(
                        last.offset(), last.position(), last.length() + extent.length(), last.flags() | extent.flags());
            }
            joined.add(extent);
        }
        return joined;
    }

    private void doubt(String path, String what, String first, String second) {
        add(path, new Doubt(what, first, second, null));
    }

    private void add(String path, Doubt doubt) {
        doubts.computeIfAbsent(path, _ -> new ArrayList<>()).add(doubt);
    }

    private interface Visit {
        void visit(Entry entry) throws IOException;
    }

    /** Passes entries on, keeps what is damaged, and ends when this thread is interrupted. */
    private Xal.Visitor visitor(String prefix, Visit entries) {
        return new Xal.Visitor() {
            @Override
            public void visit(Entry entry) throws IOException {
                Comparison.stopIfInterrupted();
                entries.visit(entry);
            }

            @Override
            public void damaged(String path, IOException problem) throws IOException {
                if (problem instanceof InterruptedIOException) {
                    throw problem;
                }
                MapPass.this.damaged(beneath(prefix, path), problem);
            }
        };
    }
}
