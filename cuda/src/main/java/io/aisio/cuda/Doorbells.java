package io.aisio.cuda;

import io.aisio.linux.Mapping;
import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.MappedBar;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/**
 * The doorbells of a controller as a GPU reaches them. The driver registers a page once only: all queue pairs of one
 * controller on one GPU share the registration, which ends with the last of them.
 */
final class Doorbells implements AutoCloseable {
    private record Key(long registers, int gpu) {}

    private static final Map<Key, Doorbells> SHARED = new HashMap<>();

    private final Key key;
    private final PinnedMemory memory;
    /** Under the map's lock. */
    private int users = 1;

    private Doorbells(Key key, PinnedMemory memory) {
        this.key = key;
        this.memory = memory;
    }

    /**
     * Registers the doorbells of a controller, or shares what is registered.
     *
     * @param io whether they are registers of a device on the bus, rather than memory
     */
    static Doorbells open(Gpu gpu, MappedBar bar, boolean io) throws CudaException {
        MemorySegment registers = bar.segment();
        Key key = new Key(registers.address(), gpu.id());
        synchronized (SHARED) {
            Doorbells shared = SHARED.get(key);
            if (shared == null) {
                long bytes = (registers.byteSize() - Registers.DOORBELLS) & -Mapping.PAGE_SIZE;
                MemorySegment pages = registers.asSlice(Registers.DOORBELLS, bytes);
                shared = new Doorbells(key, io ? gpu.registerIo(pages) : gpu.register(pages));
                SHARED.put(key, shared);
            } else {
                shared.users++;
            }
            return shared;
        }
    }

    /** Where the GPU finds a doorbell, by its offset in BAR 0. */
    long address(long offset) {
        return memory.address() + offset - Registers.DOORBELLS;
    }

    @Override
    public void close() {
        synchronized (SHARED) {
            if (--users == 0) {
                SHARED.remove(key);
                memory.close();
            }
        }
    }
}
