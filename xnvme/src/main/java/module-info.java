import io.aisio.xnvme.FileBackend;
import io.aisio.xnvme.PciBackend;
import io.aisio.xnvme.VfuBackend;
import io.aisio.xnvme.spi.Backend;

/** One device API over every backend. */
module io.aisio.xnvme {
    requires static org.jspecify;
    requires transitive io.aisio.nvme;
    requires transitive io.aisio.upcie;

    exports io.aisio.xnvme;
    exports io.aisio.xnvme.spi;

    uses Backend;

    provides Backend with
            FileBackend,
            PciBackend,
            VfuBackend;
}
