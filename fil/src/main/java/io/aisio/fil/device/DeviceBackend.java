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
        settings.requireHost(name());
        Device device = Device.open(place);
        requireUserSpace(device, name(), settings);
        return DeviceSource.open(device, settings, QueueReads::open, "");
    }

    /**
     * Makes sure that a device is read by queues of this process's own, if that is required; if it is not, it is closed.
     *
     * @throws IOException if it is read in another way
     */
    public static void requireUserSpace(Device device, String backend, Settings settings) throws IOException {
        if (settings.require() && device.capabilities().queues() != Queues.USER_SPACE) {
            try (device) {
                throw new IOException("%s is read through %s, and %s means user-space queues: name a PCI function,"
                                .formatted(device.name(), device.path(), backend)
                        + " emu: or vfu:, or take whichever path there is (--path auto)");
            }
        }
    }
}
