/** The command line. */
module io.aisio.cli {
    requires static org.jspecify;
    requires io.aisio.bench;
    requires io.aisio.cuda;
    requires io.aisio.emu;
    requires io.aisio.homi;
    requires info.picocli;
    requires tools.jackson.databind;

    uses io.aisio.homi.daemon.Export.Maker;

    // picocli reads the annotations on commands and sets their fields.
    opens io.aisio.cli to
            info.picocli;
}
