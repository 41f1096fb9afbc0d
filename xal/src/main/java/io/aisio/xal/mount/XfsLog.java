package io.aisio.xal.mount;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/**
 * How far a mounted XFS has written in place what its log holds, as its sysfs files tell ({@code log_head_lsn},
 * {@code log_tail_lsn} of Documentation/ABI/testing/sysfs-fs-xfs).
 *
 * <pre>
 *   ──── written in place ────► tail ──── in the log only ────► head
 * </pre>
 *
 * What was changed is on the device as soon as it is in the log. In its own place it is written later: by a worker that
 * runs at each interval of {@code xfssyncd_centisecs} (30 s unless set), which then also logs something, so that the tail
 * of a file system at rest moves as well.
 */
public final class XfsLog {
    private static final Path SYSFS = Path.of("/sys/fs/xfs");
    private static final Path INTERVAL = Path.of("/proc/sys/fs/xfs/xfssyncd_centisecs");
    private static final Duration POLL = Duration.ofMillis(200);
    /** Intervals that are waited: one until all is in place, and two until XFS has logged that. */
    private static final int INTERVALS = 3;
    /** What is waited beside that: chosen long enough for a busy machine. */
    private static final Duration SLACK = Duration.ofSeconds(30);

    /** Bytes of the longest text that is expected, two numbers of 64 bits, and more. */
    private static final int MAX_TEXT = 64;

    private final Path folder;

    private XfsLog(Path folder) {
        this.folder = folder;
    }

    /**
     * Of a file system that is mounted.
     *
     * @param device by the kernel's name, such as {@code nvme0n1p2}
     * @throws IOException if sysfs does not tell of it
     */
    public static XfsLog of(String device) throws IOException {
        Path folder = SYSFS.resolve(device).resolve("log");
        if (!Files.isDirectory(folder)) {
            throw new IOException(folder + " is not there, so XFS does not tell what of its log is written in place;"
                    + " mount sysfs at /sys, or compare with --freeze");
        }
        return new XfsLog(folder);
    }

    /** A place in the log: which turn through it, and which block. */
    private record Place(long cycle, long block) {
        boolean isBefore(Place other) {
            return cycle < other.cycle || (cycle == other.cycle && block < other.block);
        }
    }

    /** Is told how long it waits. */
    public interface Waiting {
        /** @param limit after which it is given up */
        void waiting(Duration waited, Duration limit);
    }

    /**
     * Waits until all that is in the log now is written in place.
     *
     * @return false if it was not within {@value #INTERVALS} intervals of the worker, and half a minute
     * @throws InterruptedIOException if this thread is interrupted
     */
    public boolean awaitInPlace(Waiting told) throws IOException {
        Place head = place("log_head_lsn");
        Duration limit = Duration.ofMillis(INTERVALS * 10L * number(text(INTERVAL), INTERVAL))
                .plus(SLACK);
        long began = System.nanoTime();
        while (place("log_tail_lsn").isBefore(head)) {
            Duration waited = Duration.ofNanos(System.nanoTime() - began);
            if (waited.compareTo(limit) > 0) {
                return false;
            }
            told.waiting(waited, limit);
            try {
                Thread.sleep(POLL);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("interrupted while XFS wrote in place what its log holds");
            }
        }
        return true;
    }

    private Place place(String name) throws IOException {
        Path file = folder.resolve(name);
        String[] parts = text(file).strip().split(":", -1);
        if (parts.length != 2) {
            throw new IOException(file + " holds '" + String.join(":", parts) + "', expected CYCLE:BLOCK");
        }
        return new Place(number(parts[0], file), number(parts[1], file));
    }

    /** In one read: what is read on in a file of {@code /proc/sys} is nothing, so that it must not be read in pieces. */
    private static String text(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return new String(in.readNBytes(MAX_TEXT), StandardCharsets.US_ASCII);
        }
    }

    private static long number(String text, Path file) throws IOException {
        try {
            return Long.parseLong(text.strip());
        } catch (NumberFormatException e) {
            throw new IOException(file + " holds '" + text.strip() + "', expected a number", e);
        }
    }
}
