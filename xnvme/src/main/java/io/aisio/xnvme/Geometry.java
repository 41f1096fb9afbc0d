package io.aisio.xnvme;

/**
 * The shape of a device.
 *
 * @param lbaBytes size of a logical block in bytes, a power of two of at least 512
 * @param lbaCount number of logical blocks
 * @param maxTransferBytes the most that one command transfers, a multiple of {@code lbaBytes}
 * @param maxQueueDepth the most commands that one queue can hold outstanding
 * @param maxQueues the most queues that can be open at once
 */
public record Geometry(int lbaBytes, long lbaCount, int maxTransferBytes, int maxQueueDepth, int maxQueues) {
    /** Size of the device in bytes. */
    public long bytes() {
        return lbaCount * lbaBytes;
    }

    /**
     * Checks the length of one command's data.
     *
     * @param length in bytes
     * @throws IllegalArgumentException if it is no multiple of the logical block size, or more than one command transfers
     */
    public void requireTransfer(int length) {
        if (length <= 0 || length % lbaBytes != 0) {
            throw new IllegalArgumentException(
                    length + " bytes are no multiple of the logical block size, " + lbaBytes);
        }
        if (length > maxTransferBytes) {
            throw new IllegalArgumentException(
                    length + " bytes in one command; this device transfers at most " + maxTransferBytes);
        }
    }
}
