package io.aisio.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/**
 * The command {@code aisio}, of which every tool is a subcommand.
 *
 * <p>A tool joins by its class in {@code subcommands} below. It inherits {@code --help} and {@code --debug}; its
 * exceptions become exit codes in {@link Failures}; Ctrl-C reaches it through {@link Interruption}.
 */
@Command(
        name = "./aisio",
        header = "User-space NVMe and the files on it, from Java.",
        synopsisHeading = "%nUsage: ",
        commandListHeading = "%nCommands:%n",
        optionListHeading = "%nOptions:%n",
        subcommands = {},
        footerHeading = "%nExamples:%n",
        footer = {
            "  ./aisio --version",
            "",
            "A DEVICE is a name such as emu:1GiB (a software controller with memory),",
            "emu:null,1TiB (one that moves no data), emu:/path/to/image, or /path/to/file."
        },
        versionProvider = Version.class)
public final class Aisio {
    @SuppressWarnings("unused") // picocli acts on it
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            scope = ScopeType.INHERIT,
            description = "Show this and exit.")
    private boolean help;

    @SuppressWarnings("unused") // picocli acts on it
    @Option(
            names = {"-V", "--version"},
            versionHelp = true,
            description = "Show the versions of AiSIO, Java and the system, and exit.")
    private boolean version;

    @Option(
            names = "--debug",
            scope = ScopeType.INHERIT,
            description = "Show stack traces with errors (as AISIO_DEBUG=1 does).")
    private boolean debug;

    private Aisio() {}

    /** Runs the command line and exits the JVM with its code, one of {@link Exit}'s. */
    public static void main(String[] args) {
        System.exit(Interruption.guard(() -> commandLine().execute(args)));
    }

    /** The command line with all that its subcommands share: how errors are told, and no colours. */
    static CommandLine commandLine() {
        boolean debug = "1".equals(System.getenv("AISIO_DEBUG"));
        Aisio root = new Aisio();
        Failures failures = new Failures(() -> debug || root.debug);
        // Whether there is a terminal is asked where it matters (Progress): asking costs a start 50 ms.
        return new CommandLine(root)
                .setColorScheme(CommandLine.Help.defaultColorScheme(Ansi.OFF))
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler(failures)
                .setExecutionExceptionHandler(failures);
    }
}
