package io.aisio.nvme;

import io.aisio.nvme.spec.LogPage;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * An entry of the Error Information log (section 5.14.1.1).
 *
 * @param count identifies the error over the controller's life, at least 1
 * @param sqid the command's submission queue, 0xFFFF if it was no command
 * @param cid the command's identifier, 0xFFFF if it was no command
 * @param status what the command was completed with
 * @param parameter byte (7:0) and bit (10:8) of the command that was wrong, 0xFFFF where that is not told
 * @param lba the first logical block in error
 * @param nsid the namespace
 */
public record ErrorEntry(long count, int sqid, int cid, Status status, int parameter, long lba, int nsid) {
    /** The entries of a log page, newest first, as long as there are any. */
    static List<ErrorEntry> of(MemorySegment log) {
        List<ErrorEntry> entries = new ArrayList<>();
        for (long at = 0; at + LogPage.ERROR_ENTRY_BYTES <= log.byteSize(); at += LogPage.ERROR_ENTRY_BYTES) {
            long count = Wire.i64(log, at + LogPage.ERROR_COUNT);
            if (count == 0) {
                break;
            }
            entries.add(new ErrorEntry(
                    count,
                    Wire.u16(log, at + LogPage.ERROR_SQID),
                    Wire.u16(log, at + LogPage.ERROR_CID),
                    new Status(Wire.u16(log, at + LogPage.ERROR_STATUS) >>> 1),
                    Wire.u16(log, at + LogPage.ERROR_PARAMETER),
                    Wire.i64(log, at + LogPage.ERROR_LBA),
                    Wire.i32(log, at + LogPage.ERROR_NSID)));
        }
        return entries;
    }
}
