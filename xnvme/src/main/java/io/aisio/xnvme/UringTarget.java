package io.aisio.xnvme;

import io.aisio.linux.IoUring;
import io.aisio.linux.LinuxException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** What commands of a {@link UringQueue} go to: a file or block device, or a namespace that takes NVMe commands. */
interface UringTarget {
    /** The device's name. */
    String name();

    /** The device's shape. */
    Geometry geometry();

    /**
     * Opens a ring.
     *
     * @param singleIssuer whether one platform thread alone will use it
     */
    IoUring openRing(int slots, boolean singleIssuer) throws LinuxException;

    /** Of what the addresses of memory must be a multiple, a power of two. */
    int memoryAlignment();

    /** The same of memory that is used as a part of a registered buffer; no less. */
    int registeredAlignment();

    /** Whether a thread that waits sleeps, rather than polls. */
    boolean sleeps();

    /** Whether commands over blocks that do not exist are refused here; otherwise the other side does. */
    boolean checksRange();

    /** By how many bits to the left an LBA becomes what a command is started with. */
    int positionShift();

    /** Whether a result is the number of bytes moved, so that a command may end before all are; otherwise it is 0. */
    boolean countsBytes();

    /**
     * Makes a slot move data.
     *
     * @param buffer the registered buffer that the memory is in, or {@link IoUring#NO_BUFFER}
     */
    void bind(IoUring ring, int slot, boolean write, MemorySegment data, int buffer);

    /** Told that a buffer could not be registered, for {@link Device#path()}. */
    void notRegistered(LinuxException why);

    /** Why a command may not be carried out at all; null if it may. */
    @Nullable
    IOException refusal(boolean write, long lba, int bytes);

    /**
     * What went wrong with a command.
     *
     * @param done bytes that were moved before
     * @param bytes that were to be moved in all
     * @param result what the kernel said of the rest
     */
    IOException failure(boolean write, long lba, int done, int bytes, int result);

    /** Told that a queue is closed. */
    void queueClosed();
}
