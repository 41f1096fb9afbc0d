package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** Ordinary memory as a dma-buf: the kernel's driver {@code udmabuf} ({@code linux/udmabuf.h}). */
public final class Udmabuf {
    /** Where the driver offers it. */
    public static final Path PATH = Path.of("/dev/udmabuf");

    /** {@code _IOW('u', 0x42, struct udmabuf_create)}. */
    static final long UDMABUF_CREATE = 0x4018_7542L;

    static final int UDMABUF_FLAGS_CLOEXEC = 1;

    /** {@code struct udmabuf_create}. */
    static final int BYTES = 24;

    static final int MEMFD = 0;
    static final int FLAGS = 4;
    static final int OFFSET = 8;
    static final int SIZE = 16;

    private Udmabuf() {}

    /**
     * Makes a dma-buf of a file in memory, from its start on. It keeps the pages, which stay the file's.
     *
     * @param file of {@link OpenFile#inMemory}
     * @param bytes a multiple of {@link Mapping#PAGE_SIZE}, of which the driver takes so many MiB at most as its parameter
     *     {@code size_limit_mb} says (64)
     * @return the dma-buf, to be closed
     * @throws LinuxException if the kernel refuses: {@code ENOENT} without the driver, {@code EACCES} for others than root
     *     and who root allows it, {@code EINVAL} for more bytes than it takes
     */
    public static OpenFile of(OpenFile file, long bytes) throws LinuxException {
        try (OpenFile node = OpenFile.open(PATH, OpenFile.Access.READ_WRITE);
                Arena arena = Arena.ofConfined()) {
            MemorySegment create = arena.allocate(BYTES, Long.BYTES);
            create.set(JAVA_INT, FLAGS, UDMABUF_FLAGS_CLOEXEC);
            create.set(JAVA_LONG, OFFSET, 0);
            create.set(JAVA_LONG, SIZE, bytes);
            int fd = file.with(memfd -> {
                create.set(JAVA_INT, MEMFD, memfd);
                return node.control("UDMABUF_CREATE", UDMABUF_CREATE, create);
            });
            return OpenFile.ofDescriptor(fd, Path.of("dma-buf of " + file.path()));
        }
    }
}
