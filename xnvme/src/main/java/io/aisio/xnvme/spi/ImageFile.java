package io.aisio.xnvme.spi;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.nio.file.Path;

/** Opens what a device's blocks are kept in: an image, a file, a block device of the kernel's. */
public final class ImageFile {
    private ImageFile() {}

    /**
     * Opens a file and claims it: alone to write it, with other readers to read it.
     *
     * @param readOnly whether it is left as it is
     * @throws IOException if it is not there, may not be opened, or is in use; one sentence with the next step
     */
    public static OpenFile open(Path path, boolean readOnly) throws IOException {
        try {
            OpenFile file = OpenFile.open(path, readOnly ? OpenFile.Access.READ_ONLY : OpenFile.Access.READ_WRITE);
            try {
                file.claim();
                return file;
            } catch (LinuxException e) {
                file.close();
                throw e;
            }
        } catch (LinuxException e) {
            String next = switch (e.errno()) {
                case Errno.ENOENT -> ": make an image with 'truncate -s 1G " + path + "'";
                case Errno.EACCES, Errno.EROFS -> readOnly ? "" : ": to read it, add '?readonly' to its name";
                case Errno.EAGAIN -> ": close the other program that has it open, or add '?readonly' to both names";
                default -> "";
            };
            throw new IOException(e.getMessage() + next, e);
        }
    }
}
