package io.aisio.cli;

import io.aisio.nvme.Format;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.command.AdminCommandSet;
import io.aisio.nvme.command.ControllerData;
import io.aisio.nvme.command.Identities;
import io.aisio.nvme.spec.Identify;
import java.io.IOException;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code xnvme format}. */
@Command(
        name = "format",
        header = "Formats a namespace (Format NVM): all that it holds is lost.",
        description = {
            "%nSome controllers format all of their namespaces with one; so nothing of the controller may be in use."
        },
        footer = {
            "  ./aisio xnvme format --lbaf 1 --serial S4EWNX0R123 /dev/ng0n1",
            "  ./aisio xnvme format --lbaf 0 --erase user-data --dry-run emu:1GiB"
        })
final class XnvmeFormat implements Callable<Integer> {
    /** {@code none}, {@code user-data} or {@code crypto}. */
    static final class Erases implements ITypeConverter<Format.Erase> {
        @Override
        public Format.Erase convert(String text) {
            return switch (text) {
                case "none" -> Format.Erase.NONE;
                case "user-data" -> Format.Erase.USER_DATA;
                case "crypto" -> Format.Erase.CRYPTOGRAPHIC;
                default -> throw new TypeConversionException("'" + text + "' is not none, user-data or crypto");
            };
        }
    }

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Target options;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Erasing erasing;

    @Option(
            names = "--lbaf",
            required = true,
            converter = XnvmeOptions.Whole.class,
            paramLabel = "N",
            description = "Index of one of its LBA formats, which ./aisio xnvme idfy shows.")
    private long lbaf;

    @Option(
            names = "--nsid",
            converter = XnvmeOptions.Whole.class,
            paramLabel = "N",
            description = "The namespace (the device's); 0xffffffff for all.")
    private @Nullable Long nsid;

    @Option(
            names = "--erase",
            converter = Erases.class,
            defaultValue = "none",
            paramLabel = "HOW",
            description = "What becomes of the old data for certain: none, user-data or crypto (none).")
    @SuppressWarnings("NullAway.Init")
    private Format.Erase erase;

    @Option(
            names = "--protection",
            converter = XnvmeOptions.Whole.class,
            defaultValue = "0",
            paramLabel = "TYPE",
            description = "Protection information: type 1 to 3, 0 for none (0).")
    private long protection;

    @Option(names = "--protection-first", description = "It is the first bytes of the metadata, not the last.")
    private boolean first;

    @Option(names = "--extended", description = "Metadata follows the data of each block, in the same buffer.")
    private boolean extended;

    @Override
    public Integer call() throws IOException {
        Format format = format();
        try (XnvmeTarget target = erasing.open(options)) {
            Identities identities = new Identities(target.commands());
            ControllerData controller = identities.controller();
            int namespace = nsid == null ? target.commands().nsid() : nsid.intValue();
            if (namespace == 0) {
                throw new ParameterException(
                        spec.commandLine(), options.device + " is a controller: name the namespace with --nsid");
            }
            boolean all = namespace == Identify.ALL_NAMESPACES;
            erasing.check(
                    target,
                    controller.serial(),
                    all
                            ? "this formats all namespaces of it, and all that they hold is lost"
                            : "this formats namespace " + namespace + " of it, and all that it holds is lost");
            Passthrough commands = erasing.commands(target);
            new AdminCommandSet(commands).format(namespace, format);
            XnvmeReport report = target.report("format")
                    .put("serial", controller.serial())
                    .put("nsid", all ? "all" : namespace)
                    .put("format", format);
            erasing.tell(report, commands);
            if (!erasing.dryRun && !all) {
                report.put("lba_bytes", identities.namespace(namespace).lbaBytes());
            }
            report.print(options.output);
            return Exit.DONE;
        }
    }

    /** What was asked for; what makes no sense of any namespace is a fault of the command line. */
    private Format format() {
        try {
            return new Format(Math.toIntExact(lbaf), extended, Math.toIntExact(protection), first, erase);
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }
}
