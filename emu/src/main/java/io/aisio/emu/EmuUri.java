package io.aisio.emu;

import io.aisio.nvme.Guard;
import io.aisio.nvme.link.PcieLink;
import io.aisio.xnvme.ByteSize;
import io.aisio.xnvme.DeviceUri;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A device name with the scheme {@code emu}, taken apart.
 *
 * <ul>
 *   <li>{@code emu:1GiB}: memory
 *   <li>{@code emu:null,1TiB}: null media
 *   <li>{@code emu:/path/to/image}: a file or block device; a relative path too, unless it is a size
 * </ul>
 *
 * Options: {@code lba} (512 or 4096), {@code readonly}, {@code namespaces}, {@code nsid} (which one is opened),
 * {@code qpairs}, {@code entries} (largest queue), {@code mdts} (power of two of 4096 bytes), {@code dstrd},
 * {@code serial}, {@code latency} ({@code 80us}), {@code iops}, {@code bw} ({@code 500MiB}, a second), {@code link}
 * ({@link PcieLink#parse}), {@code uplink} ({@code NAME:LINK}, which controllers of that name share), {@code faults}
 * ({@link FaultPlan#parse}), {@code shadow} (doorbells), {@code sgl}, {@code shared} (other processes may have queue pairs). Metadata: {@code ms} (bytes a block), {@code extended}, {@code pi} (protection type),
 * {@code pifirst}, {@code guard} (16, 32 or 64 bits). Zones: {@code zoned} (size), {@code zonecap} (capacity),
 * {@code maxopen}, {@code maxactive}. Data placement: {@code fdp} (reclaim unit handles), {@code rusize} (of a reclaim
 * unit).
 *
 * @param configuration the controller
 * @param nsid the namespace that is opened, 1 to the number of namespaces
 */
public record EmuUri(EmuConfiguration configuration, int nsid) {
    private static final String NULL_PREFIX = "null,";
    private static final Pattern DURATION = Pattern.compile("(\\d{1,12})(ns|us|ms|s)");
    /** Size of a reclaim unit: small, so that a test fills one. */
    private static final long DEFAULT_UNIT_BYTES = 16 << 20;

    private static final Pattern COUNT = Pattern.compile("\\d{1,18}");

    /** Checks that the namespace exists. */
    public EmuUri {
        if (nsid < 1 || nsid > configuration.namespaces()) {
            throw new IllegalArgumentException(
                    "there is no namespace " + nsid + ", only 1 to " + configuration.namespaces());
        }
    }

    /**
     * Parses a device name.
     *
     * @throws IllegalArgumentException if the target or an option makes no sense; one sentence with the next step
     */
    public static EmuUri parse(DeviceUri uri) {
        uri.requireOptions(
                "lba",
                "readonly",
                "namespaces",
                "nsid",
                "qpairs",
                "entries",
                "mdts",
                "dstrd",
                "serial",
                "latency",
                "iops",
                "bw",
                "link",
                "uplink",
                "faults",
                "shadow",
                "sgl",
                "shared",
                "ms",
                "extended",
                "pi",
                "pifirst",
                "guard",
                "zoned",
                "zonecap",
                "maxopen",
                "maxactive",
                "fdp",
                "rusize");
        boolean readOnly = uri.flag("readonly");
        try {
            return new EmuUri(configuration(uri, readOnly), count(uri, "nsid", 1));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("'" + uri.text() + "': " + e.getMessage(), e);
        }
    }

    private static EmuConfiguration configuration(DeviceUri uri, boolean readOnly) {
        EmuConfiguration defaults = EmuConfiguration.nothing(1 << 20);
        String serial = uri.options().get("serial");
        String bandwidth = uri.options().get("bw");
        String faults = uri.options().get("faults");
        boolean shared = uri.flag("shared");
        EmuConfiguration plain = new EmuConfiguration(
                medium(uri.target()),
                count(uri, "namespaces", defaults.namespaces()),
                count(uri, "lba", defaults.lbaBytes()),
                readOnly,
                count(uri, "qpairs", defaults.queuePairs()),
                count(uri, "entries", defaults.entries()),
                count(uri, "mdts", defaults.mdts()),
                count(uri, "dstrd", shared ? EmuConfiguration.MAX_STRIDE : defaults.doorbellStride()),
                serial == null ? defaults.serial() : serial,
                latency(uri.options().get("latency")),
                count(uri, "iops", 0),
                bandwidth == null ? 0 : bandwidth(bandwidth),
                faults == null ? FaultPlan.NONE : FaultPlan.parse(faults),
                uri.flag("shadow"),
                uri.flag("sgl"));
        String link = uri.options().get("link");
        EmuConfiguration whole = plain.withMetadata(metadata(uri))
                .withZones(zones(uri))
                .withPlacement(placement(uri))
                .withLink(link == null ? null : PcieLink.parse(link))
                .withUplink(uplink(uri.options().get("uplink")));
        if (!shared) {
            return whole;
        }
        if (whole.doorbellStride() != EmuConfiguration.MAX_STRIDE) {
            throw new IllegalArgumentException(
                    "option 'shared' puts doorbells on pages of their own: leave out 'dstrd'");
        }
        return whole.withShared(true);
    }

    private static EmuConfiguration.Metadata metadata(DeviceUri uri) {
        int bits = count(uri, "guard", Guard.CRC16.bits());
        for (Guard guard : Guard.values()) {
            if (guard.bits() == bits) {
                return new EmuConfiguration.Metadata(
                        count(uri, "ms", 0), uri.flag("extended"), count(uri, "pi", 0), uri.flag("pifirst"), guard);
            }
        }
        throw new IllegalArgumentException("option 'guard' is 16, 32 or 64 bits, not " + bits);
    }

    private static EmuConfiguration.@Nullable Uplink uplink(@Nullable String text) {
        if (text == null) {
            return null;
        }
        int colon = text.indexOf(':');
        if (colon < 0) {
            throw new IllegalArgumentException(
                    "option 'uplink' is a name and a link, such as gpu:gen5x16, not '" + text + "'");
        }
        return new EmuConfiguration.Uplink(text.substring(0, colon), PcieLink.parse(text.substring(colon + 1)));
    }

    private static EmuConfiguration.@Nullable Zones zones(DeviceUri uri) {
        String zone = uri.options().get("zoned");
        if (zone == null) {
            return null;
        }
        String capacity = uri.options().get("zonecap");
        int active = count(uri, "maxactive", 0);
        return new EmuConfiguration.Zones(
                ByteSize.parse(zone),
                ByteSize.parse(capacity == null ? zone : capacity),
                count(uri, "maxopen", active),
                active);
    }

    private static EmuConfiguration.@Nullable Placement placement(DeviceUri uri) {
        String handles = uri.options().get("fdp");
        String unit = uri.options().get("rusize");
        return handles == null
                ? null
                : new EmuConfiguration.Placement(
                        count(uri, "fdp", 1), unit == null ? DEFAULT_UNIT_BYTES : ByteSize.parse(unit));
    }

    private static EmuConfiguration.Medium medium(String target) {
        if (target.startsWith(NULL_PREFIX)) {
            return new EmuConfiguration.Medium.Nothing(ByteSize.parse(target.substring(NULL_PREFIX.length())));
        }
        if (target.equals("null")) {
            throw new IllegalArgumentException("null media need a size: write 'emu:null,1TiB'");
        }
        try {
            Path path = Path.of(target);
            boolean looksLikeSize = Character.isDigit(target.charAt(0)) && target.indexOf('/') < 0;
            if (looksLikeSize && (isSize(target) || !Files.exists(path))) {
                return new EmuConfiguration.Medium.Memory(ByteSize.parse(target));
            }
            return new EmuConfiguration.Medium.Image(path);
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException("'" + target + "' is no path: " + e.getReason(), e);
        }
    }

    private static boolean isSize(String text) {
        try {
            return ByteSize.parse(text) >= 0;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static int count(DeviceUri uri, String option, int otherwise) {
        String value = uri.options().get(option);
        if (value == null) {
            return otherwise;
        }
        if (COUNT.matcher(value).matches() && Long.parseLong(value) <= Integer.MAX_VALUE) {
            return Integer.parseInt(value);
        }
        throw new IllegalArgumentException("option '" + option + "' is a number, not '" + value + "'");
    }

    private static Duration latency(@Nullable String text) {
        if (text == null) {
            return Duration.ZERO;
        }
        Matcher m = DURATION.matcher(text);
        if (!m.matches()) {
            throw new IllegalArgumentException(
                    "option 'latency' is a number with ns, us, ms or s, such as 80us, not '" + text + "'");
        }
        long number = Long.parseLong(m.group(1));
        return switch (m.group(2)) {
            case "ns" -> Duration.ofNanos(number);
            case "us" -> Duration.ofNanos(Math.multiplyExact(number, 1000L));
            case "ms" -> Duration.ofMillis(number);
            default -> Duration.ofSeconds(number);
        };
    }

    private static long bandwidth(String text) {
        String size = text.endsWith("/s") ? text.substring(0, text.length() - 2) : text;
        long bytes = ByteSize.parse(size);
        if (bytes == 0) {
            throw new IllegalArgumentException("option 'bw' is bytes a second, such as 500MiB, not '" + text + "'");
        }
        return bytes;
    }
}
