package io.aisio.fil.kernel;

import io.aisio.fil.spi.Backend;
import io.aisio.fil.spi.FileSource;
import java.io.IOException;

/** The kernel reads many files at once, through io_uring; where it does not offer that, as {@link PosixBackend} does. */
public final class UringBackend implements Backend {
    /** For {@link java.util.ServiceLoader}. */
    public UringBackend() {}

    @Override
    public String name() {
        return "io_uring";
    }

    @Override
    public String description() {
        return "a folder of a mounted file system, of which the kernel reads many files at once";
    }

    @Override
    public FileSource open(String place, Settings settings) throws IOException {
        return Folder.open(place, settings, true);
    }
}
