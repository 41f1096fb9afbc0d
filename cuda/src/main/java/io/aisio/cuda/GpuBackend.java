package io.aisio.cuda;

import io.aisio.xnvme.Device;
import io.aisio.xnvme.DeviceUri;
import io.aisio.xnvme.spi.Backend;
import java.io.IOException;

/** Devices that are software controllers on a GPU: scheme {@code gpu}, options as {@link GpuUri} has them. */
public final class GpuBackend implements Backend {
    /** Made by the service loader. */
    public GpuBackend() {}

    @Override
    public String scheme() {
        return "gpu";
    }

    @Override
    public Device open(DeviceUri uri) throws IOException {
        return GpuDevice.open(GpuUri.parse(uri));
    }
}
