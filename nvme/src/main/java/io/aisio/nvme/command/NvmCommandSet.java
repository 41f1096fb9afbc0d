package io.aisio.nvme.command;

import io.aisio.nvme.Command;
import io.aisio.nvme.Guard;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.Prinfo;
import io.aisio.nvme.spec.BlockCommand;
import io.aisio.nvme.spec.CopyRange;
import io.aisio.nvme.spec.DatasetRange;
import io.aisio.nvme.spec.Directive;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Protection;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The NVM command set (section 6) on one namespace, a command at a time. Buffers are heap or native memory, of exactly the
 * length that the blocks have: data, then for a namespace whose metadata follows each block's data both, interleaved.
 */
public final class NvmCommandSet {
    /** Blocks of one command: NLB has 16 bits. */
    private static final int MOST_BLOCKS = 0x1_0000;

    private final Passthrough passthrough;
    private final NamespaceData namespace;

    private NvmCommandSet(Passthrough passthrough, NamespaceData namespace) {
        this.passthrough = passthrough;
        this.namespace = namespace;
    }

    /** On the path's own namespace, which is identified. */
    public static NvmCommandSet of(Passthrough passthrough) throws IOException {
        return of(passthrough, passthrough.nsid());
    }

    /** On a namespace, which is identified; after it is formatted another must be made. */
    public static NvmCommandSet of(Passthrough passthrough, int nsid) throws IOException {
        return new NvmCommandSet(passthrough, new Identities(passthrough).namespace(nsid));
    }

    /** The namespace as it was identified. */
    public NamespaceData namespace() {
        return namespace;
    }

    /** Makes what was written durable. */
    public void flush() throws IOException {
        run(Command.of(Opcode.FLUSH, namespace.nsid(), 0));
    }

    /** Reads blocks of a namespace without metadata: as many as the buffer holds, at most 65536. */
    public void read(long lba, MemorySegment data) throws IOException {
        read(lba, data, Passthrough.NOTHING, Prinfo.NONE);
    }

    /**
     * Reads blocks.
     *
     * @param metadata receives metadata, where it is separate; empty where there is none
     * @param prinfo what is checked; with its action, protection information that is all of the metadata is taken off
     */
    public void read(long lba, MemorySegment data, MemorySegment metadata, Prinfo prinfo) throws IOException {
        transfer(Opcode.READ, lba, data, metadata, prinfo, 0);
    }

    /** Writes blocks of a namespace without metadata: as many as the buffer holds, at most 65536. */
    public void write(long lba, MemorySegment data) throws IOException {
        write(lba, data, Passthrough.NOTHING, Prinfo.NONE, false);
    }

    /**
     * Writes blocks.
     *
     * @param metadata of the blocks, where it is separate; empty where there is none
     * @param prinfo what is checked; with its action the controller makes protection information
     * @param forced whether they are durable when this returns (FUA)
     */
    public void write(long lba, MemorySegment data, MemorySegment metadata, Prinfo prinfo, boolean forced)
            throws IOException {
        transfer(Opcode.WRITE, lba, data, metadata, prinfo, forced ? BlockCommand.FORCE_UNIT_ACCESS : 0);
    }

    /**
     * Writes blocks of a namespace without metadata to the reclaim unit of a placement identifier (Flexible Data Placement).
     *
     * @param placementIdentifier one that {@link DataPlacement#status()} tells
     */
    public void writePlaced(long lba, MemorySegment data, int placementIdentifier) throws IOException {
        if (placementIdentifier >>> 16 != 0) {
            throw new IllegalArgumentException(
                    "placement identifier 0x%x has more than 16 bits".formatted(placementIdentifier));
        }
        long directive = (long) Directive.TYPE_DATA_PLACEMENT << Directive.WRITE_TYPE_SHIFT
                | (long) placementIdentifier << (32 + Directive.WRITE_SPECIFIC_SHIFT);
        transfer(Opcode.WRITE, lba, data, Passthrough.NOTHING, Prinfo.NONE, directive);
    }

    /** Whether blocks of a namespace without metadata hold what a buffer does. */
    public boolean compare(long lba, MemorySegment data) throws IOException {
        return compare(lba, data, Passthrough.NOTHING, Prinfo.NONE);
    }

    /** Whether blocks and their metadata, but for protection information, hold what buffers do. */
    public boolean compare(long lba, MemorySegment data, MemorySegment metadata, Prinfo prinfo) throws IOException {
        try {
            transfer(Opcode.COMPARE, lba, data, metadata, prinfo, 0);
            return true;
        } catch (NvmeException e) {
            Status status = e.status();
            if (status != null && status.code() == Status.COMPARE_FAILURE) {
                return false;
            }
            throw e;
        }
    }

    /** Reads blocks without moving them anywhere, and checks their protection information. */
    public void verify(long lba, int blocks, Prinfo prinfo) throws IOException {
        run(prinfo.on(over(Opcode.VERIFY, lba, blocks)));
    }

    /** Makes blocks unreadable, until they are written again. */
    public void writeUncorrectable(long lba, int blocks) throws IOException {
        run(over(Opcode.WRITE_UNCORRECTABLE, lba, blocks));
    }

    /**
     * Makes blocks read as zeroes.
     *
     * @param deallocate whether they may be deallocated
     * @param prinfo what becomes of protection information
     */
    public void writeZeroes(long lba, int blocks, boolean deallocate, Prinfo prinfo) throws IOException {
        Command command = over(Opcode.WRITE_ZEROES, lba, blocks);
        run(prinfo.on(with(command, deallocate ? BlockCommand.DEALLOCATE : 0)));
    }

    /** Deallocates ranges, at most {@value DatasetRange#MAX}: what they then read as, the namespace's DLFEAT tells. */
    public void deallocate(List<LbaRange> ranges) throws IOException {
        manage(ranges, DatasetRange.DEALLOCATE);
    }

    /**
     * Dataset Management.
     *
     * @param attributes {@link DatasetRange}'s: what is to be done with the ranges
     */
    public void manage(List<LbaRange> ranges, int attributes) throws IOException {
        requireCount(ranges.size(), DatasetRange.MAX);
        MemorySegment data = MemorySegment.ofArray(new byte[ranges.size() * DatasetRange.BYTES]);
        for (int i = 0; i < ranges.size(); i++) {
            LbaRange range = requireInside(ranges.get(i));
            if (range.blocks() > 0xFFFF_FFFFL) {
                throw new IllegalArgumentException(range.blocks() + " blocks in a range; it counts in 32 bits");
            }
            long at = (long) i * DatasetRange.BYTES;
            Wire.i32(data, at + DatasetRange.NLB, (int) range.blocks());
            Wire.i64(data, at + DatasetRange.SLBA, range.lba());
        }
        passthrough.executeIo(
                Command.of(Opcode.DATASET_MANAGEMENT, namespace.nsid(), ranges.size() - 1, attributes), data);
    }

    /** Copies ranges, one behind the other, to an LBA; no protection information is made or checked. */
    public void copy(List<LbaRange> from, long to) throws IOException {
        copy(from, to, Prinfo.NONE, Prinfo.NONE);
    }

    /**
     * Copies ranges, one behind the other, to an LBA.
     *
     * @param read what is checked of what is read; the reference tag is the first range's, and counts on over the others
     *     by their LBAs, but not in a namespace of type 3; with the action where {@code written} has it
     * @param written what is checked or made of what is written
     * @throws IllegalArgumentException if they are more than the namespace copies at once, or only one side has the action
     */
    public void copy(List<LbaRange> from, long to, Prinfo read, Prinfo written) throws IOException {
        if (namespace.copyRangeBlocks() == 0) {
            throw new IllegalArgumentException("namespace " + namespace.nsid() + " copies nothing (MSSRL is 0)");
        }
        requireCount(from.size(), namespace.copyRanges());
        if (namespace.protectionType() != 0 && read.action() != written.action()) {
            throw new IllegalArgumentException(
                    "namespace %d has protection information, which a copy keeps or makes anew: both sides have the action, or none"
                            .formatted(namespace.nsid()));
        }
        boolean wide = namespace.protectionType() != 0 && namespace.guard() != Guard.CRC16;
        MemorySegment data =
                MemorySegment.ofArray(new byte[from.size() * (wide ? CopyRange.WIDE_BYTES : CopyRange.BYTES)]);
        long total = 0;
        for (int i = 0; i < from.size(); i++) {
            LbaRange range = requireInside(from.get(i));
            if (range.blocks() > Math.min(namespace.copyRangeBlocks(), MOST_BLOCKS)) {
                throw new IllegalArgumentException("%d blocks in a source range; at most %d are possible"
                        .formatted(range.blocks(), namespace.copyRangeBlocks()));
            }
            total += range.blocks();
            put(data, i, range, wide, read, range.lba() - from.getFirst().lba());
        }
        if (total > Integer.toUnsignedLong(namespace.copyBlocks())) {
            throw new IllegalArgumentException(
                    "%d blocks in one copy; at most %d are possible".formatted(total, namespace.copyBlocks()));
        }
        requireInside(new LbaRange(to, total));
        Command command = new Command(Opcode.COPY, namespace.nsid(), to, copyDword12(from.size(), wide, read), 0);
        passthrough.executeIo(written.on(command), data);
    }

    /** NR, descriptor format, PRINFOR, which stands at 15:12 where PRINFO is at 29:26, and STCR. */
    private static long copyDword12(int ranges, boolean wide, Prinfo read) {
        return (ranges - 1L)
                | (wide ? 1 << 8 : 0)
                | (read.flags() >>> 26 & 0xF) << 12
                | ((read.flags() & Protection.CHECK_STORAGE_TAG) == 0 ? 0 : Protection.CHECK_STORAGE_TAG_READ);
    }

    private void put(MemorySegment data, int i, LbaRange range, boolean wide, Prinfo read, long further) {
        long at = (long) i * (wide ? CopyRange.WIDE_BYTES : CopyRange.BYTES);
        boolean counts = namespace.protectionType() == 1 || namespace.protectionType() == 2;
        long tag = namespace.guard().cut(counts ? read.referenceTag() + further : read.referenceTag());
        Wire.i64(data, at + CopyRange.SLBA, range.lba());
        Wire.u16(data, at + CopyRange.NLB, (int) range.blocks() - 1);
        if (wide) {
            CopyRange.putWideTag(data, at, read.storageTag(), tag);
            Wire.u16(data, at + CopyRange.WIDE_ELBAT, read.applicationTag());
            Wire.u16(data, at + CopyRange.WIDE_ELBATM, read.applicationTagMask());
        } else {
            Wire.i32(data, at + CopyRange.EILBRT, (int) tag);
            Wire.u16(data, at + CopyRange.ELBAT, read.applicationTag());
            Wire.u16(data, at + CopyRange.ELBATM, read.applicationTagMask());
        }
    }

    private void transfer(int opcode, long lba, MemorySegment data, MemorySegment metadata, Prinfo prinfo, long more)
            throws IOException {
        boolean stripped = prinfo.action()
                && namespace.protectionType() != 0
                && namespace.metadataBytes() == namespace.guard().bytes();
        int transferred = stripped ? 0 : namespace.metadataBytes();
        int stride = namespace.lbaBytes() + (namespace.extendedLba() ? transferred : 0);
        long blocks = data.byteSize() / stride;
        long beside = namespace.extendedLba() ? 0 : blocks * transferred;
        if (blocks < 1 || blocks > MOST_BLOCKS || data.byteSize() % stride != 0 || metadata.byteSize() != beside) {
            throw new IllegalArgumentException(
                    "%d bytes of data and %d of metadata; namespace %d has blocks of %d, with %d beside each, up to %d"
                            .formatted(
                                    data.byteSize(),
                                    metadata.byteSize(),
                                    namespace.nsid(),
                                    stride,
                                    namespace.extendedLba() ? 0 : transferred,
                                    MOST_BLOCKS));
        }
        Command command = over(opcode, lba, (int) blocks);
        passthrough.executeIo(prinfo.on(with(command, more)), data, metadata);
    }

    private static Command with(Command command, long cdw12) {
        return new Command(command.opcode(), command.nsid(), command.cdw10(), command.cdw12() | cdw12, command.cdw14());
    }

    private Command over(int opcode, long lba, int blocks) {
        Command command = Command.overBlocks(opcode, namespace.nsid(), lba, blocks);
        requireInside(new LbaRange(lba, blocks));
        return command;
    }

    private LbaRange requireInside(@Nullable LbaRange range) {
        if (range == null || range.lba() > namespace.size() - range.blocks()) {
            throw new IllegalArgumentException(
                    "%s of namespace %d, which has %d blocks".formatted(range, namespace.nsid(), namespace.size()));
        }
        return range;
    }

    private static void requireCount(int ranges, int most) {
        if (ranges < 1 || ranges > most) {
            throw new IllegalArgumentException(ranges + " ranges in one command; 1 to " + most + " are possible");
        }
    }

    private void run(Command command) throws IOException {
        passthrough.executeIo(command, Passthrough.NOTHING);
    }
}
