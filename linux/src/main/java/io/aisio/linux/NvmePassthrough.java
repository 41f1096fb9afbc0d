package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Admin commands through the kernel's NVMe driver, which holds the controller ({@code linux/nvme_ioctl.h}). */
public final class NvmePassthrough {
    /** {@code _IOWR('N', 0x41, struct nvme_admin_cmd)}. */
    static final long NVME_IOCTL_ADMIN_CMD = 0xC048_4E41L;

    /** {@code struct nvme_passthru_cmd}. */
    static final int BYTES = 72;

    static final int OPCODE = 0;
    static final int NSID = 4;
    static final int ADDR = 24;
    static final int DATA_LEN = 36;
    static final int CDW10 = 40;
    static final int TIMEOUT_MS = 64;
    static final int RESULT = 68;

    private NvmePassthrough() {}

    /**
     * What the controller answered.
     *
     * @param status 15 bits, status code type and flags included (NVMe Base 2.0, section 3.3.3.2); 0 is success
     * @param result dword 0 of the completion
     */
    public record Answer(int status, int result) {}

    /**
     * Executes an admin command and waits.
     *
     * @param controller the controller's character device, such as {@code /dev/nvme0}
     * @param dwords command dwords 10 to 15
     * @param data what it transfers; empty for nothing
     * @param timeoutMillis after which the kernel aborts it
     * @throws LinuxException if the kernel refuses ({@code EACCES} without CAP_SYS_ADMIN), or had to abort it
     */
    public static Answer admin(
            OpenFile controller, int opcode, int nsid, int[] dwords, MemorySegment data, int timeoutMillis)
            throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment command = arena.allocate(BYTES, 8);
            command.set(JAVA_BYTE, OPCODE, (byte) opcode);
            command.set(JAVA_INT, NSID, nsid);
            // A copy, which nobody can free meanwhile.
            MemorySegment copy = arena.allocate(data.byteSize(), 8).copyFrom(data);
            if (data.byteSize() != 0) {
                command.set(JAVA_LONG, ADDR, copy.address());
                command.set(JAVA_INT, DATA_LEN, Math.toIntExact(data.byteSize()));
            }
            for (int i = 0; i < 6; i++) {
                command.set(JAVA_INT, CDW10 + 4L * i, dwords[i]);
            }
            command.set(JAVA_INT, TIMEOUT_MS, timeoutMillis);
            int status = controller.control("NVME_IOCTL_ADMIN_CMD", NVME_IOCTL_ADMIN_CMD, command);
            if (!data.isReadOnly()) {
                data.copyFrom(copy);
            }
            return new Answer(status, command.get(JAVA_INT, RESULT));
        }
    }
}
