package io.aisio.nvme.command;

import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.spec.DataPlacementLog;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Wire;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Flexible Data Placement of one namespace: its reclaim unit handles (NVM Command Set 1.1, sections 3.3.3 and 3.3.4).
 * Configurations, statistics and events are {@link LogPages}', what is on {@link Features}', and
 * {@link NvmCommandSet#writePlaced} writes.
 */
public final class DataPlacement {
    /** The longest status that is asked for: of more handles than a namespace has placement identifiers in practice. */
    private static final int MOST_BYTES = 128 << 10;

    private final Passthrough passthrough;
    private final int nsid;

    /** On a namespace. */
    public DataPlacement(Passthrough passthrough, int nsid) {
        this.passthrough = passthrough;
        this.nsid = nsid;
    }

    /**
     * A reclaim unit handle.
     *
     * @param placementIdentifier what a write names it by
     * @param handle reclaim unit handle of the endurance group
     * @param remainingSeconds estimated, for which its reclaim unit remains, 0 where that is not told
     * @param availableBlocks blocks that can still be written to its reclaim unit
     */
    public record Handle(int placementIdentifier, int handle, long remainingSeconds, long availableBlocks) {}

    /**
     * The namespace's reclaim unit handles.
     *
     * @throws NvmeException if there is no Flexible Data Placement, it is not on, or there are more handles than make sense
     */
    public List<Handle> status() throws IOException {
        int count = Wire.u16(receive((int) DataPlacementLog.STATUS), DataPlacementLog.STATUS_COUNT);
        int bytes = (int) DataPlacementLog.STATUS + count * DataPlacementLog.STATUS_BYTES;
        if (bytes > Identify.BYTES) {
            long most = Math.min(
                    MOST_BYTES, new Identities(passthrough).controller().maxTransferBytes());
            if (bytes > most) {
                throw new NvmeException(
                        "%s: namespace %d has %d reclaim unit handles; %d bytes of status are read at most"
                                .formatted(passthrough.name(), nsid, count, most));
            }
        }
        MemorySegment data = receive(bytes);
        List<Handle> handles = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            long at = DataPlacementLog.STATUS + (long) i * DataPlacementLog.STATUS_BYTES;
            handles.add(new Handle(
                    Wire.u16(data, at + DataPlacementLog.STATUS_PID),
                    Wire.u16(data, at + DataPlacementLog.STATUS_RUHID),
                    Wire.i32(data, at + DataPlacementLog.STATUS_EARUTR) & 0xFFFF_FFFFL,
                    Wire.i64(data, at + DataPlacementLog.STATUS_RUAMW)));
        }
        return handles;
    }

    private MemorySegment receive(int bytes) throws IOException {
        MemorySegment data = MemorySegment.ofArray(new byte[bytes]);
        passthrough.executeIo(
                Command.of(Opcode.IO_MANAGEMENT_RECEIVE, nsid, DataPlacementLog.RECEIVE_STATUS, bytes / 4 - 1), data);
        return data;
    }

    /**
     * Gives placement identifiers an empty reclaim unit each.
     *
     * @param placementIdentifiers 1 to 65536 of them
     */
    public void update(List<Integer> placementIdentifiers) throws IOException {
        int count = placementIdentifiers.size();
        if (count < 1 || count > 0x1_0000) {
            throw new IllegalArgumentException(count + " placement identifiers; 1 to 65536 are possible");
        }
        MemorySegment data = MemorySegment.ofArray(new byte[2 * count]);
        for (int i = 0; i < count; i++) {
            int identifier = placementIdentifiers.get(i);
            if (identifier >>> 16 != 0) {
                throw new IllegalArgumentException(
                        "placement identifier 0x%x has more than 16 bits".formatted(identifier));
            }
            Wire.u16(data, 2L * i, identifier);
        }
        passthrough.executeIo(
                Command.of(Opcode.IO_MANAGEMENT_SEND, nsid, DataPlacementLog.SEND_UPDATE | (count - 1) << 16), data);
    }
}
