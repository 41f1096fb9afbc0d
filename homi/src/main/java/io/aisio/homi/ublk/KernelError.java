package io.aisio.homi.ublk;

import io.aisio.linux.Errno;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.spec.Status;

/** What a command's error is to the kernel's block layer: the errno that its own NVMe driver makes of the same status. */
final class KernelError {
    private KernelError() {}

    /** A positive errno. */
    static int of(NvmeException error) {
        Status status = error.status();
        if (status == null) {
            return Errno.EIO;
        }
        return switch (status.code()) {
            case Status.CAPACITY_EXCEEDED -> Errno.ENOSPC;
            case Status.LBA_OUT_OF_RANGE, Status.NAMESPACE_NOT_READY -> Errno.EREMOTEIO;
            case Status.INVALID_OPCODE, Status.INVALID_FIELD, Status.INVALID_NAMESPACE_OR_FORMAT -> Errno.EOPNOTSUPP;
            case Status.WRITE_FAULT,
                    Status.UNRECOVERED_READ_ERROR,
                    Status.DEALLOCATED_BLOCK,
                    Status.COMPARE_FAILURE,
                    Status.WRITE_TO_READ_ONLY_RANGE -> Errno.ENODATA;
            case Status.GUARD_CHECK_ERROR,
                    Status.APPLICATION_TAG_CHECK_ERROR,
                    Status.REFERENCE_TAG_CHECK_ERROR,
                    Status.INVALID_PROTECTION -> Errno.EILSEQ;
            case Status.ABORTED_BY_HOST -> Errno.ENOLINK;
            default -> Errno.EIO;
        };
    }
}
