package io.aisio.bench;

import io.aisio.xnvme.Capabilities;
import java.util.List;
import java.util.Locale;

/**
 * What verifying saw.
 *
 * @param options what was asked for
 * @param devices one result a device, in the order asked for
 */
public record VerifyReport(VerifyOptions options, List<DeviceResult> devices) {
    /** Copies the list. */
    public VerifyReport {
        devices = List.copyOf(devices);
    }

    /** Whether every block of every device was written, read back, and the same. */
    public boolean ok() {
        return devices.stream().allMatch(DeviceResult::ok);
    }

    /**
     * One device's part.
     *
     * @param name as it was given
     * @param path which way the data took
     * @param capabilities what that way can
     * @param verified I/Os that were written, read back and compared in every generation
     * @param mismatches I/Os that read back as something else in any generation
     * @param failed I/Os that the device failed
     * @param shown the first logical blocks that differed
     * @param failures the first failures in words
     */
    public record DeviceResult(
            String name,
            String path,
            Capabilities capabilities,
            long verified,
            long mismatches,
            long failed,
            List<Mismatch> shown,
            List<String> failures) {
        /** Copies the lists. */
        public DeviceResult {
            shown = List.copyOf(shown);
            failures = List.copyOf(failures);
        }

        /** Whether nothing failed and nothing differed. */
        public boolean ok() {
            return mismatches == 0 && failed == 0 && failures.isEmpty();
        }

        /** The result in one line: {@code emu:1GiB  verified 4096 IOs, 0 mismatches, 0 failed}. */
        public String line() {
            return " " + name + "  verified " + verified + " IOs, " + mismatches + " mismatches, " + failed + " failed";
        }
    }

    /**
     * A logical block that read back as something else.
     *
     * @param lba which
     * @param generation the generation that was written last
     * @param kind what it looks like
     * @param seen what was seen, in words
     */
    public record Mismatch(long lba, int generation, Kind kind, String seen) {
        /** The mismatch in one line. */
        public String line() {
            return "  MISMATCH at lba=" + lba + " (generation " + generation + "): " + seen;
        }
    }

    /** What a block that differs looks like. */
    public enum Kind {
        /** The buffer still holds what was put there before the read. */
        NOTHING_TRANSFERRED,
        /** All of it is an older generation of the same block: a write was lost. */
        STALE,
        /** All of it is another block. */
        MISPLACED,
        /** All of it was written by an earlier run: no write of this one arrived. */
        OTHER_RUN,
        /** Part of it is what was written, the rest is older, zero or was not transferred. */
        TORN,
        /** One bit differs. */
        FLIPPED_BIT,
        /** All of it is zero: it reads as if never written. */
        ZEROS,
        /** None of these. */
        DIFFERENT;

        /** The kind as JSON has it, such as {@code flipped-bit}. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }
}
