package io.aisio.emu;

import io.aisio.xnvme.Device;
import io.aisio.xnvme.DeviceUri;
import io.aisio.xnvme.spi.Backend;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;

/** Devices that are software controllers of this process's own: scheme {@code emu}, options as {@link EmuUri} has them. */
public final class EmuBackend implements Backend {
    /** Made by the service loader. */
    public EmuBackend() {}

    @Override
    public String scheme() {
        return "emu";
    }

    @Override
    public void check(DeviceUri uri) {
        EmuUri _ = EmuUri.parse(uri);
    }

    /** Starts a controller on a thread of its own, and the user-space driver on it. Closing the device ends both. */
    @Override
    public Device open(DeviceUri uri) throws IOException {
        EmuUri emu = EmuUri.parse(uri);
        EmuController controller = EmuController.open(uri.text(), emu.configuration());
        controller.start();
        // The device owns the function, and with it the controller, from here on: also if it does not open.
        return NvmeDevice.open(
                controller.function(),
                emu.nsid(),
                uri.text(),
                "software controller, user-space queue pairs, " + controller.media());
    }
}
