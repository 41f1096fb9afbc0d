package io.aisio.emu;

import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.nvme.spec.ZoneReport;
import java.lang.foreign.MemorySegment;

/** The zones of a namespace: their state machine (Zoned Namespace Command Set 1.1, section 2.1.1.4), without their data. */
final class ZoneTable {
    private static final int DNR = Status.DNR_BIT;

    /** Blocks from the start of a zone to the next one's. */
    final long zoneBlocks;
    /** Blocks of a zone that can be written. */
    final long capacity;
    /** Zones that may be open at once, 0 for no limit. */
    final int maxOpen;
    /** Zones that may be open or closed at once, 0 for no limit. */
    final int maxActive;

    private final byte[] state;
    private final long[] pointer;
    private int open;
    private int active;

    ZoneTable(EmuConfiguration.Zones zones, int shift, long bytes) {
        zoneBlocks = zones.zoneBytes() >>> shift;
        capacity = zones.capacityBytes() >>> shift;
        maxOpen = zones.maxOpen();
        maxActive = zones.maxActive();
        int count = Math.toIntExact(bytes / zones.zoneBytes());
        state = new byte[count];
        pointer = new long[count];
        for (int zone = 0; zone < count; zone++) {
            state[zone] = ZoneReport.STATE_EMPTY;
            pointer[zone] = start(zone);
        }
    }

    /** All blocks: whole zones. */
    long blocks() {
        return state.length * zoneBlocks;
    }

    int count() {
        return state.length;
    }

    long start(int zone) {
        return zone * zoneBlocks;
    }

    /** The zone that holds a block. */
    int zone(long lba) {
        return (int) (lba / zoneBlocks);
    }

    boolean isStart(long lba) {
        return lba % zoneBlocks == 0;
    }

    long writePointer(int zone) {
        return pointer[zone];
    }

    /** Whether blocks may be read: they do not reach from one zone into the next. */
    int checkRead(long lba, long count) {
        int zone = zone(lba);
        if (state[zone] == ZoneReport.STATE_OFFLINE) {
            return Status.ZONE_IS_OFFLINE | DNR;
        }
        return lba + count > start(zone) + zoneBlocks ? Status.ZONE_BOUNDARY_ERROR | DNR : Status.SUCCESS;
    }

    /** Whether blocks may be written in the zone that holds the first; if so the zone is open from here on. */
    int beginWrite(long lba, long count) {
        return beginWrite(zone(lba), lba, count);
    }

    /** The same in this zone, which the first block may lie behind: the write pointer of a full zone does. */
    int beginWrite(int zone, long lba, long count) {
        if (state[zone] == ZoneReport.STATE_FULL) {
            return Status.ZONE_IS_FULL | DNR;
        }
        if (state[zone] == ZoneReport.STATE_READ_ONLY) {
            return Status.ZONE_IS_READ_ONLY | DNR;
        }
        if (state[zone] == ZoneReport.STATE_OFFLINE) {
            return Status.ZONE_IS_OFFLINE | DNR;
        }
        if (lba + count > start(zone) + capacity) {
            return Status.ZONE_BOUNDARY_ERROR | DNR;
        }
        if (lba != pointer[zone]) {
            return Status.ZONE_INVALID_WRITE | DNR;
        }
        return isOpen(zone) ? Status.SUCCESS : open(zone, ZoneReport.STATE_IMPLICITLY_OPENED);
    }

    /** Blocks were written that {@link #beginWrite} allowed. */
    void wrote(long lba, long count) {
        int zone = zone(lba);
        pointer[zone] += count;
        if (pointer[zone] == start(zone) + capacity) {
            to(zone, ZoneReport.STATE_FULL);
        }
    }

    private boolean isOpen(int zone) {
        return state[zone] == ZoneReport.STATE_IMPLICITLY_OPENED || state[zone] == ZoneReport.STATE_EXPLICITLY_OPENED;
    }

    private boolean isActive(int zone) {
        return isOpen(zone) || state[zone] == ZoneReport.STATE_CLOSED;
    }

    private int open(int zone, int as) {
        if (!isActive(zone) && maxActive != 0 && active == maxActive) {
            return Status.TOO_MANY_ACTIVE_ZONES;
        }
        if (!isOpen(zone) && maxOpen != 0 && open == maxOpen && !closeOne()) {
            return Status.TOO_MANY_OPEN_ZONES;
        }
        to(zone, as);
        return Status.SUCCESS;
    }

    /** Closes a zone that nobody opened explicitly, to make room. */
    private boolean closeOne() {
        for (int zone = 0; zone < state.length; zone++) {
            if (state[zone] == ZoneReport.STATE_IMPLICITLY_OPENED) {
                to(zone, ZoneReport.STATE_CLOSED);
                return true;
            }
        }
        return false;
    }

    private void to(int zone, int next) {
        open -= isOpen(zone) ? 1 : 0;
        active -= isActive(zone) ? 1 : 0;
        state[zone] = (byte) next;
        open += isOpen(zone) ? 1 : 0;
        active += isActive(zone) ? 1 : 0;
    }

    /**
     * Zone Management Send to one zone.
     *
     * @return the status; data of a zone that was reset is the caller's to erase
     */
    int send(int zone, int action) {
        int now = state[zone] & 0xF;
        boolean done = switch (action) {
            case ZoneReport.ACTION_CLOSE -> now == ZoneReport.STATE_CLOSED;
            case ZoneReport.ACTION_FINISH -> now == ZoneReport.STATE_FULL;
            case ZoneReport.ACTION_OPEN -> now == ZoneReport.STATE_EXPLICITLY_OPENED;
            case ZoneReport.ACTION_RESET -> now == ZoneReport.STATE_EMPTY;
            case ZoneReport.ACTION_OFFLINE -> now == ZoneReport.STATE_OFFLINE;
            default -> false;
        };
        if (done) {
            return Status.SUCCESS;
        }
        boolean empty = now == ZoneReport.STATE_EMPTY;
        boolean full = now == ZoneReport.STATE_FULL;
        boolean possible = switch (action) {
            case ZoneReport.ACTION_CLOSE -> isOpen(zone);
            case ZoneReport.ACTION_FINISH, ZoneReport.ACTION_OPEN -> empty || isActive(zone);
            case ZoneReport.ACTION_RESET -> full || isActive(zone);
            case ZoneReport.ACTION_OFFLINE -> now == ZoneReport.STATE_READ_ONLY;
            default -> false;
        };
        if (!isAction(action)) {
            return Status.INVALID_FIELD | DNR;
        }
        if (!possible) {
            return Status.INVALID_ZONE_STATE_TRANSITION | DNR;
        }
        switch (action) {
            case ZoneReport.ACTION_OPEN -> {
                return open(zone, ZoneReport.STATE_EXPLICITLY_OPENED);
            }
            case ZoneReport.ACTION_CLOSE -> to(zone, ZoneReport.STATE_CLOSED);
            case ZoneReport.ACTION_FINISH -> to(zone, ZoneReport.STATE_FULL);
            case ZoneReport.ACTION_RESET -> {
                to(zone, ZoneReport.STATE_EMPTY);
                pointer[zone] = start(zone);
            }
            default -> to(zone, ZoneReport.STATE_OFFLINE);
        }
        return Status.SUCCESS;
    }

    static boolean isAction(int action) {
        return action >= ZoneReport.ACTION_CLOSE && action <= ZoneReport.ACTION_OFFLINE;
    }

    /** Whether an action on all zones is meant for this one. */
    boolean takesPart(int zone, int action) {
        int now = state[zone] & 0xF;
        return switch (action) {
            case ZoneReport.ACTION_OPEN -> now == ZoneReport.STATE_CLOSED;
            case ZoneReport.ACTION_CLOSE -> isOpen(zone);
            case ZoneReport.ACTION_FINISH -> isActive(zone);
            case ZoneReport.ACTION_RESET -> isActive(zone) || now == ZoneReport.STATE_FULL;
            default -> now == ZoneReport.STATE_READ_ONLY;
        };
    }

    /**
     * Report Zones, into zeroed memory.
     *
     * @param first the first zone that may be reported
     * @param option which ones, ZRASF
     * @param partial whether the number of zones is that of those reported
     * @return whether there is such an option
     */
    boolean report(int first, int option, boolean partial, MemorySegment target) {
        if (option > ZoneReport.OPTION_FULL + 2) {
            return false;
        }
        long room = (target.byteSize() - ZoneReport.HEADER_BYTES) / ZoneReport.DESCRIPTOR_BYTES;
        long matching = 0;
        for (int zone = first; zone < state.length; zone++) {
            if (matches(zone, option)) {
                if (matching < room) {
                    describe(zone, target, ZoneReport.HEADER_BYTES + matching * ZoneReport.DESCRIPTOR_BYTES);
                }
                matching++;
            }
        }
        Wire.i64(target, ZoneReport.NUMBER_OF_ZONES, partial ? Math.min(matching, room) : matching);
        return true;
    }

    private boolean matches(int zone, int option) {
        int wanted = switch (option) {
            case ZoneReport.OPTION_ALL -> state[zone] & 0xF;
            case ZoneReport.OPTION_EMPTY -> ZoneReport.STATE_EMPTY;
            case ZoneReport.OPTION_IMPLICITLY_OPENED -> ZoneReport.STATE_IMPLICITLY_OPENED;
            case ZoneReport.OPTION_EXPLICITLY_OPENED -> ZoneReport.STATE_EXPLICITLY_OPENED;
            case ZoneReport.OPTION_CLOSED -> ZoneReport.STATE_CLOSED;
            case ZoneReport.OPTION_FULL -> ZoneReport.STATE_FULL;
            case ZoneReport.OPTION_FULL + 1 -> ZoneReport.STATE_READ_ONLY;
            default -> ZoneReport.STATE_OFFLINE;
        };
        return (state[zone] & 0xF) == wanted;
    }

    private void describe(int zone, MemorySegment target, long at) {
        Wire.u8(target, at + ZoneReport.ZT, ZoneReport.TYPE_SEQUENTIAL_WRITE_REQUIRED);
        Wire.u8(target, at + ZoneReport.ZS, state[zone] << 4);
        Wire.i64(target, at + ZoneReport.ZCAP, capacity);
        Wire.i64(target, at + ZoneReport.ZSLBA, start(zone));
        // Of no meaning in a zone that is full: all ones, as others say it.
        Wire.i64(target, at + ZoneReport.WP, state[zone] == ZoneReport.STATE_FULL ? -1 : pointer[zone]);
    }
}
