package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/**
 * What maps and programs of {@code bpf(2)} share: commands, and how they are called ({@code union bpf_attr} of
 * {@code linux/bpf.h}). Attributes that a kernel does not know yet must be zero, which those not set are.
 */
final class Bpf {
    static final int PROG_LOAD = 5;
    static final int OBJ_GET_INFO_BY_FD = 15;
    static final int RAW_TRACEPOINT_OPEN = 17;
    static final int BTF_GET_FD_BY_ID = 19;
    static final int BTF_GET_NEXT_ID = 23;

    /** As much of the union as any command here uses. */
    static final int ATTRIBUTE_BYTES = 120;

    /** BPF_OBJ_NAME_LEN, with the zero that ends it. */
    private static final int NAME_BYTES = 16;

    private static final int MAP_CREATE = 0;
    /** Of MAP_CREATE. */
    private static final long KEY_SIZE = 4;

    private static final long VALUE_SIZE = 8;
    private static final long MAX_ENTRIES = 12;
    private static final long MAP_FLAGS = 16;
    private static final long MAP_NAME = 28;

    private Bpf() {}

    static MemorySegment attributes(Arena arena) {
        return arena.allocate(ATTRIBUTE_BYTES, 8);
    }

    /** A descriptor of a new map. */
    static int createMap(String name, int type, int keyBytes, int valueBytes, int entries, int flags)
            throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attributes = attributes(arena);
            attributes.set(JAVA_INT, 0, type);
            attributes.set(JAVA_INT, KEY_SIZE, keyBytes);
            attributes.set(JAVA_INT, VALUE_SIZE, valueBytes);
            attributes.set(JAVA_INT, MAX_ENTRIES, entries);
            attributes.set(JAVA_INT, MAP_FLAGS, flags);
            setName(attributes, MAP_NAME, name);
            long fd = Libc.bpf(MAP_CREATE, attributes);
            if (fd < 0) {
                throw new LinuxException("bpf", "the map " + name, Libc.errno());
            }
            return (int) fd;
        }
    }

    /** Sets a name of at most 15 letters, digits, dots and underscores. */
    static void setName(MemorySegment attributes, long offset, String name) {
        byte[] bytes = name.getBytes(StandardCharsets.US_ASCII);
        if (bytes.length >= NAME_BYTES) {
            throw new IllegalArgumentException(name + " is longer than " + (NAME_BYTES - 1) + " characters");
        }
        MemorySegment.copy(bytes, 0, attributes, JAVA_BYTE, offset, bytes.length);
    }
}
