package io.aisio.cli;

import io.aisio.bench.Doctor;
import io.aisio.bench.DoctorReport;
import io.aisio.bench.DoctorReport.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.core.JsonGenerator;

/** {@code doctor}: what this machine can do for AiSIO. */
@Command(
        name = "doctor",
        header = "Tells what this machine can do, what it lacks, and how to get it.",
        description = {
            "%nOne line for each capability, with the reason and the remedy, and then which of the three ways to do I/O"
                    + " this machine can go: CPU-initiated, CPU-initiated peer-to-peer with a GPU's memory, and"
                    + " device-initiated. What can be tried without harm is tried; as root, more can be seen. The exit"
                    + " code is 0 if all could be looked at, whatever was found."
        },
        footer = {"  ./aisio doctor", "  sudo ./aisio doctor --path /mnt/data --output json"})
final class DoctorCommand implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.doctor/1";

    @Option(
            names = "--path",
            defaultValue = ".",
            paramLabel = "PATH",
            description = "A file or directory of the file system to ask about (the working directory).")
    @SuppressWarnings("NullAway.Init")
    private Path path;

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Override
    public Integer call() throws IOException {
        if (!Files.exists(path)) {
            throw new IOException(path + ": no such file; name one, or a directory, of the file system to ask about");
        }
        DoctorReport report = Doctor.examine(path.toAbsolutePath().normalize());
        if (output == Output.json) {
            json(report);
        } else {
            human(report);
        }
        return report.complete() ? Exit.DONE : Exit.FAILED;
    }

    private static void human(DoctorReport report) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            out.line("Linux " + report.kernel() + ", " + report.architecture());
            out.line("");
            TextTable table = new TextTable("CAPABILITY", "", "REASON", "REMEDY");
            for (DoctorReport.Finding finding : report.findings()) {
                table.add(finding.name(), lower(finding.answer()), finding.reason(), finding.remedy());
            }
            table.print(out);
            out.line("");
            TextTable modes = new TextTable("I/O", "", "BY, OR WHAT IS MISSING");
            for (DoctorReport.Mode mode : report.modes()) {
                String[] start = {mode.name(), mode.possible() ? "yes" : "no"};
                for (String line : mode.possible() ? List.of(mode.how()) : mode.missing()) {
                    modes.add(start[0], start[1], line);
                    // What else is missing stands below.
                    start = new String[] {" ", " "};
                }
            }
            modes.print(out);
        }
    }

    private static String lower(Answer answer) {
        return answer.name().toLowerCase(Locale.ROOT);
    }

    private static void json(DoctorReport report) {
        try (JsonGenerator json = StandardOutput.json()) {
            json.writeStartObject();
            json.writeStringProperty("schema", SCHEMA);
            json.writeStringProperty("kernel", report.kernel());
            json.writeStringProperty("architecture", report.architecture());
            json.writeStringProperty("path", report.path());
            json.writeArrayPropertyStart("capabilities");
            for (DoctorReport.Finding finding : report.findings()) {
                json.writeStartObject();
                json.writeStringProperty("id", finding.id());
                json.writeStringProperty("name", finding.name());
                json.writeStringProperty("answer", lower(finding.answer()));
                json.writeStringProperty("reason", finding.reason());
                json.writeStringProperty("remedy", finding.remedy());
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeArrayPropertyStart("modes");
            for (DoctorReport.Mode mode : report.modes()) {
                json.writeStartObject();
                json.writeStringProperty("id", mode.id());
                json.writeStringProperty("name", mode.name());
                json.writeBooleanProperty("possible", mode.possible());
                json.writeStringProperty("how", mode.how());
                json.writeArrayPropertyStart("missing");
                mode.missing().forEach(json::writeString);
                json.writeEndArray();
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeEndObject();
            json.writeRaw('\n');
        }
    }
}
