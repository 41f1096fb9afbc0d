package io.aisio.xnvme;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.upcie.DmaMemory;
import io.aisio.xnvme.spi.ImageFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/** A file or block device of the kernel's, read and written by {@code pread} and {@code pwrite} through the page cache. */
final class FileDevice implements Device {
    /** One call to the kernel moves at most this: large enough that its cost does not show. */
    private static final int MAX_TRANSFER = 1 << 20;
    /** A bound for the arrays of a queue; the kernel has none. */
    private static final int MAX_DEPTH = 65535;

    private final String name;
    private final OpenFile file;
    private final boolean readOnly;
    private final Geometry geometry;

    private FileDevice(String name, OpenFile file, boolean readOnly, Geometry geometry) {
        this.name = name;
        this.file = file;
        this.readOnly = readOnly;
        this.geometry = geometry;
    }

    static FileDevice open(DeviceUri uri, int lbaBytes, boolean readOnly) throws IOException {
        Path path = Path.of(uri.target());
        if (Files.isDirectory(path)) {
            throw new IllegalArgumentException("'" + path + "' is a folder, no device");
        }
        OpenFile file = ImageFile.open(path, readOnly);
        try {
            long size = file.size();
            if (size < lbaBytes) {
                throw new IllegalArgumentException(
                        "'%s' holds %d bytes, not even one logical block of %d: give it a size"
                                        .formatted(path, size, lbaBytes)
                                + " with 'truncate -s 1G " + path + "'");
            }
            return new FileDevice(
                    uri.text(),
                    file,
                    readOnly,
                    new Geometry(lbaBytes, size / lbaBytes, MAX_TRANSFER, MAX_DEPTH, Integer.MAX_VALUE));
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String path() {
        return "kernel, pread and pwrite, page cache";
    }

    @Override
    public Capabilities capabilities() {
        return Capabilities.of(Capabilities.Queues.SYSTEM_CALLS, Capabilities.Trait.BUFFERED)
                .with(Capabilities.Trait.WRITES, !readOnly);
    }

    @Override
    public Geometry geometry() {
        return geometry;
    }

    @Override
    public Buffer allocate(long bytes) throws IOException {
        return new Buffer(new HostMemory(Mapping.anonymous(bytes)));
    }

    @Override
    public Queue openQueue(int depth) {
        if (depth < 1 || depth > MAX_DEPTH) {
            throw new IllegalArgumentException(
                    name + ": a queue of depth " + depth + "; 1 to " + MAX_DEPTH + " are possible");
        }
        return new FileQueue(this, depth);
    }

    @Override
    public void read(long lba, Buffer buffer, long offset, long bytes) throws IOException {
        read(lba, buffer.segment().asSlice(offset, bytes));
    }

    @Override
    public void write(long lba, Buffer buffer, long offset, long bytes) throws IOException {
        write(lba, buffer.segment().asSlice(offset, bytes));
    }

    void read(long lba, MemorySegment target) throws IOException {
        requireRange(lba, target.byteSize());
        long n = file.read(target, lba * geometry.lbaBytes());
        if (n != target.byteSize()) {
            throw new IOException(
                    "%s: ended after %d of %d bytes at LBA %d".formatted(name, n, target.byteSize(), lba));
        }
    }

    void write(long lba, MemorySegment source) throws IOException {
        requireRange(lba, source.byteSize());
        if (readOnly) {
            throw new LinuxException("pwrite", name, Errno.EROFS);
        }
        file.write(source, lba * geometry.lbaBytes());
    }

    private void requireRange(long lba, long bytes) throws IOException {
        long blocks = bytes / geometry.lbaBytes();
        if (blocks * geometry.lbaBytes() != bytes) {
            throw new IllegalArgumentException(
                    bytes + " bytes are no multiple of the logical block size, " + geometry.lbaBytes());
        }
        if (lba < 0 || lba > geometry.lbaCount() - blocks) {
            throw new IOException("%s: LBA %s and %d blocks from there are beyond the end at LBA %d"
                    .formatted(name, Long.toUnsignedString(lba), blocks, geometry.lbaCount()));
        }
    }

    @Override
    public void flush() throws IOException {
        file.flush();
    }

    @Override
    public void close() {
        file.close();
    }

    /** Memory that only this process uses: the kernel copies to and from it, so its addresses are the process's own. */
    private record HostMemory(Mapping mapping) implements DmaMemory {
        @Override
        public MemorySegment segment() {
            return mapping.segment();
        }

        @Override
        public long iova(long offset) {
            return mapping.segment().address() + offset;
        }

        @Override
        public void close() {
            mapping.close();
        }
    }
}
