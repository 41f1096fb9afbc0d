package io.aisio.emu;

import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.nvme.BlockProtection;
import io.aisio.nvme.Guard;
import io.aisio.nvme.spec.Status;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/** One namespace: a medium seen as logical blocks, with metadata, zones and blocks that cannot be read where it has any. */
final class Namespace {
    final int id;
    final Media media;
    final boolean readOnly;
    final BlockFormat[] formats;
    /** The format of protection information, where it is used and there is room for it. */
    final Guard guard;

    /** LBA size as a power of two. */
    int shift;
    /** Size in logical blocks. */
    long blocks;
    /** Whether it is there; one that was removed is kept, so that it can come back. */
    boolean active = true;

    /** Metadata of a block in bytes, 0 for none. */
    int metadataBytes;
    /** Whether metadata follows the data of each block in the same buffer. */
    boolean extended;
    /** How blocks are protected; null if they are not. */
    @Nullable
    BlockProtection protection;
    /** Zones; null if there are none. */
    @Nullable
    ZoneTable zones;

    final BlockRanges uncorrectable = new BlockRanges();

    private final EmuConfiguration.@Nullable Zones zoned;
    /** Whether writes name reclaim units. */
    private final boolean placed;
    /** Whether its blocks are data alone, all of them readable: what is fast. */
    boolean plain;

    private int formatIndex;
    private @Nullable Mapping metadata;

    Namespace(int id, Media media, EmuConfiguration configuration) throws LinuxException {
        this.id = id;
        this.media = media;
        readOnly = configuration.readOnly();
        formats = media instanceof MemoryMedia && configuration.zones() == null
                ? BlockFormat.ALL
                : BlockFormat.WITHOUT_METADATA;
        EmuConfiguration.Metadata wanted = configuration.metadata();
        guard = wanted.guard();
        placed = configuration.placement() != null;
        int lbaShift = Integer.numberOfTrailingZeros(configuration.lbaBytes());
        for (int i = 0; i < formats.length; i++) {
            if (formats[i].equals(new BlockFormat(lbaShift, wanted.bytes()))) {
                formatIndex = i;
            }
        }
        zoned = configuration.zones();
        format(formatIndex, wanted.extended(), wanted.protectionType(), wanted.protectionFirst());
    }

    /**
     * Takes a format; what does not fill a block at the end is out of reach. The metadata is that of blocks that were never
     * written.
     *
     * @param type of protection information, 0 for none
     * @throws LinuxException if there is no memory for metadata
     */
    void format(int index, boolean extendedLba, int type, boolean first) throws LinuxException {
        BlockFormat format = formats[index];
        long count = media.bytes() >>> format.shift();
        Mapping fresh = format.metadata() == 0 ? null : Mapping.anonymous(count * format.metadata());
        closeMetadata();
        metadata = fresh;
        formatIndex = index;
        shift = format.shift();
        blocks = count;
        metadataBytes = format.metadata();
        extended = extendedLba && metadataBytes != 0;
        protection = type == 0 ? null : new BlockProtection(guard, type, 1 << shift, metadataBytes, first);
        uncorrectable.clear();
        EmuConfiguration.Zones wanted = zoned;
        if (wanted != null) {
            zones = new ZoneTable(wanted, shift, media.bytes());
            blocks = zones.blocks();
        }
        replain();
    }

    /** Whether there is such a format, and blocks and zones come out whole. */
    boolean hasFormat(int index) {
        if (index >= formats.length || media.bytes() >>> formats[index].shift() == 0) {
            return false;
        }
        long mask = (1L << formats[index].shift()) - 1;
        EmuConfiguration.Zones of = zoned;
        return of == null || ((of.zoneBytes() | of.capacityBytes()) & mask) == 0;
    }

    /** Whether a format has room for protection information. */
    boolean holdsProtection(int index) {
        return formats[index].metadata() >= guard.bytes();
    }

    /** Works {@link #plain} out anew. */
    void replain() {
        plain = metadataBytes == 0 && zones == null && !placed && uncorrectable.isEmpty();
    }

    /** Takes another size: at most what the medium holds. */
    void resize(long newBlocks) {
        blocks = Math.min(newBlocks, media.bytes() >>> shift);
    }

    /** The index of the LBA format in {@link #formats}. */
    int formatIndex() {
        return formatIndex;
    }

    /** Whether the blocks exist, for any 64-bit start; {@code count} is positive. */
    boolean holds(long start, long count) {
        return start >= 0 && start <= blocks - count;
    }

    /** Copies the metadata of blocks to memory. */
    void readMetadata(long lba, long count, MemorySegment target) {
        if (metadata != null) {
            MemorySegment.copy(metadata.segment(), lba * metadataBytes, target, 0, count * metadataBytes);
            invert(target.asSlice(0, count * metadataBytes));
        }
    }

    /** Takes the metadata of blocks over from memory, which is changed. */
    void writeMetadata(long lba, long count, MemorySegment source) {
        if (metadata != null) {
            invert(source.asSlice(0, count * metadataBytes));
            MemorySegment.copy(source, 0, metadata.segment(), lba * metadataBytes, count * metadataBytes);
        }
    }

    /** Makes blocks, and their metadata, what they are before they are first written. */
    int zero(long lba, long count) {
        int status = media.zero(lba << shift, count << shift);
        Mapping kept = metadata;
        if (status == Status.SUCCESS && kept != null && count > 0) {
            try {
                kept.zero(lba * metadataBytes, count * metadataBytes);
            } catch (LinuxException e) {
                return Status.WRITE_FAULT;
            }
        }
        return status;
    }

    /**
     * Protection information of blocks that were never written is all ones, which turns the checks off. It is kept
     * inverted, so that memory that was never touched means that.
     */
    private void invert(MemorySegment bytes) {
        if (protection != null) {
            for (long i = 0; i < bytes.byteSize(); i++) {
                bytes.set(ValueLayout.JAVA_BYTE, i, (byte) ~bytes.get(ValueLayout.JAVA_BYTE, i));
            }
        }
    }

    void close() {
        media.close();
        closeMetadata();
    }

    private void closeMetadata() {
        if (metadata != null) {
            metadata.close();
            metadata = null;
        }
    }
}
