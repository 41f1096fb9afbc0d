package io.aisio.emu;

import io.aisio.linux.Mapping;
import io.aisio.nvme.BlockProtection;
import io.aisio.nvme.Guard;
import io.aisio.nvme.Prinfo;
import io.aisio.nvme.spec.BlockCommand;
import io.aisio.nvme.spec.CopyRange;
import io.aisio.nvme.spec.Directive;
import io.aisio.nvme.spec.Protection;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.PeerMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Commands on blocks that are more than data: that have metadata, zones or reclaim units, or some that cannot be read. And
 * Copy, on any. What a command moves passes through memory of the controller's.
 *
 * <pre>
 *   driver's memory  ⇄  host: as the driver has it  ⇄  data | metadata: protection information made and checked  ⇄  medium
 * </pre>
 */
final class StagedBlocks {
    private static final int DNR = Status.DNR_BIT;
    /** Blocks that are handled at once where a command has more than it transfers: chosen to stay in a core's cache. */
    private static final int PART = 64;

    /** MSSRL: the most blocks of one source range of Copy. Chosen, like the next two. */
    static final int COPY_RANGE_BLOCKS = 128;
    /** MCL: the most blocks of one Copy. */
    static final int COPY_BLOCKS = 256;
    /** MSRC, as a count: the most source ranges of one Copy. */
    static final int COPY_RANGES = 128;

    private final PrpWalk prps;
    private final long maxTransfer;
    private final Counters counters;
    private final @Nullable PlacementTable placement;
    /** Interleaved data and metadata, as the driver has them. */
    private MemorySegment host = MemorySegment.NULL;

    private MemorySegment dataRoom = MemorySegment.NULL;
    private MemorySegment metadataRoom = MemorySegment.NULL;
    private MemorySegment data = MemorySegment.NULL;
    private MemorySegment metadata = MemorySegment.NULL;
    private MemorySegment otherData = MemorySegment.NULL;
    private MemorySegment otherMetadata = MemorySegment.NULL;

    StagedBlocks(PrpWalk prps, long maxTransfer, Counters counters, @Nullable PlacementTable placement) {
        this.prps = prps;
        this.maxTransfer = maxTransfer;
        this.counters = counters;
        this.placement = placement;
    }

    int read(Command command, Namespace namespace, int count) {
        long lba = command.cdw10;
        Prinfo prinfo = prinfo(command);
        int status = checkRead(namespace, lba, count, prinfo);
        if (status == Status.SUCCESS) {
            status = map(command, namespace, count, prinfo);
        }
        if (status == Status.SUCCESS) {
            stage(namespace, count);
            status = load(namespace, lba, count, prinfo);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        counters.reads++;
        counters.sectorsRead += (long) count << namespace.shift >>> 9;
        return namespace.media.movesData() ? deliver(command, namespace, count, prinfo) : Status.SUCCESS;
    }

    int write(Command command, Namespace namespace, int count) {
        return write(command, namespace, command.cdw10, count);
    }

    /** Zone Append: a write wherever the zone's write pointer is. */
    int append(Command command, Namespace namespace, int count) {
        ZoneTable zones = namespace.zones;
        if (zones == null) {
            return Status.INVALID_OPCODE | DNR;
        }
        if (!zones.isStart(command.cdw10)) {
            return Status.INVALID_FIELD | DNR;
        }
        long lba = zones.writePointer(zones.zone(command.cdw10));
        int status = write(command, namespace, lba, count);
        if (status == Status.SUCCESS) {
            command.result = (int) lba;
            command.upper = (int) (lba >>> 32);
        }
        return status;
    }

    private int write(Command command, Namespace namespace, long lba, int count) {
        if (namespace.readOnly) {
            return Status.NAMESPACE_WRITE_PROTECTED | DNR;
        }
        int type = (int) (command.cdw12 >>> Directive.WRITE_TYPE_SHIFT) & 0xF;
        if (type != 0 && (type != Directive.TYPE_DATA_PLACEMENT || placement == null)) {
            return Status.INVALID_FIELD | DNR;
        }
        Prinfo prinfo = prinfo(command);
        int status = checkPrinfo(namespace, lba, prinfo);
        if (status == Status.SUCCESS) {
            status = map(command, namespace, count, prinfo);
        }
        if (status == Status.SUCCESS) {
            stage(namespace, count);
            status = gather(command, namespace, count, prinfo);
        }
        if (status == Status.SUCCESS) {
            status = protect(namespace, count, prinfo);
        }
        if (status == Status.SUCCESS) {
            status = checkReadableAgain(namespace, lba, count);
        }
        ZoneTable zones = namespace.zones;
        if (status == Status.SUCCESS && zones != null) {
            // Both a write and an append name a block of the zone that is meant.
            status = zones.beginWrite(zones.zone(command.cdw10), lba, count);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        counters.writes++;
        counters.sectorsWritten += (long) count << namespace.shift >>> 9;
        status = store(namespace, lba, count);
        if (status == Status.SUCCESS && placement != null) {
            int identifier = type == 0 ? -1 : (int) (command.cdw12 >>> 48);
            placement.wrote(namespace.id, identifier, (long) count << namespace.shift);
        }
        return status;
    }

    /** Write Zeroes: with its action, protection information is made; without, the checks of the blocks are off. */
    int writeZeroes(Command command, Namespace namespace, int count) {
        long lba = command.cdw10;
        Prinfo prinfo = prinfo(command);
        int status = checkPrinfo(namespace, lba, prinfo);
        if (status == Status.SUCCESS) {
            status = checkReadableAgain(namespace, lba, count);
        }
        ZoneTable zones = namespace.zones;
        if (status == Status.SUCCESS && zones != null) {
            status = zones.beginWrite(lba, count);
        }
        if (status == Status.SUCCESS) {
            status = namespace.zero(lba, count);
        }
        BlockProtection protection = namespace.protection;
        if (status == Status.SUCCESS && protection != null && prinfo.action()) {
            for (int done = 0; done < count; done += PART) {
                int part = Math.min(PART, count - done);
                stage(namespace, part);
                data.fill((byte) 0);
                metadata.fill((byte) 0);
                protection.generate(data, metadata, from(protection, prinfo, done));
                namespace.writeMetadata(lba + done, part, metadata);
            }
        }
        if (status == Status.SUCCESS) {
            written(namespace, lba, count);
        }
        return status;
    }

    /** The same command some blocks further. */
    private static Prinfo from(BlockProtection protection, Prinfo prinfo, long blocks) {
        return new Prinfo(
                prinfo.flags(),
                protection.referenceTag(prinfo, blocks),
                prinfo.applicationTag(),
                prinfo.applicationTagMask(),
                prinfo.storageTag());
    }

    int verify(Command command, Namespace namespace, int count) {
        long lba = command.cdw10;
        Prinfo prinfo = prinfo(command);
        int status = checkRead(namespace, lba, count, prinfo);
        BlockProtection protection = namespace.protection;
        for (int done = 0; done < count && status == Status.SUCCESS; done += PART) {
            int part = Math.min(PART, count - done);
            stage(namespace, part);
            status = load(namespace, lba + done, part, protection == null ? prinfo : from(protection, prinfo, done));
        }
        return status;
    }

    /** Data and metadata are compared, but for protection information, which is checked on both sides. */
    int compare(Command command, Namespace namespace, int count) {
        long lba = command.cdw10;
        Prinfo prinfo = prinfo(command);
        int status = checkRead(namespace, lba, count, prinfo);
        if (status == Status.SUCCESS) {
            status = map(command, namespace, count, prinfo);
        }
        if (status == Status.SUCCESS) {
            stage(namespace, count);
            status = gather(command, namespace, count, prinfo);
        }
        BlockProtection protection = namespace.protection;
        boolean transferred = !isStripped(namespace, prinfo);
        if (status == Status.SUCCESS && protection != null && transferred && namespace.media.movesData()) {
            status = dnr(protection.check(data, metadata, prinfo));
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        otherData = room(otherData, data.byteSize());
        otherMetadata = room(otherMetadata, metadata.byteSize());
        MemorySegment wanted = otherData.asSlice(0, data.byteSize()).copyFrom(data);
        MemorySegment wantedMetadata =
                otherMetadata.asSlice(0, metadata.byteSize()).copyFrom(metadata);
        status = load(namespace, lba, count, prinfo);
        if (status != Status.SUCCESS) {
            return status;
        }
        counters.reads++;
        counters.sectorsRead += (long) count << namespace.shift >>> 9;
        if (!namespace.media.movesData()) {
            return Status.SUCCESS;
        }
        boolean same =
                data.mismatch(wanted) < 0 && (!transferred || sameMetadata(namespace, count, metadata, wantedMetadata));
        return same ? Status.SUCCESS : Status.COMPARE_FAILURE | DNR;
    }

    private static boolean sameMetadata(Namespace namespace, int count, MemorySegment one, MemorySegment other) {
        int bytes = namespace.metadataBytes;
        BlockProtection protection = namespace.protection;
        int from = protection == null ? bytes : protection.offset();
        int to = protection == null ? bytes : from + protection.guard().bytes();
        for (long at = 0; at < (long) count * bytes; at += bytes) {
            if (MemorySegment.mismatch(one, at, at + from, other, at, at + from) >= 0
                    || MemorySegment.mismatch(one, at + to, at + bytes, other, at + to, at + bytes) >= 0) {
                return false;
            }
        }
        return true;
    }

    int writeUncorrectable(Command command, Namespace namespace, int count) {
        if (!namespace.uncorrectable.canAdd(command.cdw10, count)) {
            return Status.INTERNAL_ERROR | DNR;
        }
        ZoneTable zones = namespace.zones;
        int status = zones == null ? Status.SUCCESS : zones.beginWrite(command.cdw10, count);
        if (status == Status.SUCCESS) {
            namespace.uncorrectable.add(command.cdw10, count);
            namespace.replain();
            if (zones != null) {
                zones.wrote(command.cdw10, count);
            }
        }
        return status;
    }

    /** Copy: every range is read and checked before the first block is written. */
    int copy(Command command, Namespace namespace) {
        long to = command.cdw10;
        int dword12 = command.dword12();
        int ranges = (dword12 & 0xFF) + 1;
        int format = dword12 >>> 8 & 0xF;
        BlockProtection protection = namespace.protection;
        boolean wide = protection != null && protection.guard() != Guard.CRC16;
        if (format != (wide ? 1 : 0)) {
            return Status.INVALID_FIELD | DNR;
        }
        if (ranges > COPY_RANGES) {
            return Status.COMMAND_SIZE_LIMIT_EXCEEDED | DNR;
        }
        int each = wide ? CopyRange.WIDE_BYTES : CopyRange.BYTES;
        int status = prps.map(command.prp1, command.prp2, (long) ranges * each);
        if (status != Status.SUCCESS) {
            return status;
        }
        host = room(host, (long) ranges * each);
        prps.gather(host);
        long total = 0;
        for (int i = 0; i < ranges; i++) {
            long at = (long) i * each;
            long count = Wire.u16(host, at + CopyRange.NLB) + 1L;
            total += count;
            if (count > COPY_RANGE_BLOCKS || total > COPY_BLOCKS) {
                return Status.COMMAND_SIZE_LIMIT_EXCEEDED | DNR;
            }
            if (!namespace.holds(Wire.i64(host, at + CopyRange.SLBA), count)) {
                return Status.LBA_OUT_OF_RANGE | DNR;
            }
        }
        if (!namespace.holds(to, total)) {
            return Status.LBA_OUT_OF_RANGE | DNR;
        }
        Prinfo written = prinfo(command);
        boolean takesOff = (dword12 >>> 12 << 26 & Protection.ACTION) != 0;
        if (protection != null && takesOff != written.action()) {
            return Status.INVALID_FIELD | DNR;
        }
        status = checkPrinfo(namespace, to, written);
        if (status != Status.SUCCESS) {
            return status;
        }
        status = readSources(command, namespace, ranges, each, wide, (int) total);
        if (status == Status.SUCCESS) {
            status = protect(namespace, (int) total, written);
        }
        if (status == Status.SUCCESS) {
            status = checkReadableAgain(namespace, to, total);
        }
        ZoneTable zones = namespace.zones;
        if (status == Status.SUCCESS && zones != null) {
            status = zones.beginWrite(to, total);
        }
        return status == Status.SUCCESS ? store(namespace, to, (int) total) : status;
    }

    /** Reads all ranges into {@link #data} and {@link #metadata}; the result is the range that failed. */
    private int readSources(Command command, Namespace namespace, int ranges, int each, boolean wide, int total) {
        otherData = room(otherData, (long) total << namespace.shift);
        otherMetadata = room(otherMetadata, (long) total * namespace.metadataBytes);
        long at = 0;
        for (int i = 0; i < ranges; i++) {
            long range = (long) i * each;
            long lba = Wire.i64(host, range + CopyRange.SLBA);
            int count = Wire.u16(host, range + CopyRange.NLB) + 1;
            Prinfo prinfo = prinfoOfSource(command.dword12(), range, wide);
            stage(namespace, count);
            int status = checkRead(namespace, lba, count, prinfo);
            status = status == Status.SUCCESS ? load(namespace, lba, count, prinfo) : status;
            if (status != Status.SUCCESS) {
                command.result = i;
                return status;
            }
            MemorySegment.copy(data, 0, otherData, at << namespace.shift, data.byteSize());
            MemorySegment.copy(metadata, 0, otherMetadata, at * namespace.metadataBytes, metadata.byteSize());
            at += count;
        }
        stage(namespace, total);
        data.copyFrom(otherData.asSlice(0, data.byteSize()));
        metadata.copyFrom(otherMetadata.asSlice(0, metadata.byteSize()));
        return Status.SUCCESS;
    }

    private Prinfo prinfoOfSource(int dword12, long range, boolean wide) {
        // Its action would take protection information off, which is made anew or kept by what is written.
        int flags = ((dword12 >>> 12 & 0xF) << 26 & ~Protection.ACTION)
                | ((dword12 & Protection.CHECK_STORAGE_TAG_READ) == 0 ? 0 : Protection.CHECK_STORAGE_TAG);
        return wide
                ? new Prinfo(
                        flags,
                        CopyRange.wideReferenceTag(host, range),
                        Wire.u16(host, range + CopyRange.WIDE_ELBAT),
                        Wire.u16(host, range + CopyRange.WIDE_ELBATM),
                        CopyRange.wideStorageTag(host, range))
                : new Prinfo(
                        flags,
                        Wire.i32(host, range + CopyRange.EILBRT) & 0xFFFF_FFFFL,
                        Wire.u16(host, range + CopyRange.ELBAT),
                        Wire.u16(host, range + CopyRange.ELBATM),
                        0);
    }

    // The steps.

    private static Prinfo prinfo(Command command) {
        int flags = command.dword12()
                & (Protection.ACTION
                        | Protection.CHECK_GUARD
                        | Protection.CHECK_APPLICATION_TAG
                        | Protection.CHECK_REFERENCE_TAG
                        | Protection.CHECK_STORAGE_TAG);
        return new Prinfo(
                flags,
                (command.cdw14 & 0xFFFF_FFFFL) | (command.cdw2 & 0xFFFF_FFFF_0000_0000L),
                (int) (command.cdw14 >>> 32) & 0xFFFF,
                (int) (command.cdw14 >>> 48),
                (int) command.cdw2 & 0xFFFF);
    }

    /** Type 1 fixes the reference tag, and type 3 has none that could be checked. */
    private static int checkPrinfo(Namespace namespace, long lba, Prinfo prinfo) {
        BlockProtection protection = namespace.protection;
        if (protection == null || (prinfo.flags() & Protection.CHECK_REFERENCE_TAG) == 0) {
            return Status.SUCCESS;
        }
        boolean wrong = protection.type() == 3
                || (protection.type() == 1
                        && protection.referenceTag(prinfo.referenceTag()) != protection.referenceTag(lba));
        return wrong ? Status.INVALID_PROTECTION | DNR : Status.SUCCESS;
    }

    private int checkRead(Namespace namespace, long lba, int count, Prinfo prinfo) {
        ZoneTable zones = namespace.zones;
        int status = zones == null ? Status.SUCCESS : zones.checkRead(lba, count);
        if (status != Status.SUCCESS) {
            return status;
        }
        if (namespace.uncorrectable.intersects(lba, count)) {
            counters.mediaErrors++;
            return Status.UNRECOVERED_READ_ERROR | DNR;
        }
        return checkPrinfo(namespace, lba, prinfo);
    }

    /** Whether metadata, being protection information alone, is made and taken off here and not transferred. */
    private static boolean isStripped(Namespace namespace, Prinfo prinfo) {
        BlockProtection protection = namespace.protection;
        return protection != null
                && prinfo.action()
                && namespace.metadataBytes == protection.guard().bytes();
    }

    private static int transferredMetadata(Namespace namespace, Prinfo prinfo) {
        return isStripped(namespace, prinfo) ? 0 : namespace.metadataBytes;
    }

    private static boolean isInterleaved(Namespace namespace, Prinfo prinfo) {
        return namespace.extended && transferredMetadata(namespace, prinfo) != 0;
    }

    private int map(Command command, Namespace namespace, int count, Prinfo prinfo) {
        int beside = transferredMetadata(namespace, prinfo);
        long bytes = (long) count * ((1L << namespace.shift) + (namespace.extended ? beside : 0));
        if (bytes > maxTransfer) {
            return Status.INVALID_FIELD | DNR;
        }
        int status = prps.map(command.prp1, command.prp2, bytes);
        if (status != Status.SUCCESS || namespace.extended || beside == 0) {
            return status;
        }
        if ((command.mptr & 3) != 0) {
            return Status.INVALID_FIELD | DNR;
        }
        return prps.find(command.mptr, (long) count * beside) == null
                ? Status.DATA_TRANSFER_ERROR | DNR
                : Status.SUCCESS;
    }

    /** Memory for blocks: {@link #data} and {@link #metadata}, of exactly their size. */
    private void stage(Namespace namespace, int count) {
        long bytes = (long) count << namespace.shift;
        long beside = (long) count * namespace.metadataBytes;
        dataRoom = room(dataRoom, bytes);
        metadataRoom = room(metadataRoom, beside);
        data = dataRoom.asSlice(0, bytes);
        metadata = metadataRoom.asSlice(0, beside);
    }

    private static MemorySegment room(MemorySegment is, long bytes) {
        return is.byteSize() >= bytes ? is : Arena.ofAuto().allocate(Math.max(bytes, Mapping.PAGE_SIZE), 8);
    }

    /** From the medium, with its protection information checked. */
    private int load(Namespace namespace, long lba, int count, Prinfo prinfo) {
        int status = namespace.media.read(lba << namespace.shift, data, 0, data.byteSize());
        if (status != Status.SUCCESS) {
            counters.mediaErrors++;
            return status;
        }
        namespace.readMetadata(lba, count, metadata);
        BlockProtection protection = namespace.protection;
        status = protection == null ? Status.SUCCESS : protection.check(data, metadata, prinfo);
        if (status != Status.SUCCESS) {
            counters.mediaErrors++;
        }
        return dnr(status);
    }

    /** Makes protection information, or checks the driver's. */
    private int protect(Namespace namespace, int count, Prinfo prinfo) {
        BlockProtection protection = namespace.protection;
        if (protection == null || count == 0 || !namespace.media.movesData()) {
            return Status.SUCCESS;
        }
        if (prinfo.action()) {
            protection.generate(data, metadata, prinfo);
            return Status.SUCCESS;
        }
        return dnr(protection.check(data, metadata, prinfo));
    }

    private int store(Namespace namespace, long lba, int count) {
        int status = namespace.media.write(lba << namespace.shift, data, 0, data.byteSize());
        if (status != Status.SUCCESS) {
            counters.mediaErrors++;
            return status;
        }
        namespace.writeMetadata(lba, count, metadata);
        written(namespace, lba, count);
        return Status.SUCCESS;
    }

    /** Whether blocks can be made readable again: it may take one range more of those that are not. */
    static int checkReadableAgain(Namespace namespace, long lba, long count) {
        return namespace.uncorrectable.canRemove(lba, count) ? Status.SUCCESS : Status.INTERNAL_ERROR | DNR;
    }

    private static void written(Namespace namespace, long lba, long count) {
        if (!namespace.uncorrectable.isEmpty()) {
            namespace.uncorrectable.remove(lba, count);
            namespace.replain();
        }
        ZoneTable zones = namespace.zones;
        if (zones != null) {
            zones.wrote(lba, count);
        }
    }

    private static int dnr(int code) {
        return code == Status.SUCCESS ? code : code | DNR;
    }

    // Between here and the driver's memory.

    private int gather(Command command, Namespace namespace, int count, Prinfo prinfo) {
        if (!isInterleaved(namespace, prinfo)) {
            prps.gather(data);
            return besides(command, namespace, count, prinfo, true);
        }
        long block = 1L << namespace.shift;
        int beside = namespace.metadataBytes;
        host = room(host, count * (block + beside));
        prps.gather(host);
        for (int i = 0; i < count; i++) {
            MemorySegment.copy(host, i * (block + beside), data, i * block, block);
            MemorySegment.copy(host, i * (block + beside) + block, metadata, (long) i * beside, beside);
        }
        return Status.SUCCESS;
    }

    private int deliver(Command command, Namespace namespace, int count, Prinfo prinfo) {
        if (!isInterleaved(namespace, prinfo)) {
            prps.deliver(data);
            return besides(command, namespace, count, prinfo, false);
        }
        long block = 1L << namespace.shift;
        int beside = namespace.metadataBytes;
        host = room(host, count * (block + beside));
        for (int i = 0; i < count; i++) {
            MemorySegment.copy(data, i * block, host, i * (block + beside), block);
            MemorySegment.copy(metadata, (long) i * beside, host, i * (block + beside) + block, beside);
        }
        prps.deliver(host);
        return Status.SUCCESS;
    }

    /** Metadata in a buffer of its own. */
    private int besides(Command command, Namespace namespace, int count, Prinfo prinfo, boolean fromDriver) {
        long bytes = (long) count * transferredMetadata(namespace, prinfo);
        if (bytes == 0) {
            return Status.SUCCESS;
        }
        IovaSpace.Region region = prps.find(command.mptr, bytes);
        if (region == null || (!fromDriver && region.readOnly)) {
            return Status.DATA_TRANSFER_ERROR | DNR;
        }
        long offset = command.mptr - region.iova;
        try {
            PeerMemory peer = region.peer;
            if (peer != null && fromDriver) {
                CopyEngine.fromPeer(peer, offset, metadata.asSlice(0, bytes));
            } else if (peer != null) {
                CopyEngine.toPeer(peer, offset, metadata.asSlice(0, bytes));
            } else if (fromDriver) {
                MemorySegment.copy(region.memory, offset, metadata, 0, bytes);
            } else {
                MemorySegment.copy(metadata, 0, region.memory, offset, bytes);
            }
            return Status.SUCCESS;
        } catch (IllegalStateException e) {
            if (region.alive()) {
                throw e;
            }
            // Freed meanwhile.
            return Status.DATA_TRANSFER_ERROR | DNR;
        }
    }

    /** FUA: whether what was written is durable when the command completes. */
    static boolean isForced(Command command) {
        return (command.dword12() & BlockCommand.FORCE_UNIT_ACCESS) != 0;
    }
}
