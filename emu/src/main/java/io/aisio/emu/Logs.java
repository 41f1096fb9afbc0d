package io.aisio.emu;

import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.LogPage;
import io.aisio.nvme.spec.SelfTestLog;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** What Get Log Page returns (section 5.14.1). The error log lives as long as the controller, beyond resets. */
final class Logs {
    /** Entries of the error log, ELPE + 1: as many as fit the page that it is built in. */
    static final int ERROR_ENTRIES = 64;
    /** The firmware revision. */
    static final String FIRMWARE = "0.1";
    /** The temperature that the controller reports, 30 degrees Celsius: software has none. */
    static final int KELVIN = 303;
    /** WCTEMP and the default threshold, 70 degrees Celsius: what drives commonly say. */
    static final int WARNING_KELVIN = 343;
    /** CCTEMP, 80 degrees Celsius. */
    static final int CRITICAL_KELVIN = 353;

    /** SMART critical warning: the temperature is beyond a threshold. */
    private static final int TEMPERATURE_WARNING = 1 << 1;
    /** SMART: data units are thousands of 512 bytes. */
    private static final long SECTORS_PER_UNIT = 1000;
    /** What stands in an error entry where there is no value. */
    private static final int NOT_TOLD = 0xFFFF;

    private final Counters counters;
    private final Features features;
    private final int[] sqid = new int[ERROR_ENTRIES];
    private final int[] cid = new int[ERROR_ENTRIES];
    private final int[] status = new int[ERROR_ENTRIES];
    private final long[] lba = new long[ERROR_ENTRIES];
    private final int[] nsid = new int[ERROR_ENTRIES];
    private long errors;
    private final TreeSet<Integer> changed = new TreeSet<>();

    private final Sanitizer sanitizer;
    private final @Nullable PlacementTable placement;
    /** What device self-tests were run, the newest first: all end well, and at once. */
    private final ArrayDeque<SelfTest> selfTests = new ArrayDeque<>();

    private record SelfTest(int test, long hours) {}

    Logs(Counters counters, Features features, Sanitizer sanitizer, @Nullable PlacementTable placement) {
        this.counters = counters;
        this.features = features;
        this.sanitizer = sanitizer;
        this.placement = placement;
    }

    /** A command that failed. */
    void error(Command command, int commandStatus) {
        boolean io = command.queue != 0;
        add(command.queue, command.cid(), commandStatus, io ? command.cdw10 : 0, command.nsid());
    }

    /** An error that belongs to no command. */
    void error(int commandStatus) {
        add(NOT_TOLD, NOT_TOLD, commandStatus, 0, 0);
    }

    /** A namespace whose Identify data changed. */
    void changed(int namespace) {
        changed.add(namespace);
    }

    /** A device self-test was run. */
    void selfTest(int test) {
        selfTests.addFirst(new SelfTest(test, hours()));
        if (selfTests.size() > SelfTestLog.RESULTS) {
            selfTests.removeLast();
        }
    }

    private long hours() {
        return TimeUnit.NANOSECONDS.toHours(System.nanoTime() - counters.startNanos);
    }

    /** Pages of the controller. */
    private static final int[] PAGES = {
        LogPage.SUPPORTED,
        LogPage.ERROR_INFORMATION,
        LogPage.SMART,
        LogPage.FIRMWARE_SLOT,
        LogPage.CHANGED_NAMESPACES,
        LogPage.COMMAND_EFFECTS,
        LogPage.SELF_TEST,
        LogPage.SANITIZE_STATUS,
    };

    private static final int[] PLACEMENT_PAGES = {
        LogPage.FDP_CONFIGURATIONS, LogPage.RECLAIM_UNIT_HANDLE_USAGE, LogPage.FDP_STATISTICS, LogPage.FDP_EVENTS
    };

    /**
     * Builds a log page.
     *
     * @param command Get Log Page
     * @param zoned whether there are zones
     * @param target a zeroed page
     * @return its size in bytes, 0 for a page that does not exist
     */
    int build(Command command, boolean zoned, MemorySegment target) {
        int page = command.dword10() & 0xFF;
        PlacementTable table = placement;
        if (table != null && command.dword11() >>> 16 == PlacementTable.GROUP) {
            switch (page) {
                case LogPage.FDP_CONFIGURATIONS -> {
                    return table.buildConfigurations(target);
                }
                case LogPage.RECLAIM_UNIT_HANDLE_USAGE -> {
                    return table.buildUsage(target);
                }
                case LogPage.FDP_STATISTICS -> {
                    return table.buildStatistics(target);
                }
                case LogPage.FDP_EVENTS -> {
                    return table.buildEvents(target, (command.dword10() >>> 8 & 1) != 0);
                }
                default -> {
                    // One of the controller.
                }
            }
        }
        return switch (page) {
            case LogPage.SUPPORTED -> buildSupported(zoned, target);
            case LogPage.COMMAND_EFFECTS -> CommandEffects.build(command, zoned, table != null, target);
            case LogPage.SELF_TEST -> buildSelfTests(target);
            case LogPage.SANITIZE_STATUS -> sanitizer.build(target);
            // Zones change only as drivers ask.
            case LogPage.CHANGED_ZONES -> zoned ? Identify.BYTES : 0;
            case LogPage.ERROR_INFORMATION -> buildErrors(target);
            case LogPage.SMART -> buildSmart(target);
            case LogPage.FIRMWARE_SLOT -> buildFirmware(target);
            case LogPage.CHANGED_NAMESPACES -> buildChanged(target);
            default -> 0;
        };
    }

    /** The driver has read the list of changed namespaces, which empties it. */
    void clearChanged() {
        changed.clear();
    }

    private void add(int queue, int command, int commandStatus, long startLba, int namespace) {
        int at = (int) (errors++ % ERROR_ENTRIES);
        sqid[at] = queue;
        cid[at] = command;
        status[at] = commandStatus;
        lba[at] = startLba;
        nsid[at] = namespace;
    }

    /** The newest entry first. */
    private int buildErrors(MemorySegment target) {
        for (int i = 0; i < Math.min(errors, ERROR_ENTRIES); i++) {
            long count = errors - i;
            int at = (int) ((count - 1) % ERROR_ENTRIES);
            long entry = (long) i * LogPage.ERROR_ENTRY_BYTES;
            Wire.i64(target, entry + LogPage.ERROR_COUNT, count);
            Wire.u16(target, entry + LogPage.ERROR_SQID, sqid[at]);
            Wire.u16(target, entry + LogPage.ERROR_CID, cid[at]);
            Wire.u16(target, entry + LogPage.ERROR_STATUS, status[at] << 1);
            Wire.u16(target, entry + LogPage.ERROR_PARAMETER, NOT_TOLD);
            Wire.i64(target, entry + LogPage.ERROR_LBA, lba[at]);
            Wire.i32(target, entry + LogPage.ERROR_NSID, nsid[at]);
        }
        return ERROR_ENTRIES * LogPage.ERROR_ENTRY_BYTES;
    }

    private int buildSupported(boolean zoned, MemorySegment target) {
        for (int page : PAGES) {
            Wire.i32(target, 4L * page, 1);
        }
        for (int page : placement == null ? new int[0] : PLACEMENT_PAGES) {
            Wire.i32(target, 4L * page, 1);
        }
        Wire.i32(target, 4L * LogPage.CHANGED_ZONES, zoned ? 1 : 0);
        return LogPage.SUPPORTED_BYTES;
    }

    private int buildSelfTests(MemorySegment target) {
        for (int i = 0; i < SelfTestLog.RESULTS; i++) {
            Wire.u8(
                    target,
                    SelfTestLog.RESULT + (long) i * SelfTestLog.RESULT_BYTES + SelfTestLog.STATUS,
                    SelfTestLog.ENDED_UNUSED);
        }
        long at = SelfTestLog.RESULT;
        for (SelfTest test : selfTests) {
            Wire.u8(target, at + SelfTestLog.STATUS, test.test << 4 | SelfTestLog.ENDED_WELL);
            Wire.i64(target, at + SelfTestLog.POWER_ON_HOURS, test.hours);
            at += SelfTestLog.RESULT_BYTES;
        }
        return SelfTestLog.BYTES;
    }

    private int buildSmart(MemorySegment target) {
        Wire.u8(target, LogPage.SMART_CRITICAL_WARNING, features.beyondThreshold(KELVIN) ? TEMPERATURE_WARNING : 0);
        Wire.u16(target, LogPage.SMART_TEMPERATURE, KELVIN);
        Wire.u8(target, LogPage.SMART_AVAILABLE_SPARE, 100);
        Wire.u8(target, LogPage.SMART_SPARE_THRESHOLD, 10);
        Wire.i64(target, LogPage.SMART_DATA_UNITS_READ, Math.ceilDiv(counters.sectorsRead, SECTORS_PER_UNIT));
        Wire.i64(target, LogPage.SMART_DATA_UNITS_WRITTEN, Math.ceilDiv(counters.sectorsWritten, SECTORS_PER_UNIT));
        Wire.i64(target, LogPage.SMART_HOST_READS, counters.reads);
        Wire.i64(target, LogPage.SMART_HOST_WRITES, counters.writes);
        Wire.i64(target, LogPage.SMART_POWER_CYCLES, 1);
        Wire.i64(target, LogPage.SMART_POWER_ON_HOURS, hours());
        Wire.i64(target, LogPage.SMART_MEDIA_ERRORS, counters.mediaErrors);
        Wire.i64(target, LogPage.SMART_ERROR_ENTRIES, errors);
        return LogPage.SMART_BYTES;
    }

    /** One slot, read only, active. */
    private static int buildFirmware(MemorySegment target) {
        Wire.u8(target, LogPage.FIRMWARE_AFI, 1);
        Wire.ascii(target, LogPage.FIRMWARE_FRS1, 8, FIRMWARE);
        return LogPage.FIRMWARE_BYTES;
    }

    private int buildChanged(MemorySegment target) {
        long at = 0;
        for (int namespace : changed) {
            Wire.i32(target, at, namespace);
            at += Integer.BYTES;
        }
        return (int) target.byteSize();
    }
}
