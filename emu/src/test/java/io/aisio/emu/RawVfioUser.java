package io.aisio.emu;

import io.aisio.linux.EventFd;
import io.aisio.linux.OpenFile;
import io.aisio.linux.UnixConnection;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * One end of vfio-user in bytes, as the protocol's text has them and as SPDK's client was seen to send them: none of the
 * offsets of the code that is tested.
 */
final class RawVfioUser implements AutoCloseable {
    static final int EPERM = 1;
    static final int ENOENT = 2;
    static final int EINVAL = 22;
    static final int ENOSPC = 28;

    private static final Duration SOON = Duration.ofSeconds(20);

    private final UnixConnection connection;
    private final Arena arena;
    private final OpenFile[] always;

    RawVfioUser(UnixConnection connection) {
        this.connection = connection;
        arena = Arena.ofShared();
        always = new OpenFile[0];
    }

    /** The same end, which passes some files with whatever it sends. */
    RawVfioUser(RawVfioUser same, OpenFile... always) {
        connection = same.connection;
        arena = same.arena;
        this.always = always;
    }

    /** Open descriptors of what these tests pass: sockets, files in memory and of a test's folder, devices, counters. */
    static long openDescriptors() {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.filter(RawVfioUser::isPassed).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Others come and go as the JVM likes. */
    private static boolean isPassed(Path descriptor) {
        try {
            String target = Files.readSymbolicLink(descriptor).toString();
            return target.startsWith("socket:")
                    || target.startsWith("/memfd:")
                    || target.startsWith("/dev/zero")
                    || target.startsWith("/sys/kernel/btf/")
                    || target.contains("junit")
                    || target.contains("[eventfd]");
        } catch (IOException e) {
            // Closed meanwhile.
            return false;
        }
    }

    static RawVfioUser connect(Path socket) throws IOException {
        return new RawVfioUser(UnixConnection.connect(socket, SOON));
    }

    /** A message that came. */
    record Message(int id, int command, int size, int flags, int errno, ByteBuffer payload, List<OpenFile> files) {}

    static ByteBuffer bytes(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    static byte[] message(int id, int command, int flags, byte[] payload) {
        return bytes(16 + payload.length)
                .putShort((short) id)
                .putShort((short) command)
                .putInt(16 + payload.length)
                .putInt(flags)
                .putInt(0)
                .put(payload)
                .array();
    }

    void send(byte[] message, OpenFile... files) throws IOException {
        MemorySegment bytes = arena.allocate(Math.max(1, message.length));
        MemorySegment.copy(message, 0, bytes, ValueLayout.JAVA_BYTE, 0, message.length);
        List<OpenFile> passed = new ArrayList<>(List.of(files));
        passed.addAll(List.of(always));
        connection.send(bytes.asSlice(0, message.length), passed, SOON);
    }

    void sendEvents(byte[] message, EventFd... events) throws IOException {
        MemorySegment bytes = arena.allocate(message.length);
        MemorySegment.copy(message, 0, bytes, ValueLayout.JAVA_BYTE, 0, message.length);
        connection.sendEvents(bytes, List.of(events), SOON);
    }

    private boolean fill(MemorySegment target, List<OpenFile> files) throws IOException {
        for (long done = 0; done < target.byteSize(); ) {
            UnixConnection.Received got = connection.receive(target.asSlice(done), 16, SOON);
            files.addAll(got.files());
            if (got.bytes() == 0) {
                return false;
            }
            done += got.bytes();
        }
        return true;
    }

    Message receive() throws IOException {
        List<OpenFile> files = new ArrayList<>();
        MemorySegment header = arena.allocate(16);
        if (!fill(header, files)) {
            throw new IOException("the other end has left");
        }
        ByteBuffer fields = header.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        int size = fields.getInt(4);
        MemorySegment payload = arena.allocate(Math.max(1, size - 16)).asSlice(0, size - 16);
        if (!fill(payload, files)) {
            throw new IOException("the other end has left in the middle of a message");
        }
        return new Message(
                fields.getShort(0) & 0xFFFF,
                fields.getShort(2) & 0xFFFF,
                size,
                fields.getInt(8),
                fields.getInt(12),
                payload.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN),
                files);
    }

    /** Whether the other end has left, once it is over. */
    boolean isEnded() throws IOException {
        try {
            UnixConnection.Received got = connection.receive(arena.allocate(1), 0, SOON);
            return got.bytes() == 0;
        } catch (IOException e) {
            // ECONNRESET: it left with something of ours unread.
            return String.valueOf(e.getMessage()).contains("ECONNRESET");
        }
    }

    /** Sends a command, with id 0 as SPDK's client, and returns the reply, checked to be one. */
    Message call(int command, byte[] payload, OpenFile... files) throws IOException {
        send(message(0, command, 0, payload), files);
        Message reply = receive();
        require(
                reply.id() == 0 && reply.command() == command && (reply.flags() & 0xF) == 1,
                "a reply to command " + command + ", not " + reply);
        if ((reply.flags() & 0x20) != 0) {
            require(reply.size() == 16 && reply.errno() != 0, "an error, a bare header, not " + reply);
        }
        return reply;
    }

    /** Without AssertJ, which a JVM of its own has not. */
    private static void require(boolean holds, String expected) {
        if (!holds) {
            throw new AssertionError("expected " + expected);
        }
    }

    Message version() throws IOException {
        // Major 0, minor 1, no JSON.
        return call(1, new byte[] {0, 0, 1, 0});
    }

    static byte[] dmaMap(int flags, long offset, long iova, long size) {
        return bytes(32)
                .putInt(32)
                .putInt(flags)
                .putLong(offset)
                .putLong(iova)
                .putLong(size)
                .array();
    }

    static byte[] dmaUnmap(int flags, long iova, long size) {
        return bytes(24).putInt(24).putInt(flags).putLong(iova).putLong(size).array();
    }

    static byte[] access(int region, long offset, int count, byte... data) {
        return bytes(16 + data.length)
                .putLong(offset)
                .putInt(region)
                .putInt(count)
                .put(data)
                .array();
    }

    long read(int region, long offset, int count) throws IOException {
        Message reply = call(9, access(region, offset, count));
        require(
                reply.errno() == 0 && reply.payload().remaining() == 16 + count,
                count + " bytes at " + offset + " of region " + region + ", not " + reply);
        return switch (count) {
            case 2 -> reply.payload().getShort(16) & 0xFFFF;
            case 4 -> reply.payload().getInt(16) & 0xFFFF_FFFFL;
            default -> reply.payload().getLong(16);
        };
    }

    void write(int region, long offset, int count, long value) throws IOException {
        ByteBuffer data = bytes(8).putLong(value);
        Message reply = call(10, access(region, offset, count, java.util.Arrays.copyOf(data.array(), count)));
        require(
                reply.errno() == 0 && reply.payload().remaining() == 16,
                "the write of " + count + " bytes at " + offset + " of region " + region + ", not " + reply);
    }

    @Override
    public void close() {
        connection.close();
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
