package io.aisio.cli;

import io.aisio.bench.LoopMount;
import io.aisio.xal.Comparison;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.Placement;
import io.aisio.xal.Xal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import tools.jackson.core.JsonGenerator;

/** {@code xal verify}: two ways to find files' bytes, compared. */
@Command(
        name = "verify",
        header = "Compares what the blocks of a file system say with what its kernel says.",
        description = {
            "%nOf an image: it is mounted to read, which takes root. Names, inodes and maps of all files are compared,"
                    + " as its blocks and as the kernel tell them (XFS), and each file's bytes as the kernel reads them"
                    + " with those that the device holds where its extents lie.",
            "%nOf a directory of a mounted file system: the bytes only, on the device beneath, which should not have"
                    + " been read through its own cache before. Files that change meanwhile are counted apart. A difference"
                    + " is a line on standard error, and the exit code is then 1."
        },
        usageHelpWidth = 100,
        synopsisHeading = "%nUsage: ",
        parameterListHeading = "%nWhere:%n",
        optionListHeading = "%nOptions:%n",
        footerHeading = "%nExamples:%n",
        footer = {"  ./aisio xal verify /data/set.img", "  ./aisio xal verify --output json /mnt/data"},
        mixinStandardHelpOptions = true)
final class XalVerify implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.xal.verify/1";

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XalOptions options;

    private final Comparison maps = new Comparison(new Teller());
    private final Comparison bytes = new Comparison(new Teller());

    @Override
    public Integer call() throws IOException {
        Path where = Path.of(options.where());
        if (Files.isDirectory(where)) {
            mounted(where);
        } else if (Files.isRegularFile(where)) {
            image(where);
        } else {
            throw new IOException(where + ": name an image of a file system, or a directory of one that is mounted");
        }
        return report();
    }

    private void mounted(Path directory) throws IOException {
        try (Xal mounted = Xal.mounted(directory, true);
                FileBlocks device =
                        FileBlocks.open(Path.of("/dev", Placement.of(mounted).device()))) {
            bytes.bytes(mounted, device);
        }
    }

    private void image(Path image) throws IOException {
        try (LoopMount mount = LoopMount.toRead(image);
                Xal mounted = Xal.mounted(mount.folder(), true);
                FileBlocks device = FileBlocks.open(image)) {
            if (mounted.volume().type().equals("xfs")) {
                try (Xal onDisk = Xal.open(device)) {
                    maps.maps(onDisk, mounted);
                }
            }
            bytes.bytes(mounted, device);
        }
    }

    private int report() throws IOException {
        Comparison.Counts m = maps.counts();
        Comparison.Counts b = bytes.counts();
        boolean ok = m.differences() + b.differences() + m.damaged() + b.damaged() == 0;
        if (options.json()) {
            try (JsonGenerator json = StandardOutput.json()) {
                json.writeStartObject();
                json.writeStringProperty("schema", SCHEMA);
                json.writeStringProperty("device", options.where());
                json.writeNumberProperty("entries", m.entries());
                json.writeNumberProperty("extents", m.extents());
                json.writeNumberProperty("files", b.entries());
                json.writeNumberProperty("bytes", b.bytes());
                json.writeNumberProperty("elsewhere", b.elsewhere());
                json.writeNumberProperty("changed", b.changed());
                json.writeNumberProperty("differences", m.differences() + b.differences());
                json.writeNumberProperty("damaged", m.damaged() + b.damaged());
                json.writeBooleanProperty("ok", ok);
                json.writeEndObject();
                json.writeRaw('\n');
            }
        } else {
            try (StandardOutput out = new StandardOutput()) {
                if (m.entries() > 0) {
                    out.line("maps   %d entries, %d extents: %d differences, %d unreadable"
                            .formatted(m.entries(), m.extents(), m.differences(), m.damaged()));
                }
                out.line("bytes  %d files, %d bytes, %d of them not on the device as they are: %d differences, %d"
                                .formatted(b.entries(), b.bytes(), b.elsewhere(), b.differences(), b.damaged())
                        + " unreadable, %d changed meanwhile".formatted(b.changed()));
            }
        }
        return ok ? Exit.DONE : Exit.FAILED;
    }

    /** Tells differences as they are found. */
    private static final class Teller implements Comparison.Listener {
        @Override
        public void differs(String path, String what, String first, String second) {
            System.err.println(Failures.line(path + ": " + what + " differs: " + first + ", " + second));
        }

        @Override
        public void damaged(String path, IOException problem) {
            System.err.println(Failures.line(path + ": " + Failures.message(problem)));
        }
    }
}
