package io.aisio.nvme;

import io.aisio.linux.NvmePassthrough;
import io.aisio.linux.OpenFile;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * Single commands to a controller that the kernel's driver holds, and goes on serving. Admin commands need root. Any
 * thread may call it.
 */
public final class KernelPassthrough implements Passthrough, AutoCloseable {
    private final OpenFile device;
    private final int nsid;
    private final Timeouts timeouts;

    private KernelPassthrough(OpenFile device, int nsid, Timeouts timeouts) {
        this.device = device;
        this.nsid = nsid;
        this.timeouts = timeouts;
    }

    /**
     * Opens a controller or a namespace.
     *
     * @param path such as {@code /dev/nvme0}, which takes admin commands alone, or {@code /dev/ng0n1} or
     *     {@code /dev/nvme0n1}
     * @throws IOException if there is none, or this user may not
     */
    public static KernelPassthrough open(Path path) throws IOException {
        OpenFile device = OpenFile.open(path, OpenFile.Access.READ_ONLY);
        try {
            return new KernelPassthrough(device, NvmePassthrough.namespace(device), Timeouts.DEFAULT);
        } catch (IOException | RuntimeException e) {
            device.close();
            throw e;
        }
    }

    @Override
    public String name() {
        return device.path().toString();
    }

    @Override
    public int nsid() {
        return nsid;
    }

    @Override
    public Completion execute(Command command, MemorySegment data) throws IOException {
        var limit = command.opcode() == Opcode.FORMAT_NVM ? timeouts.format() : timeouts.admin();
        NvmePassthrough.Answer answer = NvmePassthrough.admin(
                device, command.opcode(), command.nsid(), command.dwords(), data, Math.toIntExact(limit.toMillis()));
        return completion(answer, Opcode.adminName(command.opcode()));
    }

    @Override
    public Completion executeIo(Command command, MemorySegment data, MemorySegment metadata) throws IOException {
        if (nsid == 0) {
            throw new IllegalArgumentException(
                    name() + " takes admin commands alone; name a namespace of it, such as /dev/ng0n1");
        }
        Command named = command.nsid() == 0 ? command.withNamespace(nsid) : command;
        NvmePassthrough.Answer answer = NvmePassthrough.io(
                device,
                named.opcode(),
                named.nsid(),
                named.dwords(),
                data,
                metadata,
                Math.toIntExact(timeouts.io().toMillis()));
        return completion(answer, Opcode.nvmName(command.opcode()));
    }

    private Completion completion(NvmePassthrough.Answer answer, String what) throws NvmeException {
        if (answer.status() != 0) {
            throw new NvmeException(name() + ": " + what, new Status(answer.status()));
        }
        return new Completion(new Status(Status.SUCCESS), (int) answer.result(), (int) (answer.result() >>> 32));
    }

    /** Closes the device file. Closing again does nothing. */
    @Override
    public void close() {
        device.close();
    }
}
