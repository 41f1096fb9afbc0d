package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.FileSystemKind;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import java.io.IOException;

/**
 * A file that another process gives, for a device to reach: looked at before it is mapped, so that nothing that becomes of it
 * later is an access to a page that is not there.
 *
 * <p>It is sealed against shrinking, which only files in memory can be. One of huge pages can still lose pages to a hole, and
 * find none when they are touched next: only who never touches them, as a device's pages are pinned, takes such a file.
 */
public final class UserFile {
    private UserFile() {}

    /**
     * Maps a file from its start on, to be read and written.
     *
     * @param name of the device, for messages
     * @param bytes how much, at least 1
     * @param hugePages whether it may be of huge pages
     * @throws IOException if the file is not as it must be, in one sentence, or the system refuses
     */
    public static Mapping map(String name, OpenFile file, long bytes, boolean hugePages) throws IOException {
        // The seal first: only files in memory have one, whereas a file system of the user's own might never answer the
        // rest.
        if (!isSealed(file) || !file.status().isRegular() || !file.fileSystem().isLocal()) {
            throw new IOException(
                    name + ": memory for the device comes in a file that is sealed against shrinking; next: make"
                            + " it by memfd_create with MFD_ALLOW_SEALING, set its size, and add F_SEAL_SHRINK");
        }
        FileSystemKind kind = file.fileSystem();
        if (kind.hasHugePages() && !hugePages) {
            throw new IOException(
                    name + ": memory for this device comes in a file of ordinary pages, not of huge ones");
        }
        long page = kind.hasHugePages() ? Math.max(Mapping.PAGE_SIZE, kind.blockBytes()) : Mapping.PAGE_SIZE;
        // After the seal: it cannot become less.
        long size = file.size();
        if (bytes < 1 || bytes > size || bytes % page != 0) {
            throw new IOException("%s: %d bytes of a file of %d; they are whole pages of %d, at most what the file has"
                    .formatted(name, bytes, size, page));
        }
        try {
            return Mapping.of(file, 0, bytes, true);
        } catch (LinuxException e) {
            throw new IOException(name + ": the file cannot be mapped to be read and written: " + e.getMessage(), e);
        }
    }

    private static boolean isSealed(OpenFile file) throws LinuxException {
        try {
            return file.isSealedAgainstShrinking();
        } catch (LinuxException e) {
            // A descriptor that is not open for anything (O_PATH).
            if (e.errno() == Errno.EBADF) {
                return false;
            }
            throw e;
        }
    }
}
