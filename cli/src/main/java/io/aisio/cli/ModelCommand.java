package io.aisio.cli;

import io.aisio.bench.LinkChart;
import io.aisio.linux.Terminal;
import io.aisio.nvme.link.Ceiling;
import io.aisio.nvme.link.Ceiling.Limit;
import io.aisio.nvme.link.DataPath;
import io.aisio.nvme.link.NvmeTraffic;
import io.aisio.nvme.link.PcieLink;
import io.aisio.nvme.link.PublishedFigure;
import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code model}: what the links between SSDs, a switch and a GPU let through. */
@Command(
        name = "model",
        header = "Computes what PCIe links let through: IOPS and GB/s for each size of I/O.",
        description = {
            "%nA LINK is its generation and lanes, gen5x4; then, if it is not 256, the largest payload of a packet in"
                    + " bytes, gen5x16@64; and how many times slower it is to be, gen5x4/1000."
        },
        footer = {
            "  ./aisio model --ssds 3",
            "  ./aisio model --ssds 16 --gpu none --iosize 512,4KiB --output json",
            "  ./aisio model --published"
        })
final class ModelCommand implements Callable<Integer> {
    private static final String NONE = "none";

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Option(
            names = "--ssds",
            defaultValue = "4",
            paramLabel = "N",
            converter = XnvmeperfOptions.Whole.class,
            description = "How many SSDs are driven at once (4).")
    private int ssds;

    @Option(
            names = "--ssd",
            defaultValue = "gen5x4",
            paramLabel = "LINK",
            converter = Link.class,
            description = "The link of each (gen5x4).")
    @SuppressWarnings("NullAway.Init")
    private PcieLink ssd;

    @Option(
            names = "--ssd-iops",
            defaultValue = "0",
            paramLabel = "N",
            converter = XnvmeperfOptions.Whole.class,
            description = "What one can do at most whatever its link (no limit).")
    private int ssdIops;

    @Option(
            names = "--switch",
            paramLabel = "LINK",
            converter = Link.class,
            description = "The link of the switch that they are on, if the data crosses it (none).")
    private @Nullable PcieLink switchLink;

    @Option(
            names = "--gpu",
            defaultValue = "gen5x16@64",
            paramLabel = "LINK",
            description = "The link of the GPU whose memory it is, or none for the host's (gen5x16@64).")
    @SuppressWarnings("NullAway.Init")
    private String gpu;

    @Option(names = "--gpu-queues", description = "The queues are in the GPU's memory, not in the host's.")
    private boolean gpuQueues;

    @Option(
            names = "--iosize",
            split = ",",
            defaultValue = "512,1KiB,2KiB,4KiB,8KiB,16KiB,64KiB,128KiB",
            paramLabel = "SIZE",
            converter = XnvmeperfOptions.Bytes.class,
            description = "Sizes of an I/O, with commas between (512 to 128KiB).")
    @SuppressWarnings("NullAway.Init")
    private List<Long> sizes;

    @Option(names = "--write", description = "The SSDs are written; else they are read.")
    private boolean write;

    @Option(
            names = "--max-read-request",
            defaultValue = "512",
            paramLabel = "BYTES",
            converter = XnvmeperfOptions.Whole.class,
            description = "What an SSD asks for at once (512).")
    private int maxReadRequest;

    @Option(
            names = "--fetch",
            defaultValue = "1",
            paramLabel = "N",
            converter = XnvmeperfOptions.Whole.class,
            description = "SQEs that it fetches at once (1).")
    private int fetch;

    @Option(
            names = "--batch",
            defaultValue = "1",
            paramLabel = "N",
            converter = XnvmeperfOptions.Whole.class,
            description = "Commands for which each doorbell is rung once (1).")
    private int batch;

    @Option(names = "--published", description = "Set the model beside published measurements, and nothing else.")
    private boolean published;

    @Option(names = "--plot", description = "Draw bars also where standard output is no terminal.")
    private boolean plot;

    @Option(names = "--svg", paramLabel = "FILE", description = "Draw a chart into a new file.")
    private @Nullable Path svg;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private OutputFormat output;

    /** {@code gen5x4} and the like. */
    static final class Link implements ITypeConverter<PcieLink> {
        @Override
        public PcieLink convert(String text) {
            try {
                return PcieLink.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(String.valueOf(e.getMessage()));
            }
        }
    }

    @Override
    public Integer call() throws IOException {
        if (published) {
            comparePublished();
            return Exit.DONE;
        }
        DataPath path;
        List<Ceiling> ceilings;
        try {
            path = path();
            ceilings = sizes.stream().map(size -> path.ceiling(write, size)).toList();
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
        LinkChart chart = new LinkChart(path, write, ceilings);
        if (svg != null) {
            draw(chart, svg);
        }
        if (output.human()) {
            human(path, ceilings, chart);
        } else {
            report(path, ceilings).print(output.format());
        }
        return Exit.DONE;
    }

    private DataPath path() {
        PcieLink last = gpu.equals(NONE) ? null : PcieLink.parse(gpu);
        if (gpuQueues && last == null) {
            throw new IllegalArgumentException("--gpu-queues with --gpu none: leave out one of both");
        }
        return new DataPath(
                ssds, ssd, ssdIops, switchLink, last, gpuQueues, new NvmeTraffic(maxReadRequest, fetch, batch));
    }

    private static void draw(LinkChart chart, Path file) throws IOException {
        try {
            Files.writeString(file, chart.svg(), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        } catch (FileAlreadyExistsException e) {
            throw new IOException(file + " is there already, and is left as it is; name a new file", e);
        }
        System.err.println("note: drew " + file);
    }

    private void human(DataPath path, List<Ceiling> ceilings, LinkChart chart) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            out.line(LinkChart.describe(path) + ", " + (write ? "writes" : "reads"));
            out.line("");
            TextTable table = new TextTable(
                    "I/O SIZE", "IOPS", "DATA", "ON THE WIRE", "RATIO", "COUNTED BY A GPU", "RATIO", "LIMITED BY");
            for (Ceiling ceiling : ceilings) {
                table.add(
                        ByteSize.format(ceiling.ioBytes()),
                        LinkChart.perSecond(ceiling.iops()),
                        LinkChart.bytesPerSecond(ceiling.payloadBytesPerSecond()),
                        LinkChart.bytesPerSecond(ceiling.wireBytesPerSecond()),
                        ratio(ceiling.wireRatio()),
                        LinkChart.bytesPerSecond(ceiling.countedBytesPerSecond()),
                        ratio(ceiling.countedRatio()),
                        LinkChart.name(ceiling.limitedBy()));
            }
            table.print(out);
            out.line("");
            each(ceilings).print(out);
            if (plot || Terminal.onStandardOutput()) {
                out.line("");
                for (String line : chart.bars()) {
                    out.line(line);
                }
            }
        }
    }

    /** What each part of the path would let through alone. */
    private static TextTable each(List<Ceiling> ceilings) {
        List<Limit> parts = List.copyOf(ceilings.getFirst().each().keySet());
        List<String> headings = new ArrayList<>(List.of("ALONE"));
        parts.forEach(part -> headings.add(LinkChart.name(part).toUpperCase(Locale.ROOT)));
        TextTable table = new TextTable(headings.toArray(String[]::new));
        for (Ceiling ceiling : ceilings) {
            List<String> cells = new ArrayList<>(List.of(ByteSize.format(ceiling.ioBytes())));
            for (Limit part : parts) {
                double iops = ceiling.each().getOrDefault(part, 0.0);
                cells.add(LinkChart.perSecond(iops) + " IOPS, " + LinkChart.bytesPerSecond(iops * ceiling.ioBytes()));
            }
            table.add(cells.toArray(String[]::new));
        }
        return table;
    }

    private static String ratio(double value) {
        return String.format(Locale.ROOT, "%.3f", value);
    }

    private XnvmeReport report(DataPath path, List<Ceiling> ceilings) {
        List<Object> all = new ArrayList<>();
        for (Ceiling ceiling : ceilings) {
            Map<String, @Nullable Object> one = new LinkedHashMap<>();
            one.put("io_bytes", ceiling.ioBytes());
            one.put("iops", Math.round(ceiling.iops()));
            one.put("data_bytes_per_second", Math.round(ceiling.payloadBytesPerSecond()));
            one.put("wire_bytes_per_second", Math.round(ceiling.wireBytesPerSecond()));
            one.put("wire_ratio", rounded(ceiling.wireRatio()));
            one.put("counted_bytes_per_second", Math.round(ceiling.countedBytesPerSecond()));
            one.put("counted_ratio", rounded(ceiling.countedRatio()));
            one.put("limited_by", ceiling.limitedBy().name());
            Map<String, @Nullable Object> alone = new LinkedHashMap<>();
            ceiling.each().forEach((part, iops) -> alone.put(part.name(), Math.round(iops)));
            one.put("iops_alone", alone);
            all.add(one);
        }
        return XnvmeReport.of("model", "ceilings")
                .put("ssds", path.ssds())
                .put("ssd", path.ssd().toString())
                .put("ssd_iops", ssdIops == 0 ? null : ssdIops)
                .put("switch", text(path.switchLink()))
                .put("gpu", text(path.gpu()))
                .put("queues", path.queuesOnGpu() ? "gpu" : "host")
                .put("write", write)
                .put("max_read_request", maxReadRequest)
                .put("fetch", fetch)
                .put("batch", batch)
                .put("ceilings", all);
    }

    private static @Nullable String text(@Nullable PcieLink link) {
        return link == null ? null : link.toString();
    }

    private static double rounded(double value) {
        return Math.round(value * 1e4) / 1e4;
    }

    private void comparePublished() throws IOException {
        String others = spec.commandLine().getParseResult().matchedOptions().stream()
                .map(OptionSpec::longestName)
                .filter(name -> !name.equals("--published") && !name.equals("--output"))
                .distinct()
                .collect(Collectors.joining(", "));
        if (!others.isEmpty()) {
            throw new ParameterException(
                    spec.commandLine(), "--published takes no option but --output: leave out " + others);
        }
        List<PublishedFigure> figures = PublishedFigure.all();
        if (output.human()) {
            TextTable table = new TextTable("MEASURED", "PUBLISHED", "MODEL", "UNIT", "OFF BY", "RESTS ON");
            for (PublishedFigure figure : figures) {
                table.add(
                        figure.name(),
                        ratio(figure.published()),
                        ratio(figure.model()),
                        figure.unit(),
                        String.format(Locale.ROOT, "%+.1f %%", figure.deviation() * 100),
                        figure.note());
            }
            try (StandardOutput out = new StandardOutput()) {
                table.print(out);
            }
            return;
        }
        List<Object> all = new ArrayList<>();
        for (PublishedFigure figure : figures) {
            Map<String, @Nullable Object> one = new LinkedHashMap<>();
            one.put("name", figure.name());
            one.put("unit", figure.unit());
            one.put("published", figure.published());
            one.put("model", rounded(figure.model()));
            one.put("deviation", rounded(figure.deviation()));
            one.put("rests_on", figure.note());
            all.add(one);
        }
        XnvmeReport.of("model", "published").put("figures", all).print(output.format());
    }
}
