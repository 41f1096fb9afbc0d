package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.FileLocks;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.nio.file.Path;

/**
 * A function claimed for one process among all that claim: by a lock on a file of its own in sysfs, which ends with the
 * process, however that ends. A user who is not root locks another file than root; between the two, VFIO itself decides.
 */
final class FunctionClaim implements AutoCloseable {
    private final OpenFile file;

    private FunctionClaim(OpenFile file) {
        this.file = file;
    }

    /**
     * @param folder the function's in sysfs
     * @throws IOException if another has it, naming the process as far as it can be seen
     */
    static FunctionClaim of(PciAddress address, Path folder) throws IOException {
        OpenFile file = lockFile(folder);
        try {
            file.claimAlone();
            return new FunctionClaim(file);
        } catch (LinuxException e) {
            try (file) {
                if (e.errno() != Errno.EAGAIN) {
                    throw e;
                }
                throw new IOException(
                        address + ": in use by "
                                + FileLocks.holder(file.status())
                                        .map(FunctionClaim::describe)
                                        .orElse("another process")
                                + "; a controller has one driver: end that first",
                        e);
            }
        }
    }

    /** Root's alone where this user may open it, so that others cannot keep root out; what all may read otherwise. */
    private static OpenFile lockFile(Path folder) throws LinuxException {
        try {
            return OpenFile.open(folder.resolve("resource0"), OpenFile.Access.READ_ONLY);
        } catch (LinuxException e) {
            return OpenFile.open(folder.resolve("config"), OpenFile.Access.READ_ONLY);
        }
    }

    private static String describe(ProcessHandle process) {
        String command = process.info().command().map(path -> " (" + path + ")").orElse("");
        return "process " + process.pid() + command;
    }

    @Override
    public void close() {
        file.close();
    }
}
