package io.aisio.nvme.command;

import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;

/**
 * The Identify Controller data structure (section 5.15.2.2), as far as people and command sets need it.
 *
 * @param vendor PCI vendor identifier
 * @param subsystemVendor PCI subsystem vendor identifier
 * @param serial serial number
 * @param model model number
 * @param firmware firmware revision
 * @param controller controller identifier
 * @param version of the specification: major (31:16), minor (15:8), tertiary (7:0); 0 before version 1.2
 * @param mdts the most that one command transfers, as a power of two of the smallest page; 0 for no limit
 * @param attributes CTRATT
 * @param optionalAdminCommands OACS
 * @param optionalNvmCommands ONCS
 * @param optionalEvents OAES
 * @param abortLimit Aborts that may be outstanding
 * @param eventLimit asynchronous event requests that may be outstanding
 * @param errorEntries entries of the error log
 * @param powerStates power states
 * @param logAttributes LPA
 * @param warningKelvin warning composite temperature, 0 where it is not told
 * @param criticalKelvin critical composite temperature, 0 where it is not told
 * @param sanitize SANICAP: which sanitize operations there are
 * @param formatAttributes FNA
 * @param writeCache VWC
 * @param namespaces the largest NSID that can exist
 * @param copyFormats OCFS: a bit a format of copy descriptors
 * @param sgl SGLS
 * @param enduranceGroups the largest endurance group identifier
 * @param subsystem the NVM subsystem's qualified name
 */
public record ControllerData(
        int vendor,
        int subsystemVendor,
        String serial,
        String model,
        String firmware,
        int controller,
        int version,
        int mdts,
        int attributes,
        int optionalAdminCommands,
        int optionalNvmCommands,
        int optionalEvents,
        int abortLimit,
        int eventLimit,
        int errorEntries,
        int powerStates,
        int logAttributes,
        int warningKelvin,
        int criticalKelvin,
        int sanitize,
        int formatAttributes,
        int writeCache,
        int namespaces,
        int copyFormats,
        int sgl,
        int enduranceGroups,
        String subsystem) {

    /** Reads the structure. */
    public static ControllerData of(MemorySegment data) {
        return new ControllerData(
                Wire.u16(data, IdentifyController.VID),
                Wire.u16(data, IdentifyController.SSVID),
                Wire.ascii(data, IdentifyController.SN, IdentifyController.SN_BYTES),
                Wire.ascii(data, IdentifyController.MN, IdentifyController.MN_BYTES),
                Wire.ascii(data, IdentifyController.FR, IdentifyController.FR_BYTES),
                Wire.u16(data, IdentifyController.CNTLID),
                Wire.i32(data, IdentifyController.VER),
                Wire.u8(data, IdentifyController.MDTS),
                Wire.i32(data, IdentifyController.CTRATT),
                Wire.u16(data, IdentifyController.OACS),
                Wire.u16(data, IdentifyController.ONCS),
                Wire.i32(data, IdentifyController.OAES),
                Wire.u8(data, IdentifyController.ACL) + 1,
                Wire.u8(data, IdentifyController.AERL) + 1,
                Wire.u8(data, IdentifyController.ELPE) + 1,
                Wire.u8(data, IdentifyController.NPSS) + 1,
                Wire.u8(data, IdentifyController.LPA),
                Wire.u16(data, IdentifyController.WCTEMP),
                Wire.u16(data, IdentifyController.CCTEMP),
                Wire.i32(data, IdentifyController.SANICAP),
                Wire.u8(data, IdentifyController.FNA),
                Wire.u8(data, IdentifyController.VWC),
                Wire.i32(data, IdentifyController.NN),
                Wire.u16(data, IdentifyController.OCFS),
                Wire.i32(data, IdentifyController.SGLS),
                Wire.u16(data, IdentifyController.ENDGIDMAX),
                Wire.ascii(data, IdentifyController.SUBNQN, IdentifyController.SUBNQN_BYTES));
    }

    /** The most that one command transfers in bytes, by MDTS; longer than any transfer where there is no limit. */
    public long maxTransferBytes() {
        return limit(mdts);
    }

    /** A power of two of the smallest page, which is of 4096 bytes wherever a driver for such pages gets along; 0 for none. */
    static long limit(int power) {
        // A shift that leaves 63 bits is no limit that anybody could reach.
        return power == 0 || power > 40 ? Long.MAX_VALUE : (long) Identify.BYTES << power;
    }

    /** Whether an optional NVM command is there. */
    public boolean hasNvm(int oncs) {
        return (optionalNvmCommands & oncs) != 0;
    }

    /** Whether an optional admin command is there. */
    public boolean hasAdmin(int oacs) {
        return (optionalAdminCommands & oacs) != 0;
    }

    /** Whether there is Flexible Data Placement. */
    public boolean hasDataPlacement() {
        return (attributes & IdentifyController.CTRATT_DATA_PLACEMENT) != 0;
    }
}
