package io.aisio.xal.backend;

import java.io.IOException;

/**
 * Takes what a backend finds while it reads a whole file system, for the first time or again. Any thread may call it.
 *
 * <p>An inode is given before a name that stands for it and before its own names. What is not given and not kept is gone
 * when the reading ends.
 */
public interface Catalog {
    /** Takes inodes with their extents, in any order, each once. */
    void inodes(InodeBatch batch);

    /**
     * Takes the names of a directory, all of them; they replace those that it had. If some are missing, the directory is
     * not {@linkplain #knows known} by them.
     *
     * @param directory its inode number
     */
    void names(long directory, NameBatch batch);

    /**
     * Whether an inode was known as it is before this reading began, so that what is costly to read may be kept. That it
     * was given meanwhile changes nothing of the answer.
     *
     * @param stamp as in {@link InodeBatch#stamp}
     */
    boolean knows(long number, int generation, long stamp);

    /** Keeps an inode that is {@linkplain #knows known}, its extents and, of a directory, its names. */
    void keep(long number);

    /**
     * Is told of a directory of which no names can be read, in place of {@link #names}: those that it had go, for what
     * they stand for may be gone when the reading ends.
     *
     * @param directory its inode number
     */
    default void unlisted(long directory) {
        NameBatch none = new NameBatch();
        none.setIncomplete();
        names(directory, none);
    }

    /**
     * Is told of a name whose inode is not given, because it changed each time that it was looked at.
     *
     * @param directory its inode number
     * @param number what the name stands for
     * @return whether the name is to be given all the same
     */
    default boolean changing(long directory, String name, long number, IOException problem) {
        damaged(problem);
        return true;
    }

    /** Is told of something that cannot be read; what depends on it is missing from the catalog. */
    void damaged(IOException problem);
}
