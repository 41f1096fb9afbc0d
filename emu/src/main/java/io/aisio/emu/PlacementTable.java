package io.aisio.emu;

import io.aisio.nvme.spec.DataPlacementLog;
import io.aisio.nvme.spec.Feature;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Iterator;

/**
 * Flexible Data Placement of the one endurance group: reclaim unit handles and how far their reclaim units are written. A
 * namespace's placement identifiers are the handles' numbers; there is one reclaim group. Data lie where they lay anyway.
 */
final class PlacementTable {
    /** The endurance group. */
    static final int GROUP = 1;
    /** Events that can be turned on, in the order in which the feature tells them. */
    private static final int[] EVENTS = {
        DataPlacementLog.EVENT_NOT_FULLY_WRITTEN, DataPlacementLog.EVENT_RESET, DataPlacementLog.EVENT_INVALID_PID
    };

    private static final int NOT_TOLD = -1;

    private final long unitBytes;
    private final long[] available;
    /** By handle: a bit for each event of {@link #EVENTS} that is logged. */
    private final int[] logged;

    private long hostBytes;
    private long erasedBytes;

    private record Event(int type, int identifier, int handle, int nsid, long millis) {}

    /** The newest first. */
    private final ArrayDeque<Event> events = new ArrayDeque<>();

    PlacementTable(EmuConfiguration.Placement placement) {
        unitBytes = placement.unitBytes();
        available = new long[placement.handles()];
        logged = new int[placement.handles()];
        Arrays.fill(available, unitBytes);
    }

    int handles() {
        return available.length;
    }

    /** @param identifier placement identifier, -1 for a write that names none, and goes to the first handle */
    void wrote(int nsid, int identifier, long bytes) {
        int handle = identifier;
        if (identifier < 0 || identifier >= available.length) {
            handle = 0;
            if (identifier >= 0) {
                log(DataPlacementLog.EVENT_INVALID_PID, identifier, 0, nsid);
            }
        }
        hostBytes += bytes;
        long rest = bytes;
        while (rest >= available[handle]) {
            rest -= available[handle];
            available[handle] = unitBytes;
            erasedBytes += unitBytes;
        }
        available[handle] -= rest;
    }

    /** Gives a handle an empty reclaim unit; whether there is such a handle. */
    boolean update(int nsid, int identifier) {
        if (identifier >= available.length) {
            return false;
        }
        if (available[identifier] != unitBytes) {
            log(DataPlacementLog.EVENT_NOT_FULLY_WRITTEN, identifier, identifier, nsid);
            available[identifier] = unitBytes;
            erasedBytes += unitBytes;
        }
        return true;
    }

    private void log(int type, int identifier, int handle, int nsid) {
        if ((logged[handle] & 1 << index(type)) != 0) {
            events.addFirst(new Event(type, identifier, handle, nsid, System.currentTimeMillis()));
            if (events.size() > DataPlacementLog.EVENTS_MAX) {
                events.removeLast();
            }
        }
    }

    private static int index(int type) {
        for (int i = 0; i < EVENTS.length; i++) {
            if (EVENTS[i] == type) {
                return i;
            }
        }
        return NOT_TOLD;
    }

    /** The Flexible Data Placement Events feature: fills in type and whether it is logged, of each event; how many. */
    int events(int handle, MemorySegment target) {
        for (int i = 0; i < EVENTS.length; i++) {
            Wire.u8(target, 2L * i, EVENTS[i]);
            Wire.u8(target, 2L * i + 1, logged[handle] >>> i & 1);
        }
        return EVENTS.length;
    }

    /** Turns an event on or off; whether there is such a one. */
    boolean log(int handle, int type, boolean on) {
        int index = index(type);
        if (index < 0) {
            return false;
        }
        logged[handle] = on ? logged[handle] | 1 << index : logged[handle] & ~(1 << index);
        return true;
    }

    /** What I/O Management Receive tells of handles; its size. */
    int status(int shift, MemorySegment target) {
        Wire.u16(target, DataPlacementLog.STATUS_COUNT, available.length);
        for (int i = 0; i < available.length; i++) {
            long at = DataPlacementLog.STATUS + (long) i * DataPlacementLog.STATUS_BYTES;
            Wire.u16(target, at + DataPlacementLog.STATUS_PID, i);
            Wire.u16(target, at + DataPlacementLog.STATUS_RUHID, i);
            Wire.i64(target, at + DataPlacementLog.STATUS_RUAMW, available[i] >>> shift);
        }
        return (int) DataPlacementLog.STATUS + available.length * DataPlacementLog.STATUS_BYTES;
    }

    int buildConfigurations(MemorySegment target) {
        int descriptor = (int) DataPlacementLog.RUH + available.length * DataPlacementLog.RUH_BYTES + 7 & -8;
        int size = (int) DataPlacementLog.CONFIGURATION + descriptor;
        Wire.i32(target, DataPlacementLog.CONFIGURATIONS_SIZE, size);
        MemorySegment one = target.asSlice(DataPlacementLog.CONFIGURATION);
        Wire.u16(one, DataPlacementLog.DESCRIPTOR_SIZE, descriptor);
        Wire.u8(one, DataPlacementLog.FDPA, DataPlacementLog.FDPA_VALID);
        Wire.i32(one, DataPlacementLog.NRG, 1);
        Wire.u16(one, DataPlacementLog.NRUH, available.length);
        Wire.u16(one, DataPlacementLog.MAXPIDS, available.length - 1);
        Wire.i32(one, DataPlacementLog.NNSS, EmuConfiguration.MAX_NAMESPACES);
        Wire.i64(one, DataPlacementLog.RUNS, unitBytes);
        for (int i = 0; i < available.length; i++) {
            Wire.u8(
                    one,
                    DataPlacementLog.RUH + (long) i * DataPlacementLog.RUH_BYTES,
                    DataPlacementLog.INITIALLY_ISOLATED);
        }
        return size;
    }

    int buildUsage(MemorySegment target) {
        Wire.u16(target, DataPlacementLog.USAGE_NRUH, available.length);
        for (int i = 0; i < available.length; i++) {
            // Used by hosts.
            Wire.u8(target, DataPlacementLog.USAGE + (long) i * DataPlacementLog.USAGE_BYTES, 1);
        }
        return (int) DataPlacementLog.USAGE + available.length * DataPlacementLog.USAGE_BYTES;
    }

    int buildStatistics(MemorySegment target) {
        Wire.i64(target, DataPlacementLog.HBMW, hostBytes);
        Wire.i64(target, DataPlacementLog.MBMW, hostBytes);
        Wire.i64(target, DataPlacementLog.MBE, erasedBytes);
        return DataPlacementLog.STATISTICS_BYTES;
    }

    /** @param ofHost whether events of hosts are asked for: all that there are */
    int buildEvents(MemorySegment target, boolean ofHost) {
        int i = 0;
        for (Iterator<Event> each = events.iterator(); ofHost && each.hasNext(); i++) {
            Event event = each.next();
            MemorySegment at = target.asSlice(
                    DataPlacementLog.EVENT + (long) i * DataPlacementLog.EVENT_BYTES, DataPlacementLog.EVENT_BYTES);
            Wire.u8(at, DataPlacementLog.EVENT_TYPE, event.type);
            Wire.u8(
                    at,
                    DataPlacementLog.EVENT_FLAGS,
                    DataPlacementLog.EVENT_FLAG_PID
                            | DataPlacementLog.EVENT_FLAG_NSID
                            | DataPlacementLog.EVENT_FLAG_LOCATION);
            Wire.u16(at, DataPlacementLog.EVENT_PID, event.identifier);
            Wire.i64(at, DataPlacementLog.EVENT_TIMESTAMP, event.millis & 0xFFFF_FFFF_FFFFL);
            Wire.i32(at, DataPlacementLog.EVENT_NSID, event.nsid);
            Wire.u8(at, DataPlacementLog.EVENT_RUHID, event.handle);
        }
        Wire.i32(target, DataPlacementLog.EVENTS, i);
        return (int) DataPlacementLog.EVENT + DataPlacementLog.EVENTS_MAX * DataPlacementLog.EVENT_BYTES;
    }

    /** The value of {@link Feature#DATA_PLACEMENT}: on, with the one configuration. */
    static int feature() {
        return 1;
    }
}
