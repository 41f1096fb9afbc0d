package io.aisio.emu;

import io.aisio.nvme.Guard;
import io.aisio.nvme.link.PcieLink;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a software controller is to be. {@link #memory}, {@link #nothing} and {@link #image} give one with defaults; each
 * {@code with…} method gives another with one thing changed.
 *
 * @param medium what its namespaces are kept on
 * @param namespaces how many namespaces there are, 1 to {@value #MAX_NAMESPACES}, each with a medium of its own
 * @param lbaBytes size of a logical block, 512 or 4096
 * @param readOnly whether the namespaces are write protected
 * @param queuePairs I/O queue pairs that it grants at most, 1 to {@value #MAX_QUEUE_PAIRS}
 * @param entries the most entries of an I/O queue, 2 to 65536 (CAP.MQES + 1)
 * @param mdts the longest transfer, as a power of two of 4096 bytes, 1 to {@value #MAX_MDTS}
 * @param doorbellStride doorbells are {@code 4 << doorbellStride} bytes apart, 0 to {@value #MAX_STRIDE} (CAP.DSTRD)
 * @param serial the serial number, at most 20 characters of ASCII
 * @param latency the least time that an I/O command takes, zero for as fast as possible
 * @param iops I/O commands a second at most, 0 for no limit
 * @param bytesPerSecond bytes a second that I/O commands move at most, 0 for no limit
 * @param faults what it does wrong
 * @param shadow whether it takes shadow doorbells (Doorbell Buffer Config)
 * @param sgl whether I/O commands may describe their data by SGLs
 * @param metadata what blocks have beside their data, at first
 * @param zones the zones of its namespaces, null for none
 * @param placement Flexible Data Placement, null for none
 * @param shared whether other processes may have queue pairs of it: each pair's doorbells are on pages of their own, and each
 *     user's commands are kept to that user's memory
 * @param link the PCIe link that commands, queues and data take time on, null for none: no more comes through than
 *     {@link io.aisio.nvme.link.DataPath} says
 * @param uplink a link that the data of several controllers crosses too, null for none
 */
public record EmuConfiguration(
        Medium medium,
        int namespaces,
        int lbaBytes,
        boolean readOnly,
        int queuePairs,
        int entries,
        int mdts,
        int doorbellStride,
        String serial,
        Duration latency,
        long iops,
        long bytesPerSecond,
        FaultPlan faults,
        boolean shadow,
        boolean sgl,
        Metadata metadata,
        @Nullable Zones zones,
        @Nullable Placement placement,
        boolean shared,
        @Nullable PcieLink link,
        @Nullable Uplink uplink) {
    /** The most namespaces: chosen so that one list of Identify names all. */
    public static final int MAX_NAMESPACES = 1024;
    /** The most queue pairs: queue identifiers have 16 bits, and 0 is the admin queue's. */
    public static final int MAX_QUEUE_PAIRS = 65_535;
    /** The most entries of an I/O queue: CAP.MQES has 16 bits. */
    public static final int MAX_ENTRIES = 65_536;
    /** The largest MDTS: 2^16 pages are what one command can name with LBAs of 4096 bytes. */
    public static final int MAX_MDTS = 16;
    /** The largest doorbell stride: one doorbell a page, more than any controller has. */
    public static final int MAX_STRIDE = 10;
    /** The largest null medium. */
    public static final long MAX_BYTES = 1L << 60;
    /** The longest latency: one that a driver's deadlines still let pass or catch. */
    public static final Duration MAX_LATENCY = Duration.ofMinutes(1);

    private static final int SERIAL_LENGTH = 20;
    private static final int DEFAULT_QUEUE_PAIRS = 64;
    private static final int DEFAULT_ENTRIES = 1024;
    /** 1 MiB: what fast drives offer, and enough for the largest transfers that benchmarks use. */
    private static final int DEFAULT_MDTS = 8;

    /** What a namespace is kept on. */
    public sealed interface Medium {
        /** Nothing: commands complete and no data moves. */
        record Nothing(long bytes) implements Medium {}

        /** Memory, zero at first and gone when the controller is closed. */
        record Memory(long bytes) implements Medium {}

        /** A file or block device, as large as it is. */
        record Image(Path path) implements Medium {}
    }

    /**
     * What blocks have beside their data. Metadata takes memory, so that only namespaces in memory have it.
     *
     * @param bytes of a block, 0, 8, 16 or 64
     * @param extended whether it follows the data of each block in the same buffer
     * @param protectionType of protection information in it, 1 to 3, 0 for none
     * @param protectionFirst whether that is the first bytes of it, not the last
     * @param guard the format of protection information, also of what a namespace is formatted with later
     */
    public record Metadata(int bytes, boolean extended, int protectionType, boolean protectionFirst, Guard guard) {
        /** None, and guards of 16 bits should a namespace be formatted with some. */
        public static final Metadata NONE = new Metadata(0, false, 0, false, Guard.CRC16);

        /** Checks every value. */
        public Metadata {
            if (bytes != 0 && bytes != 8 && bytes != 16 && bytes != 64) {
                throw new IllegalArgumentException(bytes + " bytes of metadata; there is 0, 8, 16 and 64");
            }
            requireRange("protection type", protectionType, 0, 3);
            if (protectionType != 0 && bytes < guard.bytes()) {
                throw new IllegalArgumentException(
                        "protection information of %d bytes in %d bytes of metadata".formatted(guard.bytes(), bytes));
            }
        }
    }

    /**
     * Zones.
     *
     * @param zoneBytes from the start of a zone to the next one's, a multiple of the LBA size
     * @param capacityBytes of a zone that can be written, a multiple of the LBA size, at most {@code zoneBytes}
     * @param maxOpen zones that may be open at once, 0 for no limit
     * @param maxActive zones that may be open or closed at once, 0 for no limit
     */
    public record Zones(long zoneBytes, long capacityBytes, int maxOpen, int maxActive) {
        /** Checks every value. */
        public Zones {
            requireRange("zone size", zoneBytes, 512, MAX_BYTES);
            requireRange("zone capacity", capacityBytes, 512, zoneBytes);
            requireRange("limit of open zones", maxOpen, 0, Integer.MAX_VALUE);
            requireRange("limit of active zones", maxActive, 0, Integer.MAX_VALUE);
            if (maxActive != 0 && (maxOpen == 0 || maxOpen > maxActive)) {
                throw new IllegalArgumentException(
                        "%d zones open at once of %d active; they are at most as many".formatted(maxOpen, maxActive));
            }
        }
    }

    /**
     * Flexible Data Placement.
     *
     * @param handles reclaim unit handles, 1 to {@value #MAX_HANDLES}
     * @param unitBytes size of a reclaim unit, at least 4096
     */
    public record Placement(int handles, long unitBytes) {
        /** The most reclaim unit handles: chosen so that each log page fits one of memory. */
        public static final int MAX_HANDLES = 100;

        /** Checks every value. */
        public Placement {
            requireRange("number of reclaim unit handles", handles, 1, MAX_HANDLES);
            requireRange("reclaim unit size", unitBytes, 4096, MAX_BYTES);
        }
    }

    /**
     * A link that data of all controllers of this process crosses that name it, as that of the GPU whose memory it goes to;
     * their queues do not, being in the host's memory.
     *
     * @param name letters, digits, {@code _} and {@code -}, at most 32
     * @param link the same for all that have this name
     */
    public record Uplink(String name, PcieLink link) {
        private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_-]{1,32}");

        /** Checks the name. */
        public Uplink {
            if (!NAME.matcher(name).matches()) {
                throw new IllegalArgumentException(
                        "an uplink's name is at most 32 letters, digits, _ and -, not '" + name + "'");
            }
        }
    }

    /** Checks every value. */
    public EmuConfiguration {
        requireRange("number of namespaces", namespaces, 1, MAX_NAMESPACES);
        if (lbaBytes != 512 && lbaBytes != 4096) {
            throw new IllegalArgumentException("an LBA size of " + lbaBytes + " bytes; there is 512 and 4096");
        }
        requireRange("number of queue pairs", queuePairs, 1, MAX_QUEUE_PAIRS);
        requireRange("number of queue entries", entries, 2, MAX_ENTRIES);
        requireRange("MDTS", mdts, 1, MAX_MDTS);
        requireRange("doorbell stride", doorbellStride, 0, MAX_STRIDE);
        if (serial.length() > SERIAL_LENGTH || !serial.chars().allMatch(c -> c >= ' ' && c < 127)) {
            throw new IllegalArgumentException(
                    "the serial number '" + serial + "' is not at most " + SERIAL_LENGTH + " characters of ASCII");
        }
        if (latency.isNegative() || latency.compareTo(MAX_LATENCY) > 0) {
            throw new IllegalArgumentException("a latency of " + latency + "; it can be 0 to " + MAX_LATENCY);
        }
        requireRange("limit of commands a second", iops, 0, Integer.MAX_VALUE);
        requireRange("limit of bytes a second", bytesPerSecond, 0, MAX_BYTES);
        if (medium instanceof Medium.Nothing(long bytes)) {
            requireSize(bytes, lbaBytes);
        } else if (medium instanceof Medium.Memory(long bytes)) {
            requireSize(bytes, lbaBytes);
        } else if (namespaces != 1) {
            throw new IllegalArgumentException(
                    "an image is one namespace, not " + namespaces + ": leave out the number of namespaces");
        }
        if (shared && (doorbellStride != MAX_STRIDE || shadow)) {
            throw new IllegalArgumentException(
                    "a controller whose queue pairs others have rings doorbells that are a page" + " apart: leave out "
                            + (shadow ? "shadow" : "dstrd"));
        }
        requireMetadata(medium, metadata, zones);
        if (zones != null) {
            requireZones(medium, zones, lbaBytes);
        }
    }

    /** One of plain blocks: without metadata, zones and data placement. */
    public EmuConfiguration(
            Medium medium,
            int namespaces,
            int lbaBytes,
            boolean readOnly,
            int queuePairs,
            int entries,
            int mdts,
            int doorbellStride,
            String serial,
            Duration latency,
            long iops,
            long bytesPerSecond,
            FaultPlan faults,
            boolean shadow,
            boolean sgl) {
        this(
                medium,
                namespaces,
                lbaBytes,
                readOnly,
                queuePairs,
                entries,
                mdts,
                doorbellStride,
                serial,
                latency,
                iops,
                bytesPerSecond,
                faults,
                shadow,
                sgl,
                Metadata.NONE,
                null,
                null,
                false,
                null,
                null);
    }

    /** A controller whose one namespace is memory, {@code bytes} large. */
    public static EmuConfiguration memory(long bytes) {
        return of(new Medium.Memory(bytes));
    }

    /** A controller whose one namespace is null media, {@code bytes} large. */
    public static EmuConfiguration nothing(long bytes) {
        return of(new Medium.Nothing(bytes));
    }

    /** A controller whose one namespace is an image. */
    public static EmuConfiguration image(Path path) {
        return of(new Medium.Image(path));
    }

    private static EmuConfiguration of(Medium medium) {
        return new EmuConfiguration(
                medium,
                1,
                512,
                false,
                DEFAULT_QUEUE_PAIRS,
                DEFAULT_ENTRIES,
                DEFAULT_MDTS,
                0,
                "AISIO0001",
                Duration.ZERO,
                0,
                0,
                FaultPlan.NONE,
                false,
                false);
    }

    /** The same with another number of namespaces. */
    public EmuConfiguration withNamespaces(int value) {
        return with(changed -> changed.namespaces = value);
    }

    /** The same with another LBA size. */
    public EmuConfiguration withLbaBytes(int value) {
        return with(changed -> changed.lbaBytes = value);
    }

    /** The same, write protected or not. */
    public EmuConfiguration withReadOnly(boolean value) {
        return with(changed -> changed.readOnly = value);
    }

    /** The same with another number of queue pairs. */
    public EmuConfiguration withQueuePairs(int value) {
        return with(changed -> changed.queuePairs = value);
    }

    /** The same with another largest queue. */
    public EmuConfiguration withEntries(int value) {
        return with(changed -> changed.entries = value);
    }

    /** The same with another MDTS. */
    public EmuConfiguration withMdts(int value) {
        return with(changed -> changed.mdts = value);
    }

    /** The same with another doorbell stride. */
    public EmuConfiguration withDoorbellStride(int value) {
        return with(changed -> changed.doorbellStride = value);
    }

    /** The same with another serial number. */
    public EmuConfiguration withSerial(String value) {
        return with(changed -> changed.serial = value);
    }

    /** The same with another latency. */
    public EmuConfiguration withLatency(Duration value) {
        return with(changed -> changed.latency = value);
    }

    /** The same with other limits, of commands and of bytes a second; 0 for none. */
    public EmuConfiguration withRates(long commands, long bytes) {
        return with(changed -> {
            changed.iops = commands;
            changed.bytesPerSecond = bytes;
        });
    }

    /** The same with other faults. */
    public EmuConfiguration withFaults(FaultPlan value) {
        return with(changed -> changed.faults = value);
    }

    /** The same on another link, or on none. */
    public EmuConfiguration withLink(@Nullable PcieLink value) {
        return with(changed -> changed.link = value);
    }

    /** The same with another link that it shares, or without. */
    public EmuConfiguration withUplink(@Nullable Uplink value) {
        return with(changed -> changed.uplink = value);
    }

    /** The same, with or without shadow doorbells. */
    public EmuConfiguration withShadow(boolean value) {
        return with(changed -> changed.shadow = value);
    }

    /** The same, with or without SGLs. */
    public EmuConfiguration withSgl(boolean value) {
        return with(changed -> changed.sgl = value);
    }

    /** The same with other metadata. */
    public EmuConfiguration withMetadata(Metadata value) {
        return with(changed -> changed.metadata = value);
    }

    /** The same with zones, or without. */
    public EmuConfiguration withZones(@Nullable Zones value) {
        return with(changed -> changed.zones = value);
    }

    /** The same with Flexible Data Placement, or without. */
    public EmuConfiguration withPlacement(@Nullable Placement value) {
        return with(changed -> changed.placement = value);
    }

    /**
     * The same, with queue pairs that other processes may have, and the doorbell stride for that, or without, and doorbells side
     * by side again.
     */
    public EmuConfiguration withShared(boolean value) {
        return with(changed -> {
            if (changed.shared != value) {
                changed.shared = value;
                changed.doorbellStride = value ? MAX_STRIDE : 0;
            }
        });
    }

    private EmuConfiguration with(Consumer<Changed> change) {
        Changed changed = new Changed(this);
        change.accept(changed);
        return changed.configuration();
    }

    /** The components while one of them is changed. */
    private static final class Changed {
        Medium medium;
        int namespaces;
        int lbaBytes;
        boolean readOnly;
        int queuePairs;
        int entries;
        int mdts;
        int doorbellStride;
        String serial;
        Duration latency;
        long iops;
        long bytesPerSecond;
        FaultPlan faults;
        boolean shadow;
        boolean sgl;
        Metadata metadata;

        @Nullable
        Zones zones;

        @Nullable
        Placement placement;

        boolean shared;

        @Nullable
        PcieLink link;

        @Nullable
        Uplink uplink;

        Changed(EmuConfiguration from) {
            medium = from.medium;
            namespaces = from.namespaces;
            lbaBytes = from.lbaBytes;
            readOnly = from.readOnly;
            queuePairs = from.queuePairs;
            entries = from.entries;
            mdts = from.mdts;
            doorbellStride = from.doorbellStride;
            serial = from.serial;
            latency = from.latency;
            iops = from.iops;
            bytesPerSecond = from.bytesPerSecond;
            faults = from.faults;
            shadow = from.shadow;
            sgl = from.sgl;
            metadata = from.metadata;
            zones = from.zones;
            placement = from.placement;
            shared = from.shared;
            link = from.link;
            uplink = from.uplink;
        }

        EmuConfiguration configuration() {
            return new EmuConfiguration(
                    medium,
                    namespaces,
                    lbaBytes,
                    readOnly,
                    queuePairs,
                    entries,
                    mdts,
                    doorbellStride,
                    serial,
                    latency,
                    iops,
                    bytesPerSecond,
                    faults,
                    shadow,
                    sgl,
                    metadata,
                    zones,
                    placement,
                    shared,
                    link,
                    uplink);
        }
    }

    /** Whether it has command sets beside NVM, or formats that came with them. */
    boolean hasCommandSets() {
        return zones != null || metadata.guard() != Guard.CRC16;
    }

    /** Whether commands wait for a latency, a rate or a link. */
    boolean isPaced() {
        return !latency.isZero() || iops != 0 || bytesPerSecond != 0 || link != null || uplink != null;
    }

    private static void requireRange(String what, long value, long least, long most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException("a " + what + " of " + value + "; it can be " + least + " to " + most);
        }
    }

    private static void requireMetadata(Medium medium, Metadata metadata, @Nullable Zones zones) {
        if (metadata.bytes() != 0 && (!(medium instanceof Medium.Memory) || zones != null)) {
            throw new IllegalArgumentException(
                    "metadata is kept in memory: there is none on an image, on null media and in zones");
        }
    }

    private static void requireZones(Medium medium, Zones zones, int lbaBytes) {
        if (zones.zoneBytes() % lbaBytes != 0 || zones.capacityBytes() % lbaBytes != 0) {
            throw new IllegalArgumentException("zones of %d bytes with a capacity of %d; both are multiples of %d"
                    .formatted(zones.zoneBytes(), zones.capacityBytes(), lbaBytes));
        }
        if (!(medium instanceof Medium.Memory(long bytes)) || bytes < zones.zoneBytes()) {
            throw new IllegalArgumentException(
                    "zones are kept in memory, of at least one zone: use emu:SIZE, and zones no larger");
        }
    }

    private static void requireSize(long bytes, int lbaBytes) {
        if (bytes <= 0 || bytes > MAX_BYTES || bytes % lbaBytes != 0) {
            throw new IllegalArgumentException("a size of " + bytes + " bytes; it can be a multiple of the LBA size, "
                    + lbaBytes + " bytes, of at most 1 EiB");
        }
    }
}
