package io.aisio.cli;

import io.aisio.upcie.HugePages;
import java.io.IOException;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import tools.jackson.core.JsonGenerator;

/** {@code hugepages setup}: asks the kernel for huge pages. */
@Command(
        name = "setup",
        header = "Asks the kernel for huge pages: so many in all, 0 to give them back.",
        description = {
            "%nTells what there really is then. If it is less than was asked for, as where memory is scattered, what came"
                    + " stays, and the exit code is 1."
        },
        footer = {
            "  sudo ./aisio hugepages setup --size 2MiB --count 1024",
            "  sudo ./aisio hugepages setup --size 1GiB --count 4 --node 1"
        })
final class HugepagesSetup implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.hugepages.setup/1";

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Option(
            names = "--size",
            defaultValue = "2MiB",
            paramLabel = "SIZE",
            converter = XnvmeperfOptions.Bytes.class,
            description = "Size of a page, 2MiB or 1GiB (2MiB).")
    private long pageBytes;

    @Option(
            names = "--count",
            required = true,
            paramLabel = "N",
            converter = XnvmeperfOptions.Large.class,
            description = "How many there are to be.")
    private long count;

    @Option(
            names = "--node",
            paramLabel = "N",
            converter = XnvmeperfOptions.Whole.class,
            description = "Of which NUMA node (the kernel spreads them over all).")
    private @Nullable Integer node;

    @Option(names = "--dry-run", description = "Print what would be done.")
    private boolean dryRun;

    @Option(names = "--output", defaultValue = "human", paramLabel = "FORMAT", description = "human or json (human).")
    @SuppressWarnings("NullAway.Init")
    private Output output;

    @Override
    public Integer call() throws IOException {
        if (count < 0 || (node != null && node < 0)) {
            throw new ParameterException(spec.commandLine(), "--count and --node are 0 or more");
        }
        HugePages pages = new HugePages();
        int of = node == null ? -1 : node;
        HugePages.Pool before = pages.pool(pageBytes, of);
        if (dryRun) {
            pages.checkRoom(pageBytes, of, count);
            System.out.println("echo " + count + " > " + pages.attribute(pageBytes, of));
            return Exit.DONE;
        }
        Root.require("setting up huge pages");
        HugePages.Pool now = pages.setUp(pageBytes, of, count);
        if (output == Output.json) {
            try (JsonGenerator json = StandardOutput.json()) {
                json.writeStartObject();
                json.writeStringProperty("schema", SCHEMA);
                json.writeName("before");
                HugepagesInfo.write(json, before);
                json.writeName("now");
                HugepagesInfo.write(json, now);
                json.writeEndObject();
                json.writeRaw('\n');
            }
        } else {
            System.out.println(now.total() + " huge pages of " + HugepagesInfo.size(pageBytes)
                    + (node == null ? "" : " on NUMA node " + node) + ", " + now.free() + " of them free (before: "
                    + before.total() + ")");
        }
        return Exit.DONE;
    }
}
