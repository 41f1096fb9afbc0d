package io.aisio.nvme;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
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
    /** Bits of an opcode that say which way data goes: to the controller, to the host, both, or none. */
    private static final int TRANSFERS = 3;

    private static final int TO_HOST = 2;

    private final OpenFile device;
    private final int nsid;
    private final boolean readOnly;
    private final Timeouts timeouts;

    private KernelPassthrough(OpenFile device, int nsid, boolean readOnly, Timeouts timeouts) {
        this.device = device;
        this.nsid = nsid;
        this.readOnly = readOnly;
        this.timeouts = timeouts;
    }

    /**
     * Opens a controller or a namespace to be read. What changes it the kernel takes from root alone.
     *
     * @param path such as {@code /dev/nvme0}, which takes admin commands alone, or {@code /dev/ng0n1} or
     *     {@code /dev/nvme0n1}
     * @throws IOException if there is none, or this user may not
     */
    public static KernelPassthrough open(Path path) throws IOException {
        return over(OpenFile.open(path, OpenFile.Access.READ_ONLY), false);
    }

    /**
     * Opens a controller or a namespace to be read and written, by whoever may write the device file.
     *
     * @throws IOException as {@link #open} does
     */
    public static KernelPassthrough openToWrite(Path path) throws IOException {
        return over(OpenFile.open(path, OpenFile.Access.READ_WRITE), false);
    }

    /**
     * Commands to a controller or namespace that is open.
     *
     * @param device becomes this object's: it is closed with it, and if it is none
     * @param readOnly whether every command that changes the device is refused ({@code EROFS}), whoever sends it
     * @throws IOException if it is no controller or namespace
     */
    public static KernelPassthrough over(OpenFile device, boolean readOnly) throws IOException {
        try {
            return new KernelPassthrough(device, NvmePassthrough.namespace(device), readOnly, Timeouts.DEFAULT);
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
        String what = Opcode.adminName(command.opcode());
        requireAllowed(!changesByAdmin(command.opcode()), what);
        try {
            NvmePassthrough.Answer answer = NvmePassthrough.admin(
                    device,
                    command.opcode(),
                    command.nsid(),
                    command.dwords(),
                    data,
                    Math.toIntExact(limit.toMillis()));
            return completion(answer, what);
        } catch (LinuxException e) {
            throw explained(e, what);
        }
    }

    @Override
    public Completion executeIo(Command command, MemorySegment data, MemorySegment metadata) throws IOException {
        if (nsid == 0) {
            throw new IllegalArgumentException(
                    name() + " takes admin commands alone; name a namespace of it, such as /dev/ng0n1");
        }
        Command named = command.nsid() == 0 ? command.withNamespace(nsid) : command;
        String what = Opcode.nvmName(command.opcode());
        requireAllowed(!changes(command.opcode()), what);
        try {
            NvmePassthrough.Answer answer = NvmePassthrough.io(
                    device,
                    named.opcode(),
                    named.nsid(),
                    named.dwords(),
                    data,
                    metadata,
                    Math.toIntExact(timeouts.io().toMillis()));
            return completion(answer, what);
        } catch (LinuxException e) {
            throw explained(e, what);
        }
    }

    private void requireAllowed(boolean allowed, String what) throws LinuxException {
        if (readOnly && !allowed) {
            throw new LinuxException(what, name(), Errno.EROFS);
        }
    }

    /** Whether an I/O command changes the device: what does not only hand data out, but for what is known to change nothing. */
    static boolean changes(int opcode) {
        return switch (opcode) {
            case Opcode.FLUSH, Opcode.COMPARE, Opcode.VERIFY -> false;
            default -> (opcode & TRANSFERS) != TO_HOST;
        };
    }

    /** Whether an admin command changes the device, by data that it takes or without any. */
    static boolean changesByAdmin(int opcode) {
        return switch (opcode) {
            case Opcode.GET_LOG_PAGE,
                    Opcode.IDENTIFY,
                    Opcode.ABORT,
                    Opcode.GET_FEATURES,
                    Opcode.ASYNC_EVENT_REQUEST,
                    Opcode.DEVICE_SELF_TEST,
                    Opcode.KEEP_ALIVE,
                    Opcode.DIRECTIVE_RECEIVE -> false;
            // What is not known and only hands data out is taken for a question.
            default -> (opcode & TRANSFERS) != TO_HOST;
        };
    }

    /** The kernel's driver says by {@code EINTR} that it gave a command up, as before a reset (NVME_REQ_CANCELLED). */
    private IOException explained(LinuxException e, String what) {
        return e.errno() == Errno.EINTR
                ? new NvmeException(name() + ": " + what, new Status(Status.ABORTED_BY_HOST))
                : e;
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
