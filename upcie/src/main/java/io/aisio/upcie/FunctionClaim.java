package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.FileLocks;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A function claimed for one process among all that claim: by a lock on a file of its own in sysfs, which ends with the
 * process, however that ends. A user who is not root locks another file than root; between the two, VFIO itself decides.
 */
final class FunctionClaim implements AutoCloseable {
    private static final Path PROCESSES = Path.of("/proc");

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
                                + "; a controller has one driver: end that, or lease queues from it",
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

    /** Who has a device file open, for a message; empty if nobody who can be seen has. */
    static List<String> holders(Path device) throws IOException {
        List<String> holders = new ArrayList<>();
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROCESSES, "[0-9]*")) {
            for (Path process : processes) {
                if (hasOpen(process.resolve("fd"), device)) {
                    ProcessHandle.of(Long.parseLong(String.valueOf(process.getFileName())))
                            .map(FunctionClaim::describe)
                            .ifPresent(holders::add);
                }
            }
        }
        return holders;
    }

    private static boolean hasOpen(Path descriptors, Path device) {
        try (DirectoryStream<Path> open = Files.newDirectoryStream(descriptors)) {
            for (Path descriptor : open) {
                if (Files.isSymbolicLink(descriptor)
                        && Files.readSymbolicLink(descriptor).equals(device)) {
                    return true;
                }
            }
            return false;
        } catch (IOException | java.nio.file.DirectoryIteratorException e) {
            // A process that has ended meanwhile, or whose descriptors are none of this user's business.
            return false;
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
