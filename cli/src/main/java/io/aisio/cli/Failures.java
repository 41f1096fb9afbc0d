package io.aisio.cli;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;
import tools.jackson.core.exc.JacksonIOException;

/**
 * Tells a person what went wrong: one line on standard error, and the exit code. What could not be given back meanwhile
 * (a mount, a freeze) is a line of its own each.
 *
 * <pre>
 *   ParameterException                       the line, "see ./aisio … --help"    {@link Exit#USAGE}
 *   IOException, IllegalArgumentException    its message, written for people     {@link Exit#FAILED}
 *   after Ctrl-C, anything                   "interrupted"                       {@link Exit#INTERRUPTED}
 *   anything else                            ours: how to get the trace          {@link Exit#INTERNAL}
 * </pre>
 */
final class Failures implements IParameterExceptionHandler, IExecutionExceptionHandler {
    private final BooleanSupplier debug;

    /** @param debug whether stack traces are wanted; asked when something has failed, as the option may come late */
    Failures(BooleanSupplier debug) {
        this.debug = debug;
    }

    /** A command line that cannot be understood. */
    @Override
    public int handleParseException(ParameterException e, String[] args) {
        CommandLine command = e.getCommandLine();
        PrintWriter err = command.getErr();
        if (e.getMessage() == null || e.getMessage().startsWith("Missing required subcommand")) {
            command.usage(err);
        } else {
            say(err, usage(e) + "; see " + command.getCommandSpec().qualifiedName() + " --help");
            trace(err, e);
        }
        return Exit.USAGE;
    }

    /** A command that threw. */
    @Override
    public int handleExecutionException(Exception e, CommandLine command, @Nullable ParseResult parsed) {
        PrintWriter err = command.getErr();
        Throwable cause = unwrap(e);
        Set<String> left = left(e);
        int exit;
        if (Interruption.requested()) {
            exit = interrupted(err);
            trace(err, cause);
        } else if (cause instanceof IOException || cause instanceof IllegalArgumentException) {
            String message = message(cause);
            left.remove(message);
            say(err, message);
            trace(err, cause);
            exit = Exit.FAILED;
        } else {
            exit = ownFault(cause, err);
        }
        left.forEach(line -> say(err, line));
        return exit;
    }

    /** Whether it is for a person; what has several lines, such as a log of the kernel's, is for the trace. */
    private static boolean isLine(@Nullable String message) {
        return message != null && message.lines().count() == 1;
    }

    /** What could not be given back on the way out, such as what is still mounted: a person has to do it. */
    private static Set<String> left(Throwable thrown) {
        Set<String> left = new LinkedHashSet<>();
        for (Throwable e = thrown; e != null; e = e.getCause()) {
            for (Throwable closing : e.getSuppressed()) {
                Throwable cause = unwrap(closing);
                if (cause instanceof IOException
                        && !(cause instanceof InterruptedIOException)
                        && isLine(cause.getMessage())) {
                    left.add(message(cause));
                }
                left.addAll(left(closing));
            }
        }
        return left;
    }

    /** A fault of AiSIO's own: a person can only report it. */
    int ownFault(Throwable e, PrintWriter err) {
        say(
                err,
                "a fault of its own: " + e
                        + (debug.getAsBoolean() ? "" : "; run it again with --debug for the trace, and report it"));
        trace(err, e);
        return Exit.INTERNAL;
    }

    /** A command that Ctrl-C stopped. */
    int interrupted(PrintWriter err) {
        say(err, "interrupted");
        return Exit.INTERRUPTED;
    }

    /** A command that did its work, but whose output went nowhere: Java's standard output does not tell why. */
    int lostOutput(PrintWriter err) {
        say(err, StandardOutput.LOST);
        return Exit.FAILED;
    }

    private static String usage(ParameterException e) {
        if (e instanceof UnmatchedArgumentException unmatched
                && !unmatched.getUnmatched().isEmpty()) {
            String word = unmatched.getUnmatched().getFirst();
            boolean group = !e.getCommandLine().getSubcommands().isEmpty()
                    || e.getCommandLine().getCommandSpec().parent() == null;
            String kind = unmatched.isUnknownOption() ? "option" : group ? "command" : "argument";
            List<String> near = unmatched.getSuggestions();
            return "no " + kind + " '" + word + "'"
                    + (near.isEmpty() ? "" : " (perhaps " + String.join(" or ", near) + ")");
        }
        return decapitalize(firstLine(Objects.requireNonNull(e.getMessage())));
    }

    /** Whatever only carries another exception from a place where it could not be thrown. */
    private static Throwable unwrap(Throwable e) {
        Throwable cause = e.getCause();
        return cause != null
                        && (e instanceof UncheckedIOException
                                || e instanceof ExecutionException
                                || e instanceof JacksonIOException)
                ? unwrap(cause)
                : e;
    }

    /** The JDK's file exceptions say only the path; the reason is in their type. */
    static String message(Throwable e) {
        String reason = switch (e) {
            case FileSystemException said when said.getReason() != null -> said.getReason();
            case NoSuchFileException _ -> "no such file";
            case AccessDeniedException _ -> "permission denied";
            case FileAlreadyExistsException _ -> "already exists";
            default -> null;
        };
        if (reason != null) {
            return ((FileSystemException) e).getFile() + ": " + reason;
        }
        String message = e.getMessage();
        return message == null ? e.getClass().getSimpleName() : firstLine(message);
    }

    /** How anything that went wrong is told, also where a command goes on after it. */
    static String line(String text) {
        return "aisio: " + Printable.of(text);
    }

    private static void say(PrintWriter err, String line) {
        err.println(line(line));
    }

    private void trace(PrintWriter err, Throwable e) {
        if (debug.getAsBoolean()) {
            e.printStackTrace(err);
        }
    }

    private static String firstLine(String text) {
        return text.lines().findFirst().orElse("");
    }

    private static String decapitalize(String text) {
        boolean word = text.length() > 1 && Character.isLowerCase(text.charAt(1));
        return word ? Character.toLowerCase(text.charAt(0)) + text.substring(1) : text;
    }
}
