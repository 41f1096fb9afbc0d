package io.aisio.nvme.command;

import io.aisio.nvme.AdminCommands;
import io.aisio.nvme.Command;
import io.aisio.nvme.Guard;
import io.aisio.nvme.LbaFormat;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.IdentifyNamespace;
import io.aisio.nvme.spec.IdentifyNvm;
import io.aisio.nvme.spec.IdentifyZoned;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Protection;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** Identify (section 5.15): what a controller says of itself and of its namespaces. Nothing is remembered. */
public final class Identities {
    /** The version of the specification that brought identification descriptors, 1.3. */
    private static final int VERSION_1_3 = 1 << 16 | 3 << 8;

    /** The most namespaces that are listed: 16 pages. */
    private static final int MAX_NAMESPACES = 16 * Identify.LIST_ENTRIES;

    private final AdminCommands admin;

    /** Over a path. */
    public Identities(AdminCommands admin) {
        this.admin = admin;
    }

    /**
     * A structure as the controller sent it, {@value Identify#BYTES} bytes.
     *
     * @param cns one of {@link Identify}'s {@code CNS_…}, or any other of 8 bits
     * @param commandSet one of its {@code CSI_…}
     */
    public MemorySegment raw(int nsid, int cns, int commandSet) throws IOException {
        if (cns >>> 8 != 0 || commandSet >>> 8 != 0) {
            throw new IllegalArgumentException(
                    "CNS 0x%x and command set 0x%x; both have 8 bits".formatted(cns, commandSet));
        }
        MemorySegment data = MemorySegment.ofArray(new byte[Identify.BYTES]);
        admin.execute(Command.of(Opcode.IDENTIFY, nsid, cns, commandSet << Identify.CSI_SHIFT), data);
        return data;
    }

    /** What the controller says of itself. */
    public ControllerData controller() throws IOException {
        return ControllerData.of(raw(0, Identify.CNS_CONTROLLER, Identify.CSI_NVM));
    }

    /**
     * The active namespaces, ascending.
     *
     * @throws NvmeException if the list is not ascending
     */
    public List<Integer> namespaces() throws IOException {
        List<Integer> nsids = new ArrayList<>();
        int last = 0;
        while (nsids.size() < MAX_NAMESPACES) {
            MemorySegment list = raw(last, Identify.CNS_ACTIVE_NAMESPACES, Identify.CSI_NVM);
            for (int i = 0; i < Identify.LIST_ENTRIES; i++) {
                int nsid = Wire.i32(list, 4L * i);
                if (nsid == 0) {
                    return nsids;
                }
                if (Integer.compareUnsigned(nsid, last) <= 0
                        || Integer.compareUnsigned(nsid, Identify.LAST_NAMESPACE) > 0) {
                    throw new NvmeException("the list of active namespaces has %s after %s"
                            .formatted(Integer.toUnsignedString(nsid), Integer.toUnsignedString(last)));
                }
                nsids.add(nsid);
                last = nsid;
            }
        }
        return nsids;
    }

    /**
     * A namespace.
     *
     * @throws NvmeException if it is not active, or described in a way that makes no sense
     */
    public NamespaceData namespace(int nsid) throws IOException {
        MemorySegment data = raw(nsid, Identify.CNS_NAMESPACE, Identify.CSI_NVM);
        String who = "namespace " + Integer.toUnsignedString(nsid);
        long size = Wire.i64(data, IdentifyNamespace.NSZE);
        if (size == 0) {
            throw new NvmeException(who + " is not active");
        }
        List<LbaFormat> formats = formats(data);
        int index = IdentifyNamespace.formatIndex(
                Wire.u8(data, IdentifyNamespace.FLBAS), Wire.u8(data, IdentifyNamespace.NLBAF));
        LbaFormat format = formats.stream()
                .filter(f -> f.index() == index)
                .findFirst()
                .orElseThrow(() -> new NvmeException(who + " has LBA format " + index + ", which is not available"));
        if (size < 0 || size > Long.MAX_VALUE / format.lbaBytes()) {
            throw new NvmeException(
                    "%s has %s blocks of %d bytes".formatted(who, Long.toUnsignedString(size), format.lbaBytes()));
        }
        ControllerData controller = controller();
        int commandSet = commandSet(nsid, controller);
        int extension = format.metadataBytes() == 0 ? 0 : extension(nsid, index, controller);
        int dps = Wire.u8(data, IdentifyNamespace.DPS);
        int type = dps & Protection.DPS_TYPE_MASK;
        int told = extension >>> IdentifyNvm.PIF_SHIFT & 3;
        // What the format of no protection information is does not matter.
        int pif = type == 0 && told > 2 ? 0 : told;
        if (pif > 2
                || type > 3
                || (type != 0 && format.metadataBytes() < Guard.of(pif).bytes())) {
            throw new NvmeException("%s has protection information of type %d and format %d in %d bytes of metadata"
                    .formatted(who, type, pif, format.metadataBytes()));
        }
        return new NamespaceData(
                nsid,
                size,
                Wire.i64(data, IdentifyNamespace.NCAP),
                Wire.i64(data, IdentifyNamespace.NUSE),
                Wire.u8(data, IdentifyNamespace.NSFEAT),
                formats,
                format,
                (Wire.u8(data, IdentifyNamespace.FLBAS) & IdentifyNamespace.FLBAS_EXTENDED) != 0,
                Wire.u8(data, IdentifyNamespace.MC),
                Wire.u8(data, IdentifyNamespace.DPC),
                type,
                (dps & Protection.DPS_FIRST) != 0,
                Guard.of(pif),
                extension & IdentifyNvm.STS_MASK,
                Wire.u8(data, IdentifyNamespace.DLFEAT),
                Wire.u16(data, IdentifyNamespace.MSSRL),
                Wire.i32(data, IdentifyNamespace.MCL),
                Wire.u8(data, IdentifyNamespace.MSRC) + 1,
                Wire.u16(data, IdentifyNamespace.ENDGID),
                (Wire.u8(data, IdentifyNamespace.NSATTR) & IdentifyNamespace.NSATTR_WRITE_PROTECTED) != 0,
                hex(data.asSlice(IdentifyNamespace.NGUID, 16)),
                hex(data.asSlice(IdentifyNamespace.EUI64, 8)),
                commandSet);
    }

    private static List<LbaFormat> formats(MemorySegment data) {
        List<LbaFormat> formats = new ArrayList<>();
        int count = Math.min(Wire.u8(data, IdentifyNamespace.NLBAF) + 1, IdentifyNamespace.LBAF_MAX_2_0);
        for (int i = 0; i < count; i++) {
            int format = Wire.i32(data, IdentifyNamespace.LBAF + (long) i * IdentifyNamespace.LBAF_BYTES);
            int shift = IdentifyNamespace.dataShift(format);
            if (shift >= 9 && shift <= 16) {
                formats.add(new LbaFormat(i, 1 << shift, IdentifyNamespace.metadataBytes(format)));
            }
        }
        return formats;
    }

    /** The extended format of an LBA format: 0, that is a guard of 16 bits, where the controller knows none. */
    private int extension(int nsid, int index, ControllerData controller) throws IOException {
        if ((controller.attributes() & IdentifyController.CTRATT_EXTENDED_LBA_FORMATS) == 0) {
            return 0;
        }
        MemorySegment data = optional(nsid, Identify.CNS_COMMAND_SET_NAMESPACE, Identify.CSI_NVM);
        return Wire.i32(data, IdentifyNvm.ELBAF + (long) index * IdentifyNvm.ELBAF_BYTES);
    }

    /** A structure that not every controller has, zeroes where this one does not know it. */
    private MemorySegment optional(int nsid, int cns, int commandSet) throws IOException {
        try {
            return raw(nsid, cns, commandSet);
        } catch (NvmeException e) {
            Status status = e.status();
            boolean unknown = status != null
                    && (status.code() == Status.INVALID_FIELD
                            || status.code() == Status.INVALID_OPCODE
                            || status.code() == Status.INVALID_COMMAND_SET);
            if (!unknown) {
                throw e;
            }
            return MemorySegment.ofArray(new byte[Identify.BYTES]);
        }
    }

    /**
     * A namespace's command set: among its identification descriptors, NVM where there is none.
     *
     * @throws NvmeException if the descriptor has another length than a command set's
     */
    public int commandSet(int nsid) throws IOException {
        return commandSet(nsid, controller());
    }

    private int commandSet(int nsid, ControllerData controller) throws IOException {
        for (Descriptor descriptor : descriptors(nsid, controller)) {
            if (descriptor.type() == Identify.NIDT_CSI) {
                int commandSet = descriptor.commandSet();
                if (commandSet < 0) {
                    throw new NvmeException("namespace %s has the command set %s; it has one byte"
                            .formatted(Integer.toUnsignedString(nsid), descriptor.identifier()));
                }
                return commandSet;
            }
        }
        return Identify.CSI_NVM;
    }

    /**
     * A namespace identification descriptor (section 5.15.2.3).
     *
     * @param type one of {@link Identify}'s {@code NIDT_…}
     * @param identifier in hexadecimal
     */
    public record Descriptor(int type, String identifier) {
        /** The descriptors of a structure, in its order; those after one that reaches beyond its end are left out. */
        public static List<Descriptor> parse(MemorySegment data) {
            List<Descriptor> found = new ArrayList<>();
            for (long at = 0; at + Identify.NID < Identify.BYTES; ) {
                int length = Wire.u8(data, at + Identify.NIDL);
                if (length == 0 || at + Identify.NID + length > Identify.BYTES) {
                    break;
                }
                found.add(new Descriptor(
                        Wire.u8(data, at + Identify.NIDT), hex(data.asSlice(at + Identify.NID, length))));
                at += Identify.NID + length;
            }
            return found;
        }

        /** The command set that it names, -1 if it does not have the one byte of one. */
        public int commandSet() {
            return identifier.length() == 2 ? Integer.parseInt(identifier, 16) : -1;
        }
    }

    /** By what a namespace is known; empty where the controller does not tell. */
    public List<Descriptor> descriptors(int nsid) throws IOException {
        return descriptors(nsid, controller());
    }

    private List<Descriptor> descriptors(int nsid, ControllerData controller) throws IOException {
        if (Integer.compareUnsigned(controller.version(), VERSION_1_3) < 0) {
            return List.of();
        }
        return Descriptor.parse(optional(nsid, Identify.CNS_DESCRIPTORS, Identify.CSI_NVM));
    }

    /**
     * What the Zoned Namespace command set says of a namespace.
     *
     * @param zoneBlocks blocks from the start of a zone to the next one's
     * @param characteristics ZOC
     * @param optional OZCS
     * @param maxOpen zones that may be open at once, 0 for no limit
     * @param maxActive zones that may be open or closed at once, 0 for no limit
     * @param zasl the largest Zone Append as a power of two of the smallest page, 0 for the longest transfer
     * @param extensionBytes bytes of a zone descriptor extension, 0 for none
     */
    public record Zones(
            long zoneBlocks,
            int characteristics,
            int optional,
            long maxOpen,
            long maxActive,
            int zasl,
            int extensionBytes) {
        /** The most that one Zone Append transfers in bytes, by ZASL; one longer than any transfer where it tells nothing. */
        public long maxAppendBytes() {
            return ControllerData.limit(zasl);
        }
    }

    /**
     * What a zoned namespace is like.
     *
     * @throws NvmeException if it is not zoned, or describes zones that make no sense
     */
    public Zones zones(int nsid) throws IOException {
        MemorySegment namespace = raw(nsid, Identify.CNS_NAMESPACE, Identify.CSI_NVM);
        int index = IdentifyNamespace.formatIndex(
                Wire.u8(namespace, IdentifyNamespace.FLBAS), Wire.u8(namespace, IdentifyNamespace.NLBAF));
        MemorySegment data = raw(nsid, Identify.CNS_COMMAND_SET_NAMESPACE, Identify.CSI_ZONED);
        MemorySegment controller = raw(0, Identify.CNS_COMMAND_SET_CONTROLLER, Identify.CSI_ZONED);
        long at = IdentifyZoned.LBAFE + (long) index * IdentifyZoned.LBAFE_BYTES;
        long blocks = Wire.i64(data, at + IdentifyZoned.LBAFE_ZSZE);
        if (blocks <= 0) {
            throw new NvmeException(
                    "namespace %d has zones of %s blocks".formatted(nsid, Long.toUnsignedString(blocks)));
        }
        return new Zones(
                blocks,
                Wire.u16(data, IdentifyZoned.ZOC),
                Wire.u16(data, IdentifyZoned.OZCS),
                limit(Wire.i32(data, IdentifyZoned.MOR)),
                limit(Wire.i32(data, IdentifyZoned.MAR)),
                Wire.u8(controller, IdentifyZoned.ZASL),
                Wire.u8(data, at + IdentifyZoned.LBAFE_ZDES) * 64);
    }

    /** A 0's based count as it is meant, 0 for no limit. */
    private static long limit(int field) {
        return field == IdentifyZoned.NO_LIMIT ? 0 : Integer.toUnsignedLong(field) + 1;
    }

    private static String hex(MemorySegment bytes) {
        return HexFormat.of().formatHex(bytes.toArray(ValueLayout.JAVA_BYTE));
    }
}
