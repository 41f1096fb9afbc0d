package io.aisio.nvme;

import io.aisio.linux.NvmePassthrough;
import io.aisio.linux.OpenFile;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** Admin commands to a controller that the kernel's driver holds, and goes on serving. Needs root. Any thread may call it. */
public final class KernelAdmin implements AdminCommands, AutoCloseable {
    private final OpenFile device;
    private final int timeoutMillis;

    private KernelAdmin(OpenFile device, Timeouts timeouts) {
        this.device = device;
        timeoutMillis = Math.toIntExact(timeouts.admin().toMillis());
    }

    /**
     * Opens a controller's character device.
     *
     * @param path such as {@code /dev/nvme0}
     * @throws IOException if there is none, or this user may not
     */
    public static KernelAdmin open(Path path) throws IOException {
        return new KernelAdmin(OpenFile.open(path, OpenFile.Access.READ_ONLY), Timeouts.DEFAULT);
    }

    @Override
    public Completion execute(Command command, MemorySegment data) throws IOException {
        int[] dwords = {
            (int) command.cdw10(),
            (int) (command.cdw10() >>> 32),
            (int) command.cdw12(),
            (int) (command.cdw12() >>> 32),
            (int) command.cdw14(),
            (int) (command.cdw14() >>> 32)
        };
        NvmePassthrough.Answer answer =
                NvmePassthrough.admin(device, command.opcode(), command.nsid(), dwords, data, timeoutMillis);
        if (answer.status() != 0) {
            throw new NvmeException(
                    device.path() + ": " + Opcode.adminName(command.opcode()), new Status(answer.status()));
        }
        return new Completion(new Status(Status.SUCCESS), answer.result());
    }

    /** Closes the device file. Closing again does nothing. */
    @Override
    public void close() {
        device.close();
    }
}
