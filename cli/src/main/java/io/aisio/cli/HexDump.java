package io.aisio.cli;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Locale;

/** Bytes for people, 16 a line with what they are as ASCII; lines that are like the one before are left out. */
final class HexDump {
    private static final int WIDTH = 16;
    private static final HexFormat SPACED = HexFormat.ofDelimiter(" ");

    private HexDump() {}

    /** Adds bytes to a report: a dump for people, all of them in hexadecimal for programs. */
    static void put(XnvmeReport report, MemorySegment data, XnvmeReport.Format format) {
        byte[] bytes = data.toArray(ValueLayout.JAVA_BYTE);
        report.put("data_bytes", bytes.length);
        report.put(
                "data",
                format == XnvmeReport.Format.text ? of(bytes) : HexFormat.of().formatHex(bytes));
    }

    /** The dump. */
    static String of(byte[] bytes) {
        StringBuilder dump = new StringBuilder();
        byte[] last = {};
        boolean left = false;
        for (int at = 0; at < bytes.length; at += WIDTH) {
            byte[] line = Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + WIDTH));
            if (Arrays.equals(line, last) && at + WIDTH < bytes.length) {
                if (!left) {
                    dump.append("*\n");
                }
                left = true;
                continue;
            }
            left = false;
            last = line;
            dump.append(String.format(Locale.ROOT, "%08x  %-47s  ", at, SPACED.formatHex(line)));
            for (byte b : line) {
                dump.append(b >= 0x20 && b < 0x7F ? (char) b : '.');
            }
            dump.append('\n');
        }
        return dump.toString().stripTrailing();
    }
}
