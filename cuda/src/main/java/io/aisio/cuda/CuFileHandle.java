package io.aisio.cuda;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Objects;

/** A file that is registered with cuFile. Any thread may call. */
public final class CuFileHandle implements AutoCloseable {
    private final CuFile cuFile;
    private final OpenFile file;
    private final long handle;
    private final Liveness liveness;

    CuFileHandle(CuFile cuFile, OpenFile file, long handle) {
        this.cuFile = cuFile;
        this.file = file;
        this.handle = handle;
        liveness = new Liveness(file.path() + ", registered with cuFile");
    }

    /** The path that it was opened by. */
    public Path path() {
        return file.path();
    }

    /** The file's size in bytes. */
    public long size() throws IOException {
        return file.size();
    }

    /** cuFile's handle ({@code CUfileHandle_t}). */
    long handle() {
        return handle;
    }

    /**
     * Reads into memory of the GPU, and waits until it is there.
     *
     * @param offset in the memory, in bytes
     * @param position in the file, in bytes
     * @param bytes as many are read, unless the file ends before
     * @return how many were
     * @throws IndexOutOfBoundsException if the range is not within the memory
     * @throws IOException if cuFile or the kernel reports an error
     */
    public long read(GpuMemory into, long offset, long position, long bytes) throws IOException {
        Objects.checkFromIndexSize(offset, bytes, into.size());
        long done = 0;
        while (done < bytes) {
            long before = done;
            long n = move(into, true, bytes - before, position + before, offset + before);
            done += n;
            if (n == 0 || position + done >= size()) {
                break;
            }
        }
        return done;
    }

    /**
     * Writes from memory of the GPU, and waits until that is done.
     *
     * @param offset in the memory, in bytes
     * @param position in the file, in bytes
     * @param bytes all of which are written
     * @throws IndexOutOfBoundsException if the range is not within the memory
     * @throws IOException if cuFile or the kernel reports an error
     */
    public void write(GpuMemory from, long offset, long position, long bytes) throws IOException {
        Objects.checkFromIndexSize(offset, bytes, from.size());
        long done = 0;
        while (done < bytes) {
            long n = move(from, false, bytes - done, position + done, offset + done);
            if (n == 0) {
                throw new IOException(path() + ": cuFileWrite wrote " + done + " of " + bytes + " bytes");
            }
            done += n;
        }
    }

    private long move(GpuMemory memory, boolean read, long bytes, long position, long offset) throws IOException {
        liveness.enter();
        try {
            CuFileLibrary library = cuFile.library();
            long[] moved = new long[1];
            memory.use(base -> moved[0] = cuFile.ask(() -> read
                    ? library.read(handle, base, bytes, position, offset)
                    : library.write(handle, base, bytes, position, offset)));
            CuFileLibrary.requireMoved(read ? "cuFileRead" : "cuFileWrite", path(), moved[0]);
            return moved[0];
        } finally {
            liveness.leave();
        }
    }

    /**
     * Puts a read on a stream: it begins when what is on the stream before it is done.
     *
     * @param into is registered ({@link CuFile#register(GpuMemory)}), and stays so until the read is done: of other memory,
     *     cuFile takes the length of the first read for all there is (seen with 1.15)
     * @return how many bytes were read, to be asked once the stream has come past it
     * @throws IllegalArgumentException if the memory is not registered
     * @throws IndexOutOfBoundsException if the range is not within the memory
     * @throws IOException if cuFile refuses
     */
    public Transfer readAsync(GpuStream stream, GpuMemory into, long offset, long position, long bytes)
            throws IOException {
        Objects.checkFromIndexSize(offset, bytes, into.size());
        if (!cuFile.isRegistered(into)) {
            throw new IllegalArgumentException(
                    path() + ": memory that is read into on a stream is to be registered with cuFile");
        }
        MemorySegment arguments = Arena.ofAuto().allocate(Transfer.BYTES, 8);
        arguments.set(JAVA_LONG, 0, bytes);
        arguments.set(JAVA_LONG, 8, position);
        arguments.set(JAVA_LONG, 16, offset);
        liveness.enter();
        try {
            // The library looks at them when the read's turn comes, and writes the result.
            stream.hold(arguments);
            stream.use(onStream -> into.use(base -> cuFile.ask(() -> {
                cuFile.library().readAsync(handle, base, arguments, onStream);
                return Boolean.TRUE;
            })));
            return new Transfer(path(), arguments);
        } finally {
            liveness.leave();
        }
    }

    /** A read on a stream, whose arguments and result the library looks at until it is done. */
    public static final class Transfer {
        /** Size, position, offset and result. */
        private static final long BYTES = 32;

        private static final long RESULT = 24;

        private final Path path;
        private final MemorySegment arguments;

        private Transfer(Path path, MemorySegment arguments) {
            this.path = path;
            this.arguments = arguments;
        }

        /**
         * How many bytes were read; to be asked once the stream was synchronized behind it.
         *
         * @throws IOException if the read failed
         */
        public long bytes() throws IOException {
            long moved = arguments.get(JAVA_LONG, RESULT);
            CuFileLibrary.requireMoved("cuFileReadAsync", path, moved);
            return moved;
        }
    }

    /** Ends the registration and closes the file. Closing again does nothing. */
    @Override
    public void close() {
        liveness.close(() -> {
            cuFile.library().deregister(handle);
            file.close();
            cuFile.forgetOne();
        });
    }
}
