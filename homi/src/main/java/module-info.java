import io.aisio.homi.HomiBackend;
import io.aisio.homi.daemon.Export;
import io.aisio.homi.ublk.UblkExports;
import io.aisio.xnvme.spi.Backend;

/** A daemon that owns controllers and leases their queue pairs, and its clients; the backend {@code homi:}. */
module io.aisio.homi {
    requires static org.jspecify;
    requires transitive io.aisio.xnvme;
    requires transitive io.aisio.xal;
    requires transitive tools.jackson.databind;
    requires jdk.httpserver;
    requires org.tomlj;

    exports io.aisio.homi;
    exports io.aisio.homi.daemon;
    exports io.aisio.homi.rpc;
    exports io.aisio.homi.ublk;
    exports io.aisio.homi.view;

    provides Backend with
            HomiBackend;
    provides Export.Maker with
            UblkExports;
}
