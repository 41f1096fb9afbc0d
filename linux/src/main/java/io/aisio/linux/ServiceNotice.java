package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What a service tells who started it ({@code sd_notify(3)}): a datagram of lines such as {@code READY=1} to the socket that
 * {@code $NOTIFY_SOCKET} names, a path or, with {@code @} at its beginning, an abstract name.
 */
public final class ServiceNotice {
    /** Chosen: who does not read within two seconds is not waited for. */
    private static final long PATIENCE_SECONDS = 2;
    /** UNIX_PATH_MAX of {@code linux/un.h}. */
    private static final int NAME_BYTES = 108;
    /** {@code struct sockaddr_un}: the name's place. */
    private static final int NAME = 2;

    private ServiceNotice() {}

    /**
     * Tells it, if somebody wants to know.
     *
     * @param lines assignments such as {@code READY=1}, {@code STATUS=two devices}, {@code STOPPING=1}; a line break in one
     *     becomes a space
     * @return whether somebody was told; false without {@code $NOTIFY_SOCKET}
     * @throws IOException if the socket cannot be reached, or does not take it within 2 seconds
     */
    public static boolean send(String... lines) throws IOException {
        return sendTo(System.getenv("NOTIFY_SOCKET"), lines);
    }

    static boolean sendTo(@Nullable String socket, String... lines) throws IOException {
        if (socket == null || socket.isEmpty()) {
            return false;
        }
        StringBuilder text = new StringBuilder();
        for (String line : lines) {
            text.append(line.replace('\n', ' ')).append('\n');
        }
        int fd = Libc.socket(Libc.AF_UNIX, Libc.SOCK_DGRAM | Libc.SOCK_CLOEXEC);
        if (fd < 0) {
            throw failed("socket", socket);
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment time = arena.allocate(16, 8);
            time.set(JAVA_LONG, 0, PATIENCE_SECONDS);
            if (Libc.setsockopt(fd, Libc.SO_SNDTIMEO, time) != 0) {
                throw failed("setsockopt", socket);
            }
            MemorySegment address =
                    socket.charAt(0) == '@' ? abstractName(arena, socket) : UnixAddress.of(arena, Path.of(socket));
            if (Libc.connect(fd, address, (int) address.byteSize()) != 0) {
                throw failed("connect", socket);
            }
            byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
            if (Libc.write(fd, arena.allocateFrom(JAVA_BYTE, bytes)) != bytes.length) {
                throw failed("write", socket);
            }
            return true;
        } finally {
            int _ = Libc.close(fd);
        }
    }

    /** A name that begins with a zero byte, and ends with the address: {@code unix(7)}. */
    private static MemorySegment abstractName(Arena arena, String socket) throws IOException {
        byte[] name = socket.getBytes(StandardCharsets.UTF_8);
        if (name.length > NAME_BYTES) {
            throw new IOException(socket + ": the name of a socket is at most " + NAME_BYTES + " bytes long");
        }
        name[0] = 0;
        MemorySegment address = arena.allocate(NAME + name.length, 2);
        address.set(JAVA_SHORT, 0, (short) Libc.AF_UNIX);
        MemorySegment.copy(name, 0, address, JAVA_BYTE, NAME, name.length);
        return address;
    }

    private static LinuxException failed(String call, String socket) {
        return new LinuxException(call, "NOTIFY_SOCKET " + socket, Libc.errno());
    }
}
