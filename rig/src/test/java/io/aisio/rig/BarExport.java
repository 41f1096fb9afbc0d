package io.aisio.rig;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.upcie.PeerMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A device whose memory is in a BAR ({@code memory} in a description of devices), and the module {@code bar-export} of the
 * tests, which makes dma-bufs of it and counts what their importers have.
 */
final class BarExport {
    static final String FUNCTION = "0000:00:05.0";
    static final int BAR = 2;
    static final long BYTES = 16 << 20;

    private static final int DEVICE = 5;
    private static final Path NODE = Path.of("/dev/bar-export");
    private static final Path COUNTS = Path.of("/sys/module/bar_export/parameters");

    /** {@code _IOWR('B', 1, struct bar_export)}. */
    static final long BAR_EXPORT = 0xC020_4201L;
    /** {@code _IO('B', 2)}. */
    static final long BAR_EXPORT_REVOKE = 0x4202L;

    static final int STRUCT_BYTES = 32;

    /** {@code enum bar_export_kind}. */
    enum Kind {
        DYNAMIC,
        STATIC,
        UNPINNABLE,
        SCATTERED,
        SHORT,
        UNALIGNED,
        UNMAPPABLE
    }

    private BarExport() {}

    /** A descriptor of a new dma-buf, or an errno with a minus. */
    static int export(int node, Kind kind, long offset, long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment export = arena.allocate(STRUCT_BYTES, 8);
            export.set(JAVA_BYTE, 5, (byte) DEVICE);
            export.set(JAVA_BYTE, 7, (byte) BAR);
            export.set(JAVA_LONG, 8, offset);
            export.set(JAVA_LONG, 16, bytes);
            export.set(JAVA_INT, 24, kind.ordinal());
            int answer = Ioctl.call(node, BAR_EXPORT, export);
            return answer < 0 ? answer : export.get(JAVA_INT, 28);
        }
    }

    static OpenFile export(Kind kind, long offset, long bytes) {
        try (OpenFile node = OpenFile.open(NODE, OpenFile.Access.READ_WRITE)) {
            int fd = export(node.descriptor(), kind, offset, bytes);
            if (fd < 0) {
                throw new AssertionError("no dma-buf of " + kind + ": errno " + -fd);
            }
            return OpenFile.ofDescriptor(fd, Path.of("dma-buf of a BAR, " + kind));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Takes the memory back from its importers. */
    static void revoke(OpenFile dmaBuf) throws IOException {
        try (OpenFile node = OpenFile.open(NODE, OpenFile.Access.READ_WRITE)) {
            int answer = Ioctl.call(node.descriptor(), BAR_EXPORT_REVOKE, dmaBuf.descriptor());
            if (answer != 0) {
                throw new AssertionError("not revoked: errno " + -answer);
            }
        }
    }

    /** {@code buffers}, {@code attachments}, {@code pins} or {@code mappings} that there are. */
    static int count(String what) {
        return Integer.parseInt(Machine.read(COUNTS.resolve(what)));
    }

    /** All of them, for messages. */
    static String counts() {
        return "%d buffers, %d attachments, %d pins, %d mappings"
                .formatted(count("buffers"), count("attachments"), count("pins"), count("mappings"));
    }

    /** Waits until nobody has anything of it: what a process had may end a moment after the process. */
    static void awaitNothingLeft() {
        Machine.await(
                "nothing of the BAR is left with an importer: " + counts(),
                () -> counts().equals("0 buffers, 0 attachments, 0 pins, 0 mappings"));
    }

    /** Where the CPU finds the BAR. */
    static long physicalAddress() {
        return Long.decode(Machine.read(Machine.function(FUNCTION).resolve("resource"))
                .lines()
                .toList()
                .get(BAR)
                .split(" ")[0]);
    }

    /** A range of the BAR as another device's memory; the CPU reaches it by the BAR's file in sysfs. */
    static final class Memory implements PeerMemory, AutoCloseable {
        private final OpenFile file;
        private final Mapping mapping;
        private final Kind kind;
        private final long offset;
        private final long bytes;
        private @Nullable OpenFile exported;

        Memory(Kind kind, long offset, long bytes) throws IOException {
            this.kind = kind;
            this.offset = offset;
            this.bytes = bytes;
            file = OpenFile.open(Machine.function(FUNCTION).resolve("resource" + BAR), OpenFile.Access.READ_WRITE);
            mapping = Mapping.of(file, offset, bytes, true);
        }

        /** As the CPU sees it. */
        MemorySegment segment() {
            return mapping.segment();
        }

        /** Where the CPU finds what its importers see first. */
        long first() {
            return kind == Kind.SCATTERED ? address() + bytes - Mapping.PAGE_SIZE : address();
        }

        /** As its importers see it: {@link Kind#SCATTERED} has its last page first. */
        byte[] seen() {
            byte[] content = segment().toArray(JAVA_BYTE);
            if (kind != Kind.SCATTERED) {
                return content;
            }
            byte[] seen = new byte[content.length];
            for (int at = 0; at < seen.length; at += Mapping.PAGE_SIZE) {
                System.arraycopy(content, seen.length - Mapping.PAGE_SIZE - at, seen, at, Mapping.PAGE_SIZE);
            }
            return seen;
        }

        @Override
        public long address() {
            return physicalAddress() + offset;
        }

        @Override
        public long size() {
            return bytes;
        }

        @Override
        public MemorySegment.Scope scope() {
            return mapping.segment().scope();
        }

        @Override
        public void read(long at, MemorySegment into) {
            into.copyFrom(segment().asSlice(at, into.byteSize()));
        }

        @Override
        public void write(long at, MemorySegment from) {
            segment().asSlice(at, from.byteSize()).copyFrom(from);
        }

        /** Once: it is kept, to be taken back. */
        @Override
        public OpenFile exportDmaBuf() throws IOException {
            OpenFile dmaBuf = export(kind, offset, bytes);
            exported = dmaBuf.another();
            return dmaBuf;
        }

        /** Takes the memory back from who mapped it. */
        void revoke() throws IOException {
            BarExport.revoke(Objects.requireNonNull(exported));
        }

        @Override
        public void close() throws IOException {
            if (exported != null) {
                exported.close();
            }
            mapping.close();
            file.close();
        }
    }
}
