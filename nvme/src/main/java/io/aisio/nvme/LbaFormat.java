package io.aisio.nvme;

/**
 * A format that a namespace can be given.
 *
 * @param index what {@link Format} names it by
 * @param lbaBytes data of a logical block in bytes
 * @param metadataBytes metadata of a logical block in bytes, 0 for none
 */
public record LbaFormat(int index, int lbaBytes, int metadataBytes) {}
