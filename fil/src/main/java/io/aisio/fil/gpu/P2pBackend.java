package io.aisio.fil.gpu;

import io.aisio.fil.device.DeviceBackend;
import io.aisio.fil.device.DeviceSource;
import io.aisio.fil.device.QueueReads;
import io.aisio.fil.spi.Backend;
import io.aisio.fil.spi.FileSource;
import io.aisio.xnvme.Device;
import java.io.IOException;

/** {@code aisio-p2p}: this process reads a file system's blocks straight into the memory of a GPU, by queues of the device. */
public final class P2pBackend implements Backend {
    /** For the service loader. */
    public P2pBackend() {}

    @Override
    public String name() {
        return "aisio-p2p";
    }

    @Override
    public String description() {
        return "files of an XFS by their extents, over user-space queues of its device, straight into the memory of a GPU;"
                + " needs a GPU";
    }

    @Override
    public FileSource open(String place, Settings settings) throws IOException {
        Target target = settings.requireGpu(name());
        Device device = Device.open(place);
        DeviceBackend.requireUserSpace(device, name(), settings);
        return DeviceSource.open(
                device,
                settings,
                QueueReads::open,
                ", straight into memory of GPU " + target.gpu().id());
    }
}
