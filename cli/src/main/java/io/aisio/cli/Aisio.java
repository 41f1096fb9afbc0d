package io.aisio.cli;

import io.aisio.homi.HomiBackend;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/**
 * The command {@code aisio}, of which every tool is a subcommand.
 *
 * <p>A tool joins by its class in {@code subcommands} below. It inherits {@code --help}, how help is laid out, and
 * {@code --debug}; its exceptions become exit codes in {@link Failures}; Ctrl-C reaches it through {@link Interruption}.
 */
@Command(
        name = "./aisio",
        header = "User-space NVMe and the files on it, from Java.",
        usageHelpWidth = 100,
        synopsisHeading = "%nUsage: ",
        commandListHeading = "%nCommands:%n",
        optionListHeading = "%nOptions:%n",
        subcommands = {
            QuickstartCommand.class,
            DoctorCommand.class,
            DevbindCommand.class,
            HugepagesCommand.class,
            Xnvmeperf.class,
            DatasetCommand.class,
            Filperf.class,
            HomidCommand.class,
            HomiCommand.class,
            EmuCommand.class,
            ModelCommand.class,
            XalCommand.class,
            XnvmeCommand.class,
            WorkflowCommand.class,
            DistCommand.class,
            Train.class,
            HelpCommand.class
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  ./aisio quickstart",
            "  ./aisio xnvmeperf run --iopattern randread --qdepth 128 --iosize 512 --runtime 3 emu:null,1TiB",
            "",
            "A DEVICE is a name such as emu:1GiB (a software controller with memory),",
            "emu:null,1TiB (one that moves no data), emu:/path/to/image, /path/to/file, 0000:82:00.0 (a",
            "controller on the PCI bus that devbind gave to user space), vfu:/path/to/socket (vfio-user), or",
            "homi:NAME (queue pairs that homid leases)."
        },
        // What is the same in each of its commands.
        scope = ScopeType.INHERIT,
        mixinStandardHelpOptions = true)
public final class Aisio {
    @Option(
            names = "--debug",
            scope = ScopeType.INHERIT,
            description = "Show stack traces with errors (as AISIO_DEBUG=1 does).")
    private boolean debug;

    Aisio() {}

    /** Runs the command line and exits the JVM with its code, one of {@link Exit}'s. */
    public static void main(String[] args) {
        System.exit(Interruption.guard(() -> execute(args)));
    }

    private static int execute(String[] args) {
        Aisio root = new Aisio();
        Failures failures = new Failures(root::wantsTraces);
        CommandLine command = commandLine(root, failures);
        // By which people know its clients in the daemon's status and events.
        System.setProperty(HomiBackend.NAME, words(command, args));
        int exit;
        try {
            exit = command.execute(args);
        } catch (Error e) {
            // picocli hands on exceptions, but no errors.
            exit = failures.ownFault(e, command.getErr());
        }
        if (Interruption.requested() && exit != Exit.INTERRUPTED) {
            // It stopped early, and returned as if it were done: the JVM exits with 130 all the same.
            return failures.interrupted(command.getErr());
        }
        if (System.out.checkError() && exit == Exit.DONE) {
            return failures.lostOutput(command.getErr());
        }
        return exit;
    }

    /** The words of a command line that say which command it is: {@code xnvmeperf run}. */
    static String words(CommandLine command, String... args) {
        List<String> words = new ArrayList<>();
        CommandLine here = command;
        for (String arg : args) {
            CommandLine next = here.getSubcommands().get(arg);
            if (next != null) {
                words.add(arg);
                here = next;
            } else if (!arg.startsWith("-")) {
                break;
            }
        }
        return String.join(" ", words);
    }

    /** The command line with all that its subcommands share: how errors are told, and no colours. */
    static CommandLine commandLine(Aisio root, Failures failures) {
        CommandLine command = new CommandLine(root);
        tellVersion(command.getCommandSpec());
        return command.setColorScheme(CommandLine.Help.defaultColorScheme(Ansi.OFF))
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler(failures)
                .setExecutionExceptionHandler(failures);
    }

    /** Every command has {@code --version}, and there is only one. */
    private static void tellVersion(CommandSpec spec) {
        spec.versionProvider(new Version());
        spec.subcommands().values().forEach(sub -> tellVersion(sub.getCommandSpec()));
    }

    private boolean wantsTraces() {
        return debug || "1".equals(System.getenv("AISIO_DEBUG"));
    }
}
