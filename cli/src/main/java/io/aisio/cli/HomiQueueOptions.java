package io.aisio.cli;

import io.aisio.homi.HomiControl;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;
import tools.jackson.databind.node.ObjectNode;

/** Which queue pairs, of which device: what {@code homi lease} and {@code homi export} have in common. */
final class HomiQueueOptions {
    @Option(
            names = "--queues",
            converter = Some.class,
            defaultValue = "1",
            paramLabel = "N",
            description = "Queue pairs (1).")
    private int queues;

    @Option(
            names = "--depth",
            converter = Some.class,
            defaultValue = "128",
            paramLabel = "N",
            description = "Commands in flight in each at most (128).")
    private int depth;

    @Option(
            names = "--nsid",
            converter = Some.class,
            defaultValue = "1",
            paramLabel = "N",
            description = "Namespace (1).")
    private int nsid;

    @Option(names = "--read-only", description = "Only to read; writes are refused.")
    private boolean readOnly;

    @Parameters(index = "0", paramLabel = "DEVICE", description = "The device, as ./aisio homi list names it.")
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private String device;

    int queues() {
        return queues;
    }

    int depth() {
        return depth;
    }

    boolean readOnly() {
        return readOnly;
    }

    String device() {
        return device;
    }

    /** What a request names first: the device and its namespace. */
    ObjectNode request() {
        return HomiControl.params().put("device", device).put("nsid", nsid);
    }

    /** For people: {@code 2 queue pairs of depth 64 of nvme0}. */
    @Override
    public String toString() {
        return queues + (queues == 1 ? " queue pair" : " queue pairs") + " of depth " + depth + " of " + device;
    }

    /** A whole number that is not nothing. How many there can be, the daemon says. */
    static final class Some implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String text) {
            try {
                int number = Integer.parseInt(text);
                if (number > 0) {
                    return number;
                }
            } catch (NumberFormatException e) {
                // Said below.
            }
            throw new TypeConversionException("'" + text + "' is no whole number from 1 to " + Integer.MAX_VALUE);
        }
    }
}
