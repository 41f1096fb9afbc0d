package io.aisio.bench;

import java.util.List;

/**
 * What verifying by a GPU saw.
 *
 * @param options what was asked for
 * @param gpu which GPU, in words
 * @param kernels where its kernels' code is from, in words
 * @param devices one result a device, in the order asked for
 */
public record CudaVerifyReport(
        CudaVerifyOptions options, String gpu, String kernels, List<VerifyReport.DeviceResult> devices) {
    /** Copies the list. */
    public CudaVerifyReport {
        devices = List.copyOf(devices);
    }

    /** Whether every block of every device was written, read back, and the same. */
    public boolean ok() {
        return !devices.isEmpty() && devices.stream().allMatch(VerifyReport.DeviceResult::ok);
    }
}
