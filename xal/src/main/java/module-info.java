/** Where a file's bytes lie on its device. */
module io.aisio.xal {
    requires static org.jspecify;
    requires transitive io.aisio.linux;

    exports io.aisio.xal;
}
