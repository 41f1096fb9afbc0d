package io.aisio.cli;

import io.aisio.homi.HomiControl;
import io.aisio.homi.HomiExtents;
import io.aisio.homi.daemon.FileSystemStatus;
import io.aisio.xal.Extent;
import io.aisio.xal.FileExtents;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code homi extents}: where files lie, by the daemon's index. */
@Command(
        name = "extents",
        header = "Tells where files of a mounted file system lie, by the index that the daemon shares.",
        description = {
            "%nWithout a path, the file systems and how their indexes are. With paths, the extents of each file, in"
                    + " sectors of 512 bytes as xal bmap prints them, on the namespace: what is read there through homi:NAME"
                    + " is the file's. With --pin, the file is held still meanwhile, until Ctrl-C. The exit code is 1 if"
                    + " a file's extents are not current."
        },
        parameterListHeading = "%nWhere:%n",
        footer = {
            "  ./aisio homi extents",
            "  ./aisio homi extents /mnt/data /train/0001.jpg",
            "  ./aisio homi extents --pin --output json /mnt/data /train/0001.jpg"
        })
final class HomiExtentsCommand implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private HomiOptions options;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private OutputFormat output;

    @Option(names = "--pin", description = "Hold the files still until Ctrl-C.")
    private boolean pin;

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "MOUNT",
            description = "The file system, as the daemon's configuration has it.")
    private @Nullable String mount;

    @Parameters(index = "1..*", paramLabel = "PATH", description = "Files, from its root.")
    private List<String> paths = List.of();

    @Override
    public Integer call() throws IOException {
        try (HomiControl control = options.open("extents")) {
            if (mount == null || paths.isEmpty()) {
                List<FileSystemStatus> all = control.fileSystems().stream()
                        .filter(one -> mount == null || one.mount().equals(mount))
                        .toList();
                if (mount != null && all.isEmpty()) {
                    throw new IOException(
                            "no extents are told of '" + mount
                                    + "'; next: ./aisio homi extents names what there is, and homid's configuration, [[extents]]");
                }
                return list(all);
            }
            try (HomiExtents extents = HomiExtents.open(control, mount)) {
                return files(extents);
            }
        }
    }

    private Integer list(List<FileSystemStatus> all) throws IOException {
        if (output.human()) {
            try (StandardOutput out = new StandardOutput()) {
                if (all.isEmpty()) {
                    out.line("The daemon tells extents of no file system: its configuration names them, [[extents]].");
                } else {
                    table(all).print(out);
                }
            }
        } else {
            XnvmeReport.of("homi", "extents").put("file_systems", all).print(output.format());
        }
        return Exit.DONE;
    }

    static TextTable table(List<FileSystemStatus> all) {
        TextTable table = new TextTable(
                "FILE SYSTEM", "DEVICE", "INDEX", "FILES", "READERS", "PINS", "CHANGES", "HOW, OR WHY NOT");
        for (FileSystemStatus one : all) {
            table.add(
                    one.mount(),
                    one.device() + "/" + one.nsid(),
                    one.state(),
                    Long.toString(one.files()),
                    Integer.toString(one.readers()),
                    Integer.toString(one.pins()),
                    Long.toString(one.changes()),
                    one.why().isEmpty() ? one.how() : one.why());
        }
        return table;
    }

    private Integer files(HomiExtents extents) throws IOException {
        List<Map<String, Object>> told = new ArrayList<>();
        boolean current = true;
        try (StandardOutput out = new StandardOutput()) {
            for (String path : paths) {
                FileExtents file = extents.index().extents(path);
                List<Extent> all = new ArrayList<>();
                long bytes = file.inode().size();
                if (pin) {
                    HomiExtents.Pinned pinned = extents.pin(path);
                    bytes = pinned.bytes();
                    all.addAll(pinned.extents());
                } else {
                    current &= extents.index().isCurrent(file);
                    for (Extent one : file.extents()) {
                        all.add(new Extent(one.offset(), one.position() + extents.offset(), one.length(), one.flags()));
                    }
                }
                if (output.human()) {
                    out.line(path + ": " + bytes + " bytes on homi:" + extents.device() + "/" + extents.nsid());
                    for (Extent extent : all) {
                        out.line(XalBmap.item(extent));
                    }
                } else {
                    told.add(described(path, bytes, all));
                }
            }
        }
        if (!output.human()) {
            XnvmeReport.of("homi", "extents.files")
                    .put("device", extents.device())
                    .put("nsid", extents.nsid())
                    .put("current", current)
                    .put("pinned", pin)
                    .put("files", told)
                    .print(output.format());
        }
        if (pin) {
            System.err.println("note: held still until Ctrl-C");
            return HomiLease.hold();
        }
        if (!current) {
            System.err.println(Failures.line("the extents are not current; ask again, or --pin the files"));
        }
        return current ? Exit.DONE : Exit.FAILED;
    }

    private static Map<String, Object> described(String path, long bytes, List<Extent> extents) {
        Map<String, Object> file = new LinkedHashMap<>();
        file.put("path", path);
        file.put("bytes", bytes);
        List<Object> all = new ArrayList<>();
        for (Extent extent : extents) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("offset", extent.offset());
            one.put("position", extent.position());
            one.put("length", extent.length());
            one.put("flags", extent.flagNames());
            all.add(one);
        }
        file.put("extents", all);
        return file;
    }
}
