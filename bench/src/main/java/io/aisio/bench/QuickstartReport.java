package io.aisio.bench;

import java.util.List;

/**
 * What a quickstart found.
 *
 * @param files how many were read and compared
 * @param bytes their size together
 * @param shipped whether the image was the one that comes with the program, for want of mkfs.xfs
 * @param path which way the data took
 * @param passes how often all files were read for the figures, after they were compared
 * @param seconds how long these passes took
 * @param commands how many read commands they took
 * @param mismatches a line for each file that was missing, surplus, or not what it should be
 */
public record QuickstartReport(
        int files,
        long bytes,
        boolean shipped,
        String path,
        int passes,
        double seconds,
        long commands,
        List<String> mismatches) {

    /** Copies the list. */
    public QuickstartReport {
        mismatches = List.copyOf(mismatches);
    }

    /** Whether every file was what it should be. */
    public boolean ok() {
        return mismatches.isEmpty() && files > 0;
    }

    /** Bytes of file content read in a second. */
    public double bytesPerSecond() {
        return bytes * (double) passes / seconds;
    }

    /** Read commands in a second. */
    public double iops() {
        return commands / seconds;
    }
}
