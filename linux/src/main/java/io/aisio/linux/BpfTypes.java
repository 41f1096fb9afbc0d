package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * The types of a kernel module as the kernel holds them (BTF), so that a program can name one of them. One thread uses
 * and closes it; while it is open, the module's types stay.
 */
public final class BpfTypes implements AutoCloseable {
    /** For BPF_BTF_GET_NEXT_ID: from where on, and what is next. */
    private static final long NEXT_ID = 4;
    /** For BPF_OBJ_GET_INFO_BY_FD. */
    private static final long INFO_LEN = 4;

    private static final long INFO = 8;
    /** {@code struct bpf_btf_info}, since Linux 5.11. */
    private static final long NAME = 16;

    private static final long NAME_LEN = 24;
    private static final long KERNEL_BTF = 28;
    private static final int INFO_BYTES = 32;
    /** MODULE_NAME_LEN is 64 less the size of a long. */
    private static final int NAME_BYTES = 64;

    private final int fd;
    private boolean closed;

    private BpfTypes(int fd) {
        this.fd = fd;
    }

    /**
     * Finds those of a module.
     *
     * @return null if the kernel holds none of this name
     * @throws LinuxException if the kernel refuses ({@code EPERM}: CAP_SYS_ADMIN is needed)
     */
    public static @Nullable BpfTypes ofModule(String name) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attributes = Bpf.attributes(arena);
            int id = 0;
            while (true) {
                attributes.fill((byte) 0);
                attributes.set(JAVA_INT, 0, id);
                if (Libc.bpf(Bpf.BTF_GET_NEXT_ID, attributes) < 0) {
                    if (Libc.errno() == Errno.ENOENT) {
                        return null;
                    }
                    throw new LinuxException("bpf", "the types of the module " + name, Libc.errno());
                }
                id = attributes.get(JAVA_INT, NEXT_ID);
                attributes.fill((byte) 0);
                attributes.set(JAVA_INT, 0, id);
                int fd = (int) Libc.bpf(Bpf.BTF_GET_FD_BY_ID, attributes);
                if (fd < 0) {
                    if (Libc.errno() == Errno.ENOENT) {
                        // Gone since.
                        continue;
                    }
                    throw new LinuxException("bpf", "the types of the module " + name, Libc.errno());
                }
                BpfTypes types = new BpfTypes(fd);
                if (types.isOfModule(name)) {
                    return types;
                }
                types.close();
            }
        }
    }

    private boolean isOfModule(String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(NAME_BYTES);
            MemorySegment info = arena.allocate(INFO_BYTES, 8);
            info.set(JAVA_LONG, NAME, text.address());
            info.set(JAVA_INT, NAME_LEN, NAME_BYTES);
            MemorySegment attributes = Bpf.attributes(arena);
            attributes.set(JAVA_INT, 0, fd);
            attributes.set(JAVA_INT, INFO_LEN, INFO_BYTES);
            attributes.set(JAVA_LONG, INFO, info.address());
            // A program's types have no name that is as long as this, which is an error then.
            return Libc.bpf(Bpf.OBJ_GET_INFO_BY_FD, attributes) == 0
                    && info.get(JAVA_INT, KERNEL_BTF) != 0
                    && text.getString(0, StandardCharsets.US_ASCII).equals(name);
        }
    }

    int descriptor() {
        return fd;
    }

    /** Gives them back. Closing again does nothing. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            int _ = Libc.close(fd);
        }
    }
}
