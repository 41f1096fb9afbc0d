package io.aisio.emu;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.aisio.nvme.spec.AsyncEvent;
import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.IdentifyNamespace;
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

    /** CNTRLTYPE: an I/O controller. */
    private static final int IO_CONTROLLER = 1;
    /** LPA: Get Log Page takes an offset and 32-bit lengths. */
    private static final int LPA_EXTENDED = 1 << 2;
    /** FRMW: one slot, which is read only. */
    private static final int FRMW_ONE_READ_ONLY_SLOT = 1 << 1 | 1;
    /** VWC: there is a volatile write cache, and Flush takes all namespaces. */
    private static final int VWC_PRESENT_FLUSH_ALL = 3 << 1 | 1;
    /** DLFEAT: deallocated blocks read as zeroes, and Write Zeroes may deallocate. */
    private static final int DLFEAT_ZEROES = 1 << 3 | 1;
    /** ACL: Aborts that may be outstanding, 0's based; each is done at once. */
    private static final int ABORT_LIMIT = 3;
    /** Power state 0's maximum power in centiwatts; software's share is not known. */
    private static final int POWER = 0;

    private final EmuConfiguration configuration;

    IdentifyPages(EmuConfiguration configuration) {
        this.configuration = configuration;
    }

    void controller(MemorySegment page) {
        Wire.ascii(page, IdentifyController.SN, IdentifyController.SN_BYTES, configuration.serial());
        Wire.ascii(page, IdentifyController.MN, IdentifyController.MN_BYTES, MODEL);
        Wire.ascii(page, IdentifyController.FR, IdentifyController.FR_BYTES, Logs.FIRMWARE);
        Wire.u8(page, IdentifyController.MDTS, configuration.mdts());
        Wire.i32(page, IdentifyController.VER, RegisterFile.VERSION);
        Wire.i32(page, IdentifyController.OAES, AsyncEvent.NAMESPACE_ATTRIBUTE_NOTICES);
        Wire.u8(page, IdentifyController.CNTRLTYPE, IO_CONTROLLER);
        Wire.u16(
                page,
                IdentifyController.OACS,
                IdentifyController.OACS_FORMAT
                        | (configuration.shadow() ? IdentifyController.OACS_DOORBELL_BUFFER : 0));
        Wire.i32(page, IdentifyController.SGLS, configuration.sgl() ? IdentifyController.SGLS_SUPPORTED : 0);
        Wire.u8(page, IdentifyController.ACL, ABORT_LIMIT);
        Wire.u8(page, IdentifyController.AERL, AsyncEvents.LIMIT - 1);
        Wire.u8(page, IdentifyController.FRMW, FRMW_ONE_READ_ONLY_SLOT);
        Wire.u8(page, IdentifyController.LPA, LPA_EXTENDED);
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
                        | IdentifyController.ONCS_VERIFY);
        Wire.u8(page, IdentifyController.VWC, VWC_PRESENT_FLUSH_ALL);
        byte[] name = ("nqn.2014-08.org.nvmexpress:uuid:" + uuid(0)).getBytes(UTF_8);
        MemorySegment.copy(name, 0, page, ValueLayout.JAVA_BYTE, IdentifyController.SUBNQN, name.length);
        Wire.u16(page, IdentifyController.PSD0, POWER);
    }

    void namespace(Namespace namespace, MemorySegment page) {
        Wire.i64(page, IdentifyNamespace.NSZE, namespace.blocks);
        Wire.i64(page, IdentifyNamespace.NCAP, namespace.blocks);
        Wire.i64(page, IdentifyNamespace.NUSE, namespace.blocks);
        Wire.u8(page, IdentifyNamespace.NLBAF, Namespace.LBA_SHIFTS.length - 1);
        Wire.u8(page, IdentifyNamespace.FLBAS, namespace.formatIndex());
        Wire.u8(page, IdentifyNamespace.DLFEAT, namespace.media.readsZeroes() ? DLFEAT_ZEROES : 0);
        Wire.u8(page, IdentifyNamespace.NSATTR, namespace.readOnly ? IdentifyNamespace.NSATTR_WRITE_PROTECTED : 0);
        MemorySegment.copy(bytes(uuid(namespace.id)), 0, page, ValueLayout.JAVA_BYTE, IdentifyNamespace.NGUID, 16);
        for (int i = 0; i < Namespace.LBA_SHIFTS.length; i++) {
            Wire.i32(
                    page,
                    IdentifyNamespace.LBAF + (long) i * IdentifyNamespace.LBAF_BYTES,
                    IdentifyNamespace.lbaFormat(Namespace.LBA_SHIFTS[i], 0));
        }
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

    /** NGUID and UUID. */
    void descriptors(Namespace namespace, MemorySegment page) {
        byte[] uuid = bytes(uuid(namespace.id));
        long next = descriptor(page, 0, Identify.NIDT_NGUID, uuid);
        descriptor(page, next, Identify.NIDT_UUID, uuid);
    }

    private static long descriptor(MemorySegment page, long at, int type, byte[] value) {
        Wire.u8(page, at, type);
        Wire.u8(page, at + 1, value.length);
        MemorySegment.copy(value, 0, page, ValueLayout.JAVA_BYTE, at + 4, value.length);
        return at + 4 + value.length;
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
