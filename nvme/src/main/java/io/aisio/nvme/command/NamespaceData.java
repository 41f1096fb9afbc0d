package io.aisio.nvme.command;

import io.aisio.nvme.BlockProtection;
import io.aisio.nvme.Guard;
import io.aisio.nvme.LbaFormat;
import java.util.List;
import java.util.Optional;

/**
 * What Identify says of a namespace (section 5.15.2.1), and what its command sets add.
 *
 * @param nsid its identifier
 * @param size in logical blocks
 * @param capacity logical blocks that may be in use at once
 * @param utilization logical blocks in use
 * @param features NSFEAT
 * @param formats the formats that it can be given, those alone that are available, by ascending index
 * @param format the one in use
 * @param extendedLba whether metadata follows the data of each block in the same buffer
 * @param metadataCapabilities MC
 * @param protectionCapabilities DPC
 * @param protectionType of protection information, 1 to 3, 0 for none
 * @param protectionFirst whether it is the first bytes of the metadata, not the last
 * @param guard the format of protection information
 * @param storageTagBits bits of the storage tag
 * @param deallocation DLFEAT
 * @param copyRangeBlocks the most blocks of one source range of Copy, 0 where there is no Copy
 * @param copyBlocks the most blocks of one Copy
 * @param copyRanges the most source ranges of one Copy
 * @param enduranceGroup its identifier, 0 for none
 * @param writeProtected whether the controller refuses to change it
 * @param nguid globally unique identifier in hexadecimal, all zeroes for none
 * @param eui64 extended unique identifier in hexadecimal, all zeroes for none
 * @param commandSet {@link io.aisio.nvme.spec.Identify}'s {@code CSI_…}
 */
public record NamespaceData(
        int nsid,
        long size,
        long capacity,
        long utilization,
        int features,
        List<LbaFormat> formats,
        LbaFormat format,
        boolean extendedLba,
        int metadataCapabilities,
        int protectionCapabilities,
        int protectionType,
        boolean protectionFirst,
        Guard guard,
        int storageTagBits,
        int deallocation,
        int copyRangeBlocks,
        int copyBlocks,
        int copyRanges,
        int enduranceGroup,
        boolean writeProtected,
        String nguid,
        String eui64,
        int commandSet) {
    /** Copies the formats. */
    public NamespaceData {
        formats = List.copyOf(formats);
    }

    /** Data of a logical block in bytes. */
    public int lbaBytes() {
        return format.lbaBytes();
    }

    /** Metadata of a logical block in bytes, 0 for none. */
    public int metadataBytes() {
        return format.metadataBytes();
    }

    /**
     * How its blocks are protected; empty if they are not.
     *
     * @throws UnsupportedOperationException if the storage tag has other than 16 bits of the 32-bit guard's and none of the
     *     others'
     */
    public Optional<BlockProtection> protection() {
        if (protectionType != 0 && storageTagBits != guard.storageTagBits()) {
            throw new UnsupportedOperationException(
                    "namespace %d has a storage tag of %d bits beside a guard of %d; %d bits are known here"
                            .formatted(nsid, storageTagBits, guard.bits(), guard.storageTagBits()));
        }
        return protectionType == 0
                ? Optional.empty()
                : Optional.of(new BlockProtection(guard, protectionType, lbaBytes(), metadataBytes(), protectionFirst));
    }
}
