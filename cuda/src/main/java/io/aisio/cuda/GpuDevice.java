package io.aisio.cuda;

import io.aisio.linux.AddressSpace;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.PeerMemory;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.ByteSize;
import io.aisio.xnvme.Capabilities;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Geometry;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.spi.CallQueue;
import io.aisio.xnvme.spi.CallTarget;
import io.aisio.xnvme.spi.ImageFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A software controller on a GPU, with its media there. Kernels drive its queue pairs ({@link GpuQueuePair}); what the host
 * reads and writes is copied, past the controller.
 */
final class GpuDevice implements Device, CallTarget {
    /** What one command moves at most. */
    private static final int MAX_TRANSFER = 1 << 20;
    /** Chosen: an image is copied in pieces of so many bytes. */
    private static final int PIECE = 16 << 20;

    private static final int MAX_DEPTH = 65535;

    private final GpuUri uri;
    private final Gpu gpu;
    private final @Nullable GpuMemory media;
    private final ResidentController controller;
    private final Geometry geometry;
    private final AtomicInteger openQueues = new AtomicInteger();
    private boolean closed;

    private GpuDevice(GpuUri uri, Gpu gpu, @Nullable GpuMemory media, long bytes) throws CudaException {
        this.uri = uri;
        this.gpu = gpu;
        this.media = media;
        int lba = uri.lbaBytes();
        geometry = new Geometry(lba, bytes / lba, MAX_TRANSFER, MAX_DEPTH, uri.queues());
        controller = new ResidentController(
                gpu,
                uri.text(),
                new ResidentController.Shape(
                        media == null ? 0 : media.address(),
                        geometry.lbaCount(),
                        Integer.numberOfTrailingZeros(lba),
                        MAX_TRANSFER / lba,
                        uri.queues(),
                        (uri.depth() + 31) & -32,
                        uri.latency(),
                        uri.spread(),
                        uri.fault()));
    }

    static GpuDevice open(GpuUri uri) throws IOException {
        String missing = Cuda.missing();
        if (missing != null) {
            throw CudaException.absent(uri.text() + ": " + missing);
        }
        Gpu gpu = Gpu.open(uri.gpu());
        GpuMemory media = null;
        try {
            long bytes = uri.bytes();
            switch (uri.media()) {
                case NULL -> {}
                case MEMORY -> media = gpu.allocate(bytes);
                case IMAGE -> {
                    Path image = Objects.requireNonNull(uri.image());
                    try (OpenFile file = ImageFile.open(image, true)) {
                        bytes = file.size() / uri.lbaBytes() * uri.lbaBytes();
                        if (bytes == 0) {
                            throw new IOException(
                                    image + " holds no whole logical block of " + uri.lbaBytes() + " bytes");
                        }
                        media = gpu.allocate(bytes);
                        load(file, media, bytes);
                    }
                }
            }
            return new GpuDevice(uri, gpu, media, bytes);
        } catch (IOException | RuntimeException e) {
            try {
                if (media != null) {
                    media.close();
                }
                gpu.close();
            } catch (IllegalStateException again) {
                e.addSuppressed(again);
            }
            throw e;
        }
    }

    private static void load(OpenFile file, GpuMemory media, long bytes) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment piece = arena.allocate(Math.min(PIECE, bytes), Mapping.PAGE_SIZE);
            for (long at = 0; at < bytes; at += PIECE) {
                MemorySegment part = piece.asSlice(0, Math.min(PIECE, bytes - at));
                for (long done = 0; done < part.byteSize(); ) {
                    long n = file.read(part.asSlice(done), at + done);
                    if (n == 0) {
                        throw new IOException(file.path() + " became shorter while it was read");
                    }
                    done += n;
                }
                media.write(at, part);
            }
        }
    }

    Gpu gpu() {
        return gpu;
    }

    ResidentController controller() {
        return controller;
    }

    @Override
    public String name() {
        return uri.text();
    }

    @Override
    public String path() {
        String latency = uri.latency().isZero()
                ? ""
                : ", latency " + uri.latency().toNanos() / 1000.0 + " us"
                        + (uri.spread() == 1 ? "" : String.format(Locale.ROOT, " spread %.1f", uri.spread()));
        return "software controller on " + gpu + ", "
                + switch (uri.media()) {
                    case NULL -> "null media";
                    case MEMORY -> ByteSize.format(geometry.bytes()) + " of its memory";
                    case IMAGE -> "a copy of " + uri.image() + " in its memory";
                }
                + latency;
    }

    @Override
    public Capabilities capabilities() {
        return Capabilities.of(Capabilities.Queues.SYSTEM_CALLS, Capabilities.Trait.WRITES);
    }

    @Override
    public Geometry geometry() {
        return geometry;
    }

    @Override
    public Buffer allocate(long bytes) throws IOException {
        return Buffer.ofProcess(bytes);
    }

    @Override
    public Buffer map(PeerMemory memory) throws IOException {
        if (!(memory instanceof GpuMemory own) || own.gpu().id() != gpu.id()) {
            throw new UnsupportedOperationException(name() + " reaches memory of GPU " + gpu.id() + " only");
        }
        return new Buffer(new Reached(own));
    }

    /** Memory of the GPU that commands may name: by its own addresses. */
    private final class Reached implements DmaMemory {
        private final GpuMemory memory;
        private final Arena arena = Arena.ofShared();
        private final MemorySegment segment;

        Reached(GpuMemory memory) throws IOException {
            this.memory = memory;
            segment = AddressSpace.elsewhere(memory.address(), arena);
            controller.reach(memory.address(), memory.address() + memory.size());
        }

        @Override
        public MemorySegment segment() {
            return segment;
        }

        @Override
        public long size() {
            return memory.size();
        }

        @Override
        public long iova(long offset) {
            return memory.address() + Objects.checkIndex(offset, memory.size());
        }

        @Override
        public void close() {
            if (segment.scope().isAlive()) {
                arena.close();
                try {
                    controller.forget(memory.address());
                } catch (CudaException e) {
                    throw new IllegalStateException(e.getMessage(), e);
                }
            }
        }
    }

    /** {@inheritDoc} Each command is a copy by the host. */
    @Override
    public Queue openQueue(int depth) throws IOException {
        if (depth < 1 || depth > MAX_DEPTH) {
            throw new IllegalArgumentException(
                    "%s: a queue of depth %d; 1 to %d are possible".formatted(name(), depth, MAX_DEPTH));
        }
        Queue queue = new CallQueue(this, depth);
        openQueues.incrementAndGet();
        return queue;
    }

    @Override
    public void queueClosed() {
        openQueues.decrementAndGet();
    }

    @Override
    public void read(long lba, MemorySegment target) throws IOException {
        long position = position(lba, target.byteSize());
        if (media != null) {
            media.read(position, target);
        }
    }

    @Override
    public void write(long lba, MemorySegment source) throws IOException {
        long position = position(lba, source.byteSize());
        if (media != null) {
            media.write(position, source);
        }
    }

    @Override
    public void read(long lba, Buffer buffer, long offset, long bytes) throws IOException {
        read(lba, part(buffer, offset, bytes));
    }

    @Override
    public void write(long lba, Buffer buffer, long offset, long bytes) throws IOException {
        write(lba, part(buffer, offset, bytes));
    }

    private MemorySegment part(Buffer buffer, long offset, long bytes) {
        if (bytes % geometry.lbaBytes() != 0) {
            throw new IllegalArgumentException(
                    bytes + " bytes are no multiple of the logical block size, " + geometry.lbaBytes());
        }
        if (offset < 0 || bytes < 0 || offset > buffer.size() - bytes) {
            throw new IllegalArgumentException(
                    bytes + " bytes at offset " + offset + " of a buffer of " + buffer.size() + " bytes");
        }
        if (buffer.segment().byteSize() == 0) {
            throw new UnsupportedOperationException(
                    name() + ": only kernels read into the GPU's memory, by queue pairs of their own");
        }
        return buffer.segment().asSlice(offset, bytes);
    }

    private long position(long lba, long bytes) throws IOException {
        long blocks = bytes / geometry.lbaBytes();
        if (lba < 0 || lba > geometry.lbaCount() || blocks > geometry.lbaCount() - lba) {
            throw new IOException("%s: LBA %d and %d blocks are beyond the last, %d"
                    .formatted(name(), lba, blocks, geometry.lbaCount() - 1));
        }
        return lba * geometry.lbaBytes();
    }

    /** {@inheritDoc} Nothing of it is durable. */
    @Override
    public void flush() {}

    @Override
    public synchronized void close() throws IOException {
        if (closed) {
            return;
        }
        if (openQueues.get() != 0) {
            throw new IllegalStateException(
                    "%s cannot be closed before its %d queues".formatted(name(), openQueues.get()));
        }
        controller.close();
        closed = true;
        if (media != null) {
            media.close();
        }
        gpu.close();
    }

    @Override
    public String toString() {
        return name();
    }
}
