package io.aisio.emu;

import io.aisio.linux.Mapping;
import io.aisio.nvme.spec.Sgl;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.PeerMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Follows a command's PRP entries and lists (section 4.3), or its SGL (section 4.4), to the memory that they mean, all of
 * it before a byte is moved. Entries that follow one another are one run, so that a transfer is few copies. One object,
 * used again for each command.
 */
final class PrpWalk {
    /** The one memory page size that the controller has, MPSMIN = MPSMAX. */
    static final int PAGE = Mapping.PAGE_SIZE;

    private static final int ENTRY = Long.BYTES;
    /** Bits of an opcode that say which way data goes, and what they are where it goes to the driver. */
    private static final int TRANSFERS = 3;

    private static final int TO_HOST = 2;

    /** Descriptors of one SGL that are looked at: more than any driver needs, few enough for a list without an end. */
    private static final int MOST_DESCRIPTORS = 1 << 16;

    private final IovaSpace space;
    private IovaSpace.Region[] regions;
    private long[] offsets;
    private long[] lengths;
    private int runs;
    /** Whether the two words of the next mapping are an SGL's descriptor. */
    private boolean sgl;

    /** Whether the next mapping is of memory that is written. */
    private boolean written;

    /** The table in which {@link #last} was found. */
    private IovaSpace.Region[] table;

    private IovaSpace.@Nullable Region last;
    private IovaSpace.@Nullable Region list;
    /** A copy of entries that lie in another device's memory. */
    private MemorySegment copied = MemorySegment.NULL;

    /** Whose memory commands reach. */
    private @Nullable ProtectionDomain domain;

    /** @param maxBytes the longest transfer that will be asked for */
    PrpWalk(IovaSpace space, long maxBytes) {
        this.space = space;
        this.table = space.table();
        int pages = (int) (maxBytes / PAGE) + 1;
        regions = new IovaSpace.Region[pages];
        offsets = new long[pages];
        lengths = new long[pages];
    }

    /** Says whose the next commands are: they reach memory of this domain alone, null for the function's own. */
    void within(@Nullable ProtectionDomain whose) {
        // Mostly it is the same as last time, and a store that the collector must know of costs more than a look.
        if (domain != whose) {
            domain = whose;
        }
    }

    /** Whose memory the next commands reach; null for the function's own. */
    @Nullable
    ProtectionDomain domain() {
        return domain;
    }

    /** The region of the command's domain that holds all of {@code length} bytes at {@code address}, or null. */
    IovaSpace.@Nullable Region find(long address, long length) {
        IovaSpace.Region region = space.find(address, length);
        return region == null || region.domain != domain ? null : region;
    }

    /** Says how the next command describes its data, by its PSDT. */
    void describedBy(int psdt) {
        sgl = psdt != 0;
    }

    /** Forgets the last mapping: another command comes, which may have none. */
    void forget() {
        runs = 0;
        list = null;
    }

    /**
     * Maps a transfer. The two words of a command whose data an SGL describes are a descriptor.
     *
     * @param bytes its length, at least 1
     * @return 0, or the status of what is wrong with the entries; there are no runs then
     */
    int map(long prp1, long prp2, long bytes) {
        forget();
        forgetOldTable();
        if (sgl) {
            return sgl(prp1, prp2, bytes);
        }
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

    /** Says which way data of the next command goes: memory that the controller may only read takes none (opcode, bits 1:0). */
    void movedBy(int opcode) {
        written = (opcode & TRANSFERS) == TO_HOST;
    }

    /** Zeroes run {@code i} from a place in it on. */
    void zero(int i, long at) {
        if (regions[i].peer == null) {
            regions[i].memory.asSlice(offsets[i] + at, lengths[i] - at).fill((byte) 0);
        } else if (at < lengths[i]) {
            put(i, at, Arena.ofAuto().allocate(lengths[i] - at));
        }
    }

    /** How many runs the last mapping has. */
    int runs() {
        return runs;
    }

    /** The memory that run {@code i} lies in; without bytes if it is another device's. */
    MemorySegment memory(int i) {
        return regions[i].memory;
    }

    /** The device's memory that run {@code i} lies in, null if it lies in the host's. */
    @Nullable
    PeerMemory peer(int i) {
        return regions[i].peer;
    }

    /** Copies all that the last mapping names to {@code target}, from its start on. */
    void gather(MemorySegment target) {
        long at = 0;
        for (int i = 0; i < runs; i++) {
            get(i, 0, target.asSlice(at, lengths[i]));
            at += lengths[i];
        }
    }

    /** Copies from run {@code i}, from a place in it on, until {@code target} is full. */
    void get(int i, long at, MemorySegment target) {
        PeerMemory peer = regions[i].peer;
        if (peer == null) {
            MemorySegment.copy(regions[i].memory, offsets[i] + at, target, 0, target.byteSize());
        } else {
            CopyEngine.fromPeer(peer, offsets[i] + at, target);
        }
    }

    /** Copies to all that the last mapping names from {@code source}, from its start on. */
    void deliver(MemorySegment source) {
        long at = 0;
        for (int i = 0; i < runs; i++) {
            put(i, 0, source.asSlice(at, lengths[i]));
            at += lengths[i];
        }
    }

    /** Copies {@code source} into run {@code i}, from a place in it on. */
    void put(int i, long at, MemorySegment source) {
        PeerMemory peer = regions[i].peer;
        if (peer == null) {
            MemorySegment.copy(source, 0, regions[i].memory, offsets[i] + at, source.byteSize());
        } else {
            CopyEngine.toPeer(peer, offsets[i] + at, source);
        }
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
            IovaSpace.Region region = find(at, (long) (entries + (chained ? 1 : 0)) * ENTRY);
            if (region == null) {
                return refuse(Status.DATA_TRANSFER_ERROR);
            }
            list = region;
            MemorySegment memory = entries(region, at, (long) (entries + (chained ? 1 : 0)) * ENTRY);
            long offset = region.peer == null ? at - region.iova : 0;
            for (int i = 0; i < entries; i++) {
                long length = Math.min(rest, PAGE);
                int status = entry(Wire.i64(memory, offset + (long) i * ENTRY), length);
                if (status != Status.SUCCESS) {
                    return status;
                }
                rest -= length;
            }
            if (!chained) {
                return Status.SUCCESS;
            }
            at = Wire.i64(memory, offset + (long) entries * ENTRY);
            if ((at & (PAGE - 1)) != 0) {
                return refuse(Status.INVALID_PRP_OFFSET);
            }
        }
    }

    /** Where entries at an address can be looked at: in their region, or from 0 on in a copy if that is another device's. */
    private MemorySegment entries(IovaSpace.Region region, long address, long bytes) {
        PeerMemory peer = region.peer;
        if (peer == null) {
            return region.memory;
        }
        if (copied.byteSize() < bytes) {
            copied = Arena.ofAuto().allocate(Math.max(bytes, PAGE), Long.BYTES);
        }
        CopyEngine.fromPeer(peer, address - region.iova, copied.asSlice(0, bytes));
        return copied;
    }

    /**
     * A descriptor is of the data, or of a segment of descriptors, of which the last may be of the next segment. Together the
     * data blocks are as long as the transfer.
     */
    private int sgl(long address, long word1, long bytes) {
        long rest = bytes;
        int left = MOST_DESCRIPTORS;
        long at = address;
        long word = word1;
        while (Sgl.type(word) != Sgl.DATA_BLOCK) {
            boolean last = Sgl.type(word) == Sgl.LAST_SEGMENT;
            if ((!last && Sgl.type(word) != Sgl.SEGMENT) || Sgl.subtype(word) != 0) {
                return refuse(Status.INVALID_SGL_TYPE);
            }
            long length = Sgl.length(word);
            if (length == 0 || length % Sgl.BYTES != 0) {
                return refuse(Status.INVALID_SGL_SEGMENT);
            }
            left -= (int) (length / Sgl.BYTES);
            if (left < 0) {
                return refuse(Status.INVALID_SGL_COUNT);
            }
            IovaSpace.Region region = find(at, length);
            if (region == null) {
                return refuse(Status.DATA_TRANSFER_ERROR);
            }
            list = region;
            MemorySegment memory = entries(region, at, length);
            long offset = region.peer == null ? at - region.iova : 0;
            long end = offset + length - (last ? 0 : Sgl.BYTES);
            for (; offset < end; offset += Sgl.BYTES) {
                // Once: the driver may change it meanwhile.
                long block = Wire.i64(memory, offset + Sgl.WORD1);
                int status = dataBlock(Wire.i64(memory, offset + Sgl.ADDRESS), block, rest);
                if (status != Status.SUCCESS) {
                    return status;
                }
                rest -= Sgl.length(block);
            }
            if (last) {
                return rest == 0 ? Status.SUCCESS : refuse(Status.INVALID_SGL_LENGTH);
            }
            at = Wire.i64(memory, offset + Sgl.ADDRESS);
            word = Wire.i64(memory, offset + Sgl.WORD1);
            if (Sgl.type(word) == Sgl.DATA_BLOCK) {
                return refuse(Status.INVALID_SGL_SEGMENT);
            }
        }
        return Sgl.length(word) == rest ? dataBlock(at, word, rest) : refuse(Status.INVALID_SGL_LENGTH);
    }

    private int dataBlock(long address, long word1, long rest) {
        int type = Sgl.type(word1);
        long length = Sgl.length(word1);
        if (type == Sgl.SEGMENT || type == Sgl.LAST_SEGMENT) {
            return refuse(Status.INVALID_SGL_SEGMENT);
        }
        if (type != Sgl.DATA_BLOCK || Sgl.subtype(word1) != 0) {
            return refuse(Status.INVALID_SGL_TYPE);
        }
        if (length > rest) {
            return refuse(Status.INVALID_SGL_LENGTH);
        }
        return length == 0 || add(address, length) ? Status.SUCCESS : refuse(Status.DATA_TRANSFER_ERROR);
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
        if (region.domain != domain) {
            return false;
        }
        if (written && region.readOnly) {
            return false;
        }
        long offset = address - region.iova;
        int i = runs;
        if (i > 0 && regions[i - 1] == region && offsets[i - 1] + lengths[i - 1] == offset) {
            lengths[i - 1] += bytes;
            return true;
        }
        if (i == regions.length) {
            // Only an SGL has more runs than a transfer has pages.
            regions = Arrays.copyOf(regions, 2 * i);
            offsets = Arrays.copyOf(offsets, 2 * i);
            lengths = Arrays.copyOf(lengths, 2 * i);
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
