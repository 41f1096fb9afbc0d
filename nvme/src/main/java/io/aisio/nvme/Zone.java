package io.aisio.nvme;

import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Wire;
import io.aisio.nvme.spec.ZoneReport;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * A zone as a report has it, and the commands of zones (Zoned Namespace Command Set 1.1, section 3.4). All are I/O
 * commands: they are bound to a slot of a {@link QueuePair}, and the LBA that they name is given at submission.
 *
 * @param start its first LBA
 * @param capacity blocks that can be written, from the start on
 * @param writePointer the LBA at which the next write must begin; of no meaning in a zone that is full
 * @param state one of {@link ZoneReport}'s {@code STATE_…}
 */
public record Zone(long start, long capacity, long writePointer, int state) {
    /**
     * A command that changes a zone's state: submitted with the zone's first LBA.
     *
     * @param action one of {@link ZoneReport}'s {@code ACTION_…}
     */
    public static Command send(int nsid, int action) {
        return new Command(Opcode.ZONE_MANAGEMENT_SEND, nsid, 0, (long) action << 32, 0);
    }

    /** A command that changes the state of every zone for which the action makes sense. */
    public static Command sendToAll(int nsid, int action) {
        return send(nsid, action | ZoneReport.SELECT_ALL);
    }

    /**
     * A report of the zones from the one that holds the LBA of the submission on.
     *
     * @param option which zones, one of {@link ZoneReport}'s {@code OPTION_…}
     * @param bytes of the buffer, a multiple of 4
     */
    public static Command report(int nsid, int option, int bytes) {
        if (bytes < ZoneReport.HEADER_BYTES || (bytes & 3) != 0) {
            throw new IllegalArgumentException("a report of zones into " + bytes
                    + " bytes; it takes a multiple of 4, at least " + ZoneReport.HEADER_BYTES);
        }
        long specific = ZoneReport.RECEIVE_REPORT | option << ZoneReport.OPTION_SHIFT | ZoneReport.PARTIAL;
        return new Command(Opcode.ZONE_MANAGEMENT_RECEIVE, nsid, 0, bytes / 4 - 1 | specific << 32, 0);
    }

    /**
     * A write at the write pointer of the zone whose first LBA is submitted; {@link QueuePair#lastResult()} tells where
     * that was.
     *
     * @param blocks how many, 1 to 65536
     */
    public static Command append(int nsid, int blocks) {
        return Command.overBlocks(Opcode.ZONE_APPEND, nsid, 0, blocks);
    }

    /**
     * The zones of a report.
     *
     * @param report what a command of {@link #report} has transferred; no more is read than it holds
     */
    public static List<Zone> parse(MemorySegment report) {
        long room = (report.byteSize() - ZoneReport.HEADER_BYTES) / ZoneReport.DESCRIPTOR_BYTES;
        long told = Wire.i64(report, ZoneReport.NUMBER_OF_ZONES);
        long count = told < 0 ? room : Math.min(told, room);
        List<Zone> zones = new ArrayList<>();
        for (long i = 0; i < count; i++) {
            long at = ZoneReport.HEADER_BYTES + i * ZoneReport.DESCRIPTOR_BYTES;
            zones.add(new Zone(
                    Wire.i64(report, at + ZoneReport.ZSLBA),
                    Wire.i64(report, at + ZoneReport.ZCAP),
                    Wire.i64(report, at + ZoneReport.WP),
                    Wire.u8(report, at + ZoneReport.ZS) >>> 4));
        }
        return zones;
    }
}
