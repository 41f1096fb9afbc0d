package io.aisio.nvme;

/**
 * What a zoned namespace is like (Zoned Namespace Command Set 1.1, sections 4.1.5.1 and 4.1.5.2).
 *
 * @param nsid its identifier
 * @param zoneBlocks blocks from the start of a zone to the next one's, at least 1
 * @param maxOpen zones that may be open at once, 0 for no limit
 * @param maxActive zones that may be open or closed at once, 0 for no limit
 * @param maxAppendBytes the most that one Zone Append transfers, in bytes
 * @param readsAcrossZones whether one read may reach from one zone into the next
 */
public record ZonedNamespace(
        int nsid, long zoneBlocks, long maxOpen, long maxActive, long maxAppendBytes, boolean readsAcrossZones) {}
