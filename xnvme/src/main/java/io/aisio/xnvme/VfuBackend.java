package io.aisio.xnvme;

import io.aisio.upcie.VfioUserFunction;
import io.aisio.xnvme.spi.Backend;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * NVMe controllers that other processes are, by the socket of a vfio-user server: {@code vfu:/run/nvme.sock}, or by the
 * folder of an SPDK target's. Options:
 *
 * <ul>
 *   <li>{@code nsid=N}: the namespace, 1 if not given
 *   <li>{@code interrupts}: threads that wait sleep until the controller interrupts, if the server tells of that
 * </ul>
 */
public final class VfuBackend implements Backend {
    /** Made by the service loader. */
    public VfuBackend() {}

    @Override
    public String scheme() {
        return "vfu";
    }

    @Override
    public void check(DeviceUri uri) {
        uri.requireOptions("nsid", "interrupts");
        int _ = PciBackend.nsid(uri);
        boolean _ = uri.flag("interrupts");
        Path _ = path(uri);
    }

    private static Path path(DeviceUri uri) {
        try {
            return Path.of(uri.target());
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException("'" + uri + "': '" + uri.target() + "' is no path: " + e.getReason(), e);
        }
    }

    @Override
    public Device open(DeviceUri uri) throws IOException {
        check(uri);
        int nsid = PciBackend.nsid(uri);
        boolean interrupts = uri.flag("interrupts");
        VfioUserFunction function = VfioUserFunction.open(path(uri));
        return NvmeDevice.open(
                function,
                nsid,
                uri.text(),
                function.description() + ", user-space queue pairs" + (interrupts ? ", interrupts" : ""),
                interrupts);
    }
}
