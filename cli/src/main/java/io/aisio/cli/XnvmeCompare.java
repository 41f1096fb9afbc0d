package io.aisio.cli;

import io.aisio.nvme.command.NvmCommandSet;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code xnvme compare}. */
@Command(
        name = "compare",
        header = "Lets the controller compare logical blocks with a file's bytes (Compare); 1 if they differ.",
        footer = {
            "  ./aisio xnvme compare --lba 8 --file block.bin emu:/data/scratch.img",
            "  ./aisio xnvme compare --lba 0 --file first.bin --output json /dev/ng0n1"
        })
final class XnvmeCompare implements Callable<Integer> {
    /** What the kernel's driver takes in one command from any controller, in bytes. */
    private static final int KERNEL_BYTES = 64 << 10;

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

    @Option(names = "--file", required = true, paramLabel = "FILE", description = "Whole blocks to compare with.")
    @SuppressWarnings("NullAway.Init")
    private Path file;

    @Override
    public Integer call() throws IOException {
        try (XnvmeTarget target = options.open();
                FileChannel in = FileChannel.open(file)) {
            NvmCommandSet namespace = NvmCommandSet.of(target.commands());
            int lbaBytes = namespace.namespace().lbaBytes();
            if (in.size() == 0 || in.size() % lbaBytes != 0) {
                throw new IOException(file + " has " + in.size() + " bytes, which are not whole blocks of " + lbaBytes);
            }
            long count = in.size() / lbaBytes;
            XnvmeTarget.requireInside(
                    target.name(), lba, count, namespace.namespace().size());
            long different = firstDifference(namespace, in, most(target.device(), lbaBytes));
            target.report("compare")
                    .put("lba", lba)
                    .put("blocks", count)
                    .put("file", file.toString())
                    .put("equal", different < 0)
                    .put("first_difference", different < 0 ? null : different)
                    .print(options.output);
            return different < 0 ? Exit.DONE : Exit.FAILED;
        }
    }

    private static int most(@Nullable Device device, int lbaBytes) {
        int bytes = device == null ? KERNEL_BYTES : device.geometry().maxTransferBytes();
        return Math.max(lbaBytes, Math.min(bytes, 1 << 20) / lbaBytes * lbaBytes);
    }

    /** The first LBA that differs, -1 if none does. */
    private long firstDifference(NvmCommandSet namespace, FileChannel in, int most) throws IOException {
        int lbaBytes = namespace.namespace().lbaBytes();
        ByteBuffer chunk = ByteBuffer.allocate(most);
        for (long at = lba; in.position() < in.size(); ) {
            XalOptions.stopIfInterrupted();
            chunk.clear();
            while (chunk.hasRemaining() && in.read(chunk) >= 0) {
                // Until it is full, or the file at its end.
            }
            MemorySegment data = MemorySegment.ofArray(chunk.array()).asSlice(0, chunk.position());
            if (!namespace.compare(at, data)) {
                for (int block = 0; block * (long) lbaBytes < data.byteSize(); block++) {
                    if (!namespace.compare(at + block, data.asSlice((long) block * lbaBytes, lbaBytes))) {
                        return at + block;
                    }
                }
                // It differed, and each part of it does not: somebody writes to it.
                return at;
            }
            at += data.byteSize() / lbaBytes;
        }
        return -1;
    }
}
