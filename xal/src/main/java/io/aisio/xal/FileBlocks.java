package io.aisio.xal;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/**
 * The blocks of an image file or of a block device, read through the kernel. Any thread may call it.
 *
 * <p>A device is read past the kernel's cache of it (O_DIRECT), which knows nothing of what a file system that is mounted
 * on the device writes. An image is read through the cache, which is where a loop device writes to.
 */
public final class FileBlocks implements BlockSource, AutoCloseable {
    /** The least sector that XFS knows, in bytes. */
    private static final int SECTOR = 512;
    /** What memory must begin on: enough for the DMA engine of any device. */
    private static final int PAGE = 4096;

    /** What io_uring_setup says where it may not be used, or where its memory is not granted. */
    private static final Set<Integer> REFUSED = Set.of(Errno.ENOSYS, Errno.EPERM, Errno.EACCES, Errno.ENOMEM);

    private final OpenFile file;
    private final String path;
    private final boolean direct;
    private final int alignment;
    private final long size;

    private FileBlocks(OpenFile file, String path, boolean direct, int alignment) throws LinuxException {
        this.file = file;
        this.path = path;
        this.direct = direct;
        this.alignment = alignment;
        size = file.size();
    }

    /**
     * Opens an image or a block device to read.
     *
     * @throws IOException if it cannot be opened, or is a directory or a thing without a size
     */
    public static FileBlocks open(Path path) throws IOException {
        if (Files.isDirectory(path)) {
            throw new IOException(path + " is a directory: name an image file or a block device");
        }
        OpenFile cached = OpenFile.open(path, OpenFile.Access.READ_ONLY);
        try {
            if (!cached.status().isBlockDevice()) {
                return new FileBlocks(cached, "kernel, pread, page cache", false, SECTOR);
            }
            OpenFile direct;
            try {
                direct = OpenFile.openDirect(path, OpenFile.Access.READ_ONLY);
            } catch (LinuxException e) {
                if (e.errno() != Errno.EINVAL) {
                    throw e;
                }
                return new FileBlocks(
                        cached,
                        "kernel, pread, page cache, which may be older than the device: it refuses O_DIRECT",
                        false,
                        Math.max(SECTOR, cached.logicalBlockBytes()));
            }
            try {
                FileBlocks blocks = new FileBlocks(
                        direct, "kernel, pread, O_DIRECT", true, Math.max(SECTOR, direct.logicalBlockBytes()));
                cached.close();
                return blocks;
            } catch (LinuxException e) {
                direct.close();
                throw e;
            }
        } catch (LinuxException e) {
            cached.close();
            throw e;
        }
    }

    @Override
    public String name() {
        return file.path().toString();
    }

    /** Which way the data takes, for people. */
    public String path() {
        return path;
    }

    /** {@inheritDoc} It is taken once, when the file is opened. */
    @Override
    public long size() {
        return size;
    }

    /** {@inheritDoc} Of an image, the least sector that XFS knows. */
    @Override
    public int alignment() {
        return alignment;
    }

    @Override
    public void read(long position, MemorySegment target) throws IOException {
        if (direct && target.address() % PAGE != 0) {
            throw new IllegalArgumentException(
                    "%s is read to memory that begins on a page, not at 0x%x".formatted(name(), target.address()));
        }
        long done = file.read(target, position);
        if (done < target.byteSize()) {
            throw new EOFException(name() + " ends at byte " + (position + done) + ", wanted up to byte "
                    + (position + target.byteSize()));
        }
    }

    /** {@inheritDoc} By io_uring; where that is refused, as in many containers, one after the other. */
    @Override
    public BlockReads reads(int slots, int bytes) throws IOException {
        try {
            return UringReads.open(this, file, slots, bytes);
        } catch (LinuxException e) {
            if (e.call().equals("io_uring_setup") && REFUSED.contains(e.errno())) {
                return BlockSource.super.reads(slots, bytes);
            }
            throw e;
        }
    }

    /** Closes the file. Closing again does nothing. */
    @Override
    public void close() {
        file.close();
    }
}
