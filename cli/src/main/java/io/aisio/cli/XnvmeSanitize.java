package io.aisio.cli;

import io.aisio.linux.Terminal;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.command.AdminCommandSet;
import io.aisio.nvme.command.ControllerData;
import io.aisio.nvme.command.Identities;
import io.aisio.nvme.command.LogPages;
import io.aisio.nvme.command.Sanitize;
import io.aisio.nvme.spec.SanitizeLog;
import java.io.IOException;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code xnvme sanitize}. */
@Command(
        name = "sanitize",
        header = "Makes all data of an NVM subsystem unrecoverable (Sanitize): every namespace of it.",
        description = {
            "%nIt runs on when the command has ended, unless --wait is given, and cannot be stopped;"
                    + " './aisio xnvme log DEVICE sanitize' tells how far it is."
        },
        footer = {
            "  ./aisio xnvme sanitize --action block --wait --serial S4EWNX0R123 /dev/nvme0",
            "  ./aisio xnvme sanitize --action overwrite --pattern 0xdeadbeef --dry-run emu:1GiB"
        })
final class XnvmeSanitize implements Callable<Integer> {
    /** Between two looks at how far it is: some seconds are its least. */
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    /** {@code block}, {@code overwrite}, {@code crypto} or {@code exit-failure}. */
    static final class Actions implements ITypeConverter<Sanitize.Action> {
        @Override
        public Sanitize.Action convert(String text) {
            return switch (text) {
                case "block" -> Sanitize.Action.BLOCK_ERASE;
                case "overwrite" -> Sanitize.Action.OVERWRITE;
                case "crypto" -> Sanitize.Action.CRYPTO_ERASE;
                case "exit-failure" -> Sanitize.Action.EXIT_FAILURE;
                default ->
                    throw new TypeConversionException("'" + text + "' is not block, overwrite, crypto or exit-failure");
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
            names = "--action",
            required = true,
            converter = Actions.class,
            paramLabel = "HOW",
            description = "block (erase), overwrite, crypto (erase keys), or exit-failure, which leaves a failed one.")
    @SuppressWarnings("NullAway.Init")
    private Sanitize.Action action;

    @Option(
            names = "--passes",
            converter = XnvmeOptions.Whole.class,
            defaultValue = "1",
            paramLabel = "N",
            description = "Of an overwrite, how often, 1 to 16 (1).")
    private long passes;

    @Option(
            names = "--pattern",
            converter = XnvmeOptions.Whole.class,
            defaultValue = "0",
            paramLabel = "N",
            description = "Of an overwrite, 32 bits, such as 0xdeadbeef (0).")
    private long pattern;

    @Option(names = "--invert", description = "Of an overwrite, invert the pattern between passes.")
    private boolean invert;

    @Option(names = "--unrestricted", description = "If it fails, the media may be used again (AUSE).")
    private boolean unrestricted;

    @Option(names = "--no-deallocate", description = "Leave the blocks allocated when it is done.")
    private boolean noDeallocate;

    @Option(names = "--wait", description = "Wait until it is done; 1 if it fails.")
    private boolean waits;

    @Override
    public Integer call() throws IOException {
        Sanitize sanitize = sanitize();
        try (XnvmeTarget target = erasing.open(options)) {
            ControllerData controller = new Identities(target.commands()).controller();
            erasing.check(
                    target, controller.serial(), "this erases every namespace of its subsystem, and cannot be stopped");
            Passthrough commands = erasing.commands(target);
            new AdminCommandSet(commands).sanitize(sanitize);
            XnvmeReport report = target.report("sanitize").put("serial", controller.serial());
            erasing.tell(report, commands);
            boolean failed = false;
            if (!erasing.dryRun) {
                LogPages.SanitizeStatus status = status(new LogPages(commands));
                XnvmeLog.sanitize(report, status);
                failed = waits && status.state() == SanitizeLog.FAILED;
            }
            report.print(options.output);
            return failed ? Exit.FAILED : Exit.DONE;
        }
    }

    private LogPages.SanitizeStatus status(LogPages logs) throws IOException {
        LogPages.SanitizeStatus status = logs.sanitizeStatus();
        boolean shows = Terminal.onStandardError();
        while (waits && status.inProgress()) {
            XalOptions.stopIfInterrupted();
            if (shows) {
                System.err.printf(Locale.ROOT, "\rsanitizing: %.1f %%", 100 * status.progress());
            }
            LockSupport.parkNanos(LOOK_NANOS);
            status = logs.sanitizeStatus();
        }
        if (shows && waits) {
            System.err.print("\r\033[K");
        }
        return status;
    }

    /** What was asked for; what makes no sense of any controller is a fault of the command line. */
    private Sanitize sanitize() {
        try {
            if (pattern >>> 32 != 0) {
                throw new IllegalArgumentException("a pattern of more than 32 bits");
            }
            return new Sanitize(action, unrestricted, Math.toIntExact(passes), invert, noDeallocate, (int) pattern);
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }
}
