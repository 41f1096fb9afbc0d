package io.aisio.nvme;

import io.aisio.nvme.spec.Status;

/**
 * What a command came back with.
 *
 * @param status success or error
 * @param result command specific: dword 0 of the completion
 */
public record Completion(Status status, int result) {}
