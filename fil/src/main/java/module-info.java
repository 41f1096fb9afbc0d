/** Whole files and datasets, read through any path. */
module io.aisio.fil {
    requires static org.jspecify;
    requires transitive io.aisio.cuda;
    requires transitive io.aisio.xnvme;
    requires transitive io.aisio.xal;

    exports io.aisio.fil;
    exports io.aisio.fil.spi;

    uses io.aisio.fil.spi.Backend;

    provides io.aisio.fil.spi.Backend with
            io.aisio.fil.device.DeviceBackend,
            io.aisio.fil.gpu.EpochBackend,
            io.aisio.fil.gpu.P2pBackend,
            io.aisio.fil.kernel.CuFileBackend,
            io.aisio.fil.kernel.PosixBackend,
            io.aisio.fil.kernel.UringBackend;
    provides java.nio.file.spi.FileSystemProvider with
            io.aisio.fil.nio.AisioFileSystemProvider;
}
