package io.aisio.nvme;

import io.aisio.nvme.spec.Protection;
import io.aisio.nvme.spec.Status;
import java.lang.foreign.MemorySegment;

/**
 * End-to-end data protection of a namespace's blocks (section 8.3): makes protection information, and checks it as a
 * controller does.
 *
 * @param guard its format
 * @param type 1 to 3
 * @param lbaBytes data of a block in bytes
 * @param metadataBytes metadata of a block in bytes, at least those of protection information
 * @param first whether it is the first bytes of the metadata, not the last
 */
public record BlockProtection(Guard guard, int type, int lbaBytes, int metadataBytes, boolean first) {
    /** Checks that there is room for it. */
    public BlockProtection {
        if (type < 1 || type > 3 || lbaBytes < 1 || metadataBytes < guard.bytes()) {
            throw new IllegalArgumentException(
                    "protection type %d of 1 to 3, blocks of %d bytes, %d bytes of metadata where %d are needed"
                            .formatted(type, lbaBytes, metadataBytes, guard.bytes()));
        }
    }

    /** Where protection information begins in a block's metadata. */
    public int offset() {
        return first ? 0 : metadataBytes - guard.bytes();
    }

    /** A reference tag as a block holds it: cut to the bits that there are. */
    public long referenceTag(long tag) {
        return guard.cut(tag);
    }

    /** The reference tag of a command's block: it counts up but in type 3. */
    public long referenceTag(Prinfo prinfo, long block) {
        return referenceTag(type == 3 ? prinfo.referenceTag() : prinfo.referenceTag() + block);
    }

    /**
     * Makes the protection information of blocks that lie one behind the other, with their metadata elsewhere.
     *
     * @param data the blocks' data
     * @param metadata their metadata, {@link #metadataBytes()} each, into which it goes
     * @param prinfo the tags
     */
    public void generate(MemorySegment data, MemorySegment metadata, Prinfo prinfo) {
        long blocks = blocks(data, metadata);
        for (long i = 0; i < blocks; i++) {
            MemorySegment of = metadata.asSlice(i * metadataBytes, metadataBytes);
            guard.put(
                    of,
                    offset(),
                    guard.compute(data.asSlice(i * lbaBytes, lbaBytes), of.asSlice(0, offset())),
                    prinfo.applicationTag(),
                    referenceTag(prinfo, i),
                    prinfo.storageTag());
        }
    }

    /**
     * Checks blocks as a controller does, by the flags of a command.
     *
     * @return {@link Status#SUCCESS}, or the code of the first check that fails: {@link Status#GUARD_CHECK_ERROR},
     *     {@link Status#APPLICATION_TAG_CHECK_ERROR}, {@link Status#STORAGE_TAG_CHECK_ERROR} or
     *     {@link Status#REFERENCE_TAG_CHECK_ERROR}; {@link Status#INVALID_PROTECTION} if the reference tag of type 3, which is
     *     the application's own, is to be checked
     */
    public int check(MemorySegment data, MemorySegment metadata, Prinfo prinfo) {
        long blocks = blocks(data, metadata);
        if (type == 3 && (prinfo.flags() & Protection.CHECK_REFERENCE_TAG) != 0) {
            return Status.INVALID_PROTECTION;
        }
        for (long i = 0; i < blocks; i++) {
            int code = check(
                    data.asSlice(i * lbaBytes, lbaBytes),
                    metadata.asSlice(i * metadataBytes, metadataBytes),
                    prinfo,
                    referenceTag(prinfo, i));
            if (code != Status.SUCCESS) {
                return code;
            }
        }
        return Status.SUCCESS;
    }

    private int check(MemorySegment data, MemorySegment metadata, Prinfo prinfo, long referenceTag) {
        int applicationTag = guard.applicationTagAt(metadata, offset());
        long space = guard.spaceAt(metadata, offset());
        if (applicationTag == Protection.NO_CHECK && (type != 3 || space == referenceTag(-1))) {
            return Status.SUCCESS;
        }
        int flags = prinfo.flags();
        if ((flags & Protection.CHECK_GUARD) != 0
                && guard.guardAt(metadata, offset()) != guard.compute(data, metadata.asSlice(0, offset()))) {
            return Status.GUARD_CHECK_ERROR;
        }
        if ((flags & Protection.CHECK_APPLICATION_TAG) != 0
                && ((applicationTag ^ prinfo.applicationTag()) & prinfo.applicationTagMask()) != 0) {
            return Status.APPLICATION_TAG_CHECK_ERROR;
        }
        // Only the large space has a storage tag.
        if ((flags & Protection.CHECK_STORAGE_TAG) != 0
                && guard.storageTagBits() != 0
                && guard.storageTagAt(metadata, offset()) != prinfo.storageTag()) {
            return Status.STORAGE_TAG_CHECK_ERROR;
        }
        boolean wrong = (flags & Protection.CHECK_REFERENCE_TAG) != 0 && space != referenceTag;
        return wrong ? Status.REFERENCE_TAG_CHECK_ERROR : Status.SUCCESS;
    }

    private long blocks(MemorySegment data, MemorySegment metadata) {
        long blocks = data.byteSize() / lbaBytes;
        if (data.byteSize() % lbaBytes != 0 || metadata.byteSize() != blocks * metadataBytes) {
            throw new IllegalArgumentException("%d bytes of data in blocks of %d, with %d bytes of metadata, %d a block"
                    .formatted(data.byteSize(), lbaBytes, metadata.byteSize(), metadataBytes));
        }
        return blocks;
    }
}
