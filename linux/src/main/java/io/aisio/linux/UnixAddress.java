package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** {@code struct sockaddr_un} of {@code linux/un.h}: the family, then the path with its NUL. */
final class UnixAddress {
    private static final int PATH = 2;
    /** UNIX_PATH_MAX. */
    private static final int PATH_BYTES = 108;

    private UnixAddress() {}

    /** @throws IOException if the path is too long for a socket; the message says the next step */
    static MemorySegment of(Arena arena, Path path) throws IOException {
        byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
        if (name.length >= PATH_BYTES) {
            throw new IOException(
                    path + ": a socket's path is at most " + (PATH_BYTES - 1) + " bytes long, and this one "
                            + name.length + "; next: use a shorter one, or a relative one from another folder");
        }
        MemorySegment address = arena.allocate(PATH + name.length + 1L, 2);
        address.set(JAVA_SHORT, 0, (short) Libc.AF_UNIX);
        MemorySegment.copy(name, 0, address, JAVA_BYTE, PATH, name.length);
        return address;
    }
}
