package io.aisio.fil.nio;

import io.aisio.xal.Entry;
import io.aisio.xal.Piece;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A file, open to read. It keeps {@link FileChannel}'s promises: many threads may read at positions of their own at once,
 * and an interrupted or closed reader is told so. Bytes are copied once, from the memory that the device wrote them to.
 */
final class XfsChannel extends FileChannel {
    /** What {@link #transferTo} moves at a time, in bytes. */
    private static final int CHUNK = 256 << 10;

    private final XfsFileSystem fileSystem;
    private final Entry file;
    /** All of the file, in the order of their offsets. */
    private final List<Piece> pieces;

    private final boolean interruptible;

    /** Held while the position is used. */
    private final ReentrantLock positionLock = new ReentrantLock();

    private long position;

    /**
     * @param pieces of the file; they stay as they are, because nobody writes to the file system
     * @param interruptible whether an interruption of a reader closes it
     */
    XfsChannel(XfsFileSystem fileSystem, Entry file, List<Piece> pieces, boolean interruptible) {
        this.fileSystem = fileSystem;
        this.file = file;
        this.pieces = pieces;
        this.interruptible = interruptible;
    }

    private interface Reading {
        long read() throws IOException;
    }

    /**
     * Reads so that an interruption, or somebody who closes the channel meanwhile, is told as the JDK does. Either closes
     * the channel, and no part of the read is begun after that.
     */
    private long reading(Reading reading) throws IOException {
        requireOpen();
        if (!interruptible) {
            return reading.read();
        }
        boolean done = false;
        try {
            begin();
            long n = isOpen() ? reading.read() : 0;
            done = true;
            return n;
        } finally {
            end(done);
        }
    }

    private void requireOpen() throws IOException {
        if (!isOpen()) {
            throw new ClosedChannelException();
        }
    }

    /** As {@link #read(ByteBuffer, long)}, within {@link #reading}. */
    private int take(ByteBuffer target, long at) throws IOException {
        int wanted = target.remaining();
        if (wanted == 0) {
            return 0;
        }
        if (at >= file.inode().size()) {
            return -1;
        }
        int n = (int) Math.min(wanted, file.inode().size() - at);
        fill(MemorySegment.ofBuffer(target).asSlice(0, n), at);
        target.position(target.position() + n);
        return n;
    }

    /** Fills memory with the file's bytes from a place on. */
    private void fill(MemorySegment target, long at) throws IOException {
        try (Lanes.Loan loan = fileSystem.lanes().lend(this::isOpen)) {
            int piece = pieceAt(at);
            for (long done = 0; done < target.byteSize(); piece++) {
                Piece here = pieces.get(piece);
                long skip = at + done - here.offset();
                MemorySegment part = target.asSlice(done, Math.min(here.length() - skip, target.byteSize() - done));
                switch (here.kind()) {
                    case HOLE, UNWRITTEN -> part.fill((byte) 0);
                    case DATA -> loan.read(here.position() + skip, part);
                    case ELSEWHERE -> throw new AssertionError(file.path() + " was opened, though it lies elsewhere");
                }
                done += part.byteSize();
            }
            loan.finish();
        } catch (AsynchronousCloseException e) {
            throw e;
        } catch (IOException e) {
            throw new IOException("%s: %s could not be read: %s".formatted(fileSystem, file.path(), e.getMessage()), e);
        }
    }

    /** The piece that holds a byte of the file. */
    private int pieceAt(long at) {
        int low = 0;
        int high = pieces.size() - 1;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (pieces.get(middle).offset() <= at) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }

    private static ByteBuffer writable(ByteBuffer target) {
        if (target.isReadOnly()) {
            throw new IllegalArgumentException("the buffer can only be read");
        }
        return target;
    }

    @Override
    public int read(ByteBuffer dst) throws IOException {
        writable(dst);
        positionLock.lock();
        try {
            return (int) reading(() -> {
                int n = take(dst, position);
                position += Math.max(0, n);
                return n;
            });
        } finally {
            positionLock.unlock();
        }
    }

    @Override
    public long read(ByteBuffer[] dsts, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, dsts.length);
        for (int i = 0; i < length; i++) {
            writable(dsts[offset + i]);
        }
        positionLock.lock();
        try {
            return reading(() -> {
                long all = 0;
                for (int i = 0; i < length; i++) {
                    ByteBuffer target = dsts[offset + i];
                    int n = take(target, position);
                    if (n < 0) {
                        return all == 0 ? -1 : all;
                    }
                    position += n;
                    all += n;
                    if (target.hasRemaining()) {
                        break;
                    }
                }
                return all;
            });
        } finally {
            positionLock.unlock();
        }
    }

    @Override
    public int read(ByteBuffer dst, long position) throws IOException {
        writable(dst);
        requireNotNegative(position);
        return (int) reading(() -> take(dst, position));
    }

    private static void requireNotNegative(long number) {
        if (number < 0) {
            throw new IllegalArgumentException(number + " is negative");
        }
    }

    @Override
    public long position() throws IOException {
        requireOpen();
        positionLock.lock();
        try {
            return position;
        } finally {
            positionLock.unlock();
        }
    }

    @Override
    public XfsChannel position(long newPosition) throws IOException {
        requireOpen();
        requireNotNegative(newPosition);
        positionLock.lock();
        try {
            position = newPosition;
            return this;
        } finally {
            positionLock.unlock();
        }
    }

    @Override
    public long size() throws IOException {
        requireOpen();
        return file.inode().size();
    }

    @Override
    public long transferTo(long position, long count, WritableByteChannel target) throws IOException {
        requireOpen();
        if (!target.isOpen()) {
            throw new ClosedChannelException();
        }
        requireNotNegative(position);
        requireNotNegative(count);
        long left = Math.min(count, Math.max(0, file.inode().size() - position));
        ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(CHUNK, left));
        long done = 0;
        while (done < left) {
            chunk.clear().limit((int) Math.min(chunk.capacity(), left - done));
            read(chunk, position + done);
            chunk.flip();
            int wanted = chunk.remaining();
            int written = target.write(chunk);
            done += written;
            if (written < wanted) {
                break;
            }
        }
        return done;
    }

    @Override
    public void force(boolean metaData) throws IOException {
        requireOpen();
    }

    /**
     * {@inheritDoc}
     *
     * @throws UnsupportedOperationException to read: the bytes are in no page of the kernel's
     */
    @Override
    public MappedByteBuffer map(MapMode mode, long position, long size) throws IOException {
        requireOpen();
        if (!mode.equals(MapMode.READ_ONLY)) {
            throw new NonWritableChannelException();
        }
        throw new UnsupportedOperationException(file.path() + " is read past the kernel, which could map it");
    }

    /**
     * {@inheritDoc}
     *
     * @throws UnsupportedOperationException if shared: nobody is there to be kept from writing
     */
    @Override
    public FileLock lock(long position, long size, boolean shared) throws IOException {
        requireOpen();
        if (!shared) {
            throw new NonWritableChannelException();
        }
        throw new UnsupportedOperationException(file.path() + " cannot be written to: it needs no lock");
    }

    @Override
    public @Nullable FileLock tryLock(long position, long size, boolean shared) throws IOException {
        return lock(position, size, shared);
    }

    @Override
    public int write(ByteBuffer src) throws IOException {
        throw notWritable();
    }

    @Override
    public long write(ByteBuffer[] srcs, int offset, int length) throws IOException {
        throw notWritable();
    }

    @Override
    public int write(ByteBuffer src, long position) throws IOException {
        throw notWritable();
    }

    @Override
    public long transferFrom(ReadableByteChannel src, long position, long count) throws IOException {
        throw notWritable();
    }

    @Override
    public FileChannel truncate(long size) throws IOException {
        throw notWritable();
    }

    private NonWritableChannelException notWritable() throws IOException {
        requireOpen();
        return new NonWritableChannelException();
    }

    @Override
    protected void implCloseChannel() {
        fileSystem.closed(this);
        fileSystem.lanes().wake();
    }
}
