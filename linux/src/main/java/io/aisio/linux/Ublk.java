package io.aisio.linux;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The kernel's interface for block devices that are served in user space, in numbers ({@code linux/ublk_cmd.h}): commands to
 * {@code /dev/ublk-control} and to {@code /dev/ublkcN}, both by IORING_OP_URING_CMD, and the structures that they take.
 */
final class Ublk {
    // To /dev/ublk-control: _IOR or _IOWR('u', number, struct ublksrv_ctrl_cmd).
    static final int GET_DEV_INFO = 0x8020_7502;
    static final int ADD_DEV = 0xC020_7504;
    static final int DEL_DEV = 0xC020_7505;
    static final int START_DEV = 0xC020_7506;
    static final int STOP_DEV = 0xC020_7507;
    static final int SET_PARAMS = 0xC020_7508;
    static final int GET_PARAMS = 0x8020_7509;
    static final int START_USER_RECOVERY = 0xC020_7510;
    static final int END_USER_RECOVERY = 0xC020_7511;
    static final int GET_FEATURES = 0x8020_7513;

    // To /dev/ublkcN: _IOWR('u', number, struct ublksrv_io_cmd).
    static final int FETCH_REQ = 0xC010_7520;
    static final int COMMIT_AND_FETCH_REQ = 0xC010_7521;

    // struct ublksrv_ctrl_cmd.
    static final int CTRL_BYTES = 32;
    static final int CTRL_DEV_ID = 0;
    static final int CTRL_QUEUE_ID = 4;
    static final int CTRL_LEN = 6;
    static final int CTRL_ADDR = 8;
    static final int CTRL_DATA = 16;
    /** The command is of no queue. */
    static final short NO_QUEUE = -1;

    // struct ublksrv_ctrl_dev_info.
    static final int INFO_BYTES = 64;
    static final int INFO_QUEUES = 0;
    static final int INFO_DEPTH = 2;
    static final int INFO_STATE = 4;
    static final int INFO_MAX_IO_BYTES = 8;
    static final int INFO_DEV_ID = 12;
    static final int INFO_PID = 16;
    static final int INFO_FLAGS = 24;
    static final int INFO_SERVER_FLAGS = 32;

    // struct ublk_params, with what is in its parts: ublk_param_basic, ublk_param_discard. Later parts are not used.
    static final int PARAMS_BYTES = 64;
    static final int PARAMS_LEN = 0;
    static final int PARAMS_TYPES = 4;
    static final int PARAMS_BASIC = 8;
    static final int BASIC_ATTRS = 0;
    static final int BASIC_LOGICAL_SHIFT = 4;
    static final int BASIC_PHYSICAL_SHIFT = 5;
    static final int BASIC_IO_OPT_SHIFT = 6;
    static final int BASIC_IO_MIN_SHIFT = 7;
    static final int BASIC_MAX_SECTORS = 8;
    static final int BASIC_DEV_SECTORS = 16;
    static final int PARAMS_DISCARD = 40;
    static final int DISCARD_ALIGNMENT = 0;
    static final int DISCARD_GRANULARITY = 4;
    static final int DISCARD_MAX_SECTORS = 8;
    static final int DISCARD_MAX_ZEROES_SECTORS = 12;
    static final int DISCARD_MAX_SEGMENTS = 16;
    static final int TYPE_BASIC = 1;
    static final int TYPE_DISCARD = 1 << 1;

    // struct ublksrv_io_desc.
    static final int DESC_BYTES = 24;
    static final int DESC_OP_FLAGS = 0;
    static final int DESC_SECTORS = 4;
    static final int DESC_START = 8;

    // struct ublksrv_io_cmd.
    static final int IO_BYTES = 16;
    static final int IO_QUEUE = 0;
    static final int IO_TAG = 2;
    static final int IO_RESULT = 4;
    static final int IO_ADDR = 8;

    /** UBLK_MAX_QUEUE_DEPTH, which also says where in the mapping each queue's descriptors begin. */
    static final int MAX_DEPTH = 4096;
    /** UBLK_IO_RES_OK. */
    static final int RES_OK = 0;

    private Ublk() {}

    /** Writes a command to the control device: of a device, with a buffer, NULL if it takes none, and a number. */
    static void putControl(MemorySegment command, int device, MemorySegment buffer, long data) {
        command.set(ValueLayout.JAVA_INT, CTRL_DEV_ID, device);
        command.set(ValueLayout.JAVA_SHORT, CTRL_QUEUE_ID, NO_QUEUE);
        command.set(ValueLayout.JAVA_SHORT, CTRL_LEN, (short) buffer.byteSize());
        command.set(ValueLayout.JAVA_LONG, CTRL_ADDR, buffer.address());
        command.set(ValueLayout.JAVA_LONG, CTRL_DATA, data);
    }

    /** Writes a command of a queue's tag; the result is of {@link #COMMIT_AND_FETCH_REQ} alone, and may change. */
    static void putIo(MemorySegment command, int queue, int tag, long address) {
        command.set(ValueLayout.JAVA_SHORT, IO_QUEUE, (short) queue);
        command.set(ValueLayout.JAVA_SHORT, IO_TAG, (short) tag);
        command.set(ValueLayout.JAVA_INT, IO_RESULT, 0);
        command.set(ValueLayout.JAVA_LONG, IO_ADDR, address);
    }

    /** Where in {@code /dev/ublkcN} the descriptors of a queue are mapped. */
    static long descriptorsAt(int queue) {
        return queue * descriptorBytes(MAX_DEPTH);
    }

    /** Bytes of a queue's descriptors, in whole pages: exactly so much is mapped. */
    static long descriptorBytes(int depth) {
        return ((long) depth * DESC_BYTES + Mapping.PAGE_SIZE - 1) & -Mapping.PAGE_SIZE;
    }
}
