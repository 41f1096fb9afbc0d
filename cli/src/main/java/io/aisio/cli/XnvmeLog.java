package io.aisio.cli;

import io.aisio.nvme.Passthrough;
import io.aisio.nvme.command.ControllerData;
import io.aisio.nvme.command.Identities;
import io.aisio.nvme.command.LogPages;
import io.aisio.nvme.spec.EffectsLog;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.SanitizeLog;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code xnvme log}: log pages. */
@Command(
        name = "log",
        header = "Tells what a log page says. Events that it belongs to stay reported.",
        description = {
            "%nPages: supported, errors, smart, firmware, changed-namespaces, effects, self-test, sanitize,"
                    + " changed-zones, fdp-configurations, fdp-usage, fdp-statistics, fdp-events, or any by its number."
        },
        footer = {"  ./aisio xnvme log emu:1GiB smart", "  ./aisio xnvme log --bytes 512 /dev/nvme0 0xc0"})
final class XnvmeLog implements Callable<Integer> {
    private static final int KELVIN = 273;

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Target options;

    @Parameters(index = "1", paramLabel = "PAGE", description = "Which page, by name or number.")
    @SuppressWarnings("NullAway.Init")
    private String page;

    @Option(
            names = "--bytes",
            converter = XnvmeOptions.Whole.class,
            defaultValue = "512",
            paramLabel = "N",
            description = "Of a page by its number, how much to read, a multiple of 4 (512).")
    private long bytes;

    @Option(
            names = "--nsid",
            converter = XnvmeOptions.Whole.class,
            paramLabel = "N",
            description = "The namespace, where a page is of one (all).")
    private @Nullable Long nsid;

    @Option(
            names = "--group",
            converter = XnvmeOptions.Whole.class,
            defaultValue = "1",
            paramLabel = "N",
            description = "The endurance group, where a page is of one (1).")
    private long group;

    @Override
    public Integer call() throws IOException {
        try (XnvmeTarget target = options.open()) {
            XnvmeReport report = target.report("log").put("page", page);
            read(report, target.commands());
            report.print(options.output);
            return Exit.DONE;
        }
    }

    private void read(XnvmeReport report, Passthrough commands) throws IOException {
        LogPages logs = new LogPages(commands);
        int endurance = Math.toIntExact(group);
        switch (page) {
            case "supported" ->
                report.put(
                        "pages",
                        logs.supported().stream()
                                .map(id -> XnvmeReport.hex(id, 1))
                                .toList());
            case "errors" -> {
                ControllerData controller = new Identities(commands).controller();
                report.put("errors", logs.errors(Math.clamp(controller.errorEntries(), 1, 256)));
            }
            case "smart" -> smart(report, logs.smart(nsid == null ? Identify.ALL_NAMESPACES : nsid.intValue()));
            case "firmware" -> report.putAll(logs.firmwareSlots());
            case "changed-namespaces" -> report.putAll(logs.changedNamespaces());
            case "effects" -> {
                LogPages.Effects effects = logs.effects(Identify.CSI_NVM);
                report.put("admin", effects(effects.admin(), Opcode::adminName));
                report.put("io", effects(effects.io(), Opcode::nvmName));
            }
            case "self-test" -> report.putAll(logs.selfTests());
            case "sanitize" -> sanitize(report, logs.sanitizeStatus());
            case "changed-zones" -> report.putAll(logs.changedZones(nsid == null ? commands.nsid() : nsid.intValue()));
            case "fdp-configurations" ->
                report.put("endurance_group", endurance)
                        .put("configurations", logs.dataPlacementConfigurations(endurance));
            case "fdp-usage" ->
                report.put("endurance_group", endurance).put("handles", logs.reclaimUnitHandleUsage(endurance));
            case "fdp-statistics" ->
                report.put("endurance_group", endurance).putAll(logs.dataPlacementStatistics(endurance));
            case "fdp-events" ->
                report.put("endurance_group", endurance)
                        .put("of_host", logs.dataPlacementEvents(endurance, true))
                        .put("of_controller", logs.dataPlacementEvents(endurance, false));
            default ->
                HexDump.put(
                        report,
                        logs.raw(number(), nsid == null ? Identify.ALL_NAMESPACES : nsid.intValue(), length()),
                        options.output);
        }
    }

    private int number() {
        try {
            long number = new XnvmeOptions.Whole().convert(page);
            if (number >= 0 && number <= 0xFF) {
                return (int) number;
            }
        } catch (RuntimeException e) {
            throw new ParameterException(
                    spec.commandLine(), "there is no log page '" + page + "': name one, or its number such as 0x02", e);
        }
        throw new ParameterException(spec.commandLine(), "log page " + page + "; its number has 8 bits");
    }

    private int length() {
        if (bytes < 4 || bytes > 1 << 24 || bytes % 4 != 0) {
            throw new ParameterException(
                    spec.commandLine(), bytes + " bytes of a log page; a multiple of 4 is read, at most 16 MiB");
        }
        return (int) bytes;
    }

    private static void smart(XnvmeReport report, LogPages.Smart smart) {
        report.putAll(smart);
        report.put("critical_warning", XnvmeReport.hex(smart.criticalWarning(), 1));
        report.put("celsius", smart.kelvin() - KELVIN);
    }

    /** For a report: what became of the last one, and how far this one is. */
    static void sanitize(XnvmeReport report, LogPages.SanitizeStatus status) {
        report.putAll(status);
        report.put(
                "state",
                switch (status.state()) {
                    case SanitizeLog.NEVER -> "never sanitized";
                    case SanitizeLog.SUCCEEDED -> "succeeded";
                    case SanitizeLog.IN_PROGRESS -> "in progress";
                    case SanitizeLog.FAILED -> "failed";
                    case SanitizeLog.SUCCEEDED_DEALLOCATED -> "succeeded, deallocated";
                    default -> XnvmeReport.hex(status.state(), 1);
                });
        report.put("dword10", XnvmeReport.hex(status.dword10(), 4));
        report.put("overwrite_seconds", told(status.overwriteSeconds()));
        report.put("block_erase_seconds", told(status.blockEraseSeconds()));
        report.put("crypto_erase_seconds", told(status.cryptoEraseSeconds()));
    }

    /** Nothing where the controller does not tell how long it takes. */
    private static @Nullable Long told(long seconds) {
        return seconds < 0 ? null : seconds;
    }

    private static List<Object> effects(Map<Integer, Integer> effects, IntFunction<String> name) {
        List<Object> all = new ArrayList<>();
        effects.forEach((opcode, bits) -> {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("opcode", XnvmeReport.hex(opcode, 1));
            row.put("command", name.apply(opcode));
            row.put("effects", XnvmeReport.hex(bits, 4));
            row.put("changes_blocks", (bits & EffectsLog.BLOCK_CONTENT) != 0);
            row.put("exclusive", (bits >>> EffectsLog.EXCLUSION_SHIFT & 7) != 0);
            all.add(row);
        });
        return all;
    }
}
