package io.aisio.linux;

/**
 * I/O virtual addresses that an IOMMU translates.
 *
 * @param first the first of them
 * @param last the last of them, not below the first; both unsigned
 */
public record IovaRange(long first, long last) {}
