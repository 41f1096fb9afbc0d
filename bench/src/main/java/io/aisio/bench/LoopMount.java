package io.aisio.bench;

import io.aisio.linux.Mounts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * An image mounted for a while, through a loop device, on a folder that nobody else may enter. It takes root: mount(8)
 * does the work, and says what it lacks.
 */
public final class LoopMount implements AutoCloseable {
    private final Path folder;
    private boolean open = true;

    private LoopMount(Path folder) {
        this.folder = folder;
    }

    /**
     * Mounts an image to read.
     *
     * @throws IOException with what mount(8) said, if it fails
     */
    public static LoopMount toRead(Path image) throws IOException {
        return mount(image, "ro,nosuid,nodev,noexec");
    }

    /**
     * Mounts an image to write.
     *
     * @throws IOException as {@link #toRead}
     */
    static LoopMount toWrite(Path image) throws IOException {
        return mount(image, "noatime,nosuid,nodev,noexec");
    }

    private static LoopMount mount(Path image, String options) throws IOException {
        Program mount = Program.require("mount", "apt-get install mount");
        // Made with mode 0700.
        Path folder = Files.createTempDirectory("aisio-mount-");
        try {
            mount.run("-o", "loop," + options, "--", image.toString(), folder.toString());
        } catch (IOException e) {
            try {
                // It may have been mounted before mount(8) was interrupted.
                new LoopMount(folder).close();
            } catch (IOException cleaning) {
                e.addSuppressed(cleaning);
            }
            throw e;
        }
        return new LoopMount(folder);
    }

    /** Where it is mounted. */
    public Path folder() {
        return folder;
    }

    /**
     * Unmounts it, also when this thread is interrupted. Closing again does nothing.
     *
     * @throws IOException if somebody is in it still; it then stays mounted, and the message says where
     */
    @Override
    public void close() throws IOException {
        if (!open) {
            return;
        }
        boolean interrupted = Thread.interrupted();
        try {
            while (open) {
                try {
                    if (isMounted()) {
                        Program.require("umount", "apt-get install mount").run(folder.toString());
                    }
                    open = false;
                } catch (IOException e) {
                    // An interruption stops umount(8), which may have been before it unmounted.
                    if (!Thread.interrupted()) {
                        throw new IOException(
                                folder + " is still mounted, to be unmounted by hand: " + e.getMessage(), e);
                    }
                    interrupted = true;
                }
            }
            Files.delete(folder);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private boolean isMounted() throws IOException {
        String point = folder.toRealPath().toString();
        return Mounts.read().all().stream().anyMatch(one -> one.point().equals(point));
    }
}
