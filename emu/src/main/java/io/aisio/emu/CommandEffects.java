package io.aisio.emu;

import io.aisio.nvme.spec.EffectsLog;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;

/** The Commands Supported and Effects log page (section 5.14.1.5). */
final class CommandEffects {
    private static final int HARMLESS = EffectsLog.SUPPORTED;
    private static final int WRITES = EffectsLog.SUPPORTED | EffectsLog.BLOCK_CONTENT;
    /** Format NVM and Sanitize: nothing else to any namespace meanwhile. */
    private static final int REMAKES = WRITES | EffectsLog.NAMESPACE_CAPABILITY | 2 << EffectsLog.EXCLUSION_SHIFT;

    private static final int[] ADMIN = {
        Opcode.DELETE_IO_SQ,
        Opcode.CREATE_IO_SQ,
        Opcode.GET_LOG_PAGE,
        Opcode.DELETE_IO_CQ,
        Opcode.CREATE_IO_CQ,
        Opcode.IDENTIFY,
        Opcode.ABORT,
        Opcode.SET_FEATURES,
        Opcode.GET_FEATURES,
        Opcode.ASYNC_EVENT_REQUEST,
        Opcode.DEVICE_SELF_TEST,
    };
    private static final int[] READING = {Opcode.FLUSH, Opcode.READ, Opcode.COMPARE, Opcode.VERIFY};
    private static final int[] WRITING = {
        Opcode.WRITE, Opcode.WRITE_UNCORRECTABLE, Opcode.WRITE_ZEROES, Opcode.DATASET_MANAGEMENT, Opcode.COPY
    };

    private CommandEffects() {}

    /** Builds it for the command set that is asked for. */
    static int build(Command command, boolean zoned, boolean placed, MemorySegment target) {
        for (int opcode : ADMIN) {
            put(target, EffectsLog.ADMIN, opcode, HARMLESS);
        }
        put(target, EffectsLog.ADMIN, Opcode.FORMAT_NVM, REMAKES);
        put(target, EffectsLog.ADMIN, Opcode.SANITIZE, REMAKES);
        if (placed) {
            put(target, EffectsLog.ADMIN, Opcode.DIRECTIVE_SEND, HARMLESS);
            put(target, EffectsLog.ADMIN, Opcode.DIRECTIVE_RECEIVE, HARMLESS);
            put(target, EffectsLog.IO, Opcode.IO_MANAGEMENT_RECEIVE, HARMLESS);
            put(target, EffectsLog.IO, Opcode.IO_MANAGEMENT_SEND, HARMLESS);
        }
        for (int opcode : READING) {
            put(target, EffectsLog.IO, opcode, HARMLESS);
        }
        for (int opcode : WRITING) {
            put(target, EffectsLog.IO, opcode, WRITES);
        }
        if (zoned && (int) (command.cdw14 >>> 24 & 0xFF) == Identify.CSI_ZONED) {
            put(target, EffectsLog.IO, Opcode.ZONE_MANAGEMENT_RECEIVE, HARMLESS);
            put(target, EffectsLog.IO, Opcode.ZONE_MANAGEMENT_SEND, WRITES);
            put(target, EffectsLog.IO, Opcode.ZONE_APPEND, WRITES);
        }
        return EffectsLog.BYTES;
    }

    private static void put(MemorySegment target, long kind, int opcode, int effects) {
        Wire.i32(target, kind + 4L * opcode, effects);
    }
}
