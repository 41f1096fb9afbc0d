package io.aisio.nvme;

import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;

/**
 * What a controller says of itself (Identify Controller), as far as the driver and people need it.
 *
 * @param serial serial number
 * @param model model number
 * @param firmware firmware revision
 * @param version of the specification: major (31:16), minor (15:8), tertiary (7:0)
 * @param maxTransferBytes the most that one command transfers, in bytes, 0 for no limit
 * @param namespaces the largest NSID that can exist
 * @param optionalNvmCommands ONCS
 * @param volatileWriteCache whether a Flush is needed to make writes durable
 * @param shutdownMicros RTD3 entry latency: how long a shutdown may take, 0 where it is not told
 */
public record ControllerIdentity(
        String serial,
        String model,
        String firmware,
        int version,
        long maxTransferBytes,
        int namespaces,
        int optionalNvmCommands,
        boolean volatileWriteCache,
        long shutdownMicros) {

    /** Nothing is known yet. */
    static final ControllerIdentity UNKNOWN = new ControllerIdentity("", "", "", 0, 0, 0, 0, false, 0);

    /** The longest shutdown that is believed: a minute, where the field could ask for more than an hour. */
    private static final long MAX_SHUTDOWN_MICROS = 60_000_000;

    /** @param minPageSize CAP.MPSMIN in bytes, the unit of MDTS */
    static ControllerIdentity of(MemorySegment data, long minPageSize) {
        int mdts = Wire.u8(data, IdentifyController.MDTS);
        return new ControllerIdentity(
                Wire.ascii(data, IdentifyController.SN, IdentifyController.SN_BYTES),
                Wire.ascii(data, IdentifyController.MN, IdentifyController.MN_BYTES),
                Wire.ascii(data, IdentifyController.FR, IdentifyController.FR_BYTES),
                Wire.i32(data, IdentifyController.VER),
                // A shift that leaves 63 bits is no limit that anybody could reach.
                mdts == 0 || mdts > 40 ? 0 : minPageSize << mdts,
                Wire.i32(data, IdentifyController.NN),
                Wire.u16(data, IdentifyController.ONCS),
                (Wire.u8(data, IdentifyController.VWC) & IdentifyController.VWC_PRESENT) != 0,
                Math.min(Wire.i32(data, IdentifyController.RTD3E) & 0xFFFF_FFFFL, MAX_SHUTDOWN_MICROS));
    }
}
