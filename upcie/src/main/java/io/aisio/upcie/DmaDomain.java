package io.aisio.upcie;

import io.aisio.linux.OpenFile;
import java.io.IOException;

/**
 * What one user of a function, mostly another process, may have it reach: that user's memory, and nobody else's where the
 * device can tell users apart ({@link #isProtected}).
 *
 * <p>A queue pair belongs to the domain that its rings are in. Where the device tells users apart, the commands of a
 * submission queue reach the memory of its domain alone: data, lists of pages, segments of SGLs and metadata.
 *
 * <p>Any thread may call it. Who opens a domain closes it, once no queue uses its memory and before the function is closed.
 */
public interface DmaDomain extends AutoCloseable {
    /**
     * Whether the device itself keeps this domain's commands to this domain's memory and namespace and, if it is read-only,
     * from writing to the media. If not, users are kept apart only as far as they keep to it: a command that names another user's memory
     * reaches it.
     */
    boolean isProtected();

    /** Whether it was opened for commands that write nothing to the media. */
    boolean isReadOnly();

    /**
     * Makes zeroed memory in a file of its own, to pass on to the user: sealed, so that its size is as it is for good.
     *
     * @param bytes at least 1; rounded up to whole pages, of the kind that the way to the device needs
     * @throws IOException if the memory, or the device's address space for it, is exhausted; the message says the next step
     * @throws IllegalStateException if the domain or the function is closed
     */
    SharedMemory allocate(long bytes) throws IOException;

    /**
     * Lets the device reach a user's own file, from its start on. What the user says of it is not believed: it is looked at.
     *
     * @param file regular, on a file system of this machine's that fills its pages by itself, and sealed against shrinking
     *     ({@code F_SEAL_SHRINK}); it stays the caller's, who may close it afterwards
     * @param bytes how much, at least 1 and at most the file's size; a multiple of the page size, or of the size of the
     *     file's huge pages
     * @throws IOException if the file is not so, in one sentence, or the system refuses
     * @throws IllegalStateException if the domain or the function is closed
     */
    SharedMemory map(OpenFile file, long bytes) throws IOException;

    /**
     * Takes back from the device what is left of the domain's memory, whether it was closed or not. Only once no queue uses
     * it: the queues of a user that is gone are deleted before. Closing again does nothing.
     */
    @Override
    void close();
}
