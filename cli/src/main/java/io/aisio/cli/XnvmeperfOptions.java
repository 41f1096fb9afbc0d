package io.aisio.cli;

import io.aisio.bench.IoPattern;
import io.aisio.xnvme.ByteSize;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** How xnvmeperf's options are read. */
final class XnvmeperfOptions {
    private XnvmeperfOptions() {}

    /** {@code 4096} or {@code 4KiB}. */
    static final class Bytes implements ITypeConverter<Long> {
        @Override
        public Long convert(String text) {
            try {
                return ByteSize.parse(text);
            } catch (IllegalArgumentException e) {
                throw refused(e);
            }
        }
    }

    /** A whole number. Which ones make sense is for the engines to say. */
    static final class Whole implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String text) {
            try {
                return Integer.valueOf(text);
            } catch (NumberFormatException e) {
                throw new TypeConversionException("'" + text + "' is no whole number up to " + Integer.MAX_VALUE);
            }
        }
    }

    /** A whole number, perhaps a large one. */
    static final class Large implements ITypeConverter<Long> {
        @Override
        public Long convert(String text) {
            try {
                return Long.valueOf(text);
            } catch (NumberFormatException e) {
                throw new TypeConversionException("'" + text + "' is no whole number up to " + Long.MAX_VALUE);
            }
        }
    }

    /** {@code randread} and the others. */
    static final class Pattern implements ITypeConverter<IoPattern> {
        @Override
        public IoPattern convert(String text) {
            try {
                return IoPattern.parse(text);
            } catch (IllegalArgumentException e) {
                throw refused(e);
            }
        }
    }

    /** {@code 3} or {@code 0.5}, in nanoseconds. */
    static final class Seconds implements ITypeConverter<java.time.Duration> {
        /** More than anyone runs, and far from where nanoseconds overflow. */
        private static final double MOST = 1e9;

        @Override
        public java.time.Duration convert(String text) {
            try {
                double seconds = Double.parseDouble(text);
                if (Math.abs(seconds) <= MOST) {
                    return java.time.Duration.ofNanos(Math.round(seconds * 1e9));
                }
            } catch (NumberFormatException e) {
                // The message below says what is expected.
            }
            throw new TypeConversionException("'" + text + "' is no number of seconds");
        }
    }

    private static TypeConversionException refused(IllegalArgumentException e) {
        return new TypeConversionException(String.valueOf(e.getMessage()));
    }
}
