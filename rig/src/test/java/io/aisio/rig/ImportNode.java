package io.aisio.rig;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.aisio.linux.OpenFile;
import io.aisio.linux.UdmabufImport;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The module {@code udmabuf-import} as its header has it, one open file of it. */
final class ImportNode implements AutoCloseable {
    static final long ATTACH = 0xC020_7547L;
    static final long DETACH = 0x4004_7548L;
    static final long GET_MAP = 0xC018_7549L;
    static final int ATTACH_BYTES = 32;
    static final int GET_MAP_BYTES = 24;
    static final int SEGMENT_BYTES = 16;
    /** The controller's, of {@link Driven#CONTROLLER}. */
    static final int CONTROLLER_BUS = 1;

    private final OpenFile file;

    ImportNode(OpenFile file) {
        this.file = file;
    }

    static ImportNode open() throws IOException {
        return new ImportNode(OpenFile.open(UdmabufImport.PATH, OpenFile.Access.READ_WRITE));
    }

    OpenFile file() {
        return file;
    }

    /** An argument of ATTACH for the controller. */
    static MemorySegment attachment(Arena arena, int fd) {
        MemorySegment attach = arena.allocate(ATTACH_BYTES, 8);
        attach.set(JAVA_INT, 0, fd);
        attach.set(JAVA_BYTE, 12, (byte) CONTROLLER_BUS);
        attach.set(JAVA_BYTE, 15, (byte) 64);
        return attach;
    }

    /** An argument of GET_MAP. */
    static MemorySegment map(Arena arena, int handle, int first, int count, long segments) {
        MemorySegment map = arena.allocate(GET_MAP_BYTES, 8);
        map.set(JAVA_INT, 0, handle);
        map.set(JAVA_INT, 4, first);
        map.set(JAVA_INT, 8, count);
        map.set(JAVA_LONG, 16, segments);
        return map;
    }

    int call(long request, MemorySegment argument) {
        return Ioctl.call(file.descriptor(), request, argument);
    }

    /** The handle, or an errno with a minus. */
    int attach(OpenFile dmaBuf) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attach = attachment(arena, dmaBuf.descriptor());
            int answer = call(ATTACH, attach);
            return answer < 0 ? answer : attach.get(JAVA_INT, 16);
        }
    }

    /** The addresses of an import's segments from one on, or one number: an errno with a minus. */
    long[] addresses(int handle, int first, int count) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segments = arena.allocate((long) SEGMENT_BYTES * Math.max(count, 1), 8);
            MemorySegment map = map(arena, handle, first, count, segments.address());
            int answer = call(GET_MAP, map);
            if (answer < 0) {
                return new long[] {answer};
            }
            long[] addresses = new long[map.get(JAVA_INT, 8)];
            for (int i = 0; i < addresses.length; i++) {
                addresses[i] = segments.get(JAVA_LONG, (long) SEGMENT_BYTES * i);
            }
            return addresses;
        }
    }

    int detach(int handle) {
        try (Arena arena = Arena.ofConfined()) {
            return call(DETACH, arena.allocateFrom(JAVA_INT, handle));
        }
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
