package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.EventFd;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.linux.UnixConnection;
import io.aisio.linux.UnixListener;
import io.aisio.upcie.vfiouser.MessageException;
import io.aisio.upcie.vfiouser.MessageStream;
import io.aisio.upcie.vfiouser.VersionCapabilities;
import io.aisio.upcie.vfiouser.VfioUser;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * A client's end of vfio-user: one command at a time, each answered within a time.
 *
 * <p>A thread of its own receives. So it is noticed at once that the server has left; and a server that has no file of some
 * memory is answered what it asks for (DMA_READ, DMA_WRITE). A server that leaves, answers what was not asked, or does not
 * answer in time, is <em>gone</em>: from then on every request fails at once.
 */
final class VfioUserLink implements AutoCloseable {
    /** What a reply, or a message that has begun, may take: chosen long for a server that answers once a millisecond. */
    private static final Duration REPLY = Duration.ofSeconds(10);
    /** What the first reply may take: a server of one client at a time lets others wait. */
    private static final Duration FIRST_REPLY = Duration.ofSeconds(5);
    /** How the call begins of an error that the server has answered, rather than the connection failed with. */
    private static final String REFUSED = "vfio-user ";

    private final String name;
    private final MessageStream stream;
    private final Thread receiver;
    private final Object requests = new Object();
    private int lastId;

    /** The request that waits for its reply; guarded by itself being replaced as a whole. */
    private volatile @Nullable Pending pending;

    private VersionCapabilities server = VersionCapabilities.DEFAULT;
    private volatile @Nullable MemoryAccess memory;

    private final Object end = new Object();
    private volatile @Nullable String gone;
    private @Nullable Runnable listener;
    /** Whether the receiver has ended, under {@link #end}. */
    private boolean over;

    private volatile boolean closed;

    /** Memory of this process that the server may ask for by message. */
    interface MemoryAccess {
        /**
         * Copies between memory and a message.
         *
         * @param write whether memory is written
         * @return whether all of it is memory that the server was given
         */
        boolean transfer(long iova, MemorySegment data, boolean write);
    }

    /**
     * What a server answered. Who asked for files closes them.
     *
     * @param incomplete whether it came with more files than are taken
     */
    record Reply(MemorySegment bytes, List<OpenFile> files, boolean incomplete) {
        void closeFiles() {
            files.forEach(OpenFile::close);
        }
    }

    private record Pending(int id, int command, CompletableFuture<Reply> reply) {}

    /** How a request is sent. */
    private interface Sending {
        void send(int id) throws IOException;
    }

    private VfioUserLink(String name, UnixConnection connection) {
        this.name = name;
        stream = new MessageStream(connection, REPLY);
        receiver = Thread.ofPlatform().daemon().name("vfio-user " + name).unstarted(this::receive);
    }

    /**
     * Connects to a server, and agrees on a version.
     *
     * @throws IOException if nobody is there, or does not answer; the message says the next step
     */
    static VfioUserLink connect(Path socket) throws IOException {
        UnixConnection connection;
        try {
            connection = UnixConnection.connect(socket, FIRST_REPLY);
        } catch (LinuxException e) {
            throw explained(socket, e);
        }
        VfioUserLink link = new VfioUserLink(socket.toString(), connection);
        try {
            link.receiver.start();
            link.negotiate();
            return link;
        } catch (IOException | RuntimeException e) {
            link.close();
            throw e;
        }
    }

    private static IOException explained(Path socket, LinuxException e) throws IOException {
        String why = switch (e.errno()) {
            case Errno.ENOENT ->
                "there is no such socket; next: start a server there (./aisio emu serve" + " --socket " + socket
                        + " 1GiB), or name the socket of one";
            case Errno.EACCES ->
                "permission denied: only the user who started the server may connect; next: run as"
                        + " that user, or have the server give you the socket";
            case Errno.ECONNREFUSED ->
                UnixListener.isSocket(socket)
                        ? "nobody listens on this socket: the server that made it has ended; next: start it again"
                        : "this is no socket; next: name the one that a vfio-user server listens on";
            case Errno.EAGAIN -> "the server is busy with other clients; next: wait until one of them has left";
            default -> "";
        };
        if (why.isEmpty()) {
            throw e;
        }
        return new IOException(socket + ": " + why, e);
    }

    private void negotiate() throws IOException {
        MemorySegment payload = MemorySegment.ofArray(
                new VersionCapabilities(VfioUser.MOST_FILES, VfioUser.DEFAULT_TRANSFER, 65_535).payload());
        try {
            server = VersionCapabilities.parse(bytes(request(
                    id -> stream.command(id, VfioUser.VERSION, payload, List.of()), VfioUser.VERSION, FIRST_REPLY)));
        } catch (MessageException e) {
            throw new IOException(
                    name + ": the server answers VERSION with " + e.getMessage()
                            + "; next: see whether it is a vfio-user server",
                    e);
        } catch (IOException e) {
            if (e instanceof LinuxException refusal && refusal.call().startsWith(REFUSED)) {
                throw new IOException(
                        name + ": the server refuses: "
                                + (refusal.errno() == Errno.EBUSY
                                        ? "what it serves is in use; next: wait until its other client has left"
                                        : e.getMessage()),
                        e);
            }
            throw new IOException(
                    name + ": no answer from the server: it serves another client, one at a time, or is no vfio-user"
                            + " server; next: wait until the other client has left (" + e.getMessage() + ")",
                    e);
        }
    }

    /** What the server says of itself. */
    VersionCapabilities server() {
        return server;
    }

    /** Lets the server ask for memory by message. */
    void memory(MemoryAccess access) {
        memory = access;
    }

    /**
     * Asks the server, and waits for its answer. Files that come with it are closed.
     *
     * @param files that the server gets
     * @throws LinuxException if the server refuses, with the errno that it gives
     * @throws IOException if it is gone, or becomes so
     */
    MemorySegment request(int command, MemorySegment payload, List<OpenFile> files) throws IOException {
        return bytes(request(id -> stream.command(id, command, payload, files), command, REPLY));
    }

    /** The same with event counters. */
    MemorySegment requestWithEvents(int command, MemorySegment payload, List<EventFd> events) throws IOException {
        return bytes(request(id -> stream.commandWithEvents(id, command, payload, events), command, REPLY));
    }

    /** The same, for an answer that files belong to, which the caller closes. */
    Reply requestForFiles(int command, MemorySegment payload) throws IOException {
        return request(id -> stream.command(id, command, payload, List.of()), command, REPLY);
    }

    private static MemorySegment bytes(Reply reply) {
        reply.closeFiles();
        return reply.bytes;
    }

    private Reply request(Sending sending, int command, Duration limit) throws IOException {
        synchronized (requests) {
            requireThere();
            lastId = lastId + 1 & 0xFFFF;
            Pending waiting = new Pending(lastId, command, new CompletableFuture<>());
            pending = waiting;
            // Between the two looks the server may have gone without seeing this one wait.
            requireThere();
            try {
                sending.send(waiting.id);
            } catch (IOException e) {
                lost(e.getMessage());
                throw e;
            }
            return await(waiting, limit);
        }
    }

    private Reply await(Pending waiting, Duration limit) throws IOException {
        long until = System.nanoTime() + limit.toNanos();
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return waiting.reply.get(Math.max(0, until - System.nanoTime()), TimeUnit.NANOSECONDS);
                } catch (InterruptedException e) {
                    // A reply that nobody waits for would be taken for that of the next request.
                    interrupted = true;
                } catch (TimeoutException e) {
                    lost("no answer to " + VfioUser.commandName(waiting.command) + " within " + limit.toMillis()
                            + " ms");
                    // One may have come at this very moment, whose files nobody else would close.
                    var _ = waiting.reply.thenAccept(Reply::closeFiles);
                    requireThere();
                } catch (ExecutionException e) {
                    if (e.getCause() instanceof LinuxException refused) {
                        throw refused;
                    }
                    requireThere();
                    throw new AssertionError(e);
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Whether the server is gone. */
    boolean isGone() {
        return gone != null;
    }

    private void requireThere() throws IOException {
        if (closed) {
            throw new IllegalStateException(name + " is closed");
        }
        String why = gone;
        if (why != null) {
            throw new IOException(name + ": the server is gone: " + why);
        }
    }

    /** Names whom to tell when the server is gone; it is told at once if it is already. */
    void onGone(Runnable told) {
        synchronized (end) {
            if (!over) {
                listener = told;
                return;
            }
        }
        told.run();
    }

    /**
     * Gives the server up: whoever waits fails now. The listener is told by the receiver, which holds no lock that the
     * listener may wait for.
     */
    void lost(@Nullable String why) {
        synchronized (end) {
            if (gone != null) {
                return;
            }
            gone = why == null ? "the connection is broken" : why;
        }
        // Without a connection, the server has none of the memory either.
        stream.shutDown();
        Pending waiting = pending;
        if (waiting != null) {
            waiting.reply.completeExceptionally(new IOException(gone));
        }
    }

    // The receiver's thread.

    private void receive() {
        try {
            while (!closed && gone == null) {
                if (!stream.await(Duration.ofMinutes(1))) {
                    continue;
                }
                MessageStream.Message message = stream.receive();
                if (message == null) {
                    lost("it has closed the connection");
                    return;
                }
                received(message);
            }
        } catch (IOException e) {
            lost(e.getMessage());
        } catch (RuntimeException | Error e) {
            // Whoever waits would wait for a thread that is no more.
            lost("what receives from it has failed: " + e);
            throw e;
        } finally {
            tell();
        }
    }

    private void tell() {
        Runnable told;
        synchronized (end) {
            over = true;
            told = listener;
            listener = null;
        }
        if (told != null && !closed) {
            told.run();
        }
    }

    private void received(MessageStream.Message message) throws IOException {
        if (message.isCommand()) {
            message.closeFiles();
            answer(message);
            return;
        }
        Pending waiting = pending;
        if (!message.isReply()
                || waiting == null
                || message.id() != waiting.id
                || message.command() != waiting.command
                || waiting.reply.isDone()) {
            message.closeFiles();
            throw new MessageException("a message that answers nothing: " + VfioUser.commandName(message.command())
                    + ", id " + message.id() + ", flags 0x" + Integer.toHexString(message.flags()));
        }
        if (message.isError()) {
            message.closeFiles();
            waiting.reply.completeExceptionally(
                    new LinuxException(REFUSED + VfioUser.commandName(message.command()), name, message.error()));
            return;
        }
        Reply reply = new Reply(
                MemorySegment.ofArray(message.payload().toArray(ValueLayout.JAVA_BYTE)),
                message.files(),
                message.incomplete());
        // Whoever asked may have given up at this very moment.
        if (!waiting.reply.complete(reply)) {
            message.closeFiles();
        }
    }

    private void answer(MessageStream.Message message) throws IOException {
        int command = message.command();
        MemorySegment payload = message.payload();
        MemoryAccess access = memory;
        boolean write = command == VfioUser.DMA_WRITE;
        int errno = Errno.EINVAL;
        if (access != null && (write || command == VfioUser.DMA_READ) && payload.byteSize() >= VfioUser.DMA_ACCESS) {
            long address = VfioUser.u64(payload, VfioUser.DMA_ACCESS_ADDRESS);
            long count = VfioUser.u64(payload, VfioUser.DMA_ACCESS_COUNT);
            long room = write ? payload.byteSize() - VfioUser.DMA_ACCESS : VfioUser.DEFAULT_TRANSFER;
            if (count >= 0 && (write ? count == room : count <= room)) {
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment reply = arena.allocate(VfioUser.DMA_ACCESS + (write ? 0 : count));
                    MemorySegment.copy(payload, 0, reply, 0, VfioUser.DMA_ACCESS);
                    MemorySegment data =
                            write ? payload.asSlice(VfioUser.DMA_ACCESS) : reply.asSlice(VfioUser.DMA_ACCESS);
                    if (access.transfer(address, data, write)) {
                        if ((message.flags() & VfioUser.FLAG_NO_REPLY) == 0) {
                            stream.reply(message, reply, List.of());
                        }
                        return;
                    }
                }
            }
        }
        if ((message.flags() & VfioUser.FLAG_NO_REPLY) == 0) {
            stream.replyError(message, errno);
        }
    }

    /** Ends the connection. Closing again does nothing. */
    @Override
    public void close() {
        closed = true;
        stream.shutDown();
        if (Thread.currentThread() != receiver && receiver.getState() != Thread.State.NEW) {
            boolean interrupted = false;
            while (receiver.isAlive()) {
                try {
                    receiver.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        stream.close();
    }
}
