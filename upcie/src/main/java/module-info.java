/** User-space PCIe: functions, their registers, and memory that they can reach. */
module io.aisio.upcie {
    requires static org.jspecify;
    requires transitive io.aisio.linux;

    exports io.aisio.upcie;
    exports io.aisio.upcie.vfiouser;
}
