package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Single commands through the kernel's NVMe driver, which holds the controller ({@code linux/nvme_ioctl.h}). */
public final class NvmePassthrough {
    /** {@code _IO('N', 0x40)}. */
    static final long NVME_IOCTL_ID = 0x4E40L;
    /** {@code _IOWR('N', 0x41, struct nvme_admin_cmd)}. */
    static final long NVME_IOCTL_ADMIN_CMD = 0xC048_4E41L;
    /** {@code _IOWR('N', 0x48, struct nvme_passthru_cmd64)}: since Linux 5.5. */
    static final long NVME_IOCTL_IO64_CMD = 0xC050_4E48L;

    /** {@code struct nvme_passthru_cmd}. */
    static final int BYTES = 72;
    /** {@code struct nvme_passthru_cmd64}: the same up to the timeout. */
    static final int BYTES_64 = 80;

    static final int OPCODE = 0;
    static final int NSID = 4;
    static final int CDW2 = 8;
    static final int METADATA = 16;
    static final int ADDR = 24;
    static final int METADATA_LEN = 32;
    static final int DATA_LEN = 36;
    static final int CDW10 = 40;
    static final int TIMEOUT_MS = 64;
    static final int RESULT = 68;
    static final int RESULT_64 = 72;

    private NvmePassthrough() {}

    /**
     * What the controller answered.
     *
     * @param status 15 bits, status code type and flags included (NVMe Base 2.0, section 3.3.3.2); 0 is success
     * @param result dword 0 of the completion, and of an I/O command dword 1 in the upper half
     */
    public record Answer(int status, long result) {}

    /**
     * The identifier of the namespace behind a device, 0 for a controller's own device.
     *
     * @throws LinuxException if it is no NVMe device ({@code ENOTTY} is what a controller's says)
     */
    public static int namespace(OpenFile device) throws LinuxException {
        try {
            return device.control("NVME_IOCTL_ID", NVME_IOCTL_ID, 0);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOTTY) {
                return 0;
            }
            throw e;
        }
    }

    /**
     * Executes an admin command and waits.
     *
     * @param device the controller's character device, such as {@code /dev/nvme0}, or a namespace's
     * @param dwords command dwords 2, 3 and 10 to 15
     * @param data what it transfers; empty for nothing
     * @param timeoutMillis after which the kernel aborts it
     * @throws LinuxException if the kernel refuses ({@code EACCES} without CAP_SYS_ADMIN), or had to abort it
     */
    public static Answer admin(
            OpenFile device, int opcode, int nsid, int[] dwords, MemorySegment data, int timeoutMillis)
            throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment command = command(arena, BYTES, opcode, nsid, dwords, timeoutMillis);
            MemorySegment copy = copy(arena, data);
            transfer(command, ADDR, DATA_LEN, copy);
            int status = device.control("NVME_IOCTL_ADMIN_CMD", NVME_IOCTL_ADMIN_CMD, command);
            copyBack(copy, data);
            return new Answer(status, command.get(JAVA_INT, RESULT) & 0xFFFF_FFFFL);
        }
    }

    /**
     * Executes an I/O command and waits.
     *
     * @param device a namespace's device, such as {@code /dev/ng0n1} or {@code /dev/nvme0n1}
     * @param dwords command dwords 2, 3 and 10 to 15
     * @param data what it transfers; empty for nothing
     * @param metadata what it transfers beside; empty for nothing
     * @param timeoutMillis after which the kernel aborts it
     * @throws LinuxException if the kernel refuses, or had to abort it
     */
    public static Answer io(
            OpenFile device,
            int opcode,
            int nsid,
            int[] dwords,
            MemorySegment data,
            MemorySegment metadata,
            int timeoutMillis)
            throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment command = command(arena, BYTES_64, opcode, nsid, dwords, timeoutMillis);
            MemorySegment copy = copy(arena, data);
            MemorySegment metadataCopy = copy(arena, metadata);
            transfer(command, ADDR, DATA_LEN, copy);
            transfer(command, METADATA, METADATA_LEN, metadataCopy);
            int status = device.control("NVME_IOCTL_IO64_CMD", NVME_IOCTL_IO64_CMD, command);
            copyBack(copy, data);
            copyBack(metadataCopy, metadata);
            return new Answer(status, command.get(JAVA_LONG, RESULT_64));
        }
    }

    private static MemorySegment command(
            Arena arena, int bytes, int opcode, int nsid, int[] dwords, int timeoutMillis) {
        MemorySegment command = arena.allocate(bytes, 8);
        command.set(JAVA_BYTE, OPCODE, (byte) opcode);
        command.set(JAVA_INT, NSID, nsid);
        command.set(JAVA_INT, CDW2, dwords[0]);
        command.set(JAVA_INT, CDW2 + 4L, dwords[1]);
        for (int i = 2; i < 8; i++) {
            command.set(JAVA_INT, CDW10 + 4L * (i - 2), dwords[i]);
        }
        command.set(JAVA_INT, TIMEOUT_MS, timeoutMillis);
        return command;
    }

    /** A copy, which nobody can free meanwhile. */
    private static MemorySegment copy(Arena arena, MemorySegment data) {
        return arena.allocate(data.byteSize(), 4096).copyFrom(data);
    }

    private static void transfer(MemorySegment command, long address, long length, MemorySegment data) {
        if (data.byteSize() != 0) {
            command.set(JAVA_LONG, address, data.address());
            command.set(JAVA_INT, length, Math.toIntExact(data.byteSize()));
        }
    }

    private static void copyBack(MemorySegment copy, MemorySegment data) {
        if (!data.isReadOnly()) {
            data.copyFrom(copy);
        }
    }
}
