package io.aisio.emu;

import io.aisio.nvme.spec.LogPage;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;

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

    Logs(Counters counters, Features features) {
        this.counters = counters;
        this.features = features;
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

    /**
     * Builds a log page.
     *
     * @param target a zeroed page
     * @return its size in bytes, 0 for a page that does not exist
     */
    int build(int page, MemorySegment target) {
        return switch (page) {
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
        long nanos = System.nanoTime() - counters.startNanos;
        Wire.i64(target, LogPage.SMART_POWER_ON_HOURS, TimeUnit.NANOSECONDS.toHours(nanos));
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
