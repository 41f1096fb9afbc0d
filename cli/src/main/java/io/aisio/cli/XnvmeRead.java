package io.aisio.cli;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code xnvme read}. */
@Command(
        name = "read",
        header = "Reads logical blocks, to a file or to be looked at.",
        footer = {
            "  ./aisio xnvme read --lba 0 --blocks 8 /dev/ng0n1",
            "  ./aisio xnvme read --lba 0 --blocks 2048 --file first.bin emu:/data/set.img"
        })
final class XnvmeRead implements Callable<Integer> {
    /** What is shown, rather than written to a file, at most. */
    private static final long MOST_SHOWN = 1 << 20;
    /** What is read at a time: in as many commands as the device takes. */
    private static final long CHUNK = 4 << 20;

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Target options;

    @Option(
            names = "--lba",
            converter = XnvmeOptions.Whole.class,
            defaultValue = "0",
            paramLabel = "N",
            description = "The first block (0).")
    private long lba;

    @Option(
            names = "--blocks",
            converter = XnvmeOptions.Whole.class,
            defaultValue = "1",
            paramLabel = "N",
            description = "How many (1).")
    private long blocks;

    @Option(names = "--file", paramLabel = "FILE", description = "Where they go, a file that does not exist yet.")
    private @Nullable Path file;

    @Override
    public Integer call() throws IOException {
        try (XnvmeTarget target = XnvmeTarget.openDevice(options.device, false)) {
            Device device = target.blocks();
            target.requireInside(lba, blocks);
            long bytes = blocks * device.geometry().lbaBytes();
            if (file == null && bytes > MOST_SHOWN) {
                throw new ParameterException(
                        spec.commandLine(), bytes + " bytes are much to look at: name where they go with --file");
            }
            XnvmeReport report = target.report("read").put("lba", lba).put("blocks", blocks);
            try (Buffer buffer = device.allocate(Math.min(bytes, CHUNK))) {
                if (file == null) {
                    device.read(lba, buffer, 0, bytes);
                    HexDump.put(report, buffer.segment().asSlice(0, bytes), options.output);
                } else {
                    copy(device, buffer, bytes, file);
                    report.put("data_bytes", bytes).put("file", file.toString());
                }
            }
            report.print(options.output);
            return Exit.DONE;
        }
    }

    private void copy(Device device, Buffer buffer, long bytes, Path to) throws IOException {
        int lbaBytes = device.geometry().lbaBytes();
        long chunk = buffer.size() / lbaBytes * lbaBytes;
        try (FileChannel out = FileChannel.open(to, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (long done = 0; done < bytes; ) {
                XalOptions.stopIfInterrupted();
                long part = Math.min(chunk, bytes - done);
                device.read(lba + done / lbaBytes, buffer, 0, part);
                MemorySegment data = buffer.segment().asSlice(0, part);
                var view = data.asByteBuffer();
                while (view.hasRemaining()) {
                    out.write(view);
                }
                done += part;
            }
        }
    }
}
