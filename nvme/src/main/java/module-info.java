/** The NVMe specification as Java, and the driver. */
module io.aisio.nvme {
    requires static org.jspecify;
    requires transitive io.aisio.upcie;

    exports io.aisio.nvme;
    exports io.aisio.nvme.command;
    exports io.aisio.nvme.link;
    exports io.aisio.nvme.spec;
}
