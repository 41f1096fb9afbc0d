package io.aisio.nvme;

import io.aisio.nvme.command.Identities;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.IdentifyNamespace;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Protection;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a controller says of itself and of its namespaces when it is asked (Identify, section 5.15). What it says is checked
 * here; nothing is remembered.
 */
final class Identification {
    /** The longest list of namespaces that is read: 16 pages. */
    private static final int MAX_NAMESPACES = 16 * Identify.LIST_ENTRIES;

    private final String name;
    private final AdminCommands admin;
    private final ControllerRegisters registers;

    /** @param name how messages name the controller */
    Identification(String name, AdminCommands admin, ControllerRegisters registers) {
        this.name = name;
        this.admin = admin;
        this.registers = registers;
    }

    /** What a controller says of itself: for everybody, and for the driver. */
    record Described(ControllerIdentity identity, Offer offer) {}

    Described controller() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = identify(arena, 0, Identify.CNS_CONTROLLER, Identify.CSI_NVM);
            int sqes = Wire.u8(data, IdentifyController.SQES);
            int cqes = Wire.u8(data, IdentifyController.CQES);
            if ((sqes & 0xF) > 6 || sqes >>> 4 < 6 || (cqes & 0xF) > 4 || cqes >>> 4 < 4) {
                throw new NvmeException(
                        "%s: no entries of 64 and 16 bytes (SQES 0x%02x, CQES 0x%02x)".formatted(name, sqes, cqes));
            }
            return new Described(ControllerIdentity.of(data, registers.minPageSize()), Offer.of(data));
        }
    }

    /** The active namespaces that can be used, by ascending NSID. */
    Map<Integer, Namespace> namespaces() throws IOException {
        Map<Integer, Namespace> found = new LinkedHashMap<>();
        for (int nsid : activeNamespaces()) {
            try {
                Namespace namespace = namespace(nsid);
                if (namespace != null) {
                    found.put(nsid, namespace);
                }
            } catch (NvmeException e) {
                // One that the controller will not describe is left out too: it may have gone since it was listed.
                Status status = e.status();
                if (status == null || status.code() == Status.ABORTED_BY_HOST) {
                    throw e;
                }
            }
        }
        return found;
    }

    private List<Integer> activeNamespaces() throws IOException {
        List<Integer> nsids = new ArrayList<>();
        int last = 0;
        while (nsids.size() < MAX_NAMESPACES) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment list = identify(arena, last, Identify.CNS_ACTIVE_NAMESPACES, Identify.CSI_NVM);
                for (int i = 0; i < Identify.LIST_ENTRIES; i++) {
                    int nsid = Wire.i32(list, 4L * i);
                    if (nsid == 0) {
                        return nsids;
                    }
                    if (Integer.compareUnsigned(nsid, last) <= 0
                            || Integer.compareUnsigned(nsid, Identify.LAST_NAMESPACE) > 0) {
                        throw new NvmeException("%s: the list of active namespaces has %s after %s"
                                .formatted(name, Integer.toUnsignedString(nsid), Integer.toUnsignedString(last)));
                    }
                    nsids.add(nsid);
                    last = nsid;
                }
            }
        }
        return nsids;
    }

    /** A namespace, or null if it makes no sense: the others, and the controller, can still be used. */
    private @Nullable Namespace namespace(int nsid) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = identify(arena, nsid, Identify.CNS_NAMESPACE, Identify.CSI_NVM);
            long blocks = Wire.i64(data, IdentifyNamespace.NSZE);
            int format = format(data, formatIndex(data));
            int shift = IdentifyNamespace.dataShift(format);
            if (!isPossible(shift) || blocks <= 0 || blocks > Long.MAX_VALUE >>> shift) {
                return null;
            }
            int commandSet = commandSet(arena, nsid);
            if (commandSet != Identify.CSI_NVM && commandSet != Identify.CSI_ZONED) {
                return null;
            }
            int dps = Wire.u8(data, IdentifyNamespace.DPS);
            return new Namespace(
                    nsid,
                    1 << shift,
                    blocks,
                    IdentifyNamespace.metadataBytes(format),
                    (Wire.u8(data, IdentifyNamespace.FLBAS) & 0x10) != 0,
                    (Wire.u8(data, IdentifyNamespace.NSATTR) & IdentifyNamespace.NSATTR_WRITE_PROTECTED) != 0,
                    commandSet,
                    dps & Protection.DPS_TYPE_MASK,
                    (dps & Protection.DPS_FIRST) != 0);
        }
    }

    /** A namespace's command set: among its identification descriptors, where there are others than NVM. */
    private int commandSet(Arena arena, int nsid) throws IOException {
        if (!registers.hasCommandSets()) {
            return Identify.CSI_NVM;
        }
        MemorySegment data = identify(arena, nsid, Identify.CNS_DESCRIPTORS, Identify.CSI_NVM);
        for (Identities.Descriptor descriptor : Identities.Descriptor.parse(data)) {
            if (descriptor.type() == Identify.NIDT_CSI) {
                return descriptor.commandSet();
            }
        }
        return Identify.CSI_NVM;
    }

    private static int formatIndex(MemorySegment namespace) {
        return IdentifyNamespace.formatIndex(
                Wire.u8(namespace, IdentifyNamespace.FLBAS), Wire.u8(namespace, IdentifyNamespace.NLBAF));
    }

    private static int format(MemorySegment namespace, int index) {
        return Wire.i32(namespace, IdentifyNamespace.LBAF + (long) index * IdentifyNamespace.LBAF_BYTES);
    }

    /** Whether blocks of this size, as a power of two, are ones that the driver counts in. */
    private static boolean isPossible(int shift) {
        return shift >= 9 && shift <= 16;
    }

    private MemorySegment identify(Arena arena, int nsid, int cns, int commandSet) throws IOException {
        MemorySegment data = arena.allocate(Identify.BYTES);
        admin.execute(Command.of(Opcode.IDENTIFY, nsid, cns, commandSet << Identify.CSI_SHIFT), data);
        return data;
    }
}
