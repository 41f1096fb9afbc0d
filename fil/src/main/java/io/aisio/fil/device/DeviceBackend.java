package io.aisio.fil.device;

import io.aisio.fil.spi.Backend;
import io.aisio.fil.spi.FileSource;
import io.aisio.xnvme.Capabilities.Queues;
import io.aisio.xnvme.Device;
import java.io.IOException;

/** {@code aisio-cpu}: this process reads a file system's blocks into host memory, by queues of the device. */
public final class DeviceBackend implements Backend {
    /** For the service loader. */
    public DeviceBackend() {}

    @Override
    public String name() {
        return "aisio-cpu";
    }

    @Override
    public String description() {
        return "files of an XFS by their extents, over user-space queues of its device, into host memory";
    }

    @Override
    public FileSource open(String place, Settings settings) throws IOException {
        Device device = Device.open(place);
        try {
            if (settings.require() && device.capabilities().queues() != Queues.USER_SPACE) {
                throw new IOException(
                        "%s is read through %s, and aisio-cpu means user-space queues: name a PCI function,"
                                        .formatted(place, device.path())
                                + " emu: or vfu:, or take whichever path there is (--path auto)");
            }
            return DeviceSource.open(device, settings);
        } catch (IOException | RuntimeException | Error e) {
            try {
                device.close();
            } catch (IOException | RuntimeException again) {
                e.addSuppressed(again);
            }
            throw e;
        }
    }
}
