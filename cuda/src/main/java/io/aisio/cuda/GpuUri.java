package io.aisio.cuda;

import io.aisio.xnvme.ByteSize;
import io.aisio.xnvme.DeviceUri;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A device name with the scheme {@code gpu}, taken apart.
 *
 * <ul>
 *   <li>{@code gpu:1GiB}: memory of the GPU
 *   <li>{@code gpu:null,1TiB}: null media
 *   <li>{@code gpu:/path/to/image}: a copy of a file in the GPU's memory; what is written stays there, and is lost with it
 * </ul>
 *
 * Options: {@code id} (which GPU), {@code lba} (512 or 4096), {@code queues} (queue pairs at most, 64 if not given),
 * {@code depth} (commands that it works on at once of each queue pair, 512 if not given), {@code latency} ({@code 20us}),
 * {@code spread} (how much longer the slowest twentieth of commands takes than the fastest, log-normal), {@code fault}
 * ({@code error:LBA}, {@code drop:LBA} or {@code wrongcid:LBA}: what becomes of commands that begin there).
 *
 * @param text the name as it was given
 * @param gpu the GPU's number
 * @param bytes of the media; 0 if the image says so
 * @param media what they are
 * @param image the file of {@link Media#IMAGE}
 */
record GpuUri(
        String text,
        int gpu,
        Media media,
        long bytes,
        @Nullable Path image,
        int lbaBytes,
        int queues,
        int depth,
        Duration latency,
        double spread,
        ResidentController.@Nullable Fault fault) {
    /** What the bytes are kept on. */
    enum Media {
        NULL,
        MEMORY,
        IMAGE
    }

    private static final String NULL_PREFIX = "null,";
    private static final Pattern LATENCY = Pattern.compile("(\\d{1,9})(ns|us|ms)");
    private static final Pattern FAULT = Pattern.compile("(error|drop|wrongcid):(\\d{1,18})");
    private static final Pattern COUNT = Pattern.compile("\\d{1,9}");
    private static final Pattern FACTOR = Pattern.compile("\\d{1,4}(\\.\\d{1,4})?");

    private static final int DEFAULT_QUEUES = 64;
    private static final int DEFAULT_DEPTH = 512;
    private static final int MOST_QUEUES = 4096;

    /**
     * Parses a device name.
     *
     * @throws IllegalArgumentException if the target or an option makes no sense; one sentence with the next step
     */
    static GpuUri parse(DeviceUri uri) {
        uri.requireOptions("id", "lba", "queues", "depth", "latency", "spread", "fault");
        try {
            return parseTarget(uri);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("'" + uri.text() + "': " + e.getMessage(), e);
        }
    }

    private static GpuUri parseTarget(DeviceUri uri) {
        String target = uri.target();
        Media media = Media.IMAGE;
        long bytes = 0;
        Path image = null;
        if (target.startsWith(NULL_PREFIX)) {
            media = Media.NULL;
            bytes = ByteSize.parse(target.substring(NULL_PREFIX.length()));
        } else if (target.equals("null")) {
            throw new IllegalArgumentException("null media need a size: write 'gpu:null,1TiB'");
        } else if (Character.isDigit(target.charAt(0)) && target.indexOf('/') < 0 && !Files.exists(Path.of(target))) {
            media = Media.MEMORY;
            bytes = ByteSize.parse(target);
        } else {
            image = Path.of(target);
        }
        int lba = count(uri, "lba", 512, 512, 4096);
        if (lba != 512 && lba != 4096) {
            throw new IllegalArgumentException("option 'lba' is 512 or 4096, not " + lba);
        }
        if (media != Media.IMAGE && (bytes == 0 || bytes % lba != 0)) {
            throw new IllegalArgumentException(bytes + " bytes are no whole logical blocks of " + lba);
        }
        return new GpuUri(
                uri.text(),
                count(uri, "id", 0, 0, 1023),
                media,
                bytes,
                image,
                lba,
                count(uri, "queues", DEFAULT_QUEUES, 1, MOST_QUEUES),
                count(uri, "depth", DEFAULT_DEPTH, 1, GpuQueuePair.MOST_SLOTS),
                latency(uri.options().get("latency")),
                spread(uri.options().get("spread")),
                fault(uri.options().get("fault")));
    }

    private static int count(DeviceUri uri, String option, int otherwise, int least, int most) {
        String value = uri.options().get(option);
        if (value == null) {
            return otherwise;
        }
        if (COUNT.matcher(value).matches()) {
            int number = Integer.parseInt(value);
            if (number >= least && number <= most) {
                return number;
            }
        }
        throw new IllegalArgumentException(
                "option '%s' is a number from %d to %d, not '%s'".formatted(option, least, most, value));
    }

    private static Duration latency(@Nullable String text) {
        if (text == null) {
            return Duration.ZERO;
        }
        Matcher matcher = LATENCY.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException(
                    "option 'latency' is a number with ns, us or ms, such as 20us, not '" + text + "'");
        }
        long number = Long.parseLong(matcher.group(1));
        long nanos = switch (matcher.group(2)) {
            case "ns" -> number;
            case "us" -> number * 1000;
            default -> number * 1_000_000;
        };
        Duration latency = Duration.ofNanos(nanos);
        if (latency.compareTo(GpuQueuePair.DEADLINE) >= 0) {
            throw new IllegalArgumentException("option 'latency' is less than the " + GpuQueuePair.DEADLINE.toSeconds()
                    + " s that a command may take, not '" + text + "'");
        }
        return latency;
    }

    private static double spread(@Nullable String text) {
        if (text == null) {
            return 1;
        }
        double factor = FACTOR.matcher(text).matches() ? Double.parseDouble(text) : 0;
        if (factor < 1 || factor > 1000) {
            throw new IllegalArgumentException("option 'spread' is a factor from 1 to 1000, not '" + text + "'");
        }
        return factor;
    }

    private static ResidentController.@Nullable Fault fault(@Nullable String text) {
        if (text == null) {
            return null;
        }
        Matcher matcher = FAULT.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException(
                    "option 'fault' is error, drop or wrongcid, a colon and an LBA, such as error:77, not '" + text
                            + "'");
        }
        return new ResidentController.Fault(
                ResidentController.Fault.Kind.valueOf(matcher.group(1).toUpperCase(Locale.ROOT)),
                Long.parseLong(matcher.group(2)));
    }
}
