package io.aisio.xal.index;

import io.aisio.xal.Extent;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Replaces a part of a file in the list of its extents; neighbours that continue each other become one. */
final class Splice {
    private Splice() {}

    /**
     * The extents afterwards.
     *
     * @param before in order
     * @param from first byte of the part
     * @param to the byte behind it
     * @param mapped what is there from then on, or null for a hole
     */
    static List<Extent> of(List<Extent> before, long from, long to, @Nullable Extent mapped) {
        List<Extent> after = new ArrayList<>(before.size() + 2);
        boolean added = mapped == null;
        for (Extent extent : before) {
            if (extent.offset() < from) {
                append(after, part(extent, extent.offset(), Math.min(extent.end(), from)));
            }
            if (!added && extent.end() > from) {
                append(after, mapped);
                added = true;
            }
            if (extent.end() > to) {
                append(after, part(extent, Math.max(extent.offset(), to), extent.end()));
            }
        }
        if (!added) {
            append(after, mapped);
        }
        return after;
    }

    private static Extent part(Extent extent, long from, long to) {
        return new Extent(from, extent.position() + (from - extent.offset()), to - from, extent.flags());
    }

    private static void append(List<Extent> extents, @Nullable Extent next) {
        if (next == null) {
            return;
        }
        Extent last = extents.isEmpty() ? null : extents.getLast();
        if (last != null
                && last.end() == next.offset()
                && last.position() + last.length() == next.position()
                && last.flags() == next.flags()) {
            extents.removeLast();
            extents.addLast(new Extent(last.offset(), last.position(), last.length() + next.length(), last.flags()));
        } else {
            extents.addLast(next);
        }
    }
}
