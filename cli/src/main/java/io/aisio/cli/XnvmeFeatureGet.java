package io.aisio.cli;

import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.command.Features;
import io.aisio.nvme.spec.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code xnvme feature get}. */
@Command(
        name = "get",
        header = "Tells what a feature is set to, or all that have a name here.",
        footer = {
            "  ./aisio xnvme feature get emu:1GiB",
            "  ./aisio xnvme feature get --select default /dev/nvme0 temperature-threshold"
        })
final class XnvmeFeatureGet implements Callable<Integer> {
    /** Which value of a feature. */
    enum Select {
        current,
        defaults,
        saved
    }

    /** {@code current}, {@code default} or {@code saved}. */
    static final class Selects implements ITypeConverter<Select> {
        @Override
        public Select convert(String text) {
            return switch (text) {
                case "current" -> Select.current;
                case "default" -> Select.defaults;
                case "saved" -> Select.saved;
                default ->
                    throw new picocli.CommandLine.TypeConversionException(
                            "'" + text + "' is not current, default or saved");
            };
        }
    }

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Target options;

    @Parameters(
            index = "1",
            arity = "0..1",
            converter = XnvmeFeature.Id.class,
            paramLabel = "FEATURE",
            description = "By name or number, such as 0x04; all with a name if not given.")
    private @Nullable Integer feature;

    @Option(
            names = "--select",
            converter = Selects.class,
            defaultValue = "current",
            paramLabel = "WHICH",
            description = "current, default or saved (current).")
    @SuppressWarnings("NullAway.Init")
    private Select select;

    @Option(
            names = "--nsid",
            converter = XnvmeOptions.Whole.class,
            paramLabel = "N",
            description = "The namespace, of features that one has (the device's).")
    private @Nullable Long nsid;

    @Option(
            names = "--dword11",
            converter = XnvmeOptions.Whole.class,
            defaultValue = "0",
            paramLabel = "N",
            description = "What the feature takes in command dword 11 (0).")
    private long dword11;

    @Override
    public Integer call() throws IOException {
        try (XnvmeTarget target = options.open()) {
            Passthrough commands = target.commands();
            XnvmeReport report =
                    target.report("feature.get").put("select", select == Select.defaults ? "default" : select);
            List<Object> all = new ArrayList<>();
            if (feature != null) {
                all.add(get(commands, name(feature), feature));
            } else {
                for (Map.Entry<String, Integer> known : XnvmeFeature.KNOWN.entrySet()) {
                    try {
                        all.add(get(commands, known.getKey(), known.getValue()));
                    } catch (NvmeException e) {
                        // Most controllers lack some: these are left out. One that does not answer is another matter.
                        if (e.status() == null) {
                            throw e;
                        }
                    }
                }
            }
            report.put("features", all).print(options.output);
            return Exit.DONE;
        }
    }

    /** The name of a feature, its number where it has none here. */
    static String name(int id) {
        return XnvmeFeature.KNOWN.entrySet().stream()
                .filter(known -> known.getValue() == id)
                .map(Map.Entry::getKey)
                .findFirst()
                .orElse(XnvmeReport.hex(id, 1));
    }

    private Map<String, @Nullable Object> get(Passthrough commands, String name, int id) throws IOException {
        Features features = new Features(commands);
        Features.Select which = switch (select) {
            case current -> Features.Select.CURRENT;
            case defaults -> Features.Select.DEFAULT;
            case saved -> Features.Select.SAVED;
        };
        Map<String, @Nullable Object> row = new LinkedHashMap<>();
        row.put("feature", name);
        row.put("id", XnvmeReport.hex(id, 1));
        if (id == Feature.TIMESTAMP) {
            row.put("value", null);
            row.put("meaning", features.timestamp().toString());
            return row;
        }
        boolean ofNamespace = id == Feature.ERROR_RECOVERY || id == Feature.WRITE_PROTECTION;
        int namespace = nsid != null ? nsid.intValue() : ofNamespace ? commands.nsid() : 0;
        int group = id == Feature.DATA_PLACEMENT && dword11 == 0 ? 1 : (int) dword11;
        int value = features.get(id, which, namespace, group, MemorySegment.NULL);
        row.put("value", XnvmeReport.hex(value, 4));
        row.put("meaning", XnvmeFeature.meaning(id, value));
        return row;
    }
}
