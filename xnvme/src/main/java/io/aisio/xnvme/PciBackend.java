package io.aisio.xnvme;

import io.aisio.linux.Mapping;
import io.aisio.upcie.Access;
import io.aisio.upcie.FunctionOptions;
import io.aisio.upcie.PciAddress;
import io.aisio.upcie.PciFunction;
import io.aisio.xnvme.spi.Backend;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;

/**
 * NVMe controllers on this machine's PCI bus, by address: {@code 0000:82:00.0?nsid=2}. Options:
 *
 * <ul>
 *   <li>{@code nsid=N}: the namespace, 1 if not given
 *   <li>{@code access=iommufd|type1|noiommu|uio}: the way to it, where the one that follows from its driver is not wanted
 *   <li>{@code unsafe}: also without an IOMMU ({@link Access#NOIOMMU})
 *   <li>{@code interrupts}: threads that wait sleep until the controller interrupts
 *   <li>{@code hugepages=2MiB|1GiB}: what its memory comes from
 * </ul>
 */
public final class PciBackend implements Backend {
    /** Made by the service loader. */
    public PciBackend() {}

    @Override
    public String scheme() {
        return "pci";
    }

    @Override
    public void check(DeviceUri uri) {
        uri.requireOptions("nsid", "access", "unsafe", "interrupts", "hugepages");
        int _ = nsid(uri);
        boolean _ = uri.flag("interrupts");
        PciAddress _ = PciAddress.parse(uri.target());
        FunctionOptions _ = options(uri);
    }

    @Override
    public Device open(DeviceUri uri) throws IOException {
        check(uri);
        int nsid = nsid(uri);
        boolean interrupts = uri.flag("interrupts");
        PciFunction function = PciFunction.open(PciAddress.parse(uri.target()), options(uri));
        return NvmeDevice.open(
                function,
                nsid,
                uri.text(),
                function.description() + ", user-space queue pairs" + (interrupts ? ", interrupts" : ""),
                interrupts);
    }

    static int nsid(DeviceUri uri) {
        String text = uri.options().getOrDefault("nsid", "1");
        try {
            int nsid = Integer.parseUnsignedInt(text);
            if (nsid != 0) {
                return nsid;
            }
        } catch (NumberFormatException e) {
            // Told below, as 0 is.
        }
        throw new IllegalArgumentException(
                "'" + uri + "': '" + text + "' is no namespace identifier; they count from 1");
    }

    private static FunctionOptions options(DeviceUri uri) {
        String access = uri.options().get("access");
        String pages = uri.options().get("hugepages");
        boolean unsafe = uri.flag("unsafe");
        try {
            return new FunctionOptions(
                    access == null ? null : Access.parse(access),
                    unsafe,
                    pages == null ? Mapping.HUGE_PAGE_SIZE : ByteSize.parse(pages));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("'" + uri + "': " + e.getMessage(), e);
        }
    }
}
