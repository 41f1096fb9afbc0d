package io.aisio.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What the kernel tells of devices that come, go and get drivers (NETLINK_KOBJECT_UEVENT, {@code linux/netlink.h}), from when it was
 * opened. One thread awaits; any may {@link #wake}.
 */
public final class Uevents implements AutoCloseable {
    /** {@code linux/netlink.h}. */
    static final int NETLINK_KOBJECT_UEVENT = 15;
    /** The group that the kernel tells; udev tells another. */
    static final int KERNEL_GROUP = 1;

    // struct sockaddr_nl.
    static final int SOCKADDR_NL_BYTES = 12;
    static final int NL_PID = 4;
    static final int NL_GROUPS = 8;

    // struct msghdr, bits/socket.h.
    private static final int MSGHDR_BYTES = 56;
    private static final int MSG_NAMELEN = 8;
    private static final int MSG_IOV = 16;
    private static final int MSG_IOVLEN = 24;

    /** Longer than any: the kernel's own buffer has 2048 bytes (UEVENT_BUFFER_SIZE). */
    private static final int MOST = 8192;

    private static final String NAME = "the kernel's events of devices";

    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(MOST);
    private final MemorySegment vector = arena.allocate(16, 8);
    private final MemorySegment sender = arena.allocate(SOCKADDR_NL_BYTES, 8);
    private final MemorySegment header = arena.allocate(MSGHDR_BYTES, 8);
    private final Waker waker;
    private final int fd;
    private boolean closed;

    /**
     * Something that happened to a device.
     *
     * @param action {@code add}, {@code remove}, {@code bind}, {@code unbind}, {@code change} and others; {@link #LOST}
     * @param path of the device beneath {@code /sys}
     * @param properties what else is told: {@code SUBSYSTEM}, {@code PCI_SLOT_NAME}, {@code DRIVER} and others
     */
    public record Uevent(String action, String path, Map<String, String> properties) {
        /** The action that stands for events that were lost, as they came faster than they were taken. */
        public static final String LOST = "lost";

        /** Copies the properties. */
        public Uevent {
            properties = Map.copyOf(properties);
        }

        /** A property; null if it is not told. */
        public @Nullable String property(String name) {
            return properties.get(name);
        }

        /** Of a message; empty if it is none of the kernel's. */
        static Optional<Uevent> parse(byte[] message) {
            String text = new String(message, StandardCharsets.ISO_8859_1);
            String[] parts = text.split("\0", -1);
            int at = parts[0].indexOf('@');
            if (at <= 0) {
                return Optional.empty();
            }
            Map<String, String> properties = new LinkedHashMap<>();
            for (int i = 1; i < parts.length; i++) {
                int equals = parts[i].indexOf('=');
                if (equals > 0) {
                    properties.put(parts[i].substring(0, equals), parts[i].substring(equals + 1));
                }
            }
            return Optional.of(new Uevent(parts[0].substring(0, at), parts[0].substring(at + 1), properties));
        }
    }

    /**
     * Begins to listen.
     *
     * @throws LinuxException if the kernel refuses
     */
    public Uevents() throws LinuxException {
        waker = new Waker();
        fd = Libc.socket(
                Libc.AF_NETLINK, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC | Libc.SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
        if (fd < 0) {
            throw failed("socket", Libc.errno(), false);
        }
        sender.set(JAVA_SHORT, 0, (short) Libc.AF_NETLINK);
        sender.set(JAVA_INT, NL_GROUPS, KERNEL_GROUP);
        if (Libc.bind(fd, sender, SOCKADDR_NL_BYTES) != 0) {
            throw failed("bind", Libc.errno(), true);
        }
        vector.set(ADDRESS, 0, buffer);
        vector.set(JAVA_LONG, 8, MOST);
        header.set(ADDRESS, 0, sender);
        header.set(ADDRESS, MSG_IOV, vector);
        header.set(JAVA_LONG, MSG_IOVLEN, 1);
    }

    private LinuxException failed(String call, int errno, boolean opened) {
        if (opened) {
            int _ = Libc.close(fd);
        }
        waker.close();
        arena.close();
        return new LinuxException(call, NAME, errno);
    }

    /**
     * Waits for the next.
     *
     * @param millis at most; -1 for ever
     * @return empty if the time is over, or {@link #wake} was called
     * @throws LinuxException if the kernel refuses
     * @throws IllegalStateException if it is closed
     */
    public Optional<Uevent> await(int millis) throws LinuxException {
        if (closed) {
            throw new IllegalStateException(NAME + ": closed");
        }
        Optional<Uevent> there = take();
        if (there.isPresent() || !waker.await(fd, -1, millis)) {
            return there;
        }
        return take();
    }

    /** Takes what is there, past what others than the kernel say. */
    private Optional<Uevent> take() throws LinuxException {
        while (true) {
            header.set(JAVA_INT, MSG_NAMELEN, SOCKADDR_NL_BYTES);
            long bytes = Libc.recvmsg(fd, header, Libc.MSG_DONTWAIT);
            if (bytes < 0) {
                switch (Libc.errno()) {
                    case Errno.EAGAIN -> {
                        return Optional.empty();
                    }
                    case Errno.ENOBUFS -> {
                        return Optional.of(new Uevent(Uevent.LOST, "", Map.of()));
                    }
                    case Errno.EINTR -> {}
                    default -> throw new LinuxException("recvmsg", NAME, Libc.errno());
                }
            } else if (sender.get(JAVA_INT, NL_PID) == 0) {
                Optional<Uevent> event = Uevent.parse(buffer.asSlice(0, bytes).toArray(JAVA_BYTE));
                if (event.isPresent()) {
                    return event;
                }
            }
        }
    }

    /** Ends the wait that is under way, or else the next one. */
    public void wake() {
        waker.wake();
    }

    /** Closes it; nobody may be waiting. Closing again does nothing. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            int _ = Libc.close(fd);
            waker.close();
            arena.close();
        }
    }
}
