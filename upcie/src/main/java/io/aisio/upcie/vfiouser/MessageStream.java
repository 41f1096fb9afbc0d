package io.aisio.upcie.vfiouser;

import io.aisio.linux.OpenFile;
import io.aisio.linux.UnixConnection;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Messages of vfio-user over a connection, either end's. One thread receives, any sends; any may {@link #close}.
 *
 * <p>A message that has begun must be there whole within a time, so that an end that sends a byte now and then holds up
 * nobody for long.
 */
public final class MessageStream implements AutoCloseable {
    private static final int FIRST_PAYLOAD = 4096;

    private final UnixConnection connection;
    private final Duration limit;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment incomingHeader = arena.allocate(VfioUser.HEADER, 8);
    /** Grows once, to the longest message. */
    private MemorySegment incoming = arena.allocate(FIRST_PAYLOAD, 8);

    private MemorySegment outgoing = arena.allocate(FIRST_PAYLOAD, 8);

    /**
     * A message that has come.
     *
     * @param id as its sender chose it
     * @param command one of {@link VfioUser}'s, or not
     * @param flags type and flags of the header
     * @param error errno of a reply that failed
     * @param payload what follows the header; good until the next message is received
     * @param files what passed with it; who receives closes them
     * @param incomplete whether it came with more descriptors than there was room for
     */
    public record Message(
            int id,
            int command,
            int flags,
            int error,
            MemorySegment payload,
            List<OpenFile> files,
            boolean incomplete) {
        /** Copies the list. */
        public Message {
            files = List.copyOf(files);
        }

        /** Whether it is a reply. */
        public boolean isReply() {
            return (flags & VfioUser.TYPE_MASK) == VfioUser.TYPE_REPLY;
        }

        /** Whether it is a command. */
        public boolean isCommand() {
            return (flags & VfioUser.TYPE_MASK) == VfioUser.TYPE_COMMAND;
        }

        /** Whether it is a reply that says that the command failed. */
        public boolean isError() {
            return (flags & VfioUser.FLAG_ERROR) != 0;
        }

        /** Closes all that was passed. */
        public void closeFiles() {
            files.forEach(OpenFile::close);
        }
    }

    /**
     * @param connection becomes the stream's: it is closed with it
     * @param limit how long a message that has begun may take, and one that is sent
     */
    public MessageStream(UnixConnection connection, Duration limit) {
        this.connection = connection;
        this.limit = limit;
    }

    /** The connection, to ask who is there. */
    public UnixConnection connection() {
        return connection;
    }

    /**
     * Waits until a message begins, or the other end has left.
     *
     * @return whether one of both is so
     */
    public boolean await(Duration atMost) throws IOException {
        return connection.await(atMost);
    }

    /**
     * Receives a message, whose beginning is there or comes within the time that a message may take.
     *
     * @return the message, or null if the other end has left after the last one
     * @throws MessageException if it is cut short, longer than {@link VfioUser#LONGEST_MESSAGE}, or no message
     * @throws IOException if it does not come in time, or the connection is broken
     */
    public @Nullable Message receive() throws IOException {
        long until = System.nanoTime() + limit.toNanos();
        List<OpenFile> files = new ArrayList<>();
        try {
            boolean incomplete = fill(incomingHeader, files, until, true);
            if (ended) {
                return null;
            }
            long size = VfioUser.u32(incomingHeader, VfioUser.SIZE) & 0xFFFF_FFFFL;
            if (size < VfioUser.HEADER || size > VfioUser.LONGEST_MESSAGE) {
                throw new MessageException("a message of " + size + " bytes; from " + VfioUser.HEADER + " to "
                        + VfioUser.LONGEST_MESSAGE + " are possible");
            }
            long bytes = size - VfioUser.HEADER;
            if (bytes > incoming.byteSize()) {
                incoming = arena.allocate(VfioUser.LONGEST_MESSAGE, 8);
            }
            MemorySegment payload = incoming.asSlice(0, bytes);
            if (bytes > 0) {
                incomplete |= fill(payload, files, until, false);
            }
            List<OpenFile> passed = List.copyOf(files);
            files.clear();
            return new Message(
                    VfioUser.u16(incomingHeader, VfioUser.ID),
                    VfioUser.u16(incomingHeader, VfioUser.COMMAND),
                    VfioUser.u32(incomingHeader, VfioUser.FLAGS),
                    VfioUser.u32(incomingHeader, VfioUser.ERROR),
                    payload,
                    passed,
                    incomplete);
        } finally {
            files.forEach(OpenFile::close);
        }
    }

    /** Whether the other end has left between two messages. */
    private boolean ended;

    /** Fills a buffer; whether descriptors were lost on the way. */
    private boolean fill(MemorySegment target, List<OpenFile> files, long until, boolean first) throws IOException {
        boolean incomplete = false;
        long done = 0;
        while (done < target.byteSize()) {
            UnixConnection.Received got = connection.receive(
                    target.asSlice(done),
                    Math.max(0, VfioUser.MOST_FILES - files.size()),
                    Duration.ofNanos(Math.max(0, until - System.nanoTime())));
            files.addAll(got.files());
            incomplete |= got.incomplete();
            if (got.bytes() == 0) {
                if (first && done == 0) {
                    ended = true;
                    return incomplete;
                }
                throw new MessageException("a message that ends after " + done + " of the " + target.byteSize()
                        + " bytes of its " + (first ? "header" : "payload"));
            }
            done += got.bytes();
        }
        return incomplete;
    }

    /** Sends a command, with descriptors of files. */
    public void command(int id, int command, MemorySegment payload, List<OpenFile> files) throws IOException {
        send(id, command, VfioUser.TYPE_COMMAND, 0, payload, files);
    }

    /** Sends a command with descriptors of event counters, which nobody closes meanwhile. */
    public void commandWithEvents(int id, int command, MemorySegment payload, List<io.aisio.linux.EventFd> events)
            throws IOException {
        synchronized (this) {
            connection.sendEvents(message(id, command, VfioUser.TYPE_COMMAND, 0, payload), events, limit);
        }
    }

    /** Answers a command. */
    public void reply(Message to, MemorySegment payload, List<OpenFile> files) throws IOException {
        send(to.id(), to.command(), VfioUser.TYPE_REPLY, 0, payload, files);
    }

    /** Answers that a command failed. */
    public void replyError(Message to, int errno) throws IOException {
        send(
                to.id(),
                to.command(),
                VfioUser.TYPE_REPLY | VfioUser.FLAG_ERROR,
                errno,
                MemorySegment.NULL.asSlice(0, 0),
                List.of());
    }

    private synchronized void send(
            int id, int command, int flags, int error, MemorySegment payload, List<OpenFile> files) throws IOException {
        connection.send(message(id, command, flags, error, payload), files, limit);
    }

    /** Header and payload in one piece, as servers want them. */
    private MemorySegment message(int id, int command, int flags, int error, MemorySegment payload) {
        long size = VfioUser.HEADER + payload.byteSize();
        if (size > outgoing.byteSize()) {
            outgoing = arena.allocate(VfioUser.LONGEST_MESSAGE, 8);
        }
        VfioUser.u16(outgoing, VfioUser.ID, id);
        VfioUser.u16(outgoing, VfioUser.COMMAND, command);
        VfioUser.u32(outgoing, VfioUser.SIZE, (int) size);
        VfioUser.u32(outgoing, VfioUser.FLAGS, flags);
        VfioUser.u32(outgoing, VfioUser.ERROR, error);
        MemorySegment.copy(payload, 0, outgoing, VfioUser.HEADER, payload.byteSize());
        return outgoing.asSlice(0, size);
    }

    /** Ends the connection, so that every wait on it ends. */
    public void shutDown() {
        connection.shutDown();
    }

    /** Closes the connection, once waits on it have ended, which it sees to. Closing again does nothing. */
    @Override
    public void close() {
        // First, as a thread that sends has the lock.
        connection.shutDown();
        synchronized (this) {
            connection.close();
            if (arena.scope().isAlive()) {
                arena.close();
            }
        }
    }
}
