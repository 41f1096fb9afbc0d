package io.aisio.cli;

import io.aisio.bench.DataAtRisk;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.Prinfo;
import io.aisio.nvme.command.NvmCommandSet;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code xnvme write}. */
@Command(
        name = "write",
        header = "Writes logical blocks: a file's bytes, one byte all over, zeroes, or nothing that can be read.",
        description = {"%nA device that keeps data is written only with --destroy-data, and never while it is in use."},
        footer = {
            "  ./aisio xnvme write --lba 8 --file block.bin --destroy-data emu:/data/scratch.img",
            "  ./aisio xnvme write --lba 0 --blocks 8 --zeroes --destroy-data /dev/ng0n1"
        })
final class XnvmeWrite implements Callable<Integer> {
    /** What is written at a time: in as many commands as the device takes. */
    private static final long CHUNK = 4 << 20;
    /** Blocks of one Write Zeroes or Write Uncorrectable. */
    private static final int MOST_BLOCKS = 1 << 16;

    /** What is written: one of these. */
    private static final class Content {
        @Option(names = "--file", paramLabel = "FILE", description = "The bytes of a file: whole blocks.")
        private @Nullable Path file;

        @Option(
                names = "--fill",
                converter = XnvmeOptions.Whole.class,
                paramLabel = "BYTE",
                description = "A byte, such as 0xa5, all over.")
        private @Nullable Long fill;

        @Option(names = "--zeroes", description = "Zeroes, by a command without data (Write Zeroes).")
        private boolean zeroes;

        @Option(
                names = "--uncorrectable",
                description = "What cannot be read until it is written again (Write Uncorrectable).")
        private boolean uncorrectable;
    }

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Target options;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XnvmeOptions.Destroying destroying;

    @ArgGroup(multiplicity = "1")
    @SuppressWarnings("NullAway.Init")
    private Content content;

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
            paramLabel = "N",
            description = "How many (1; of a file, all that it holds).")
    private @Nullable Long blocks;

    @Override
    public Integer call() throws IOException {
        if (content.file != null && blocks != null) {
            throw new ParameterException(
                    spec.commandLine(), "--blocks is not for a file: all that it holds is written");
        }
        if (content.fill != null && (content.fill < 0 || content.fill > 0xFF)) {
            throw new ParameterException(spec.commandLine(), "--fill " + content.fill + " is no byte");
        }
        return content.zeroes || content.uncorrectable ? withoutData() : data();
    }

    private int withoutData() throws IOException {
        try (XnvmeTarget target = destroying.open(options)) {
            Passthrough commands = destroying.commands(target);
            NvmCommandSet namespace = NvmCommandSet.of(commands);
            long count = blocks == null ? 1 : blocks;
            XnvmeTarget.requireInside(
                    target.name(), lba, count, namespace.namespace().size());
            for (long done = 0; done < count; ) {
                int part = (int) Math.min(MOST_BLOCKS, count - done);
                if (content.zeroes) {
                    namespace.writeZeroes(lba + done, part, false, Prinfo.NONE);
                } else {
                    namespace.writeUncorrectable(lba + done, part);
                }
                done += part;
            }
            XnvmeReport report = target.report("write")
                    .put("lba", lba)
                    .put("blocks", count)
                    .put("content", content.zeroes ? "zeroes" : "uncorrectable");
            destroying.tell(report, commands);
            report.print(options.output);
            return Exit.DONE;
        }
    }

    private int data() throws IOException {
        Path file = content.file;
        long available = file == null ? 0 : Files.size(file);
        XnvmeGuard.refuseIfUsed(options.device, false);
        DataAtRisk.check(List.of(options.device), destroying.destroyData || destroying.dryRun);
        try (XnvmeTarget target = XnvmeTarget.openDevice(options.device, !destroying.dryRun)) {
            Device device = target.blocks();
            int lbaBytes = device.geometry().lbaBytes();
            if (file != null && (available == 0 || available % lbaBytes != 0)) {
                throw new IOException("%s has %d bytes, which are not whole blocks of %d; next: truncate -s %%%d %s"
                        .formatted(file, available, lbaBytes, lbaBytes, file));
            }
            long count = file != null ? available / lbaBytes : blocks == null ? 1 : blocks;
            target.requireInside(lba, count);
            if (!destroying.dryRun) {
                write(device, count * lbaBytes, file);
            }
            target.report("write")
                    .put("lba", lba)
                    .put("blocks", count)
                    .put("content", file == null ? XnvmeReport.hex(fill(), 1) + " all over" : file.toString())
                    .put("dry_run", destroying.dryRun)
                    .print(options.output);
            return Exit.DONE;
        }
    }

    private long fill() {
        return content.fill == null ? 0 : content.fill;
    }

    private void write(Device device, long bytes, @Nullable Path file) throws IOException {
        int lbaBytes = device.geometry().lbaBytes();
        try (Buffer buffer = device.allocate(Math.min(bytes, CHUNK));
                FileChannel in = file == null ? null : FileChannel.open(file)) {
            long chunk = buffer.size() / lbaBytes * lbaBytes;
            buffer.segment().fill((byte) fill());
            for (long done = 0; done < bytes; ) {
                XalOptions.stopIfInterrupted();
                long part = Math.min(chunk, bytes - done);
                if (in != null) {
                    ByteBuffer view = buffer.segment().asSlice(0, part).asByteBuffer();
                    while (view.hasRemaining()) {
                        if (in.read(view) < 0) {
                            throw new IOException(file + " became shorter while it was read");
                        }
                    }
                }
                device.write(lba + done / lbaBytes, buffer, 0, part);
                done += part;
            }
            device.flush();
        }
    }
}
