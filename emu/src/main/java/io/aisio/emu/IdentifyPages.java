package io.aisio.emu;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.aisio.nvme.BlockProtection;
import io.aisio.nvme.Guard;
import io.aisio.nvme.spec.AsyncEvent;
import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.IdentifyNamespace;
import io.aisio.nvme.spec.IdentifyNvm;
import io.aisio.nvme.spec.IdentifyZoned;
import io.aisio.nvme.spec.Protection;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.UUID;

/** The structures that Identify returns (section 5.15), each built into a zeroed page. */
final class IdentifyPages {
    /** The model number. */
    static final String MODEL = "AiSIO software controller";

    /** OCFS: copy descriptors of formats 0 and 1. */
    private static final int COPY_FORMATS = 3;
    /** FRMW: one slot, which is read only. */
    private static final int FRMW_ONE_READ_ONLY_SLOT =
            1 << IdentifyController.FRMW_SLOTS_SHIFT | IdentifyController.FRMW_SLOT_1_READ_ONLY;
    /** ACL: Aborts that may be outstanding, 0's based; each is done at once. */
    private static final int ABORT_LIMIT = 3;
    /** Power state 0's maximum power in centiwatts; software's share is not known. */
    private static final int POWER = 0;

    private final EmuConfiguration configuration;

    IdentifyPages(EmuConfiguration configuration) {
        this.configuration = configuration;
    }

    void controller(MemorySegment page) {
        boolean placed = configuration.placement() != null;
        Wire.ascii(page, IdentifyController.SN, IdentifyController.SN_BYTES, configuration.serial());
        Wire.ascii(page, IdentifyController.MN, IdentifyController.MN_BYTES, MODEL);
        Wire.ascii(page, IdentifyController.FR, IdentifyController.FR_BYTES, Logs.FIRMWARE);
        Wire.u8(page, IdentifyController.MDTS, configuration.mdts());
        Wire.i32(page, IdentifyController.VER, RegisterFile.VERSION);
        Wire.i32(page, IdentifyController.OAES, AsyncEvent.NAMESPACE_ATTRIBUTE_NOTICES);
        Wire.u8(page, IdentifyController.CNTRLTYPE, IdentifyController.CNTRLTYPE_IO);
        Wire.u16(
                page,
                IdentifyController.OACS,
                IdentifyController.OACS_FORMAT
                        | IdentifyController.OACS_SELF_TEST
                        | (placed ? IdentifyController.OACS_DIRECTIVES : 0)
                        | (configuration.shadow() ? IdentifyController.OACS_DOORBELL_BUFFER : 0));
        Wire.i32(
                page,
                IdentifyController.CTRATT,
                (placed ? IdentifyController.CTRATT_ENDURANCE_GROUPS | IdentifyController.CTRATT_DATA_PLACEMENT : 0)
                        | (configuration.metadata().guard() == Guard.CRC16
                                ? 0
                                : IdentifyController.CTRATT_EXTENDED_LBA_FORMATS));
        Wire.u16(page, IdentifyController.ENDGIDMAX, placed ? PlacementTable.GROUP : 0);
        Wire.i32(
                page,
                IdentifyController.SANICAP,
                IdentifyController.SANICAP_CRYPTO_ERASE
                        | IdentifyController.SANICAP_BLOCK_ERASE
                        | IdentifyController.SANICAP_OVERWRITE);
        Wire.u8(page, IdentifyController.FNA, IdentifyController.FNA_CRYPTOGRAPHIC_ERASE);
        Wire.u16(page, IdentifyController.OCFS, COPY_FORMATS);
        Wire.i32(page, IdentifyController.SGLS, configuration.sgl() ? IdentifyController.SGLS_SUPPORTED : 0);
        Wire.u8(page, IdentifyController.ACL, ABORT_LIMIT);
        Wire.u8(page, IdentifyController.AERL, AsyncEvents.LIMIT - 1);
        Wire.u8(page, IdentifyController.FRMW, FRMW_ONE_READ_ONLY_SLOT);
        Wire.u8(
                page,
                IdentifyController.LPA,
                IdentifyController.LPA_EXTENDED
                        | IdentifyController.LPA_COMMAND_EFFECTS
                        | IdentifyController.LPA_SUPPORTED_LOG_PAGES);
        Wire.u8(page, IdentifyController.ELPE, Logs.ERROR_ENTRIES - 1);
        Wire.u16(page, IdentifyController.WCTEMP, Logs.WARNING_KELVIN);
        Wire.u16(page, IdentifyController.CCTEMP, Logs.CRITICAL_KELVIN);
        Wire.u8(page, IdentifyController.SQES, Sqe.SHIFT << 4 | Sqe.SHIFT);
        Wire.u8(page, IdentifyController.CQES, Cqe.SHIFT << 4 | Cqe.SHIFT);
        Wire.i32(page, IdentifyController.NN, configuration.namespaces());
        Wire.u16(
                page,
                IdentifyController.ONCS,
                IdentifyController.ONCS_COMPARE
                        | IdentifyController.ONCS_DATASET_MANAGEMENT
                        | IdentifyController.ONCS_WRITE_ZEROES
                        | IdentifyController.ONCS_SAVE_SELECT
                        | IdentifyController.ONCS_WRITE_UNCORRECTABLE
                        | IdentifyController.ONCS_COPY
                        | IdentifyController.ONCS_VERIFY);
        Wire.u8(page, IdentifyController.VWC, IdentifyController.VWC_PRESENT | IdentifyController.VWC_FLUSH_ALL);
        byte[] name = ("nqn.2014-08.org.nvmexpress:uuid:" + uuid(0)).getBytes(UTF_8);
        MemorySegment.copy(name, 0, page, ValueLayout.JAVA_BYTE, IdentifyController.SUBNQN, name.length);
        Wire.u16(page, IdentifyController.PSD0, POWER);
    }

    void namespace(Namespace namespace, MemorySegment page) {
        Wire.i64(page, IdentifyNamespace.NSZE, namespace.blocks);
        Wire.i64(page, IdentifyNamespace.NCAP, namespace.blocks);
        Wire.i64(page, IdentifyNamespace.NUSE, namespace.blocks);
        BlockProtection protection = namespace.protection;
        Wire.u8(page, IdentifyNamespace.NLBAF, namespace.formats.length - 1);
        Wire.u8(
                page,
                IdentifyNamespace.FLBAS,
                namespace.formatIndex() | (namespace.extended ? IdentifyNamespace.FLBAS_EXTENDED : 0));
        if (namespace.formats.length > BlockFormat.WITHOUT_METADATA.length) {
            Wire.u8(page, IdentifyNamespace.MC, IdentifyNamespace.MC_EXTENDED | IdentifyNamespace.MC_SEPARATE);
            Wire.u8(
                    page,
                    IdentifyNamespace.DPC,
                    7 * IdentifyNamespace.DPC_TYPE_1 | IdentifyNamespace.DPC_FIRST | IdentifyNamespace.DPC_LAST);
        }
        if (protection != null) {
            Wire.u8(page, IdentifyNamespace.DPS, protection.type() | (protection.first() ? Protection.DPS_FIRST : 0));
        }
        Wire.u8(
                page,
                IdentifyNamespace.DLFEAT,
                namespace.media.readsZeroes()
                        ? IdentifyNamespace.DLFEAT_ZEROES | IdentifyNamespace.DLFEAT_WRITE_ZEROES
                        : 0);
        Wire.u16(page, IdentifyNamespace.MSSRL, StagedBlocks.COPY_RANGE_BLOCKS);
        Wire.i32(page, IdentifyNamespace.MCL, StagedBlocks.COPY_BLOCKS);
        Wire.u8(page, IdentifyNamespace.MSRC, StagedBlocks.COPY_RANGES - 1);
        Wire.u16(page, IdentifyNamespace.ENDGID, configuration.placement() == null ? 0 : PlacementTable.GROUP);
        Wire.u8(page, IdentifyNamespace.NSATTR, namespace.readOnly ? IdentifyNamespace.NSATTR_WRITE_PROTECTED : 0);
        MemorySegment.copy(bytes(uuid(namespace.id)), 0, page, ValueLayout.JAVA_BYTE, IdentifyNamespace.NGUID, 16);
        for (int i = 0; i < namespace.formats.length; i++) {
            Wire.i32(
                    page,
                    IdentifyNamespace.LBAF + (long) i * IdentifyNamespace.LBAF_BYTES,
                    IdentifyNamespace.lbaFormat(namespace.formats[i].shift(), namespace.formats[i].metadata()));
        }
    }

    /** Whether there is a command set, for which the driver may ask. */
    boolean hasCommandSet(int commandSet) {
        return commandSet == Identify.CSI_NVM || (commandSet == Identify.CSI_ZONED && configuration.zones() != null);
    }

    /** What a command set adds to the controller; whether there is such a one. Limits that are not told are a transfer's. */
    boolean commandSetController(int commandSet, MemorySegment page) {
        if (!hasCommandSet(commandSet)) {
            return false;
        }
        if (commandSet == Identify.CSI_NVM) {
            Wire.u8(page, IdentifyNvm.VSL, NvmCommands.VERIFY_SIZE_LIMIT);
        }
        return true;
    }

    /** What a command set adds to a namespace; whether there is such a one. */
    boolean commandSetNamespace(Namespace namespace, int commandSet, MemorySegment page) {
        ZoneTable zones = namespace.zones;
        if (commandSet == Identify.CSI_ZONED && zones != null) {
            Wire.i32(page, IdentifyZoned.MAR, zones.maxActive - 1);
            Wire.i32(page, IdentifyZoned.MOR, zones.maxOpen - 1);
            for (int i = 0; i < namespace.formats.length; i++) {
                EmuConfiguration.Zones of = configuration.zones();
                Wire.i64(
                        page,
                        IdentifyZoned.LBAFE + (long) i * IdentifyZoned.LBAFE_BYTES,
                        of == null ? 0 : of.zoneBytes() >>> namespace.formats[i].shift());
            }
            return true;
        }
        if (commandSet != Identify.CSI_NVM) {
            return false;
        }
        Guard guard = namespace.guard;
        // All of it, of the guard that has one.
        Wire.i64(page, IdentifyNvm.LBSTM, (1L << guard.storageTagBits()) - 1);
        Wire.u8(page, IdentifyNvm.PIC, guard.storageTagBits() == 0 ? 0 : IdentifyNvm.PIC_CHECK_STORAGE_TAG_READ);
        for (int i = 0; i < namespace.formats.length; i++) {
            // The 32-bit guard has 80 bits for both tags: 64 are the reference tag's.
            int extension = guard.pif() << IdentifyNvm.PIF_SHIFT | guard.storageTagBits();
            Wire.i32(
                    page,
                    IdentifyNvm.ELBAF + (long) i * IdentifyNvm.ELBAF_BYTES,
                    namespace.formats[i].metadata() == 0 ? 0 : extension);
        }
        return true;
    }

    /** NSIDs greater than {@code after}, which is unsigned, ascending. */
    void activeNamespaces(Namespace[] namespaces, int after, MemorySegment page) {
        long at = 0;
        for (Namespace namespace : namespaces) {
            if (namespace.active && namespace.id > Integer.toUnsignedLong(after) && at < Identify.BYTES) {
                Wire.i32(page, at, namespace.id);
                at += Integer.BYTES;
            }
        }
    }

    /** NGUID, UUID and, where there are others than NVM, the command set. */
    void descriptors(Namespace namespace, MemorySegment page) {
        byte[] uuid = bytes(uuid(namespace.id));
        long next = descriptor(page, 0, Identify.NIDT_NGUID, uuid);
        next = descriptor(page, next, Identify.NIDT_UUID, uuid);
        if (configuration.hasCommandSets()) {
            int set = namespace.zones == null ? Identify.CSI_NVM : Identify.CSI_ZONED;
            descriptor(page, next, Identify.NIDT_CSI, new byte[] {(byte) set});
        }
    }

    private static long descriptor(MemorySegment page, long at, int type, byte[] value) {
        Wire.u8(page, at + Identify.NIDT, type);
        Wire.u8(page, at + Identify.NIDL, value.length);
        MemorySegment.copy(value, 0, page, ValueLayout.JAVA_BYTE, at + Identify.NID, value.length);
        return at + Identify.NID + value.length;
    }

    /** The same for the same serial number and namespace, as it would be on hardware. */
    private UUID uuid(int namespace) {
        return UUID.nameUUIDFromBytes((configuration.serial() + "/" + namespace).getBytes(UTF_8));
    }

    private static byte[] bytes(UUID uuid) {
        return ByteBuffer.allocate(16)
                .putLong(uuid.getMostSignificantBits())
                .putLong(uuid.getLeastSignificantBits())
                .array();
    }
}
