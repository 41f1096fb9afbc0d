package io.aisio.cli;

import io.aisio.linux.Mounts;
import io.aisio.upcie.HugePages;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.core.JsonGenerator;

/** {@code hugepages info}: which there are, and where they are mounted. */
@Command(
        name = "info",
        header = "Tells which huge pages there are, of the machine and of each NUMA node.",
        description = {"%nAlso where hugetlbfs is mounted. Nothing is changed."},
        footer = {"  ./aisio hugepages info", "  ./aisio hugepages info --output json"})
final class HugepagesInfo implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.hugepages.info/1";

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Override
    public Integer call() throws IOException {
        List<HugePages.Pool> pools = new HugePages().pools();
        List<Mounts.Mount> mounts = Mounts.read().all().stream()
                .filter(mount -> mount.type().equals("hugetlbfs"))
                .toList();
        if (output == Output.json) {
            json(pools, mounts);
        } else {
            human(pools, mounts);
        }
        return Exit.DONE;
    }

    private static void human(List<HugePages.Pool> pools, List<Mounts.Mount> mounts) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            if (pools.isEmpty()) {
                out.line("This kernel has no huge pages.");
                return;
            }
            TextTable table = new TextTable("SIZE", "NODE", "TOTAL", "FREE", "RESERVED", "SURPLUS");
            for (HugePages.Pool pool : pools) {
                table.add(
                        size(pool.pageBytes()),
                        pool.node() < 0 ? "all" : Integer.toString(pool.node()),
                        Long.toString(pool.total()),
                        Long.toString(pool.free()),
                        pool.node() < 0 ? Long.toString(pool.reserved()) : "",
                        Long.toString(pool.surplus()));
            }
            table.print(out);
            for (Mounts.Mount mount : mounts) {
                out.line("hugetlbfs is mounted at " + mount.point() + " (" + mount.superOptions() + ")");
            }
            if (mounts.isEmpty()) {
                out.line("hugetlbfs is not mounted.");
            }
        }
    }

    private static void json(List<HugePages.Pool> pools, List<Mounts.Mount> mounts) {
        try (JsonGenerator json = StandardOutput.json()) {
            json.writeStartObject();
            json.writeStringProperty("schema", SCHEMA);
            json.writeArrayPropertyStart("pools");
            for (HugePages.Pool pool : pools) {
                write(json, pool);
            }
            json.writeEndArray();
            json.writeArrayPropertyStart("mounts");
            for (Mounts.Mount mount : mounts) {
                json.writeStartObject();
                json.writeStringProperty("path", mount.point());
                json.writeStringProperty("options", mount.superOptions());
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeEndObject();
            json.writeRaw('\n');
        }
    }

    /** One pool; of the whole machine, the node is null. */
    static void write(JsonGenerator json, HugePages.Pool pool) {
        json.writeStartObject();
        json.writeNumberProperty("page_bytes", pool.pageBytes());
        if (pool.node() < 0) {
            json.writeNullProperty("node");
        } else {
            json.writeNumberProperty("node", pool.node());
        }
        json.writeNumberProperty("total", pool.total());
        json.writeNumberProperty("free", pool.free());
        json.writeNumberProperty("reserved", pool.reserved());
        json.writeNumberProperty("surplus", pool.surplus());
        json.writeEndObject();
    }

    /** {@code 2 MiB}, {@code 1 GiB}, and on some machines {@code 64 KiB}. */
    static String size(long bytes) {
        return bytes % (1 << 30) == 0
                ? (bytes >> 30) + " GiB"
                : bytes % (1 << 20) == 0 ? (bytes >> 20) + " MiB" : (bytes >> 10) + " KiB";
    }
}
