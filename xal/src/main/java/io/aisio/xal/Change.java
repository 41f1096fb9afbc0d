package io.aisio.xal;

/**
 * What a {@link Watch} tells. Paths begin at the directory that is watched, which is {@code /}, and are made as those of
 * {@link Entry}.
 *
 * <p>What is told holds at least: a change may be told twice, never not at all. So {@link Added} may name what is known
 * already, and {@link Removed} what was never told; when all was told, names and files are what was told last.
 */
public sealed interface Change {
    /**
     * A name is there, new or as another file than before. A directory's content follows as names of its own.
     *
     * @param path of the name
     */
    record Added(String path) implements Change {}

    /**
     * A name is gone, and what was below it too.
     *
     * @param path of the name
     */
    record Removed(String path) implements Change {}

    /**
     * A name is now another, and what was below it is now below that. What had the new name is gone. If the old name is
     * not known (it was read again when it had moved already), what is below the new one must be read again.
     *
     * @param from the old path
     * @param to the new path
     */
    record Moved(String from, String to) implements Change {}

    /**
     * A file's data, size or attributes changed, or a directory's attributes.
     *
     * @param path of the name through which it was changed; other names of the file are not told
     */
    record Changed(String path) implements Change {}

    /**
     * A part of a file lies on the device as this extent says, whatever it was before. Told by the kernel's own tree of
     * extents, as it changes, so that nobody needs to ask for the map of the file. Only if {@link Watch.Extents} were asked
     * for.
     *
     * @param inode number of the file
     * @param extent what its map holds now, with FIEMAP's flags but {@link Extent#SHARED}, which is not known
     */
    record Mapped(long inode, Extent extent) implements Change {}

    /**
     * A part of a file has no extent any more. Often the extent that takes its place is told next.
     *
     * @param inode number of the file
     * @param offset first byte of it in the file
     * @param length in bytes
     */
    record Unmapped(long inode, long offset, long length) implements Change {}

    /**
     * Something was missed: all must be read again. Whatever happens from now on is told.
     *
     * @param why it was missed
     */
    record Everything(String why) implements Change {}

    /**
     * Nothing more will be told: the file system was unmounted, or it cannot be watched any longer.
     *
     * @param why it ended
     */
    record Ended(String why) implements Change {}
}
