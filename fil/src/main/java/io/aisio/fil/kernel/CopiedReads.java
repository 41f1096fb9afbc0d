package io.aisio.fil.kernel;

import io.aisio.cuda.Gpu;
import io.aisio.cuda.GpuMemory;
import io.aisio.cuda.GpuStream;
import io.aisio.cuda.PinnedMemory;
import io.aisio.fil.spi.BatchReads;
import io.aisio.fil.spi.FileTable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * What was read into memory of the host that the GPU reaches, copied into the GPU's, a batch at a time: what there is where
 * nothing reads into the GPU's memory itself.
 */
final class CopiedReads implements BatchReads {
    private final BatchReads reads;
    private final Folder folder;
    private final FileTable files;
    private final GpuMemory memory;
    private final PinnedMemory pinned;
    private final GpuStream stream;
    private final long slotBytes;

    /** Of each slot: bytes that its files take, and why they could not be copied. */
    private final long[] used;

    private final @Nullable IOException[] failures;

    private CopiedReads(
            BatchReads reads,
            Folder folder,
            FileTable files,
            GpuMemory memory,
            PinnedMemory pinned,
            GpuStream stream,
            int slots,
            long slotBytes) {
        this.reads = reads;
        this.folder = folder;
        this.files = files;
        this.memory = memory;
        this.pinned = pinned;
        this.stream = stream;
        this.slotBytes = slotBytes;
        used = new long[slots];
        failures = new IOException[slots];
    }

    /** Takes over what reads; it is closed if this throws. */
    static CopiedReads open(BatchReads reads, Folder folder, FileTable files, Gpu gpu, int slots, long slotBytes)
            throws IOException {
        GpuMemory memory = null;
        PinnedMemory pinned = null;
        try {
            memory = gpu.allocate(slots * slotBytes);
            pinned = gpu.register(reads.memory());
            return new CopiedReads(reads, folder, files, memory, pinned, gpu.openStream(), slots, slotBytes);
        } catch (IOException | RuntimeException | Error e) {
            if (pinned != null) {
                pinned.close();
            }
            if (memory != null) {
                memory.close();
            }
            try {
                reads.close();
            } catch (IOException again) {
                e.addSuppressed(again);
            }
            throw e;
        }
    }

    @Override
    public MemorySegment memory() {
        return MemorySegment.ofAddress(memory.address());
    }

    @Override
    public GpuMemory gpuMemory() {
        return memory;
    }

    @Override
    public void begin(int slot, int[] rows, long[] at, int n) {
        failures[slot] = null;
        used[slot] = n == 0 ? 0 : at[n - 1] + folder.room(files.size(rows[n - 1]));
        reads.begin(slot, rows, at, n);
    }

    @Override
    public int drive(int[] done, boolean wait) {
        int n = reads.drive(done, wait);
        for (int i = 0; i < n; i++) {
            int slot = done[i];
            long at = slot * slotBytes;
            try {
                stream.copyToGpu(memory, at, reads.memory().asSlice(at, used[slot]));
                stream.synchronize();
            } catch (IOException e) {
                failures[slot] = e;
            }
        }
        return n;
    }

    @Override
    public @Nullable IOException failure(int slot, int i) {
        IOException why = reads.failure(slot, i);
        return why != null ? why : failures[slot];
    }

    @Override
    public long length(int slot, int i) {
        return reads.length(slot, i);
    }

    @Override
    public long commands() {
        return reads.commands();
    }

    @Override
    public long changed() {
        return reads.changed();
    }

    @Override
    public long prepareNanos() {
        return reads.prepareNanos();
    }

    /** {@inheritDoc} Memory that the kernel may still write to stays, as the GPU has it. */
    @Override
    public void close() throws IOException {
        stream.close();
        memory.close();
        pinned.close();
        reads.close();
    }
}
