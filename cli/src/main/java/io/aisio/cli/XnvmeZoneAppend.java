package io.aisio.cli;

import io.aisio.nvme.Passthrough;
import io.aisio.nvme.command.ZonedCommandSet;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code xnvme zone append}. */
@Command(
        name = "append",
        header = "Writes a file's bytes where a zone's next block is, by one command (Zone Append).",
        footer = {
            "  ./aisio xnvme zone append --zone 0x8000 --file block.bin --destroy-data /dev/ng0n1",
            "  ./aisio xnvme zone append --zone 0 --file block.bin --dry-run /dev/ng0n1"
        })
final class XnvmeZoneAppend implements Callable<Integer> {
    /** What one command can be asked to carry, in bytes: what it takes is the controller's to say. */
    private static final long MOST_BYTES = 16 << 20;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private XnvmeOptions.Target options;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Destroying destroying;

    @Option(
            names = "--zone",
            required = true,
            converter = XnvmeOptions.Whole.class,
            paramLabel = "LBA",
            description = "The zone that begins there.")
    private long zone;

    @Option(names = "--file", required = true, paramLabel = "FILE", description = "Whole blocks.")
    @SuppressWarnings("NullAway.Init")
    private Path file;

    @Override
    public Integer call() throws IOException {
        long bytes = Files.size(file);
        if (bytes == 0 || bytes > MOST_BYTES) {
            throw new IOException(file + " has " + bytes + " bytes; one command carries 1 to " + MOST_BYTES
                    + ", less for most controllers");
        }
        MemorySegment data = MemorySegment.ofArray(Files.readAllBytes(file));
        try (XnvmeTarget target = destroying.open(options)) {
            Passthrough commands = destroying.commands(target);
            ZonedCommandSet zoned = ZonedCommandSet.of(commands);
            XnvmeReport report = target.report("zone.append").put("zone", zone);
            long lba = zoned.append(zone, data);
            if (!destroying.dryRun) {
                report.put("lba", lba);
            }
            report.put("blocks", bytes / zoned.namespace().lbaBytes());
            destroying.tell(report, commands);
            report.print(options.output);
            return Exit.DONE;
        }
    }
}
