package io.aisio.xnvme;

import io.aisio.xnvme.spi.Backend;
import java.io.IOException;

/** Files and block devices through the kernel: scheme {@code file}. */
public final class FileBackend implements Backend {
    /** Made by the service loader. */
    public FileBackend() {}

    @Override
    public String scheme() {
        return "file";
    }

    /** Options: {@code readonly}, and {@code lba}, the logical block size in bytes (512 unless given). */
    @Override
    public Device open(DeviceUri uri) throws IOException {
        uri.requireOptions("readonly", "lba");
        long lba = ByteSize.parse(uri.options().getOrDefault("lba", "512"));
        if (Long.bitCount(lba) != 1 || lba < 512 || lba > 65536) {
            throw new IllegalArgumentException("'" + uri + "': a logical block of " + lba
                    + " bytes; a power of two from 512 to 65536 is possible");
        }
        return FileDevice.open(uri, (int) lba, uri.flag("readonly"));
    }
}
