package io.aisio.nvme;

import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.VirtualizationManagement;
import io.aisio.nvme.spec.Wire;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Shares a controller's resources out to its virtual functions (section 8.5): the primary controller has queues and
 * interrupt vectors that are flexible, a secondary one gets some of them while it is offline, and works once online.
 *
 * <pre>
 *   assign(c, QUEUES, 2)   assign(c, INTERRUPTS, 2)   online(c)       then the function is reset, and driven
 * </pre>
 */
public final class Virtualization {
    private final String name;
    private final AdminCommands primary;

    /**
     * Shares out what a primary controller has.
     *
     * @param name how messages name the primary controller
     * @param primary its admin commands
     */
    public Virtualization(String name, AdminCommands primary) {
        this.name = name;
        this.primary = primary;
    }

    /** What can be assigned. */
    public enum Resource {
        /** VQ resources: submission and completion queues in pairs, the admin queue's pair included. */
        QUEUES(VirtualizationManagement.RESOURCE_VQ, VirtualizationManagement.VQ),
        /** VI resources: interrupt vectors. */
        INTERRUPTS(VirtualizationManagement.RESOURCE_VI, VirtualizationManagement.VI);

        private final int type;
        private final long offset;

        Resource(int type, long offset) {
            this.type = type;
            this.offset = offset;
        }
    }

    /**
     * How much of a resource there is.
     *
     * @param flexible how many can be assigned, in all
     * @param assigned how many of them secondary controllers have
     * @param primaryFlexible how many of them the primary controller has
     * @param primaryPrivate how many the primary controller has besides
     * @param mostOfSecondary the most that a secondary controller can have
     * @param granularity in what steps they are best assigned
     */
    public record Supply(
            int flexible,
            int assigned,
            int primaryFlexible,
            int primaryPrivate,
            int mostOfSecondary,
            int granularity) {}

    /**
     * A primary controller's capabilities.
     *
     * @param controllerId its identifier
     * @param queues its VQ resources
     * @param interrupts its VI resources
     */
    public record Primary(int controllerId, Supply queues, Supply interrupts) {}

    /**
     * A secondary controller.
     *
     * @param controllerId its identifier
     * @param primaryId its primary controller's
     * @param online whether it works
     * @param virtualFunction the number of its virtual function, 1 and up; 0 where it is none
     * @param queues VQ resources assigned to it
     * @param interrupts VI resources assigned to it
     */
    public record Secondary(
            int controllerId, int primaryId, boolean online, int virtualFunction, int queues, int interrupts) {}

    /** What there is to share out. */
    public Primary primary() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = identify(arena, Identify.CNS_PRIMARY_CONTROLLER, 0);
            return new Primary(
                    Wire.u16(data, VirtualizationManagement.CNTLID),
                    supply(data, Resource.QUEUES),
                    supply(data, Resource.INTERRUPTS));
        }
    }

    private static Supply supply(MemorySegment data, Resource resource) {
        long at = resource.offset;
        return new Supply(
                Wire.i32(data, at + VirtualizationManagement.FRT),
                Wire.i32(data, at + VirtualizationManagement.RFA),
                Wire.u16(data, at + VirtualizationManagement.RFAP),
                Wire.u16(data, at + VirtualizationManagement.PRT),
                Wire.u16(data, at + VirtualizationManagement.FRSM),
                Wire.u16(data, at + VirtualizationManagement.GRAN));
    }

    /** The secondary controllers, by ascending identifier. */
    public List<Secondary> secondaries() throws IOException {
        List<Secondary> all = new ArrayList<>();
        int from = 0;
        int found;
        do {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment data = identify(arena, Identify.CNS_SECONDARY_CONTROLLERS, from);
                found = Wire.u8(data, VirtualizationManagement.SECONDARIES);
                for (int i = 0; i < Math.min(found, VirtualizationManagement.SECONDARIES_MAX); i++) {
                    Secondary next = secondary(data, i);
                    if (next.controllerId < from) {
                        throw new NvmeException(
                                "%s: the list of secondary controllers has %d where %d or more comes next"
                                        .formatted(name, next.controllerId, from));
                    }
                    all.add(next);
                    from = next.controllerId + 1;
                }
            }
        } while (found >= VirtualizationManagement.SECONDARIES_MAX && from <= 0xFFFF);
        return all;
    }

    private static Secondary secondary(MemorySegment data, int index) {
        long at = VirtualizationManagement.SECONDARY + (long) index * VirtualizationManagement.SECONDARY_BYTES;
        return new Secondary(
                Wire.u16(data, at + VirtualizationManagement.SCID),
                Wire.u16(data, at + VirtualizationManagement.PCID),
                (Wire.u8(data, at + VirtualizationManagement.SCS) & 1) != 0,
                Wire.u16(data, at + VirtualizationManagement.VFN),
                Wire.u16(data, at + VirtualizationManagement.NVQ),
                Wire.u16(data, at + VirtualizationManagement.NVI));
    }

    /**
     * Gives a secondary controller that is offline as many of a resource as told, instead of what it had.
     *
     * @param controllerId its identifier
     * @param count 0 to {@link Supply#mostOfSecondary}
     * @return how many it has now, by the primary controller's word
     * @throws NvmeException if it is online, or there are not as many
     */
    public int assign(int controllerId, Resource resource, int count) throws IOException {
        return manage(VirtualizationManagement.ACTION_ASSIGN, controllerId, resource.type, count) & 0xFFFF;
    }

    /**
     * Takes a secondary controller online. Its function must be enabled, and needs a reset afterwards.
     *
     * @throws NvmeException if it lacks resources, 2 queues and 1 interrupt at least
     */
    public void online(int controllerId) throws IOException {
        manage(VirtualizationManagement.ACTION_ONLINE, controllerId, 0, 0);
    }

    /** Takes a secondary controller offline: it stops at once, whatever it is doing. */
    public void offline(int controllerId) throws IOException {
        manage(VirtualizationManagement.ACTION_OFFLINE, controllerId, 0, 0);
    }

    private int manage(int action, int controllerId, int resource, int count) throws IOException {
        if (controllerId < 0 || controllerId > 0xFFFF || count < 0 || count > 0xFFFF) {
            throw new IllegalArgumentException(
                    "%s: %d resources for controller %d; both have 16 bits".formatted(name, count, controllerId));
        }
        return primary.execute(
                        Command.of(
                                Opcode.VIRTUALIZATION_MANAGEMENT,
                                0,
                                controllerId << 16 | resource << 8 | action,
                                count),
                        MemorySegment.NULL)
                .result();
    }

    private MemorySegment identify(Arena arena, int cns, int controllerId) throws IOException {
        MemorySegment data = arena.allocate(Identify.BYTES);
        primary.execute(Command.of(Opcode.IDENTIFY, 0, controllerId << 16 | cns), data);
        return data;
    }
}
