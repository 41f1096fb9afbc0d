package io.aisio.homi.daemon;

/**
 * A file system whose extents are told.
 *
 * @param mount where it is mounted, by which clients ask for it
 * @param device that it is on, by its name in the configuration
 * @param nsid namespace
 * @param state a word: closed as long as nobody has asked for it, current, or stale
 * @param why it is stale; empty if it is not
 * @param how by what changes are known; empty while it is closed
 * @param files in it, no directories
 * @param directories in it
 * @param extents of all files
 * @param bytes of shared memory that the index takes
 * @param readers clients that have mapped it
 * @param pins files that are held still
 * @param changes seen since it was opened
 */
public record FileSystemStatus(
        String mount,
        String device,
        int nsid,
        String state,
        String why,
        String how,
        long files,
        long directories,
        long extents,
        long bytes,
        int readers,
        int pins,
        long changes) {}
