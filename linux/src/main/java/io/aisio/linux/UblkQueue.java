package io.aisio.linux;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One queue of a block device that is served in user space: requests come, by tag, and are answered.
 *
 * <pre>
 *   fetch(tag, memory) ─► next() = tag: operation, sectors, start; data of a write is in the memory
 *        ▲                                      │
 *        └──── the tag is fetched again ◄── commit(tag, result): data of a read is taken from the memory
 * </pre>
 *
 * <p>One platform thread owns it, the one that fetches first; it has to come back to {@link #next()}, {@link #await} or {@link
 * #awaitRequest}, for the kernel copies data in that thread. Answers go to the kernel with the next of these, or with {@link #exchange}.
 */
public final class UblkQueue implements AutoCloseable {
    /** The most tags. */
    public static final int MAX_DEPTH = Ublk.MAX_DEPTH;

    /** Operations (UBLK_IO_OP_…). */
    public static final int READ = 0;

    /** Writes. */
    public static final int WRITE = 1;
    /** Makes durable what was written. */
    public static final int FLUSH = 2;
    /** Forgets. */
    public static final int DISCARD = 3;
    /** Makes zero. */
    public static final int WRITE_ZEROES = 5;

    /** UBLK_IO_F_FUA: what is written is durable when it is answered. */
    public static final int FUA = 1 << 13;
    /** UBLK_IO_F_NOUNMAP: what is made zero keeps its place. */
    public static final int NO_UNMAP = 1 << 15;

    private static final long FETCH = Integer.toUnsignedLong(Ublk.FETCH_REQ);
    private static final long COMMIT = Integer.toUnsignedLong(Ublk.COMMIT_AND_FETCH_REQ);

    private final OpenFile device;
    private final int queue;
    private final int depth;
    private final Mapping mapping;
    private final MemorySegment descriptors;
    private final IoUring ring;
    private final MemorySegment[] commands;
    private final @Nullable EventFd event;
    /** Signalled by {@link #wake()}. */
    private final EventFd wake;

    /** Whether the ring looks at the event. */
    private boolean watching;
    /** Tags of which the kernel was told, and that it did not give up. */
    private int live;
    /** Of these, tags whose requests are here. */
    private int held;

    private boolean failed;
    private boolean closed;

    private UblkQueue(
            OpenFile device,
            int queue,
            int depth,
            Mapping mapping,
            IoUring ring,
            @Nullable EventFd event,
            EventFd wake) {
        this.device = device;
        this.queue = queue;
        this.depth = depth;
        this.mapping = mapping;
        this.ring = ring;
        this.event = event;
        this.wake = wake;
        descriptors = mapping.segment();
        commands = new MemorySegment[depth];
        if (event != null) {
            ring.bindPoll(depth, event);
        }
        ring.bindPoll(depth + 1, wake);
        ring.start(depth + 1, 0);
    }

    /** The file through which a device is served: {@code /dev/ublkcN}. One process has it open at a time. */
    public static Path path(int id) {
        return Path.of("/dev/ublkc" + id);
    }

    /** The block device itself: {@code /dev/ublkbN}. */
    public static Path blockDevice(int id) {
        return Path.of("/dev/ublkb" + id);
    }

    /**
     * Says that this thread serves I/O (PR_SET_IO_FLUSHER): the kernel then never waits for I/O to find memory for it, which
     * could wait for this very thread.
     *
     * @return whether the kernel agreed; not without CAP_SYS_RESOURCE, nor before 5.6
     */
    public static boolean declareIoFlusher() {
        return Libc.prctl(Libc.PR_SET_IO_FLUSHER, 1) == 0;
    }

    /**
     * Opens a queue; by which thread does not matter.
     *
     * @param device {@link #path}, open to be read and written, by all queues together; stays the caller's
     * @param queue its number, 0 and up
     * @param depth of the device
     * @param event something else to be woken by, such as a controller's interrupt; null for nothing. It stays the caller's,
     *     who closes it after this
     * @throws LinuxException if the kernel refuses
     */
    public static UblkQueue open(OpenFile device, int queue, int depth, @Nullable EventFd event) throws LinuxException {
        Objects.checkIndex(depth - 1, MAX_DEPTH);
        EventFd wake = new EventFd();
        Mapping mapping = null;
        try {
            mapping = Mapping.of(device, Ublk.descriptorsAt(queue), Ublk.descriptorBytes(depth), false);
            IoUring ring = IoUring.open(device, new IoUring.Options(depth + 2, true, false, false, false));
            return new UblkQueue(device, queue, depth, mapping, ring, event, wake);
        } catch (LinuxException | RuntimeException e) {
            if (mapping != null) {
                mapping.close();
            }
            wake.close();
            throw e;
        }
    }

    /**
     * Asks for a tag's first request.
     *
     * @param address of memory for its data, as much as a request may have; it stays until this is closed
     */
    public void fetch(int tag, long address) {
        MemorySegment command = ring.bindDriverCommand(tag, 0);
        Ublk.putIo(command, queue, tag, address);
        commands[tag] = command;
        ring.start(tag, FETCH);
        live++;
    }

    /**
     * Answers a request, and asks for the tag's next.
     *
     * @param result the bytes that were moved, of other requests 0; or an errno, negated
     */
    public void commit(int tag, int result) {
        commands[tag].set(ValueLayout.JAVA_INT, Ublk.IO_RESULT, result);
        ring.start(tag, COMMIT);
        held--;
    }

    /** Tells the kernel of all answers, and has it hand out requests, without waiting. */
    public void exchange() throws LinuxException {
        ring.exchange();
    }

    /**
     * Takes a request, without waiting.
     *
     * @return its tag, or -1 if there is none
     * @throws LinuxException if the kernel does not take an answer
     */
    public int next() throws LinuxException {
        while (ring.next()) {
            int tag = ring.slot();
            if (tag == depth) {
                watching = false;
                if (event != null) {
                    boolean _ = event.await(Duration.ZERO);
                }
            } else if (tag > depth) {
                boolean _ = wake.await(Duration.ZERO);
                ring.start(tag, 0);
            } else if (ring.result() == Ublk.RES_OK) {
                held++;
                return tag;
            } else {
                live--;
                if (ring.result() != -Errno.ENODEV) {
                    failed = true;
                    throw new LinuxException("ublk, tag " + tag, device.path().toString(), -ring.result());
                }
            }
        }
        return -1;
    }

    /** Whether the device was stopped: no request comes any more. */
    public boolean isOver() {
        return live == 0;
    }

    /** Requests that were taken and are not answered. */
    public int held() {
        return held;
    }

    /** Waits for a request, {@link #wake()} or the device to be stopped; answers are told first. */
    public void awaitRequest() throws LinuxException {
        ring.await(1);
    }

    /** Ends the wait that is under way, or else the next one. Any thread may call it, after {@link #close} too. */
    public void wake() {
        wake.signal();
    }

    /**
     * Waits for a request, the event or {@link #wake()}, but not for ever; answers are told first.
     *
     * @param limit how long
     */
    public void await(Duration limit) throws LinuxException {
        if (event != null && !watching) {
            ring.start(depth, 0);
            watching = true;
        }
        boolean _ = ring.awaitFor(limit.toNanos());
    }

    /** What a request asks for: {@link #READ} and others. */
    public int operation(int tag) {
        return opFlags(tag) & 0xFF;
    }

    /** What else it asks for: {@link #FUA}, {@link #NO_UNMAP} and others. */
    public int flags(int tag) {
        return opFlags(tag) & ~0xFF;
    }

    private int opFlags(int tag) {
        return descriptors.get(ValueLayout.JAVA_INT, (long) tag * Ublk.DESC_BYTES + Ublk.DESC_OP_FLAGS);
    }

    /** How much, in sectors of 512 bytes; unsigned. */
    public int sectors(int tag) {
        return descriptors.get(ValueLayout.JAVA_INT, (long) tag * Ublk.DESC_BYTES + Ublk.DESC_SECTORS);
    }

    /** Where it begins, in sectors of 512 bytes. */
    public long start(int tag) {
        return descriptors.get(ValueLayout.JAVA_LONG, (long) tag * Ublk.DESC_BYTES + Ublk.DESC_START);
    }

    /**
     * Gives the queue up; what is not answered fails, or waits for another server. The owner calls it, or another thread once
     * the owner has ended. Closing again does nothing.
     */
    @Override
    public void close() throws LinuxException {
        if (closed) {
            return;
        }
        closed = true;
        try {
            if (live == 0 && !failed) {
                // What is left are the events.
                if (event != null && watching) {
                    event.signal();
                }
                wake.signal();
                ring.close();
            }
        } finally {
            ring.abandon();
            mapping.close();
            wake.close();
        }
    }
}
