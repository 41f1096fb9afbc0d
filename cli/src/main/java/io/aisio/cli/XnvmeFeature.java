package io.aisio.cli;

import io.aisio.nvme.spec.Feature;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.TypeConversionException;

/** {@code xnvme feature}: Get Features and Set Features. */
@Command(
        name = "feature",
        header = "Tells and sets features of a controller.",
        footer = {
            "  ./aisio xnvme feature get emu:1GiB",
            "  ./aisio xnvme feature set /dev/nvme0 volatile-write-cache 0"
        },
        scope = ScopeType.INHERIT,
        subcommands = {XnvmeFeatureGet.class, XnvmeFeatureSet.class})
final class XnvmeFeature {
    /** By name; those with data of their own are got by their number. */
    static final Map<String, Integer> KNOWN = known();

    private XnvmeFeature() {}

    private static Map<String, Integer> known() {
        Map<String, Integer> known = new LinkedHashMap<>();
        known.put("arbitration", Feature.ARBITRATION);
        known.put("power-management", Feature.POWER_MANAGEMENT);
        known.put("temperature-threshold", Feature.TEMPERATURE_THRESHOLD);
        known.put("error-recovery", Feature.ERROR_RECOVERY);
        known.put("volatile-write-cache", Feature.VOLATILE_WRITE_CACHE);
        known.put("number-of-queues", Feature.NUMBER_OF_QUEUES);
        known.put("interrupt-coalescing", Feature.INTERRUPT_COALESCING);
        known.put("write-atomicity", Feature.WRITE_ATOMICITY);
        known.put("async-event-configuration", Feature.ASYNC_EVENT_CONFIGURATION);
        known.put("timestamp", Feature.TIMESTAMP);
        known.put("keep-alive-timer", Feature.KEEP_ALIVE_TIMER);
        known.put("sanitize-config", Feature.SANITIZE_CONFIG);
        known.put("command-set-profile", Feature.COMMAND_SET_PROFILE);
        known.put("data-placement", Feature.DATA_PLACEMENT);
        known.put("software-progress-marker", Feature.SOFTWARE_PROGRESS_MARKER);
        known.put("write-protection", Feature.WRITE_PROTECTION);
        return known;
    }

    /** A feature by name or number. */
    static final class Id implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String text) {
            return id(text);
        }
    }

    private static int id(String text) {
        Integer id = KNOWN.get(text);
        if (id != null) {
            return id;
        }
        try {
            long number = new XnvmeOptions.Whole().convert(text);
            if (number >= 0 && number <= 0xFF) {
                return (int) number;
            }
        } catch (TypeConversionException e) {
            // It is told below.
        }
        throw new TypeConversionException(
                "'" + text + "' is no feature: name " + String.join(", ", KNOWN.keySet()) + ", or give its number");
    }

    /** What a value means, in short; empty where the number says it all. */
    static String meaning(int id, int value) {
        return switch (id) {
            case Feature.ARBITRATION ->
                (value & 7) == 7 ? "no limit to a burst" : "bursts of " + (1 << (value & 7)) + " commands";
            case Feature.POWER_MANAGEMENT -> "power state " + (value & 0x1F);
            case Feature.TEMPERATURE_THRESHOLD -> (value & 0xFFFF) + " K, " + ((value & 0xFFFF) - 273) + " \u00b0C";
            case Feature.VOLATILE_WRITE_CACHE -> (value & 1) != 0 ? "used" : "not used";
            case Feature.NUMBER_OF_QUEUES ->
                (value & 0xFFFF) + 1 + " submission queues, " + ((value >>> 16) + 1) + " completion queues";
            case Feature.INTERRUPT_COALESCING ->
                "after " + ((value & 0xFF) + 1) + " completions or " + (value >>> 8 & 0xFF) * 100 + " \u00b5s";
            case Feature.KEEP_ALIVE_TIMER -> value == 0 ? "off" : value + " ms";
            case Feature.WRITE_PROTECTION ->
                switch (value & 7) {
                    case 0 -> "none";
                    case 1 -> "write protected";
                    case 2 -> "until power cycle";
                    case 3 -> "for ever";
                    default -> "";
                };
            default -> "";
        };
    }
}
