package io.aisio.emu;

import io.aisio.linux.LinuxException;
import io.aisio.nvme.spec.SanitizeLog;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Sanitize (section 5.24): erases every namespace, a part each step of the controller, so that drivers see it under way.
 * It goes on over resets. Afterwards blocks read as zeroes, or as the pattern of an overwrite that does not deallocate.
 */
final class Sanitizer {
    /** Steps that one pass takes at least. */
    private static final int STEPS = 64;
    /** What one step does at most. */
    private static final long MOST_BYTES = 64 << 20;

    private static final int EXIT_FAILURE = 1;
    private static final int BLOCK_ERASE = 2;
    private static final int OVERWRITE = 3;
    private static final int CRYPTO_ERASE = 4;
    private static final int INVERT = 1 << 8;
    private static final int NO_DEALLOCATE = 1 << 9;
    private static final int CHUNK = 64 << 10;

    private final Namespace[] namespaces;
    private final Counters counters;
    private final long total;
    private final MemorySegment chunk = Arena.ofAuto().allocate(CHUNK, 8);

    private int state = SanitizeLog.NEVER;
    private int dword10;
    private int pattern;
    private int passes;
    private int pass;
    private long done;
    private long writesBefore;

    Sanitizer(Namespace[] namespaces, Counters counters) {
        this.namespaces = namespaces;
        this.counters = counters;
        long bytes = 0;
        for (Namespace namespace : namespaces) {
            bytes += namespace.media.bytes();
        }
        total = bytes;
    }

    boolean isRunning() {
        return state == SanitizeLog.IN_PROGRESS;
    }

    /** Whether no I/O command runs: one is under way, or has failed. */
    boolean holdsIo() {
        return state == SanitizeLog.IN_PROGRESS || state == SanitizeLog.FAILED;
    }

    /** Whether the last one failed, which keeps everything but another from running. */
    boolean hasFailed() {
        return state == SanitizeLog.FAILED;
    }

    /** Starts one, or leaves a failed one; the status of the command. */
    int start(Command command) {
        int action = command.dword10() & 7;
        if (isRunning()) {
            return Status.SANITIZE_IN_PROGRESS;
        }
        if (action == EXIT_FAILURE) {
            // Of one that was restricted, only another gets out.
            if (hasFailed() && (dword10 & 1 << 3) == 0) {
                return Status.SANITIZE_FAILED | Status.DNR_BIT;
            }
            state = hasFailed() ? SanitizeLog.NEVER : state;
            return Status.SUCCESS;
        }
        if (action != BLOCK_ERASE && action != OVERWRITE && action != CRYPTO_ERASE) {
            return Status.INVALID_FIELD | Status.DNR_BIT;
        }
        for (Namespace namespace : namespaces) {
            if (namespace.readOnly) {
                return Status.NAMESPACE_WRITE_PROTECTED | Status.DNR_BIT;
            }
        }
        dword10 = command.dword10();
        pattern = command.dword11();
        int owpass = dword10 >>> 4 & 0xF;
        passes = action != OVERWRITE ? 1 : owpass == 0 ? 16 : owpass;
        pass = 0;
        done = 0;
        state = SanitizeLog.IN_PROGRESS;
        return Status.SUCCESS;
    }

    /** Does a part; whether it is finished with it. */
    boolean step() {
        long part = Math.min(MOST_BYTES, Math.max(4096, Math.ceilDiv(total, STEPS) + 4095 & -4096));
        long end = Math.min(total, done + part);
        int status = Status.SUCCESS;
        long first = 0;
        for (Namespace namespace : namespaces) {
            long bytes = namespace.media.bytes();
            long from = Math.clamp(done - first, 0, bytes);
            long to = Math.clamp(end - first, 0, bytes);
            if (from < to && status == Status.SUCCESS) {
                status = erase(namespace, from, to - from);
            }
            first += bytes;
        }
        done = end;
        if (status != Status.SUCCESS) {
            state = SanitizeLog.FAILED;
            return true;
        }
        if (done < total) {
            return false;
        }
        done = 0;
        if (++pass < passes) {
            return false;
        }
        return finish();
    }

    private int erase(Namespace namespace, long position, long bytes) {
        boolean keeps = (dword10 & 7) == OVERWRITE && (dword10 & NO_DEALLOCATE) != 0;
        if (!keeps) {
            return namespace.media.zero(position, bytes);
        }
        // With inversion, the last pass has the pattern itself.
        boolean inverted = (dword10 & INVERT) != 0 && (passes - pass) % 2 == 0;
        int word = inverted ? ~pattern : pattern;
        for (long i = 0; i < CHUNK / 4; i++) {
            chunk.setAtIndex(ValueLayout.JAVA_INT_UNALIGNED, i, word);
        }
        int status = Status.SUCCESS;
        for (long at = 0; at < bytes && status == Status.SUCCESS; at += CHUNK) {
            status = namespace.media.write(position + at, chunk, 0, Math.min(CHUNK, bytes - at));
        }
        return status;
    }

    private boolean finish() {
        for (Namespace namespace : namespaces) {
            try {
                // The same format: metadata, zones and blocks that cannot be read become what they are at first.
                var protection = namespace.protection;
                long size = namespace.blocks;
                namespace.format(
                        namespace.formatIndex(),
                        namespace.extended,
                        protection == null ? 0 : protection.type(),
                        protection != null && protection.first());
                namespace.resize(size);
            } catch (LinuxException e) {
                state = SanitizeLog.FAILED;
                return true;
            }
        }
        state = SanitizeLog.SUCCEEDED;
        writesBefore = counters.writes;
        return true;
    }

    int build(MemorySegment target) {
        long all = total * passes;
        long so = total * pass + done;
        int progress = isRunning() ? (int) Math.min(0xFFFE, (long) (65536.0 * so / all)) : 0xFFFF;
        boolean erased = state == SanitizeLog.SUCCEEDED && counters.writes == writesBefore;
        Wire.u16(target, SanitizeLog.SPROG, progress);
        Wire.u16(
                target,
                SanitizeLog.SSTAT,
                state | ((dword10 & 7) == OVERWRITE ? pass : 0) << 3 | (erased ? SanitizeLog.GLOBAL_DATA_ERASED : 0));
        Wire.i32(target, SanitizeLog.SCDW10, dword10);
        for (long at = SanitizeLog.ETO; at <= SanitizeLog.ETCE + 12; at += 4) {
            Wire.i32(target, at, -1);
        }
        return SanitizeLog.BYTES;
    }
}
