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

/** The blocks of an image file or of a block device, read through the kernel. Any thread may call it. */
public final class FileBlocks implements BlockSource, AutoCloseable {
    /** The least sector that XFS knows, in bytes. */
    private static final int ALIGNMENT = 512;

    /** What io_uring_setup says where it may not be used, or where its memory is not granted. */
    private static final Set<Integer> REFUSED = Set.of(Errno.ENOSYS, Errno.EPERM, Errno.EACCES, Errno.ENOMEM);

    private final OpenFile file;
    private final long size;

    private FileBlocks(OpenFile file, long size) {
        this.file = file;
        this.size = size;
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
        OpenFile file = OpenFile.open(path, OpenFile.Access.READ_ONLY);
        try {
            return new FileBlocks(file, file.size());
        } catch (LinuxException e) {
            file.close();
            throw e;
        }
    }

    @Override
    public String name() {
        return file.path().toString();
    }

    /** {@inheritDoc} It is taken once, when the file is opened. */
    @Override
    public long size() {
        return size;
    }

    @Override
    public int alignment() {
        return ALIGNMENT;
    }

    @Override
    public void read(long position, MemorySegment target) throws IOException {
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
