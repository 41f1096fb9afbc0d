package io.aisio.xal;

import io.aisio.linux.Beneath;
import io.aisio.xal.mount.MountedTree;
import java.io.IOException;
import java.util.List;

/**
 * A file's blocks held still: whoever writes to the file, truncates or removes it, the blocks keep their bytes and are
 * given to nobody else until the pin is closed.
 *
 * <p>A clone shares the blocks. It is a file without a name, so nobody can open it to write, and the kernel frees it when
 * its holder ends, also by a kill or a power cut: there is no folder of snapshots that somebody would have to sweep. It is
 * made immutable where this process may do that, which keeps others from writing to it through {@code /proc} and
 * defragmenters from moving it.
 *
 * <p>Any thread may read the extents; one thread closes it.
 */
public final class Pin implements AutoCloseable {
    private final MountedTree tree;
    private final Entry file;
    private final Beneath clone;
    private final boolean immutable;
    private final List<Extent> extents;

    private Pin(MountedTree tree, Entry file, Beneath clone, boolean immutable) throws IOException {
        this.tree = tree;
        this.file = file;
        this.clone = clone;
        this.immutable = immutable;
        extents = map();
    }

    /**
     * Pins a regular file as it is now. What was written to it and is in memory only is written out first.
     *
     * @param mounted made by {@link Xal#mounted}, with a right to write to the directory that it was made of
     * @throws IllegalArgumentException if it is read from a device, or the entry is no regular file
     * @throws IOException if the file system shares no blocks between files (ext4, XFS made without reflink), or moves
     *     those of immutable files too (btrfs)
     */
    public static Pin of(Xal mounted, Entry file) throws IOException {
        if (!(mounted.backend() instanceof MountedTree tree)) {
            throw new IllegalArgumentException(mounted.volume().source() + " is read from its device, not mounted");
        }
        if (file.type() != FileType.REGULAR) {
            throw new IllegalArgumentException(file.path() + " is no regular file but of type " + file.type());
        }
        if (mounted.volume().type().equals("btrfs")) {
            throw new IOException(
                    mounted.volume().source() + " is on btrfs, which moves the blocks of any file when it is"
                            + " balanced, shrunk or tidies up, so none can be held still; use XFS made with reflink=1");
        }
        Beneath clone = tree.clone(file);
        try {
            return new Pin(tree, file, clone, clone.makeImmutable());
        } catch (IOException e) {
            clone.close();
            throw e;
        }
    }

    /** Where the pinned bytes lie, in the order of their offsets. */
    public List<Extent> extents() {
        return extents;
    }

    /** Whether nobody can write to it, or move its blocks, until it is closed; otherwise, nobody who does not look for it. */
    public boolean immutable() {
        return immutable;
    }

    /** Length of the pinned file in bytes. */
    public long size() throws IOException {
        return clone.status().size();
    }

    /**
     * Bytes of blocks that nothing but this pin holds any more: what closing now gives back. They grow while the file is
     * written to or removed. Not to be asked after closing.
     *
     * @throws IOException if the kernel does not tell
     */
    public long heldBytes() throws IOException {
        long held = 0;
        for (Extent extent : map()) {
            held += extent.shared() ? 0 : extent.length();
        }
        return held;
    }

    /** Gives the blocks back. Closing again does nothing. */
    @Override
    public void close() {
        clone.close();
    }

    private List<Extent> map() throws IOException {
        return List.copyOf(tree.extents(clone, true, file.path()));
    }
}
