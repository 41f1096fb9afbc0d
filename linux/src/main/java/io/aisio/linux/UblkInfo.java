package io.aisio.linux;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What the kernel knows of a block device that is served in user space ({@code struct ublksrv_ctrl_dev_info}).
 *
 * @param id its number: {@code /dev/ublkbN}, {@code /dev/ublkcN}; {@link #ANY} to have one chosen
 * @param queues its queues, 1 and up
 * @param depth requests of each in flight at most, 1 to 4096
 * @param state {@link #DEAD} to {@link #FAIL_IO}
 * @param maxIoBytes of one request at most
 * @param pid of the process that serves it; of the last one where none does, 0 or less if it was never started
 * @param flags {@link #USER_RECOVERY} and others
 * @param serverFlags what its server has written down here for itself
 */
public record UblkInfo(
        int id, int queues, int depth, int state, int maxIoBytes, int pid, long flags, long serverFlags) {
    /** For {@link #id}: any that is free. */
    public static final int ANY = -1;

    /** UBLK_S_DEV_DEAD: it was not started, or its server has gone for good. */
    public static final int DEAD = 0;
    /** UBLK_S_DEV_LIVE: a process serves it. */
    public static final int LIVE = 1;
    /** UBLK_S_DEV_QUIESCED: its server has gone, and requests wait for another. */
    public static final int QUIESCED = 2;
    /** UBLK_S_DEV_FAIL_IO: its server has gone, requests fail, and another may come. */
    public static final int FAIL_IO = 3;

    /** UBLK_F_USER_RECOVERY: it stays when its server dies, and another may take it over (6.1). */
    public static final long USER_RECOVERY = 1 << 3;
    /** UBLK_F_USER_RECOVERY_REISSUE: what the dead server had taken is given to the next one (6.1). */
    public static final long USER_RECOVERY_REISSUE = 1 << 4;
    /** UBLK_F_CMD_IOCTL_ENCODE: commands are as here (6.4). */
    public static final long CMD_IOCTL_ENCODE = 1 << 6;

    /** What it is, in a word. */
    public String stateName() {
        return switch (state) {
            case DEAD -> "dead";
            case LIVE -> "live";
            case QUIESCED -> "quiesced";
            case FAIL_IO -> "failing";
            default -> "state " + state;
        };
    }

    /** Whether all of the flags are set. */
    public boolean has(long wanted) {
        return (flags & wanted) == wanted;
    }

    void write(MemorySegment info) {
        info.fill((byte) 0);
        info.set(ValueLayout.JAVA_SHORT, Ublk.INFO_QUEUES, (short) queues);
        info.set(ValueLayout.JAVA_SHORT, Ublk.INFO_DEPTH, (short) depth);
        info.set(ValueLayout.JAVA_INT, Ublk.INFO_MAX_IO_BYTES, maxIoBytes);
        info.set(ValueLayout.JAVA_INT, Ublk.INFO_DEV_ID, id);
        info.set(ValueLayout.JAVA_INT, Ublk.INFO_PID, pid);
        info.set(ValueLayout.JAVA_LONG, Ublk.INFO_FLAGS, flags);
        info.set(ValueLayout.JAVA_LONG, Ublk.INFO_SERVER_FLAGS, serverFlags);
    }

    static UblkInfo read(MemorySegment info) {
        return new UblkInfo(
                info.get(ValueLayout.JAVA_INT, Ublk.INFO_DEV_ID),
                Short.toUnsignedInt(info.get(ValueLayout.JAVA_SHORT, Ublk.INFO_QUEUES)),
                Short.toUnsignedInt(info.get(ValueLayout.JAVA_SHORT, Ublk.INFO_DEPTH)),
                Short.toUnsignedInt(info.get(ValueLayout.JAVA_SHORT, Ublk.INFO_STATE)),
                info.get(ValueLayout.JAVA_INT, Ublk.INFO_MAX_IO_BYTES),
                info.get(ValueLayout.JAVA_INT, Ublk.INFO_PID),
                info.get(ValueLayout.JAVA_LONG, Ublk.INFO_FLAGS),
                info.get(ValueLayout.JAVA_LONG, Ublk.INFO_SERVER_FLAGS));
    }
}
