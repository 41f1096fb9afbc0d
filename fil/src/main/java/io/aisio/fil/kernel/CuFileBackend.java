package io.aisio.fil.kernel;

import io.aisio.cuda.CuFile;
import io.aisio.fil.spi.Backend;
import io.aisio.fil.spi.FileSource;
import java.io.IOException;

/** {@code cufile}: NVIDIA's cuFile reads files of a mounted file system into the memory of a GPU. */
public final class CuFileBackend implements Backend {
    /** For {@link java.util.ServiceLoader}. */
    public CuFileBackend() {}

    @Override
    public String name() {
        return "cufile";
    }

    @Override
    public String description() {
        return "a folder of a mounted file system, which NVIDIA's cuFile reads into the memory of a GPU; needs a GPU";
    }

    @Override
    public FileSource open(String place, Settings settings) throws IOException {
        Target target = settings.requireGpu(name());
        if (settings.buffered()) {
            throw new IllegalArgumentException(
                    "cufile reads past the page cache: leave --buffered out, or read by the backend posix");
        }
        CuFile cuFile = CuFile.open(target.gpu());
        try {
            if (settings.require() && cuFile.isCompatible()) {
                throw new IOException(
                        place + ": cuFile reads in " + cuFile.mode()
                                + ", through memory of the host: load nvidia-fs, or take whichever path there is (--path auto)");
            }
            return Folder.open(place, settings, cuFile);
        } catch (IOException | RuntimeException | Error e) {
            cuFile.close();
            throw e;
        }
    }
}
