package io.aisio.emu;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.nvme.spec.Status;
import io.aisio.xnvme.spi.ImageFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/** Media in a file or block device, through the kernel's page cache; Flush makes it durable. */
final class FileMedia implements Media {
    /** What compare, verify and zero handle at once: chosen to stay in a core's cache. */
    private static final long CHUNK = 256 << 10;

    private final OpenFile file;
    private final long bytes;
    private final boolean readOnly;
    private final Mapping scratch;
    /** What the driver has, of which a copy is compared. */
    private final Mapping wanted;

    FileMedia(OpenFile file, long bytes, boolean readOnly, Mapping scratch, Mapping wanted) {
        this.file = file;
        this.bytes = bytes;
        this.readOnly = readOnly;
        this.scratch = scratch;
        this.wanted = wanted;
    }

    /**
     * Opens an image.
     *
     * @param lbaBytes what its size must be a multiple of
     * @throws IOException if it is not there, cannot be opened, or has no such size; one sentence with the next step
     */
    static FileMedia open(Path path, boolean readOnly, int lbaBytes) throws IOException {
        if (Files.isDirectory(path)) {
            throw new IOException(path + " is a folder: name an image file or a block device");
        }
        OpenFile file = ImageFile.open(path, readOnly);
        try {
            long bytes = file.size();
            if (bytes == 0) {
                throw new IOException(
                        path + " is empty, and a namespace is not: give it a size with 'truncate -s 1G " + path + "'");
            }
            if (bytes % lbaBytes != 0) {
                throw new IOException(path + " has " + bytes + " bytes, which is no multiple of the LBA size, "
                        + lbaBytes + ": make it one with 'truncate -s %" + lbaBytes + " " + path + "'");
            }
            Mapping first = Mapping.anonymous(CHUNK);
            try {
                return new FileMedia(file, bytes, readOnly, first, Mapping.anonymous(CHUNK));
            } catch (LinuxException e) {
                first.close();
                throw e;
            }
        } catch (IOException e) {
            file.close();
            throw e;
        }
    }

    @Override
    public long bytes() {
        return bytes;
    }

    @Override
    public String describe() {
        return readOnly ? "read-only file media" : "file media";
    }

    @Override
    public int read(long position, MemorySegment target, long offset, long length) {
        try {
            long got = file.read(target.asSlice(offset, length), position);
            // The file was cut short behind our back.
            return got == length ? Status.SUCCESS : Status.UNRECOVERED_READ_ERROR;
        } catch (LinuxException e) {
            return Status.UNRECOVERED_READ_ERROR;
        }
    }

    @Override
    public int write(long position, MemorySegment source, long offset, long length) {
        try {
            file.write(source.asSlice(offset, length), position);
            return Status.SUCCESS;
        } catch (LinuxException e) {
            return writeStatus(e);
        }
    }

    @Override
    public int compare(long position, MemorySegment source, long offset, long length) {
        for (long done = 0; done < length; done += CHUNK) {
            long part = Math.min(CHUNK, length - done);
            int status = read(position + done, scratch.segment(), 0, part);
            if (status != Status.SUCCESS) {
                return status;
            }
            // As in memory media: memory that others may cut off is copied, not compared.
            MemorySegment.copy(source, offset + done, wanted.segment(), 0, part);
            if (MemorySegment.mismatch(scratch.segment(), 0, part, wanted.segment(), 0, part) >= 0) {
                return Status.COMPARE_FAILURE;
            }
        }
        return Status.SUCCESS;
    }

    @Override
    public int zero(long position, long length) {
        try {
            file.zero(position, length);
            return Status.SUCCESS;
        } catch (LinuxException e) {
            return writeStatus(e);
        }
    }

    @Override
    public int verify(long position, long length) {
        for (long done = 0; done < length; done += CHUNK) {
            int status = read(position + done, scratch.segment(), 0, Math.min(CHUNK, length - done));
            if (status != Status.SUCCESS) {
                return status;
            }
        }
        return Status.SUCCESS;
    }

    @Override
    public int flush() {
        if (readOnly) {
            return Status.SUCCESS;
        }
        try {
            file.flush();
            return Status.SUCCESS;
        } catch (LinuxException e) {
            return writeStatus(e);
        }
    }

    @Override
    public void close() {
        file.close();
        scratch.close();
        wanted.close();
    }

    private static int writeStatus(LinuxException e) {
        return switch (e.errno()) {
            case Errno.ENOSPC, Errno.EDQUOT, Errno.EFBIG -> Status.CAPACITY_EXCEEDED;
            default -> Status.WRITE_FAULT;
        };
    }
}
