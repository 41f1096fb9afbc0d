package io.aisio.fil.nio;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.Objects;

/**
 * A file as a stream. Small reads are served from what was read ahead, large ones go straight to their place. As any file's
 * stream, it does not mind interruptions.
 */
final class FileInput extends InputStream {
    /** Bytes that are read ahead: a device takes little longer for them than for a block. */
    private static final int AHEAD = 128 << 10;

    private static final byte[] NOTHING = {};

    private final XfsChannel channel;
    private final long size;

    /** Of the next byte of the channel, which is behind those read ahead. */
    private long position;

    private byte[] ahead = NOTHING;
    private int next;
    private int end;

    /** @param channel becomes the stream's: it is closed with it; an interruption does not close it */
    FileInput(XfsChannel channel) throws IOException {
        this.channel = channel;
        size = channel.size();
    }

    @Override
    public synchronized int read() throws IOException {
        return fill() ? ahead[next++] & 0xFF : -1;
    }

    @Override
    public synchronized int read(byte[] bytes, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, bytes.length);
        if (length == 0) {
            return 0;
        }
        if (next == end && length >= AHEAD) {
            int n = channel.read(ByteBuffer.wrap(bytes, offset, length), position);
            position += Math.max(0, n);
            return n;
        }
        if (!fill()) {
            return -1;
        }
        int n = Math.min(length, end - next);
        System.arraycopy(ahead, next, bytes, offset, n);
        next += n;
        return n;
    }

    /** Reads ahead if nothing is left. @return false at the end of the file */
    private boolean fill() throws IOException {
        if (!channel.isOpen()) {
            throw new ClosedChannelException();
        }
        if (next == end) {
            if (ahead.length == 0) {
                ahead = new byte[(int) Math.max(1, Math.min(AHEAD, size - position))];
            }
            next = 0;
            end = 0;
            int n = channel.read(ByteBuffer.wrap(ahead), position);
            end = Math.max(0, n);
            position += end;
        }
        return next < end;
    }

    @Override
    public synchronized byte[] readAllBytes() throws IOException {
        return readNBytes(Integer.MAX_VALUE);
    }

    @Override
    public synchronized byte[] readNBytes(int length) throws IOException {
        if (length < 0) {
            throw new IllegalArgumentException(length + " bytes");
        }
        long left = left();
        if (left > Integer.MAX_VALUE - 8 && length > Integer.MAX_VALUE - 8) {
            throw new OutOfMemoryError(left + " bytes are more than an array holds");
        }
        byte[] bytes = new byte[(int) Math.min(length, left)];
        readNBytes(bytes, 0, bytes.length);
        return bytes;
    }

    @Override
    public synchronized long transferTo(OutputStream out) throws IOException {
        Objects.requireNonNull(out);
        long done = 0;
        while (fill()) {
            out.write(ahead, next, end - next);
            done += end - next;
            next = end;
        }
        return done;
    }

    @Override
    public synchronized long skip(long count) throws IOException {
        long n = Math.max(0, Math.min(count, left()));
        long kept = Math.min(n, end - next);
        next += (int) kept;
        position += n - kept;
        return n;
    }

    @Override
    public synchronized int available() throws IOException {
        return (int) Math.min(Integer.MAX_VALUE, left());
    }

    private long left() throws IOException {
        if (!channel.isOpen()) {
            throw new ClosedChannelException();
        }
        return size - position + (end - next);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
