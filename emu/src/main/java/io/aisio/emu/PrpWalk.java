package io.aisio.emu;

import io.aisio.linux.Mapping;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Follows a command's PRP entries and lists (section 4.3) to the memory that they mean, all of it before a byte is
 * moved. Entries that follow one another are one run, so that a transfer is few copies. One object, used again for each
 * command.
 */
final class PrpWalk {
    /** The one memory page size that the controller has, MPSMIN = MPSMAX. */
    static final int PAGE = Mapping.PAGE_SIZE;

    private static final int ENTRY = Long.BYTES;

    private final IovaSpace space;
    private final IovaSpace.Region[] regions;
    private final long[] offsets;
    private final long[] lengths;
    private int runs;

    /** The table in which {@link #last} was found. */
    private IovaSpace.Region[] table;

    private IovaSpace.@Nullable Region last;
    private IovaSpace.@Nullable Region list;

    /** @param maxBytes the longest transfer that will be asked for */
    PrpWalk(IovaSpace space, long maxBytes) {
        this.space = space;
        this.table = space.table();
        int pages = (int) (maxBytes / PAGE) + 1;
        regions = new IovaSpace.Region[pages];
        offsets = new long[pages];
        lengths = new long[pages];
    }

    /**
     * Maps a transfer.
     *
     * @param bytes its length, at least 1
     * @return 0, or the status of what is wrong with the entries; there are no runs then
     */
    int map(long prp1, long prp2, long bytes) {
        runs = 0;
        list = null;
        forgetOldTable();
        if ((prp1 & 3) != 0) {
            return refuse(Status.INVALID_PRP_OFFSET);
        }
        long first = Math.min(bytes, PAGE - (prp1 & (PAGE - 1)));
        if (!add(prp1, first)) {
            return refuse(Status.DATA_TRANSFER_ERROR);
        }
        long rest = bytes - first;
        if (rest == 0) {
            return Status.SUCCESS;
        }
        return rest <= PAGE ? entry(prp2, rest) : list(prp2, rest);
    }

    /** How many runs the last mapping has. */
    int runs() {
        return runs;
    }

    /** The memory that run {@code i} lies in. */
    MemorySegment memory(int i) {
        return regions[i].memory;
    }

    /** Where in {@link #memory} run {@code i} begins. */
    long offset(int i) {
        return offsets[i];
    }

    /** Length of run {@code i} in bytes. */
    long length(int i) {
        return lengths[i];
    }

    /** Whether memory of the last mapping has been freed since: the reason of an {@link IllegalStateException}. */
    boolean lostMemory() {
        for (int i = 0; i < runs; i++) {
            if (!regions[i].alive()) {
                runs = 0;
                return true;
            }
        }
        return list != null && !list.alive();
    }

    /** A table is replaced as a whole: another one is another array. */
    @SuppressWarnings("ReferenceEquality")
    private void forgetOldTable() {
        IovaSpace.Region[] now = space.table();
        if (table != now) {
            table = now;
            last = null;
        }
    }

    private int entry(long address, long bytes) {
        if ((address & (PAGE - 1)) != 0) {
            return refuse(Status.INVALID_PRP_OFFSET);
        }
        return add(address, bytes) ? Status.SUCCESS : refuse(Status.DATA_TRANSFER_ERROR);
    }

    /** The list begins anywhere in its page; the last entry of a page that does not hold all points to the next. */
    private int list(long address, long bytes) {
        if ((address & (ENTRY - 1)) != 0) {
            return refuse(Status.INVALID_PRP_OFFSET);
        }
        long rest = bytes;
        long at = address;
        while (true) {
            int room = (int) (PAGE - (at & (PAGE - 1))) / ENTRY;
            long needed = (rest + PAGE - 1) / PAGE;
            boolean chained = needed > room;
            int entries = chained ? room - 1 : (int) needed;
            IovaSpace.Region region = space.find(at, (long) (entries + (chained ? 1 : 0)) * ENTRY);
            if (region == null) {
                return refuse(Status.DATA_TRANSFER_ERROR);
            }
            list = region;
            long offset = at - region.iova;
            for (int i = 0; i < entries; i++) {
                long length = Math.min(rest, PAGE);
                int status = entry(Wire.i64(region.memory, offset + (long) i * ENTRY), length);
                if (status != Status.SUCCESS) {
                    return status;
                }
                rest -= length;
            }
            if (!chained) {
                return Status.SUCCESS;
            }
            at = Wire.i64(region.memory, offset + (long) entries * ENTRY);
            if ((at & (PAGE - 1)) != 0) {
                return refuse(Status.INVALID_PRP_OFFSET);
            }
        }
    }

    /** Adds to the last run what follows it, else begins a new one. */
    private boolean add(long address, long bytes) {
        IovaSpace.Region region = last;
        if (region == null || !region.contains(address, bytes)) {
            region = space.find(address, bytes);
            if (region == null) {
                return false;
            }
            last = region;
        }
        long offset = address - region.iova;
        int i = runs;
        if (i > 0 && regions[i - 1] == region && offsets[i - 1] + lengths[i - 1] == offset) {
            lengths[i - 1] += bytes;
            return true;
        }
        // Mostly it is the same as last time, and a store that the collector must know of costs more than a look.
        if (regions[i] != region) {
            regions[i] = region;
        }
        offsets[i] = offset;
        lengths[i] = bytes;
        runs = i + 1;
        return true;
    }

    private int refuse(int code) {
        runs = 0;
        return code | Status.DNR_BIT;
    }
}
