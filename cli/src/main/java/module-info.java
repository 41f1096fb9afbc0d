/** The command line. */
module io.aisio.cli {
    requires static org.jspecify;
    requires io.aisio.bench;
    requires io.aisio.emu;
    requires info.picocli;
}
