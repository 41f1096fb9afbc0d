package io.aisio.cuda;

import io.aisio.upcie.DmaMemory;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.spi.LeasedDevice;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Memory for the data of queue pairs that kernels drive: a piece for each slot of each, and the PRP entries and lists that name it
 * to the device. It is the GPU's, or the host's where the device is another process's, which reaches no other.
 */
public final class DataSlots implements AutoCloseable {
    private static final int PAGE = 4096;
    private static final int LIST_ENTRIES = PAGE / Long.BYTES;
    /** PRP entry 1 and 2 of a slot. */
    private static final int ENTRY_BYTES = 16;

    /** Of all queue pairs. */
    private final long count;
    /** Of each. */
    private final int slots;

    private final long stride;
    private final Data data;
    private final GpuMemory entries;
    private final @Nullable Lists lists;

    private DataSlots(long count, int slots, long stride, Data data, GpuMemory entries, @Nullable Lists lists) {
        this.count = count;
        this.slots = slots;
        this.stride = stride;
        this.data = data;
        this.entries = entries;
        this.lists = lists;
    }

    /** The data's memory: as the device finds it, and as the GPU does, in its own memory or in the host's. */
    private record Data(
            Buffer mapped,
            @Nullable GpuMemory onGpu,
            @Nullable PinnedMemory onHost) implements AutoCloseable {
        long address() {
            return onGpu == null ? Objects.requireNonNull(onHost).address() : onGpu.address();
        }

        void fill(byte value) throws CudaException {
            if (onGpu == null) {
                mapped.segment().fill(value);
            } else {
                onGpu.fill(value);
            }
        }

        @Override
        public void close() {
            if (onHost != null) {
                onHost.close();
            }
            mapped.close();
            if (onGpu != null) {
                onGpu.close();
            }
        }
    }

    /** PRP lists: where the device finds them, and the memory of the GPU that they are in, if they are. */
    private record Lists(Buffer mapped, @Nullable GpuMemory memory) implements AutoCloseable {
        @Override
        public void close() {
            mapped.close();
            if (memory != null) {
                memory.close();
            }
        }
    }

    /**
     * Allocates memory and lets the device reach it.
     *
     * @param pairs queue pairs
     * @param slots of each
     * @param bytes of the data of one, at most what the device moves in one command
     * @throws UnsupportedOperationException if the device reaches no memory of a GPU; one sentence
     * @throws IOException if there is not that much memory, or the system refuses
     */
    public static DataSlots allocate(Device device, Gpu gpu, int pairs, int slots, int bytes) throws IOException {
        device.geometry().requireTransfer(bytes);
        long stride = (bytes + PAGE - 1L) & -PAGE;
        int pages = (int) (stride / PAGE);
        Data data = allocateData(device, gpu, Math.multiplyExact((long) pairs * slots, stride));
        GpuMemory entries = null;
        Lists lists = null;
        try {
            entries = gpu.allocate((long) pairs * slots * ENTRY_BYTES);
            if (pages > 2) {
                lists = allocateLists(device, gpu, (long) pairs * slots * listPages(pages) * PAGE);
            }
            DataSlots all = new DataSlots((long) pairs * slots, slots, stride, data, entries, lists);
            all.describe(pairs * slots, pages);
            return all;
        } catch (IOException | RuntimeException e) {
            close(lists, entries, data);
            throw e;
        }
    }

    private static Data allocateData(Device device, Gpu gpu, long bytes) throws IOException {
        if (device instanceof LeasedDevice) {
            Buffer mapped = device.allocate(bytes);
            try {
                return new Data(mapped, null, gpu.register(mapped.segment()));
            } catch (IOException | RuntimeException e) {
                mapped.close();
                throw e;
            }
        }
        GpuMemory memory = gpu.allocate(bytes);
        try {
            return new Data(device.map(memory), memory, null);
        } catch (IOException | RuntimeException e) {
            memory.close();
            throw e;
        }
    }

    /** A controller on the GPU reads lists there; any other reads them in the host's memory. */
    private static Lists allocateLists(Device device, Gpu gpu, long bytes) throws IOException {
        if (!(device instanceof GpuDevice)) {
            return new Lists(device.allocate(bytes), null);
        }
        GpuMemory memory = gpu.allocate(bytes);
        try {
            return new Lists(device.map(memory), memory);
        } catch (IOException | RuntimeException e) {
            memory.close();
            throw e;
        }
    }

    /** Pages of the list of so many pages of data: the last entry of a page that is not the last names the next. */
    static int listPages(int pages) {
        int listed = pages - 1;
        return listed <= LIST_ENTRIES ? 1 : Math.ceilDiv(listed - 1, LIST_ENTRIES - 1);
    }

    private void describe(int count, int pages) throws IOException {
        DmaMemory memory = data.mapped.memory();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment described = arena.allocate((long) count * ENTRY_BYTES, 8);
            int listPages = pages > 2 ? listPages(pages) : 0;
            MemorySegment list = arena.allocate(Math.max(8, (long) listPages * PAGE), 8);
            for (int slot = 0; slot < count; slot++) {
                long at = slot * stride;
                long second = pages == 1 ? 0 : memory.iova(at + PAGE);
                if (lists != null) {
                    long listAt = (long) slot * listPages * PAGE;
                    second = lists.mapped.memory().iova(listAt);
                    fill(list, memory, at, pages, lists.mapped.memory(), listAt);
                    if (lists.memory == null) {
                        MemorySegment.copy(list, 0, lists.mapped.segment(), listAt, (long) listPages * PAGE);
                    } else {
                        lists.memory.write(listAt, list);
                    }
                }
                described.set(ValueLayout.JAVA_LONG, (long) slot * ENTRY_BYTES, memory.iova(at));
                described.set(ValueLayout.JAVA_LONG, (long) slot * ENTRY_BYTES + 8, second);
            }
            entries.write(0, described);
        }
    }

    private static void fill(MemorySegment list, DmaMemory data, long at, int pages, DmaMemory lists, long listAt) {
        int entry = 0;
        for (int page = 1; page < pages; page++) {
            if (entry % LIST_ENTRIES == LIST_ENTRIES - 1 && page < pages - 1) {
                list.setAtIndex(ValueLayout.JAVA_LONG, entry, lists.iova(listAt + (long) (entry + 1) * Long.BYTES));
                entry++;
            }
            list.setAtIndex(ValueLayout.JAVA_LONG, entry, data.iova(at + (long) page * PAGE));
            entry++;
        }
    }

    /**
     * Makes sure that a kernel finds in here what it goes by.
     *
     * @throws IllegalArgumentException if there are fewer queue pairs, other slots, or less memory for each
     */
    void require(int pairs, int depth, long bytes) {
        if (slots != depth || (long) pairs * slots > count || bytes > stride) {
            throw new IllegalArgumentException(
                    "%d queue pairs of %d commands of %d bytes, and memory for %d slots, %d each, of %d"
                            .formatted(pairs, depth, bytes, count, slots, stride));
        }
    }

    /** Where a kernel finds the PRP entries: {@code u64[pairs][slots][2]}. */
    public long entries() {
        return entries.address();
    }

    /** Where a kernel finds the data: slot after slot, pair after pair. */
    public long address() {
        return data.address();
    }

    /** Whether the data is in the GPU's memory, rather than in the host's. */
    public boolean onGpu() {
        return data.onGpu != null;
    }

    /** Fills all of the data's memory with a byte. No command that names it may be in flight. */
    public void fill(byte value) throws CudaException {
        data.fill(value);
    }

    /** Bytes from one slot's data to the next's, whole pages. */
    public long stride() {
        return stride;
    }

    /** Slots of each queue pair. */
    public int slots() {
        return slots;
    }

    /** Takes the memory away from the device and frees it. No command that names it may be in flight. Closing again does nothing. */
    @Override
    public void close() {
        close(lists, entries, data);
    }

    private static void close(@Nullable Lists lists, @Nullable GpuMemory entries, Data data) {
        if (lists != null) {
            lists.close();
        }
        if (entries != null) {
            entries.close();
        }
        data.close();
    }
}
