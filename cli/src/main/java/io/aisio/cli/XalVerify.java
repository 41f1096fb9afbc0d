package io.aisio.cli;

import io.aisio.bench.VolumeVerify;
import io.aisio.xal.Comparison;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.core.JsonGenerator;

/** {@code xal verify}: two ways to find files' bytes, compared. */
@Command(
        name = "verify",
        header = "Compares what the blocks of a file system say with what its kernel says.",
        description = {
            "%nOf an image: it is mounted to read, which takes root. Names, inodes and maps of all files are compared,"
                    + " as its blocks and as the kernel tell them (XFS), and each file's bytes as the kernel reads them"
                    + " with those that the device holds where its extents lie.",
            "%nOf a directory of a mounted file system: the same, its blocks read past the kernel's cache of its device."
                    + " What changes meanwhile is looked at again, and counted apart if it does not rest; where nobody can write, that is a difference. XFS writes its"
                    + " metadata in place up to a minute after it logged them, which is waited for; --freeze has it done"
                    + " at once, and keeps everybody from writing until the end.",
            "%nA difference is a line on standard error, and the exit code is then 1."
        },
        footer = {"  ./aisio xal verify /data/set.img", "  ./aisio xal verify --freeze --output json /mnt/data"})
final class XalVerify implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.xal.verify/1";

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Option(names = "--freeze", description = "Freeze the mounted file system meanwhile (fsfreeze(8)); takes root.")
    private boolean freeze;

    @Parameters(
            index = "0",
            paramLabel = "WHERE",
            description = "An image of a file system, or a directory of one that is mounted.")
    @SuppressWarnings("NullAway.Init")
    private Path where;

    @Override
    public Integer call() throws IOException {
        VolumeVerify.Report report;
        try (Progress progress = Progress.onStandardError()) {
            report = VolumeVerify.run(where, freeze, new Teller(progress));
        }
        if (report.maps().unsettled() > 0) {
            System.err.println(Failures.line(report.maps().unsettled()
                    + " names could not be compared: XFS has not written in place what its log holds of them,"
                    + (freeze ? " though it is frozen" : "; --freeze makes it do so")));
        }
        if (report.nothingCompared()) {
            System.err.println(Failures.line("nothing was compared: the device holds the bytes of no file as they are,"
                    + " and maps were not compared " + report.mapsNotCompared()));
        }
        if (output == Output.json) {
            json(report);
        } else {
            human(report);
        }
        return report.ok() ? Exit.DONE : Exit.FAILED;
    }

    private static void human(VolumeVerify.Report report) throws IOException {
        Comparison.Counts m = report.maps();
        Comparison.Counts b = report.bytes();
        try (StandardOutput out = new StandardOutput()) {
            out.line("read   " + report.device());
            out.line(
                    report.mapsNotCompared().isEmpty()
                            ? ("maps   %d entries, %d extents: %d differences, %d unreadable, %d changed meanwhile, %d not"
                                            + " in place")
                                    .formatted(
                                            m.entries(),
                                            m.extents(),
                                            m.differences(),
                                            m.damaged(),
                                            m.changed(),
                                            m.unsettled())
                            : "maps   not compared: " + report.mapsNotCompared());
            out.line(("bytes  %d files, %d bytes, %d of them not on the device as they are: %d differences, %d"
                            + " unreadable, %d changed meanwhile")
                    .formatted(b.entries(), b.bytes(), b.elsewhere(), b.differences(), b.damaged(), b.changed()));
        }
    }

    private void json(VolumeVerify.Report report) throws IOException {
        Comparison.Counts m = report.maps();
        Comparison.Counts b = report.bytes();
        try (JsonGenerator json = StandardOutput.json()) {
            json.writeStartObject();
            json.writeStringProperty("schema", SCHEMA);
            json.writeStringProperty("device", where.toString());
            json.writeStringProperty("read", report.device());
            json.writeStringProperty("maps_not_compared", report.mapsNotCompared());
            json.writeNumberProperty("entries", m.entries());
            json.writeNumberProperty("extents", m.extents());
            json.writeNumberProperty("files", b.entries());
            json.writeNumberProperty("bytes", b.bytes());
            json.writeNumberProperty("elsewhere", b.elsewhere());
            json.writeNumberProperty("changed", m.changed() + b.changed());
            json.writeNumberProperty("unsettled", m.unsettled());
            json.writeNumberProperty("differences", report.differences());
            json.writeNumberProperty("damaged", report.damaged());
            json.writeBooleanProperty("ok", report.ok());
            json.writeEndObject();
            json.writeRaw('\n');
        }
    }

    /** Tells differences as they are found. */
    private record Teller(Progress progress) implements Comparison.Listener {
        @Override
        public void differs(String path, String what, String first, String second) {
            line(path + ": " + what + " differs: " + first + ", " + second);
        }

        @Override
        public void damaged(String path, IOException problem) {
            line(path + ": " + Failures.message(problem));
        }

        @Override
        public void progress(String doing) {
            progress.show(doing);
        }

        private void line(String text) {
            progress.close();
            System.err.println(Failures.line(text));
        }
    }
}
