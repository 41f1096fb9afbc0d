package io.aisio.homi;

import io.aisio.nvme.QueueSource;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.nio.file.Path;

/** A lease as its device has it, for tests that do what no device does. */
public final class TestLease {
    private TestLease() {}

    /** Another lease of the same device, by a client of its own. */
    public static QueueSource source(Device device) throws IOException {
        String socket = io.aisio.xnvme.DeviceUri.parse(device.name()).options().get("socket");
        return HomiLease.open(HomiClient.connect(Path.of(socket), "a test"), "homi:nvme0", "nvme0", 1, true);
    }
}
