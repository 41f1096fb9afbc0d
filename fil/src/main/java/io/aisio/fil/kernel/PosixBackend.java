package io.aisio.fil.kernel;

import io.aisio.fil.spi.Backend;
import io.aisio.fil.spi.FileSource;
import java.io.IOException;

/** The kernel reads, one file after another: open, read to the end, close. */
public final class PosixBackend implements Backend {
    /** For {@link java.util.ServiceLoader}. */
    public PosixBackend() {}

    @Override
    public String name() {
        return "posix";
    }

    @Override
    public String description() {
        return "a folder of a mounted file system, of which the kernel reads one file after another";
    }

    @Override
    public FileSource open(String place, Settings settings) throws IOException {
        return Folder.open(place, settings, false);
    }
}
