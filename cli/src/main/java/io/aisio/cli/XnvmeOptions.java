package io.aisio.cli;

import io.aisio.bench.DataAtRisk;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.command.LbaRange;
import io.aisio.xnvme.DeviceUri;
import java.io.Console;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

/** What the commands of {@code xnvme} have in common: their device, the form of their output, their guards. */
final class XnvmeOptions {
    private XnvmeOptions() {}

    /** The device and the form of the output. */
    static final class Target {
        @Parameters(
                index = "0",
                paramLabel = "DEVICE",
                description = "Such as emu:1GiB, 0000:82:00.0, /dev/nvme0n1, /dev/ng0n1, vfu:/path/to/socket.")
        @SuppressWarnings("NullAway.Init") // picocli sets it
        String device;

        @Option(
                names = "--output",
                defaultValue = "text",
                paramLabel = "FORMAT",
                description = "text, yaml or json (text).")
        @SuppressWarnings("NullAway.Init")
        XnvmeReport.Format output;

        /** Opens it to be looked at. */
        XnvmeTarget open() throws IOException {
            return XnvmeTarget.open(device, false);
        }
    }

    /** What stands before a command that destroys data. */
    static final class Destroying {
        @Option(
                names = DataAtRisk.FLAG,
                description = "Do it on a device that keeps data: what it holds may be destroyed.")
        boolean destroyData;

        @Option(names = "--dry-run", description = "Check, and print the commands instead of sending them.")
        boolean dryRun;

        /**
         * Checks that a device may be written, and opens it.
         *
         * @throws IllegalArgumentException if that was not asked for
         * @throws IOException if it is in use, or cannot be opened
         */
        XnvmeTarget open(Target target) throws IOException {
            XnvmeGuard.refuseIfUsed(target.device, false);
            DataAtRisk.check(List.of(target.device), destroyData || dryRun);
            return XnvmeTarget.open(target.device, !dryRun);
        }

        /** Where commands go: to the device, or, if it is a trial, to the report. */
        Passthrough commands(XnvmeTarget target) throws IOException {
            return dryRun ? new XnvmeTrial(target.commands()) : target.commands();
        }

        /** Tells what was sent, or would have been. */
        void tell(XnvmeReport report, Passthrough commands) {
            report.put("dry_run", dryRun);
            if (commands instanceof XnvmeTrial trial) {
                report.put("commands", trial.held());
            }
        }
    }

    /** What stands before a command that destroys all that a controller holds. */
    static final class Erasing {
        @Option(
                names = "--serial",
                paramLabel = "SERIAL",
                description =
                        "The controller's serial number, which ./aisio xnvme info shows: that all of it may be lost."
                                + " On a terminal it is asked for if not given.")
        private @Nullable String serial;

        @Option(names = "--dry-run", description = "Check, and print the commands instead of sending them.")
        boolean dryRun;

        /**
         * Checks that nobody uses anything of the controller, and opens it.
         *
         * @throws IOException if somebody does, or it cannot be opened
         */
        XnvmeTarget open(Target target) throws IOException {
            XnvmeGuard.refuseIfUsed(target.device, true);
            DataAtRisk.check(List.of(target.device), true);
            return XnvmeTarget.open(target.device, !dryRun);
        }

        /**
         * Checks that the serial number is the right one, asking for it on a terminal.
         *
         * @param right the controller's
         * @throws IllegalArgumentException if it is not
         */
        @SuppressWarnings("SystemConsoleNull") // The JDK's documentation still allows for none.
        void check(XnvmeTarget target, String right, String what) {
            if (dryRun || !DataAtRisk.keepsData(DeviceUri.parse(target.name()))) {
                return;
            }
            String typed = serial;
            Console console = System.console();
            if (typed == null && console != null && console.isTerminal()) {
                typed = console.readLine("%s%nType its serial number, %s, to go on: ", what, Printable.of(right));
            }
            if (typed == null) {
                throw new IllegalArgumentException(target.name() + ": " + what
                        + "; add --serial and its serial number, which './aisio xnvme info " + target.name()
                        + "' shows, if all of that may be lost");
            }
            if (!typed.strip().equals(right)) {
                throw new IllegalArgumentException(
                        target.name() + ": '" + typed.strip() + "' is not its serial number; nothing was done");
            }
        }

        /** Where commands go: to the device, or, if it is a trial, to the report. */
        Passthrough commands(XnvmeTarget target) throws IOException {
            return dryRun ? new XnvmeTrial(target.commands()) : target.commands();
        }

        /** Tells what was sent, or would have been. */
        void tell(XnvmeReport report, Passthrough commands) {
            report.put("dry_run", dryRun);
            if (commands instanceof XnvmeTrial trial) {
                report.put("commands", trial.held());
            }
        }
    }

    /** A whole number, in decimal or after {@code 0x}. */
    static final class Whole implements ITypeConverter<Long> {
        @Override
        public Long convert(String text) {
            try {
                return text.startsWith("0x") ? Long.parseUnsignedLong(text.substring(2), 16) : Long.parseLong(text);
            } catch (NumberFormatException e) {
                throw new TypeConversionException("'" + text + "' is no number such as 8 or 0x08");
            }
        }
    }

    /** Logical blocks: {@code 8:16} are 16 from LBA 8 on; {@code 8} is one. */
    static final class Blocks implements ITypeConverter<LbaRange> {
        @Override
        public LbaRange convert(String text) {
            try {
                String[] parts = text.split(":", -1);
                if (parts.length <= 2) {
                    Whole whole = new Whole();
                    return new LbaRange(whole.convert(parts[0]), parts.length == 1 ? 1 : whole.convert(parts[1]));
                }
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException("'" + text + "': " + e.getMessage());
            }
            throw new TypeConversionException("'" + text + "' is no LBA:BLOCKS such as 8:16");
        }
    }

    /** Ranges for a report. */
    static List<Object> ranges(List<LbaRange> ranges) {
        List<Object> all = new ArrayList<>();
        ranges.forEach(range -> all.add(XnvmeReport.components(range)));
        return all;
    }
}
