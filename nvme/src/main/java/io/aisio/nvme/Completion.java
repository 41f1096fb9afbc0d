package io.aisio.nvme;

import io.aisio.nvme.spec.Status;

/**
 * What a command came back with.
 *
 * @param status success or error
 * @param result command specific: dword 0 of the completion
 * @param upper command specific: dword 1 of the completion, which few commands have; 0 where it is not told
 */
public record Completion(Status status, int result, int upper) {
    /** One without dword 1. */
    public Completion(Status status, int result) {
        this(status, result, 0);
    }

    /** Dwords 0 and 1 as one: the LBA that Zone Append wrote to. */
    public long longResult() {
        return (result & 0xFFFF_FFFFL) | (long) upper << 32;
    }
}
