package io.aisio.fil;

import io.aisio.cuda.GpuMemory;
import io.aisio.xal.Entry;
import io.aisio.xal.Piece;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Geometry;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.RetryingQueue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One file, read into one buffer that was registered once: any bytes of the file to any place of the buffer, at once, in
 * batches, or while the caller does something else.
 *
 * <pre>{@code
 * try (DirectFile file = DirectFile.open(device, xal, "/data/weights", buffer)) {
 *     long n = file.read(fileOffset, bufferOffset, length);       // waits
 *     long ticket = file.submit(fileOffset, bufferOffset, length); // does not
 *     n = file.await(ticket);
 * }
 * }</pre>
 *
 * <p>What lies on whole blocks of the device goes straight into the buffer, in commands of what the device transfers at
 * most. Three things are read beside the buffer and copied: less than a block at either end; a read whose blocks would come
 * to lie in the buffer at no multiple of 4 bytes, which a device does not take; and one so small that the copy costs less
 * than more commands. Nothing but the bytes that were asked for changes in the buffer. Holes and unwritten ranges give
 * zeros. A read that fails is tried again if it may succeed then ({@link RetryingQueue}).
 *
 * <p>Files are only read. By its extents a file is read as they were when it was opened: that nobody changes it meanwhile is
 * for the caller to see to. Of a file of the kernel's a change is noticed when a read is submitted; one while it is under way is
 * not.
 *
 * <p>One thread owns it: the first that reads. Reads that are in flight together must not overlap in the buffer. The buffer
 * stays the caller's, to be closed after this; so does the device.
 */
public final class DirectFile implements AutoCloseable {
    /** What {@link #read(long[], long[], long[], long[], IOException[])} gives for a read that failed. */
    public static final long FAILED = -1;

    /** How a file of the kernel's is read. */
    public enum Cache {
        /** Past the page cache where the file system can, else through it; {@link DirectFile#path()} says which. */
        PAST_IF_POSSIBLE,
        /** Past the page cache (O_DIRECT), or not at all. */
        PAST,
        /** Through the page cache. */
        THROUGH
    }

    /** Commands in flight at most, chosen so that they keep a fast device busy with blocks of 64 KiB. */
    private static final int DEPTH = 64;

    /** What one command reads beside the buffer at most, in bytes; there is so much memory for each command. */
    private static final int ASIDE = 32 << 10;

    /** The same where everything is copied: a multiple of any block. */
    private static final int COPIED = 256 << 10;

    /** To copy so many bytes costs less than two commands more, for the blocks at either end. */
    private static final int SMALL = 8 << 10;

    /** What a command's place in a buffer is a multiple of, in bytes: {@link Queue#bindRead}. */
    private static final int DWORD = 4;

    private static final int NONE = -1;

    /** In {@link #previous}: the read is in no line. */
    private static final int OUT = -2;

    private final String file;
    private final String origin;
    private final String way;
    private final Queue queue;
    private final @Nullable KernelReads kernel;
    private final FileMap map;
    private final int unit;
    private final int memoryAlignment;
    private final int most;
    private final Landing landing;
    private final long room;
    /** What commands read into; null if everything is read beside, and copied. */
    private final @Nullable Buffer straightInto;

    private final Buffer beside;
    private final int besideBytes;

    private final int[] freeSlots;
    private int free;
    private final int[] submitSlots;
    private final long[] submitLbas;
    private final int[] completed;

    // Of each slot in flight: its read, where that lies in the file, in the buffer and on the device, and from which
    // byte of what is read beside it is copied; NONE if it goes straight.
    private final int[] slotRead;
    private final long[] slotFrom;
    private final long[] slotTo;
    private final int[] slotBytes;
    private final int[] slotSkip;
    private final long[] slotLba;

    // Of each read that has a ticket: what it is, for how many of its bytes there are commands, the range of the map in
    // which the next one begins, and what became of it.
    private long[] from = new long[DEPTH];
    private long[] to = new long[DEPTH];
    private long[] bytes = new long[DEPTH];
    private long[] cut = new long[DEPTH];
    private int[] range = new int[DEPTH];
    private int[] commandsLeft = new int[DEPTH];
    private boolean[] ended = new boolean[DEPTH];
    private int[] turn = new int[DEPTH];
    private @Nullable IOException[] failures = new IOException[DEPTH];

    /** Of each read that is in a line: the one behind it, and the one before. */
    private int[] next = new int[DEPTH];

    private int[] previous = new int[DEPTH];

    /** Reads of which commands are still to be made, in the order in which they were submitted. */
    private final Line waiting = new Line();
    /** Reads that ended and were not told of, in the order in which they did. */
    private final Line over = new Line();

    private int[] freeReads = new int[DEPTH];
    private int freeReadCount;
    private int inFlight;

    private @Nullable Thread owner;
    private boolean closed;

    /** Why the queue tells no more of its commands, null as long as it does. */
    private @Nullable IOException lost;

    /** Why the queue could not be closed then: what is in flight may still be written to memory. */
    private @Nullable Exception unclosed;

    private DirectFile(
            String file,
            String origin,
            String way,
            Queue queue,
            @Nullable KernelReads kernel,
            FileMap map,
            int unit,
            int memoryAlignment,
            int most,
            Landing landing,
            Buffer beside,
            int besideBytes) {
        this.file = file;
        this.origin = origin;
        this.way = way;
        this.queue = queue;
        this.kernel = kernel;
        this.map = map;
        this.unit = unit;
        this.memoryAlignment = memoryAlignment;
        this.most = most;
        this.landing = landing;
        this.beside = beside;
        this.besideBytes = besideBytes;
        room = landing.size();
        straightInto = landing.straight();
        int depth = queue.depth();
        freeSlots = new int[depth];
        for (int slot = depth; slot-- > 0; ) {
            freeSlots[free++] = slot;
        }
        submitSlots = new int[depth];
        submitLbas = new long[depth];
        completed = new int[depth];
        slotRead = new int[depth];
        slotFrom = new long[depth];
        slotTo = new long[depth];
        slotBytes = new int[depth];
        slotSkip = new int[depth];
        slotLba = new long[depth];
        for (int read = DEPTH; read-- > 0; ) {
            freeReads[freeReadCount++] = read;
        }
    }

    /**
     * Opens a file of a file system on a device, to be read by its extents through a queue of its own.
     *
     * @param device where the file system lies, from its first block on
     * @param xal the file system
     * @param path of the file, beginning with {@code /}
     * @param buffer one of the device, into which all reads go
     * @throws IllegalArgumentException if it is no regular file
     * @throws IOException if there is no such file, if the device does not hold all of it as it is, has no queue left, or
     *     there is no memory
     */
    public static DirectFile open(Device device, Xal xal, String path, Buffer buffer) throws IOException {
        Entry entry = xal.lookup(path);
        return open(device, path, xal.pieces(entry), buffer);
    }

    /**
     * The same, of a file whose pieces are known already, from an index for example.
     *
     * @param path how messages name the file
     * @param pieces from the file's first byte to its last, without a gap
     * @throws IllegalArgumentException if they have a gap
     */
    public static DirectFile open(Device device, String path, List<Piece> pieces, Buffer buffer) throws IOException {
        return open(device, path, pieces, Landing.in(buffer), "");
    }

    /**
     * Opens a file of a file system on a device, to be read into the memory of a GPU: straight, where it lies on whole blocks.
     *
     * @param device that reaches the GPU's memory ({@link Device#map})
     * @param memory into which all reads go; it stays the caller's, to be closed after this
     * @throws UnsupportedOperationException if the device does not reach it; one sentence for people
     * @throws IOException as {@link #open(Device, Xal, String, Buffer)}
     */
    public static DirectFile open(Device device, Xal xal, String path, GpuMemory memory) throws IOException {
        List<Piece> pieces = xal.pieces(xal.lookup(path));
        Landing landing = Landing.in(memory, device.map(memory));
        try {
            return open(device, path, pieces, landing, ", into GPU memory");
        } catch (IOException | RuntimeException | Error e) {
            landing.close();
            throw e;
        }
    }

    private static DirectFile open(Device device, String path, List<Piece> pieces, Landing landing, String where)
            throws IOException {
        FileMap map = FileMap.of(path, pieces);
        Geometry geometry = device.geometry();
        int besideBytes = besideBytes(geometry.lbaBytes(), geometry.maxTransferBytes());
        Queue queue = new RetryingQueue(device.openQueue(Math.min(DEPTH, geometry.maxQueueDepth())));
        Buffer beside = null;
        try {
            beside = device.allocate((long) queue.depth() * besideBytes);
            return new DirectFile(
                    path,
                    device.name(),
                    device.path() + ", by extents" + where,
                    queue,
                    null,
                    map,
                    geometry.lbaBytes(),
                    DWORD,
                    geometry.maxTransferBytes(),
                    landing,
                    beside,
                    besideBytes);
        } catch (IOException | RuntimeException | Error e) {
            close(queue, beside, e);
            throw e;
        }
    }

    /**
     * Opens a file of a file system that is mounted, to be read through the kernel: past the page cache where the file system
     * can, by io_uring where the kernel has it.
     *
     * @param path of the file
     * @param buffer any that this process can write to, such as {@link Buffer#ofProcess}
     * @throws IllegalArgumentException if it is no regular file
     * @throws IOException if the kernel refuses, or there is no memory
     */
    public static DirectFile open(Path path, Buffer buffer) throws IOException {
        return open(path, Cache.PAST_IF_POSSIBLE, buffer);
    }

    /** The same, with a say in whether it goes through the page cache. */
    public static DirectFile open(Path path, Cache cache, Buffer buffer) throws IOException {
        return open(path, cache, true, buffer);
    }

    /** The same, with a say in whether io_uring is used where there is one. */
    static DirectFile open(Path path, Cache cache, boolean byRing, Buffer buffer) throws IOException {
        return open(path, cache, byRing, Landing.in(buffer), ASIDE, "");
    }

    /**
     * Opens a file of a file system that is mounted, to be read through the kernel, past the page cache where the file system
     * can, and copied into the memory of a GPU.
     *
     * @param memory into which all reads go; it stays the caller's, to be closed after this
     * @throws IllegalArgumentException if it is no regular file
     * @throws IOException if the kernel refuses, or there is no memory
     */
    public static DirectFile open(Path path, GpuMemory memory) throws IOException {
        return open(
                path, Cache.PAST_IF_POSSIBLE, true, Landing.in(memory, null), COPIED, ", then copied into GPU memory");
    }

    private static DirectFile open(
            Path path, Cache cache, boolean byRing, Landing landing, int mostBeside, String where) throws IOException {
        KernelReads kernel = KernelReads.open(path, cache, DEPTH, byRing);
        Buffer beside = null;
        try {
            int besideBytes = Math.max(mostBeside, besideBytes(kernel.unit(), KernelReads.MAX_TRANSFER));
            beside = Buffer.ofProcess((long) DEPTH * besideBytes);
            Buffer straight = landing.straight();
            if (straight == null) {
                kernel.register(beside);
            } else {
                kernel.register(straight, beside);
            }
            return new DirectFile(
                    path.toString(),
                    path.toString(),
                    kernel.path() + where,
                    kernel,
                    kernel,
                    FileMap.of(
                            path.toString(),
                            kernel.size() == 0 ? List.of() : List.of(new Piece(Piece.Kind.DATA, 0, 0, kernel.size()))),
                    kernel.unit(),
                    kernel.memoryAlignment(),
                    KernelReads.MAX_TRANSFER,
                    landing,
                    beside,
                    besideBytes);
        } catch (IOException | RuntimeException | Error e) {
            close(kernel, beside, e);
            throw e;
        }
    }

    /** Gives back what was got before opening failed. */
    private static void close(Queue queue, @Nullable Buffer beside, Throwable why) {
        try {
            queue.close();
        } catch (IOException | RuntimeException e) {
            why.addSuppressed(e);
        }
        // Nothing of it is in flight, closed or not.
        if (beside != null) {
            beside.close();
        }
    }

    private static int besideBytes(int unit, int most) {
        return Math.min(Math.max(ASIDE, unit), most);
    }

    /** The file's name, as it was opened. */
    public String file() {
        return file;
    }

    /** Which way data takes, for people: {@code software controller, user-space queue pairs, file media, by extents}. */
    public String path() {
        return way;
    }

    /** The file's size in bytes, when it was opened. */
    public long size() {
        return map.size();
    }

    /** Reads that were submitted and whose result was not taken. */
    public int inFlight() {
        return inFlight;
    }

    /**
     * Reads bytes of the file and waits for them.
     *
     * @param fileOffset of the first, 0 or more
     * @param bufferOffset where it goes in the buffer
     * @param length how many are wanted; there must be so much room in the buffer
     * @return how many there were: fewer only at the end of the file, 0 behind it
     * @throws IndexOutOfBoundsException if the buffer has no such room
     * @throws IllegalArgumentException if the file's offset is negative
     * @throws IllegalStateException if this or the buffer is closed, or another thread's
     * @throws IOException naming file, place and device, if they cannot be read; what the buffer holds there is then not
     *     known
     */
    public long read(long fileOffset, long bufferOffset, long length) throws IOException {
        return await(submit(fileOffset, bufferOffset, length));
    }

    /**
     * Makes many reads with one doorbell, as far as the queue holds them, and waits for all. One that fails hinders no other.
     *
     * @param fileOffsets of the first byte of each
     * @param bufferOffsets where each goes
     * @param lengths how many bytes each wants
     * @param results takes how many each got, as {@link #read(long, long, long)} tells, or {@link #FAILED}
     * @param failures takes why each failed, null for one that did not
     * @return how many failed
     * @throws IllegalArgumentException if the arrays are not of one length, and as {@link #read(long, long, long)}; nothing
     *     is read then
     * @throws IOException if nothing can be read any more
     */
    public int read(
            long[] fileOffsets, long[] bufferOffsets, long[] lengths, long[] results, @Nullable IOException[] failures)
            throws IOException {
        int n = fileOffsets.length;
        if (results.length != n || failures.length != n) {
            throw new IllegalArgumentException(
                    "%d reads, with room for %d results and %d failures".formatted(n, results.length, failures.length));
        }
        // Tickets first, results later.
        submit(fileOffsets, bufferOffsets, lengths, results);
        int failed = 0;
        for (int i = 0; i < n; i++) {
            try {
                results[i] = await(results[i]);
                failures[i] = null;
            } catch (IOException e) {
                results[i] = FAILED;
                failures[i] = e;
                failed++;
            }
        }
        return failed;
    }

    /**
     * Begins to read, and does not wait. Any number of reads may be begun; those for which the queue has no room wait for it
     * here, and go on when somebody polls or awaits.
     *
     * @return a ticket, to be given to {@link #await(long)} once
     * @throws IOException if nothing can be read any more, or the file was changed
     */
    public long submit(long fileOffset, long bufferOffset, long length) throws IOException {
        enter();
        requireReadable(fileOffset, bufferOffset, length);
        requireReady();
        long ticket = begin(fileOffset, bufferOffset, length);
        start();
        return ticket;
    }

    /**
     * Begins many reads with one doorbell, as far as the queue holds them.
     *
     * @param tickets takes one for each
     * @throws IllegalArgumentException if the arrays are not of one length, and as {@link #submit(long, long, long)}; none
     *     is begun then
     */
    public void submit(long[] fileOffsets, long[] bufferOffsets, long[] lengths, long[] tickets) throws IOException {
        enter();
        int n = fileOffsets.length;
        if (bufferOffsets.length != n || lengths.length != n || tickets.length != n) {
            throw new IllegalArgumentException(
                    "%d offsets in the file, %d in the buffer, %d lengths, room for %d tickets"
                            .formatted(n, bufferOffsets.length, lengths.length, tickets.length));
        }
        for (int i = 0; i < n; i++) {
            requireReadable(fileOffsets[i], bufferOffsets[i], lengths[i]);
        }
        requireReady();
        for (int i = 0; i < n; i++) {
            tickets[i] = begin(fileOffsets[i], bufferOffsets[i], lengths[i]);
        }
        start();
    }

    /**
     * Looks which reads have ended, without waiting.
     *
     * @param tickets takes theirs, each once, in the order in which they ended; {@link #await(long)} then tells the result
     *     at once
     * @return how many
     */
    public int poll(long[] tickets) {
        enter();
        look(false);
        return tell(tickets);
    }

    /** As {@link #poll}, waiting for the first one if there are any that were not told. */
    public int await(long[] tickets) {
        enter();
        if (tickets.length == 0) {
            return 0;
        }
        while (over.first == NONE && (waiting.first != NONE || free < freeSlots.length)) {
            look(true);
        }
        return tell(tickets);
    }

    /**
     * Waits for a read, whose ticket is used up by that.
     *
     * @return how many bytes there were: fewer than wanted only at the end of the file
     * @throws IllegalArgumentException if the ticket was used before, or never was one
     * @throws IOException naming file, place and device, if they cannot be read
     */
    public long await(long ticket) throws IOException {
        enter();
        int read = (int) ticket;
        if (read < 0 || read >= turn.length || turn[read] != (int) (ticket >>> 32) || (turn[read] & 1) == 0) {
            throw new IllegalArgumentException("%s: ticket %x was used before, or never given".formatted(file, ticket));
        }
        while (!ended[read]) {
            look(true);
        }
        if (previous[read] != OUT) {
            over.remove(read);
        }
        turn[read]++;
        freeReads[freeReadCount++] = read;
        inFlight--;
        IOException failure = failures[read];
        if (failure != null) {
            failures[read] = null;
            throw failure;
        }
        return bytes[read];
    }

    private void enter() {
        if (closed) {
            throw new IllegalStateException(file + " is closed");
        }
        Thread current = Thread.currentThread();
        if (owner == null) {
            owner = current;
        } else if (owner != current) {
            throw new IllegalStateException("%s belongs to %s, not to %s".formatted(file, owner, current));
        }
    }

    private void requireReadable(long fileOffset, long bufferOffset, long length) {
        if (fileOffset < 0) {
            throw new IllegalArgumentException("%s has no byte %d".formatted(file, fileOffset));
        }
        if (bufferOffset < 0 || length < 0 || length > room - bufferOffset) {
            throw new IndexOutOfBoundsException(
                    "%s: %d bytes at offset %d of a buffer of %d bytes".formatted(file, length, bufferOffset, room));
        }
    }

    private void requireReady() throws IOException {
        IOException gone = lost;
        if (gone != null) {
            throw new IOException(
                    "%s: the queue of %s was given up: %s".formatted(file, origin, gone.getMessage()), gone);
        }
        landing.requireOpen(file);
        if (kernel != null) {
            kernel.requireUnchanged();
        }
    }

    /** Gives a read a ticket and a place in the line. */
    private long begin(long fileOffset, long bufferOffset, long length) {
        if (freeReadCount == 0) {
            grow();
        }
        int read = freeReads[--freeReadCount];
        turn[read]++;
        from[read] = fileOffset;
        to[read] = bufferOffset;
        bytes[read] = Math.max(0, Math.min(length, map.size() - fileOffset));
        cut[read] = 0;
        commandsLeft[read] = 0;
        ended[read] = false;
        previous[read] = OUT;
        failures[read] = null;
        inFlight++;
        if (bytes[read] == 0) {
            end(read);
        } else {
            range[read] = map.rangeAt(fileOffset);
            waiting.add(read);
        }
        return (long) turn[read] << 32 | read;
    }

    private void grow() {
        int old = turn.length;
        int larger = Math.multiplyExact(old, 2);
        from = Arrays.copyOf(from, larger);
        to = Arrays.copyOf(to, larger);
        bytes = Arrays.copyOf(bytes, larger);
        cut = Arrays.copyOf(cut, larger);
        range = Arrays.copyOf(range, larger);
        commandsLeft = Arrays.copyOf(commandsLeft, larger);
        ended = Arrays.copyOf(ended, larger);
        turn = Arrays.copyOf(turn, larger);
        failures = Arrays.copyOf(failures, larger);
        next = Arrays.copyOf(next, larger);
        previous = Arrays.copyOf(previous, larger);
        freeReads = Arrays.copyOf(freeReads, larger);
        for (int read = larger; read-- > old; ) {
            freeReads[freeReadCount++] = read;
        }
    }

    /**
     * Makes commands of the reads that wait for them, as many as the queue takes, and rings once. When it returns, a read
     * that still waits has no free slot, so that one of the commands in flight lets it go on.
     */
    private void start() {
        while (waiting.first != NONE && free > 0) {
            int n = 0;
            while (waiting.first != NONE && free > 0) {
                int read = waiting.first;
                int slot = bindNext(read);
                if (slot != NONE) {
                    submitSlots[n] = slot;
                    submitLbas[n++] = slotLba[slot];
                }
                if (cut[read] == bytes[read] && isWaiting(read)) {
                    waiting.remove(read);
                }
                endIfDone(read);
            }
            try {
                if (n > 0) {
                    queue.submit(submitSlots, submitLbas, n);
                }
            } catch (IOException | IllegalStateException e) {
                // Nothing was submitted: each of these reads has failed, and its result tells so.
                for (int i = 0; i < n; i++) {
                    arrived(submitSlots[i], e);
                }
            }
        }
    }

    /**
     * Binds the next part of a read to a free slot, or writes its zeros.
     *
     * @return the slot, or none if no command is needed, or the read has failed
     */
    private int bindNext(int read) {
        long at = from[read] + cut[read];
        while (map.end(range[read]) <= at) {
            range[read]++;
        }
        long left = Math.min(bytes[read] - cut[read], map.end(range[read]) - at);
        long target = to[read] + cut[read];
        long position = map.position(range[read], at);
        try {
            if (position == Piece.NOWHERE) {
                landing.zero(target, left);
                cut[read] += left;
                return NONE;
            }
            return bind(read, at, target, position, left);
        } catch (IOException | RuntimeException e) {
            // The buffer was closed meanwhile, is none of the device's, or there is no memory for the list of its
            // pages.
            fail(read, at, left, e);
            return NONE;
        }
    }

    private int bind(int read, long at, long target, long position, long left) {
        int skip = (int) (position % unit);
        // What of it lies before the first whole block.
        int head = skip == 0 ? 0 : unit - skip;
        long whole = roundUp(skip + left);
        Buffer buffer = straightInto;
        boolean straight = buffer != null
                && (target + head) % memoryAlignment == 0
                && left - head >= unit
                && (whole == left || whole > SMALL);
        int slot = freeSlots[free - 1];
        int part;
        if (buffer != null && straight && head == 0) {
            part = (int) Math.min(left - left % unit, most);
            queue.bindRead(slot, buffer, target, part);
            slotSkip[slot] = NONE;
        } else {
            part = straight ? head : (int) Math.min(left, besideBytes - skip);
            queue.bindRead(slot, beside, (long) slot * besideBytes, (int) roundUp(skip + part));
            slotSkip[slot] = skip;
        }
        free--;
        slotRead[slot] = read;
        slotFrom[slot] = at;
        slotTo[slot] = target;
        slotBytes[slot] = part;
        slotLba[slot] = (position - skip) / unit;
        commandsLeft[read]++;
        cut[read] += part;
        return slot;
    }

    private long roundUp(long length) {
        return (length + unit - 1) / unit * unit;
    }

    /** Takes what the queue tells, and goes on with what waits for it. */
    private void look(boolean wait) {
        take(wait);
        start();
    }

    private void take(boolean wait) {
        int n;
        try {
            n = wait ? queue.await(completed) : queue.poll(completed);
        } catch (IOException e) {
            giveUp(e);
            return;
        } catch (UncheckedIOException e) {
            giveUp(Objects.requireNonNull(e.getCause()));
            return;
        }
        for (int i = 0; i < n; i++) {
            int slot = completed[i] < 0 ? ~completed[i] : completed[i];
            arrived(slot, completed[i] < 0 ? queue.failure(slot) : null);
        }
    }

    /** A command is over; so is its read, if it was the last and none is to be made any more. */
    private void arrived(int slot, @Nullable Exception why) {
        freeSlots[free++] = slot;
        int read = slotRead[slot];
        Exception failure = why;
        if (failure == null && slotSkip[slot] != NONE && failures[read] == null) {
            try {
                long start = (long) slot * besideBytes + slotSkip[slot];
                landing.copy(beside.segment(), start, slotTo[slot], slotBytes[slot]);
            } catch (IOException | IllegalStateException e) {
                failure = e;
            }
        }
        commandsLeft[read]--;
        if (failure != null) {
            fail(read, slotFrom[slot], slotBytes[slot], failure);
        }
        endIfDone(read);
    }

    /** Notes why a read has failed, unless it had before. No more commands are made of it. */
    private void fail(int read, long at, long length, Exception why) {
        if (isWaiting(read)) {
            waiting.remove(read);
        }
        if (failures[read] == null) {
            String told = String.valueOf(why.getMessage());
            failures[read] = new IOException(
                    "%s: %d bytes at byte %d could not be read: %s"
                            .formatted(file, length, at, told.contains(origin) ? told : origin + ": " + told),
                    why);
        }
    }

    private boolean isWaiting(int read) {
        return !ended[read] && previous[read] != OUT;
    }

    private void endIfDone(int read) {
        if (commandsLeft[read] == 0 && !isWaiting(read) && !ended[read]) {
            end(read);
        }
    }

    private void end(int read) {
        ended[read] = true;
        over.add(read);
    }

    private int tell(long[] tickets) {
        int n = 0;
        while (n < tickets.length && over.first != NONE) {
            int read = over.first;
            over.remove(read);
            tickets[n++] = (long) turn[read] << 32 | read;
        }
        return n;
    }

    /** The queue tells no more: all reads have failed, and with the queue closed, if it can be, nothing is in flight. */
    private void giveUp(IOException why) {
        lost = why;
        try {
            queue.close();
        } catch (IOException | RuntimeException e) {
            unclosed = e;
            why.addSuppressed(e);
        }
        for (int read = 0; read < turn.length; read++) {
            if ((turn[read] & 1) != 0 && !ended[read]) {
                fail(read, from[read], bytes[read], why);
                commandsLeft[read] = 0;
                end(read);
            }
        }
        free = 0;
        for (int slot = freeSlots.length; slot-- > 0; ) {
            freeSlots[free++] = slot;
        }
    }

    /**
     * Waits for the commands that are in flight and frees the queue; what no command was made for yet is not read, and results
     * that were not taken are lost. Closing again does nothing.
     *
     * @throws IllegalStateException if it belongs to another thread that still runs
     * @throws IOException if the queue does not end: the caller's buffer may then still be written to, and is not to be freed
     */
    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        Thread user = owner;
        boolean mine = user == null || user == Thread.currentThread();
        if (user != null && !mine && user.isAlive()) {
            throw new IllegalStateException(
                    "%s is closed by %s, but belongs to %s".formatted(file, Thread.currentThread(), user));
        }
        closed = true;
        try {
            while (mine && lost == null && queue.outstanding() > 0) {
                take(true);
            }
        } finally {
            closeQueue();
        }
    }

    /** Closes the queue, and only then frees the memory that its commands write to. */
    private void closeQueue() throws IOException {
        queue.close();
        Exception before = unclosed;
        if (before != null) {
            throw new IOException(
                    "%s: the queue of %s could not be closed, and may still write to the buffer: %s"
                            .formatted(file, origin, before.getMessage()),
                    before);
        }
        beside.close();
        landing.close();
    }

    /** Reads in a row, each of them in one at most. */
    private final class Line {
        private int first = NONE;
        private int last = NONE;

        void add(int read) {
            next[read] = NONE;
            previous[read] = last;
            if (last == NONE) {
                first = read;
            } else {
                next[last] = read;
            }
            last = read;
        }

        void remove(int read) {
            if (previous[read] == NONE) {
                first = next[read];
            } else {
                next[previous[read]] = next[read];
            }
            if (next[read] == NONE) {
                last = previous[read];
            } else {
                previous[next[read]] = previous[read];
            }
            previous[read] = OUT;
        }
    }
}
