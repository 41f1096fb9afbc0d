package io.aisio.fil.gpu;

import io.aisio.fil.device.DeviceSource;
import io.aisio.fil.spi.Backend;
import io.aisio.fil.spi.FileSource;
import io.aisio.xnvme.Device;
import java.io.IOException;

/** {@code aisio-gpu}: a GPU asks for a file system's blocks itself, by queue pairs that a kernel drives. */
public final class EpochBackend implements Backend {
    /** For the service loader. */
    public EpochBackend() {}

    @Override
    public String name() {
        return "aisio-gpu";
    }

    @Override
    public String description() {
        return "files of an XFS by their extents, which a GPU reads into its memory by queues that it drives itself;"
                + " needs a GPU";
    }

    @Override
    public FileSource open(String place, Settings settings) throws IOException {
        Target target = settings.requireGpu(name());
        return DeviceSource.open(
                Device.open(place),
                settings,
                EpochReads::open,
                ", asked for by GPU " + target.gpu().id() + ", straight into its memory");
    }
}
