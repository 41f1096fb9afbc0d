package io.aisio.homi.ublk;

import io.aisio.linux.Mapping;
import io.aisio.linux.UblkParameters;
import io.aisio.nvme.ControllerIdentity;
import io.aisio.nvme.Namespace;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.command.Identities;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.IdentifyNamespace;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;

/**
 * What a namespace is to the kernel: the geometry of the block device, and by what it is known again.
 *
 * @param nsid namespace
 * @param lbaShift of a logical block's bytes, 9 to 12
 * @param lbaCount logical blocks
 * @param maxIoBytes of one request at most
 * @param readOnly whether writes are refused
 * @param cached whether the controller has a volatile write cache, so that flushes do something
 * @param discards whether it takes Dataset Management
 * @param zeroes whether it takes Write Zeroes
 * @param zeroesDeallocate whether blocks that Write Zeroes deallocates are zero
 * @param mark by which a device is known again as this namespace's: {@link #isOurs}
 */
record Shape(
        int nsid,
        int lbaShift,
        long lbaCount,
        int maxIoBytes,
        boolean readOnly,
        boolean cached,
        boolean discards,
        boolean zeroes,
        boolean zeroesDeallocate,
        long mark) {
    /** So much memory each request that a queue can have is given; the kernel splits larger ones. */
    private static final int MOST_BYTES = 128 << 10;
    /** 2 GiB in one request, which few devices do faster than several. */
    private static final int MOST_DISCARDED_SECTORS = 1 << 22;
    /** The upper 16 bits of {@link #mark}. */
    private static final long OURS = 0xA150L << 48;

    /**
     * Of a device's namespace.
     *
     * @throws IllegalArgumentException if the kernel cannot have it as a block device; one sentence with the next step
     */
    static Shape of(NvmeDevice device, int nsid, boolean readOnly) throws IOException {
        NvmeController controller = device.controller();
        Namespace namespace = controller.namespace(nsid);
        String name = device.name() + ": namespace " + namespace.nsid();
        if (namespace.lbaBytes() > Mapping.PAGE_SIZE) {
            throw new IllegalArgumentException(
                    "%s has blocks of %d bytes, and ublk none above %d; next: format it with smaller ones"
                            .formatted(name, namespace.lbaBytes(), Mapping.PAGE_SIZE));
        }
        if (namespace.metadataBytes() != 0) {
            throw new IllegalArgumentException(
                    "%s is formatted with %d bytes of metadata a block, for which ublk has no room; next: format it without"
                            .formatted(name, namespace.metadataBytes()));
        }
        if (namespace.commandSet() != Identify.CSI_NVM) {
            throw new IllegalArgumentException(
                    name + " is zoned, which is not exported; next: export a namespace without zones");
        }
        ControllerIdentity identity = controller.identity();
        int oncs = identity.optionalNvmCommands();
        boolean readOnlyToo = readOnly || namespace.writeProtected();
        return new Shape(
                namespace.nsid(),
                Integer.numberOfTrailingZeros(namespace.lbaBytes()),
                namespace.lbaCount(),
                Math.max(Mapping.PAGE_SIZE, Math.min(controller.maxTransferBytes(), MOST_BYTES) & -Mapping.PAGE_SIZE),
                readOnlyToo,
                identity.volatileWriteCache(),
                !readOnlyToo && (oncs & IdentifyController.ONCS_DATASET_MANAGEMENT) != 0,
                !readOnlyToo && (oncs & IdentifyController.ONCS_WRITE_ZEROES) != 0,
                (new Identities(controller).namespace(namespace.nsid()).deallocation()
                                & IdentifyNamespace.DLFEAT_WRITE_ZEROES)
                        != 0,
                mark(controller.name() + '\n' + identity.serial() + '\n' + identity.model() + '\n' + namespace.nsid()));
    }

    /** FNV-1a, of 48 bits. */
    private static long mark(String identity) {
        long hash = 0xCBF2_9CE4_8422_2325L;
        for (int i = 0; i < identity.length(); i++) {
            hash = (hash ^ identity.charAt(i)) * 0x100_0000_01B3L;
        }
        return OURS | hash >>> 16;
    }

    /** Whether a block device was made by this class, whatever namespace it stands for. */
    static boolean isOurs(long mark) {
        return (mark & 0xFFFFL << 48) == OURS;
    }

    /** As the kernel is told of it. */
    UblkParameters parameters() {
        int attributes = (readOnly ? UblkParameters.READ_ONLY : 0)
                | (cached ? UblkParameters.VOLATILE_CACHE | UblkParameters.FUA : 0);
        return new UblkParameters(
                attributes,
                1 << lbaShift,
                maxIoBytes / 512,
                lbaCount << (lbaShift - 9),
                discards ? MOST_DISCARDED_SECTORS : 0,
                zeroes ? maxIoBytes / 512 : 0);
    }

    /** The same for a device that has other limits: who takes one over takes what it has. */
    Shape withMaxIoBytes(int bytes) {
        return new Shape(nsid, lbaShift, lbaCount, bytes, readOnly, cached, discards, zeroes, zeroesDeallocate, mark);
    }
}
