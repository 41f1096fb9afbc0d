package io.aisio.nvme;

/**
 * A namespace as the controller described it.
 *
 * @param nsid its identifier
 * @param lbaBytes size of a logical block's data in bytes, a power of two, 512 to 65536
 * @param lbaCount number of logical blocks, at least 1
 * @param metadataBytes metadata of a logical block in bytes, 0 for none
 * @param extendedLba whether the metadata follows the data of each block in the same buffer
 * @param writeProtected whether the controller refuses to change it
 * @param commandSet {@link io.aisio.nvme.spec.Identify#CSI_NVM} or {@link io.aisio.nvme.spec.Identify#CSI_ZONED}
 * @param protectionType of protection information in the metadata, 1 to 3, 0 for none
 * @param protectionFirst whether protection information is the first bytes of the metadata, not the last
 */
public record Namespace(
        int nsid,
        int lbaBytes,
        long lbaCount,
        int metadataBytes,
        boolean extendedLba,
        boolean writeProtected,
        int commandSet,
        int protectionType,
        boolean protectionFirst) {}
