package io.aisio.nvme.command;

import io.aisio.nvme.AdminCommands;
import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.spec.DataPlacementLog;
import io.aisio.nvme.spec.EffectsLog;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.LogPage;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.SanitizeLog;
import io.aisio.nvme.spec.SelfTestLog;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Get Log Page (section 5.14): log pages as records. Events that a page belongs to stay reported, unless told otherwise. */
public final class LogPages {
    /** How much one command reads: what every controller transfers, as it is its smallest page. */
    private static final int PART = 4096;
    /** The largest log that is read: more than any defined here has. */
    private static final int MOST_BYTES = 1 << 24;

    /** The most that a command asks for whose controller knows no offsets: NUMD has 12 bits then. */
    private static final int MOST_AT_ONCE = 16 << 10;

    private final AdminCommands admin;
    private final boolean retain;

    /** Over a path; asynchronous events stay as they are. */
    public LogPages(AdminCommands admin) {
        this(admin, true);
    }

    private LogPages(AdminCommands admin, boolean retain) {
        this.admin = admin;
        this.retain = retain;
    }

    /** The same, but reading a page clears the asynchronous event that it belongs to. */
    public LogPages clearingEvents() {
        return new LogPages(admin, false);
    }

    /**
     * A log page as the controller sent it, in parts of {@value #PART} bytes; in one where the controller knows no offsets
     * (LPA).
     *
     * @param id one of {@link LogPage}'s, or any other of 8 bits
     * @param nsid the namespace, {@link Identify#ALL_NAMESPACES} for the controller's
     * @param bytes how much, a multiple of 4, at most 16 MiB
     * @throws NvmeException if the controller refuses, or knows no offsets and does not transfer as much at once
     */
    public MemorySegment raw(int id, int nsid, int bytes) throws IOException {
        return raw(id, nsid, 0, 0, 0, 0, bytes);
    }

    /**
     * The same of a page that takes more.
     *
     * @param specific log specific field (LSP), 7 bits
     * @param specificIdentifier log specific identifier (LSI), 16 bits, such as an endurance group
     * @param commandSet command set identifier, 8 bits
     * @param offset into the page in bytes, a multiple of 4
     */
    public MemorySegment raw(
            int id, int nsid, int specific, int specificIdentifier, int commandSet, long offset, int bytes)
            throws IOException {
        if (id >>> 8 != 0 || specific >>> 7 != 0 || specificIdentifier >>> 16 != 0 || commandSet >>> 8 != 0) {
            throw new IllegalArgumentException(
                    "log page 0x%x, LSP 0x%x, LSI 0x%x, command set 0x%x; they have 8, 7, 16 and 8 bits"
                            .formatted(id, specific, specificIdentifier, commandSet));
        }
        if (bytes < 4 || bytes > MOST_BYTES || (bytes & 3) != 0 || offset < 0 || (offset & 3) != 0) {
            throw new IllegalArgumentException("%d bytes of a log page from %d on; both are multiples of 4, at most %d"
                    .formatted(bytes, offset, MOST_BYTES));
        }
        int most = offset == 0 && bytes <= PART ? PART : part(id, offset, bytes);
        MemorySegment data = MemorySegment.ofArray(new byte[bytes]);
        for (int done = 0; done < bytes; done += most) {
            int part = Math.min(most, bytes - done);
            // The event goes with the last part: until then the page may not change.
            boolean keep = retain || done + part < bytes;
            int dwords = part / 4 - 1;
            long cdw10 = ((id | specific << 8 | (keep ? LogPage.RETAIN_EVENT : 0) | dwords << 16) & 0xFFFF_FFFFL)
                    | (long) specificIdentifier << 48;
            admin.execute(
                    new Command(Opcode.GET_LOG_PAGE, nsid, cdw10, offset + done, (long) commandSet << 24),
                    data.asSlice(done, part));
        }
        return data;
    }

    /** How much of a page one command asks for. A controller that knows no offsets would send the page's start again. */
    private int part(int id, long offset, int bytes) throws IOException {
        ControllerData controller = new Identities(admin).controller();
        if ((controller.logAttributes() & IdentifyController.LPA_EXTENDED) != 0) {
            return PART;
        }
        long most = Math.min(MOST_AT_ONCE, controller.maxTransferBytes());
        if (offset != 0 || bytes > most) {
            throw new NvmeException("%d bytes of %s from %d on: this controller sends the first %d (LPA 0x%x)"
                    .formatted(bytes, LogPage.name(id), offset, most, controller.logAttributes()));
        }
        return bytes;
    }

    private MemorySegment ofController(int id, int bytes) throws IOException {
        return raw(id, Identify.ALL_NAMESPACES, bytes);
    }

    /** Identifiers of the log pages that the controller has, ascending; it must be of version 2.0. */
    public List<Integer> supported() throws IOException {
        MemorySegment data = ofController(LogPage.SUPPORTED, LogPage.SUPPORTED_BYTES);
        List<Integer> ids = new ArrayList<>();
        for (int id = 0; id < LogPage.SUPPORTED_BYTES / 4; id++) {
            if ((Wire.i32(data, 4L * id) & 1) != 0) {
                ids.add(id);
            }
        }
        return ids;
    }

    /**
     * An entry of the error log (section 5.14.1.1).
     *
     * @param count errors up to this one, over the controller's life
     * @param sqid submission queue of the command, 65535 where it belongs to none
     * @param cid its identifier, 65535 where it belongs to none
     * @param status what it was completed with
     * @param parameterByte byte of the entry that was in error, -1 where that is not told
     * @param lba first LBA in error
     * @param nsid the namespace
     */
    public record ErrorInformation(
            long count, int sqid, int cid, Status status, int parameterByte, long lba, int nsid) {}

    /**
     * The error log, the newest entry first. Entries are left out that are not older than the one before: they moved on
     * between two parts.
     *
     * @param entries how many at most, 1 to 256: what Identify says of the controller
     */
    public List<ErrorInformation> errors(int entries) throws IOException {
        if (entries < 1 || entries > 256) {
            throw new IllegalArgumentException(entries + " entries of the error log; there are 1 to 256");
        }
        MemorySegment data = ofController(LogPage.ERROR_INFORMATION, entries * LogPage.ERROR_ENTRY_BYTES);
        List<ErrorInformation> errors = new ArrayList<>();
        long before = -1;
        for (long at = 0; at < data.byteSize(); at += LogPage.ERROR_ENTRY_BYTES) {
            long count = Wire.i64(data, at + LogPage.ERROR_COUNT);
            if (count != 0 && (errors.isEmpty() || Long.compareUnsigned(count, before) < 0)) {
                before = count;
                int parameter = Wire.u16(data, at + LogPage.ERROR_PARAMETER);
                errors.add(new ErrorInformation(
                        count,
                        Wire.u16(data, at + LogPage.ERROR_SQID),
                        Wire.u16(data, at + LogPage.ERROR_CID),
                        new Status(Wire.u16(data, at + LogPage.ERROR_STATUS) >>> 1),
                        parameter == 0xFFFF ? -1 : parameter & 0xFF,
                        Wire.i64(data, at + LogPage.ERROR_LBA),
                        Wire.i32(data, at + LogPage.ERROR_NSID)));
            }
        }
        return errors;
    }

    /**
     * SMART and health (section 5.14.1.2).
     *
     * @param criticalWarning bits: spare low, temperature, reliability degraded, read only, backup failed
     * @param kelvin composite temperature
     * @param availableSpare percent
     * @param spareThreshold percent below which it warns
     * @param percentageUsed of the life that the vendor expects; may exceed 100
     * @param dataUnitsRead thousands of 512 bytes
     * @param dataUnitsWritten thousands of 512 bytes
     * @param hostReads commands
     * @param hostWrites commands
     * @param busyMinutes minutes with commands outstanding
     * @param powerCycles how often it was switched on
     * @param powerOnHours how long it was on
     * @param unsafeShutdowns how often it was switched off without a shutdown
     * @param mediaErrors data that were lost
     * @param errorEntries errors over the controller's life
     * @param warningMinutes minutes beyond the warning temperature
     * @param criticalMinutes minutes beyond the critical temperature
     * @param sensors temperature sensors that there are, in kelvin
     */
    public record Smart(
            int criticalWarning,
            int kelvin,
            int availableSpare,
            int spareThreshold,
            int percentageUsed,
            BigInteger dataUnitsRead,
            BigInteger dataUnitsWritten,
            BigInteger hostReads,
            BigInteger hostWrites,
            BigInteger busyMinutes,
            BigInteger powerCycles,
            BigInteger powerOnHours,
            BigInteger unsafeShutdowns,
            BigInteger mediaErrors,
            BigInteger errorEntries,
            long warningMinutes,
            long criticalMinutes,
            List<Integer> sensors) {
        /** Copies the sensors. */
        public Smart {
            sensors = List.copyOf(sensors);
        }
    }

    /** SMART and health of the controller. */
    public Smart smart() throws IOException {
        return smart(Identify.ALL_NAMESPACES);
    }

    /** SMART and health of a namespace, where the controller tells them apart (LPA). */
    public Smart smart(int nsid) throws IOException {
        MemorySegment data = raw(LogPage.SMART, nsid, LogPage.SMART_BYTES);
        List<Integer> sensors = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            int kelvin = Wire.u16(data, LogPage.SMART_SENSORS + 2L * i);
            if (kelvin != 0) {
                sensors.add(kelvin);
            }
        }
        return new Smart(
                Wire.u8(data, LogPage.SMART_CRITICAL_WARNING),
                Wire.u16(data, LogPage.SMART_TEMPERATURE),
                Wire.u8(data, LogPage.SMART_AVAILABLE_SPARE),
                Wire.u8(data, LogPage.SMART_SPARE_THRESHOLD),
                Wire.u8(data, LogPage.SMART_PERCENTAGE_USED),
                u128(data, LogPage.SMART_DATA_UNITS_READ),
                u128(data, LogPage.SMART_DATA_UNITS_WRITTEN),
                u128(data, LogPage.SMART_HOST_READS),
                u128(data, LogPage.SMART_HOST_WRITES),
                u128(data, LogPage.SMART_BUSY_TIME),
                u128(data, LogPage.SMART_POWER_CYCLES),
                u128(data, LogPage.SMART_POWER_ON_HOURS),
                u128(data, LogPage.SMART_UNSAFE_SHUTDOWNS),
                u128(data, LogPage.SMART_MEDIA_ERRORS),
                u128(data, LogPage.SMART_ERROR_ENTRIES),
                Wire.i32(data, LogPage.SMART_WARNING_TIME) & 0xFFFF_FFFFL,
                Wire.i32(data, LogPage.SMART_CRITICAL_TIME) & 0xFFFF_FFFFL,
                sensors);
    }

    /**
     * Firmware slots (section 5.14.1.3).
     *
     * @param active the slot that runs, 1 to 7
     * @param next the slot that runs after the next reset, 0 where it is the same
     * @param revisions by slot, those alone that hold one
     */
    public record FirmwareSlots(int active, int next, Map<Integer, String> revisions) {
        /** Copies the revisions. */
        public FirmwareSlots {
            revisions = java.util.Collections.unmodifiableMap(new TreeMap<>(revisions));
        }
    }

    /** Firmware slots. */
    public FirmwareSlots firmwareSlots() throws IOException {
        MemorySegment data = ofController(LogPage.FIRMWARE_SLOT, LogPage.FIRMWARE_BYTES);
        int afi = Wire.u8(data, LogPage.FIRMWARE_AFI);
        Map<Integer, String> revisions = new TreeMap<>();
        for (int slot = 1; slot <= 7; slot++) {
            String revision = Wire.ascii(data, LogPage.FIRMWARE_FRS1 + 8L * (slot - 1), 8);
            if (!revision.isEmpty()) {
                revisions.put(slot, revision);
            }
        }
        return new FirmwareSlots(afi & 7, afi >>> 4 & 7, revisions);
    }

    /**
     * Namespaces that changed since the log was last read.
     *
     * @param nsids which, as the controller listed them
     * @param overflow whether they are more than the log holds: all may have changed
     */
    public record ChangedNamespaces(List<Integer> nsids, boolean overflow) {
        /** Copies the namespaces. */
        public ChangedNamespaces {
            nsids = List.copyOf(nsids);
        }
    }

    /** Namespaces that changed; reading it {@linkplain #clearingEvents clearing events} empties the list. */
    public ChangedNamespaces changedNamespaces() throws IOException {
        MemorySegment data = ofController(LogPage.CHANGED_NAMESPACES, Identify.BYTES);
        List<Integer> nsids = new ArrayList<>();
        for (int i = 0; i < Identify.LIST_ENTRIES; i++) {
            int nsid = Wire.i32(data, 4L * i);
            if (nsid == 0) {
                break;
            }
            if (nsid == Identify.ALL_NAMESPACES) {
                return new ChangedNamespaces(List.of(), true);
            }
            nsids.add(nsid);
        }
        return new ChangedNamespaces(nsids, false);
    }

    /**
     * Which commands there are and what they change (section 5.14.1.5), by opcode: {@link EffectsLog}'s bits.
     *
     * @param admin admin commands
     * @param io I/O commands
     */
    public record Effects(Map<Integer, Integer> admin, Map<Integer, Integer> io) {
        /** Copies both. */
        public Effects {
            admin = java.util.Collections.unmodifiableMap(new TreeMap<>(admin));
            io = java.util.Collections.unmodifiableMap(new TreeMap<>(io));
        }
    }

    /**
     * Which commands there are and what they change.
     *
     * @param commandSet one of {@link Identify}'s {@code CSI_…}
     */
    public Effects effects(int commandSet) throws IOException {
        MemorySegment data =
                raw(LogPage.COMMAND_EFFECTS, Identify.ALL_NAMESPACES, 0, 0, commandSet, 0, EffectsLog.BYTES);
        return new Effects(effects(data, EffectsLog.ADMIN), effects(data, EffectsLog.IO));
    }

    private static Map<Integer, Integer> effects(MemorySegment data, long from) {
        Map<Integer, Integer> found = new TreeMap<>();
        for (int opcode = 0; opcode < EffectsLog.OPCODES; opcode++) {
            int effects = Wire.i32(data, from + 4L * opcode);
            if ((effects & EffectsLog.SUPPORTED) != 0) {
                found.put(opcode, effects);
            }
        }
        return found;
    }

    /**
     * How a device self-test ended (section 5.14.1.6).
     *
     * @param test what was run: 1 a short one, 2 an extended one
     * @param ending 0 without error, else one of the specification's codes
     * @param powerOnHours when
     * @param nsid namespace in which it failed, 0 where that is not told
     */
    public record SelfTestResult(int test, int ending, long powerOnHours, int nsid) {}

    /**
     * Device self-tests.
     *
     * @param running what runs: 0 for nothing, 1 for a short one, 2 for an extended one
     * @param percent how much of it is done
     * @param results the last ones, the newest first
     */
    public record SelfTests(int running, int percent, List<SelfTestResult> results) {
        /** Copies the results. */
        public SelfTests {
            results = List.copyOf(results);
        }
    }

    /** Device self-tests. */
    public SelfTests selfTests() throws IOException {
        MemorySegment data = ofController(LogPage.SELF_TEST, SelfTestLog.BYTES);
        List<SelfTestResult> results = new ArrayList<>();
        for (int i = 0; i < SelfTestLog.RESULTS; i++) {
            long at = SelfTestLog.RESULT + (long) i * SelfTestLog.RESULT_BYTES;
            int status = Wire.u8(data, at + SelfTestLog.STATUS);
            if (status >>> 4 != 0 && (status & 0xF) != SelfTestLog.ENDED_UNUSED) {
                results.add(new SelfTestResult(
                        status >>> 4,
                        status & 0xF,
                        Wire.i64(data, at + SelfTestLog.POWER_ON_HOURS),
                        (Wire.u8(data, at + SelfTestLog.VALID) & 1) != 0 ? Wire.i32(data, at + SelfTestLog.NSID) : 0));
            }
        }
        return new SelfTests(
                Wire.u8(data, SelfTestLog.OPERATION) & 0xF, Wire.u8(data, SelfTestLog.COMPLETION) & 0x7F, results);
    }

    /**
     * Sanitize status (section 5.14.1.16.2).
     *
     * @param state one of {@link SanitizeLog}'s: never, succeeded, in progress, failed
     * @param progress 0 to 1
     * @param passes overwrite passes that are done
     * @param globalDataErased whether nothing was written since
     * @param dword10 command dword 10 of the last Sanitize
     * @param overwriteSeconds estimated, -1 where that is not told, as of the others
     * @param blockEraseSeconds estimated
     * @param cryptoEraseSeconds estimated
     */
    public record SanitizeStatus(
            int state,
            double progress,
            int passes,
            boolean globalDataErased,
            int dword10,
            long overwriteSeconds,
            long blockEraseSeconds,
            long cryptoEraseSeconds) {
        /** Whether one runs. */
        public boolean inProgress() {
            return state == SanitizeLog.IN_PROGRESS;
        }
    }

    /** Sanitize status. */
    public SanitizeStatus sanitizeStatus() throws IOException {
        MemorySegment data = ofController(LogPage.SANITIZE_STATUS, SanitizeLog.BYTES);
        int sstat = Wire.u16(data, SanitizeLog.SSTAT);
        int state = sstat & 7;
        return new SanitizeStatus(
                state,
                state == SanitizeLog.IN_PROGRESS ? Wire.u16(data, SanitizeLog.SPROG) / 65536.0 : 1,
                sstat >>> 3 & 0x1F,
                (sstat & SanitizeLog.GLOBAL_DATA_ERASED) != 0,
                Wire.i32(data, SanitizeLog.SCDW10),
                seconds(Wire.i32(data, SanitizeLog.ETO)),
                seconds(Wire.i32(data, SanitizeLog.ETBE)),
                seconds(Wire.i32(data, SanitizeLog.ETCE)));
    }

    private static long seconds(int field) {
        return field == -1 ? -1 : field & 0xFFFF_FFFFL;
    }

    /**
     * Zones whose state the controller changed.
     *
     * @param zones their first LBAs
     * @param overflow whether they are more than the log holds
     */
    public record ChangedZones(List<Long> zones, boolean overflow) {
        /** Copies the zones. */
        public ChangedZones {
            zones = List.copyOf(zones);
        }
    }

    /** Zones of a namespace whose state the controller changed. */
    public ChangedZones changedZones(int nsid) throws IOException {
        MemorySegment data = raw(LogPage.CHANGED_ZONES, nsid, 0, 0, Identify.CSI_ZONED, 0, Identify.BYTES);
        int count = Wire.u16(data, LogPage.CHANGED_ZONES_COUNT);
        if (count == 0xFFFF) {
            return new ChangedZones(List.of(), true);
        }
        List<Long> zones = new ArrayList<>();
        for (int i = 0; i < Math.min(count, LogPage.CHANGED_ZONES_MAX); i++) {
            zones.add(Wire.i64(data, LogPage.CHANGED_ZONES_FIRST + 8L * i));
        }
        return new ChangedZones(zones, false);
    }

    /**
     * A configuration of Flexible Data Placement (version 2.1, section 5.1.12.1.28).
     *
     * @param valid whether it can be used
     * @param volatileWriteCache whether there is a volatile write cache with it
     * @param reclaimGroupBits bits of a placement identifier that name the reclaim group
     * @param reclaimGroups how many
     * @param placementIdentifiers the most of one namespace
     * @param namespaces the most
     * @param reclaimUnitBytes nominal size of a reclaim unit
     * @param handleTypes of each reclaim unit handle: {@link DataPlacementLog#INITIALLY_ISOLATED} or
     *     {@link DataPlacementLog#PERSISTENTLY_ISOLATED}
     */
    public record DataPlacementConfiguration(
            boolean valid,
            boolean volatileWriteCache,
            int reclaimGroupBits,
            long reclaimGroups,
            int placementIdentifiers,
            long namespaces,
            long reclaimUnitBytes,
            List<Integer> handleTypes) {
        /** Copies the types. */
        public DataPlacementConfiguration {
            handleTypes = List.copyOf(handleTypes);
        }
    }

    /**
     * The configurations of Flexible Data Placement that an endurance group has.
     *
     * @throws NvmeException if a configuration is larger than the log, or smaller than its handles
     */
    public List<DataPlacementConfiguration> dataPlacementConfigurations(int enduranceGroup) throws IOException {
        MemorySegment head = ofGroup(LogPage.FDP_CONFIGURATIONS, enduranceGroup, 16);
        int size = Wire.i32(head, DataPlacementLog.CONFIGURATIONS_SIZE);
        if (size < DataPlacementLog.CONFIGURATION || size > MOST_BYTES) {
            throw new NvmeException("the FDP configurations of endurance group %d have %s bytes"
                    .formatted(enduranceGroup, Integer.toUnsignedString(size)));
        }
        MemorySegment data = ofGroup(LogPage.FDP_CONFIGURATIONS, enduranceGroup, size + 3 & -4);
        List<DataPlacementConfiguration> found = new ArrayList<>();
        int count = Wire.u16(data, DataPlacementLog.CONFIGURATIONS) + 1;
        long at = DataPlacementLog.CONFIGURATION;
        for (int i = 0; i < count; i++) {
            int bytes = at + DataPlacementLog.RUH > size ? 0 : Wire.u16(data, at + DataPlacementLog.DESCRIPTOR_SIZE);
            int handles = bytes == 0 ? 0 : Wire.u16(data, at + DataPlacementLog.NRUH);
            if (bytes < DataPlacementLog.RUH + (long) handles * DataPlacementLog.RUH_BYTES || at + bytes > size) {
                throw new NvmeException(
                        "FDP configuration %d of %d has %d bytes for %d handles, of %d bytes that there are"
                                .formatted(i, count, bytes, handles, size - at));
            }
            found.add(configuration(data.asSlice(at, bytes), handles));
            at += bytes;
        }
        return found;
    }

    private static DataPlacementConfiguration configuration(MemorySegment data, int handles) {
        int fdpa = Wire.u8(data, DataPlacementLog.FDPA);
        List<Integer> types = new ArrayList<>();
        for (int i = 0; i < handles; i++) {
            types.add(Wire.u8(data, DataPlacementLog.RUH + (long) i * DataPlacementLog.RUH_BYTES));
        }
        return new DataPlacementConfiguration(
                (fdpa & DataPlacementLog.FDPA_VALID) != 0,
                (fdpa & 1 << 4) != 0,
                fdpa & 0xF,
                Wire.i32(data, DataPlacementLog.NRG) & 0xFFFF_FFFFL,
                Wire.u16(data, DataPlacementLog.MAXPIDS) + 1,
                Wire.i32(data, DataPlacementLog.NNSS) & 0xFFFF_FFFFL,
                Wire.i64(data, DataPlacementLog.RUNS),
                types);
    }

    /** By whom each reclaim unit handle of an endurance group is used: 0 by nobody, 1 by hosts, 2 by the controller. */
    public List<Integer> reclaimUnitHandleUsage(int enduranceGroup) throws IOException {
        MemorySegment head = ofGroup(LogPage.RECLAIM_UNIT_HANDLE_USAGE, enduranceGroup, 8);
        int handles = Wire.u16(head, DataPlacementLog.USAGE_NRUH);
        MemorySegment data =
                ofGroup(LogPage.RECLAIM_UNIT_HANDLE_USAGE, enduranceGroup, 8 + handles * DataPlacementLog.USAGE_BYTES);
        List<Integer> usage = new ArrayList<>();
        for (int i = 0; i < handles; i++) {
            usage.add(Wire.u8(data, DataPlacementLog.USAGE + (long) i * DataPlacementLog.USAGE_BYTES));
        }
        return usage;
    }

    /**
     * Statistics of Flexible Data Placement.
     *
     * @param hostBytesWritten by the host
     * @param mediaBytesWritten to the media
     * @param mediaBytesErased of the media
     */
    public record DataPlacementStatistics(
            BigInteger hostBytesWritten, BigInteger mediaBytesWritten, BigInteger mediaBytesErased) {}

    /** Statistics of Flexible Data Placement in an endurance group. */
    public DataPlacementStatistics dataPlacementStatistics(int enduranceGroup) throws IOException {
        MemorySegment data = ofGroup(LogPage.FDP_STATISTICS, enduranceGroup, DataPlacementLog.STATISTICS_BYTES);
        return new DataPlacementStatistics(
                u128(data, DataPlacementLog.HBMW), u128(data, DataPlacementLog.MBMW), u128(data, DataPlacementLog.MBE));
    }

    /**
     * An event of Flexible Data Placement.
     *
     * @param type one of {@link DataPlacementLog}'s {@code EVENT_…}
     * @param placementIdentifier which, -1 where it is not told
     * @param timestamp milliseconds since 1970, or since the controller's start
     * @param nsid the namespace, 0 where it is not told
     * @param reclaimGroup which, -1 where it is not told
     * @param handle reclaim unit handle, -1 where it is not told
     */
    public record DataPlacementEvent(
            int type, int placementIdentifier, long timestamp, int nsid, int reclaimGroup, int handle) {}

    /**
     * Events of Flexible Data Placement in an endurance group.
     *
     * @param ofHost those that hosts caused, else those of the controller
     */
    public List<DataPlacementEvent> dataPlacementEvents(int enduranceGroup, boolean ofHost) throws IOException {
        int bytes = (int) DataPlacementLog.EVENT + DataPlacementLog.EVENTS_MAX * DataPlacementLog.EVENT_BYTES;
        MemorySegment data =
                raw(LogPage.FDP_EVENTS, 0, ofHost ? DataPlacementLog.EVENTS_OF_HOST : 0, enduranceGroup, 0, 0, bytes);
        List<DataPlacementEvent> events = new ArrayList<>();
        long count = Wire.i32(data, DataPlacementLog.EVENTS) & 0xFFFF_FFFFL;
        for (int i = 0; i < Math.min(count, DataPlacementLog.EVENTS_MAX); i++) {
            MemorySegment event = data.asSlice(DataPlacementLog.EVENT + (long) i * DataPlacementLog.EVENT_BYTES, 64);
            int flags = Wire.u8(event, DataPlacementLog.EVENT_FLAGS);
            boolean located = (flags & DataPlacementLog.EVENT_FLAG_LOCATION) != 0;
            events.add(new DataPlacementEvent(
                    Wire.u8(event, DataPlacementLog.EVENT_TYPE),
                    (flags & DataPlacementLog.EVENT_FLAG_PID) != 0 ? Wire.u16(event, DataPlacementLog.EVENT_PID) : -1,
                    Wire.i64(event, DataPlacementLog.EVENT_TIMESTAMP) & 0xFFFF_FFFF_FFFFL,
                    (flags & DataPlacementLog.EVENT_FLAG_NSID) != 0 ? Wire.i32(event, DataPlacementLog.EVENT_NSID) : 0,
                    located ? Wire.u16(event, DataPlacementLog.EVENT_RGID) : -1,
                    located ? Wire.u8(event, DataPlacementLog.EVENT_RUHID) : -1));
        }
        return events;
    }

    private MemorySegment ofGroup(int id, int enduranceGroup, int bytes) throws IOException {
        return raw(id, 0, 0, enduranceGroup, 0, 0, bytes);
    }

    private static BigInteger u128(MemorySegment data, long offset) {
        return unsigned(Wire.i64(data, offset + 8)).shiftLeft(64).add(unsigned(Wire.i64(data, offset)));
    }

    private static BigInteger unsigned(long value) {
        return new BigInteger(Long.toUnsignedString(value));
    }
}
