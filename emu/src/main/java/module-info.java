import io.aisio.emu.EmuBackend;
import io.aisio.xnvme.spi.Backend;

/** An NVMe controller in software. */
module io.aisio.emu {
    requires static org.jspecify;
    requires transitive io.aisio.xnvme;

    exports io.aisio.emu;

    provides Backend with
            EmuBackend;
}
