package io.aisio.bench;

import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A block device for a while whose blocks are in memory: a loop device past the page cache, upon a file on a tmpfs. Its
 * reads complete asynchronously, as a disk's do, and no disk bounds them. It takes root.
 */
final class LoopDevice implements AutoCloseable {
    private static final Path MEMORY = Path.of("/dev/shm");
    private static final String REMEDY = "apt-get install mount";

    private final Path file;
    private final Path node;

    private LoopDevice(Path file, Path node) {
        this.file = file;
        this.node = node;
    }

    /**
     * Makes one, and fills it, so that no block is a hole.
     *
     * @param bytes a multiple of a page
     * @throws IOException with what losetup(8) said, if it fails, or if there is not so much memory
     */
    static LoopDevice inMemory(long bytes) throws IOException {
        if (!"root".equals(System.getProperty("user.name"))) {
            throw new IOException("needs root, to set up a loop device; name a device to compare on it");
        }
        if (Files.getFileStore(MEMORY).getUsableSpace() < bytes) {
            throw new IOException("needs " + ByteSize.format(bytes) + " free on " + MEMORY);
        }
        Path file = Files.createTempFile(MEMORY, "aisio-compare-", ".img");
        try {
            fill(file, bytes);
            String node = Program.require("losetup", REMEDY)
                    .print("--find", "--show", "--direct-io=on", "--", file.toString())
                    .strip();
            return new LoopDevice(file, Path.of(node));
        } catch (IOException e) {
            Files.delete(file);
            throw e;
        }
    }

    private static void fill(Path path, long bytes) throws IOException {
        try (OpenFile file = OpenFile.open(path, OpenFile.Access.READ_WRITE);
                Mapping part = Mapping.anonymous(1 << 20)) {
            part.segment().fill((byte) 0x5A);
            for (long at = 0; at < bytes; at += part.segment().byteSize()) {
                file.write(part.segment().asSlice(0, Math.min(part.segment().byteSize(), bytes - at)), at);
            }
        }
    }

    /** Its node, such as {@code /dev/loop0}. */
    Path node() {
        return node;
    }

    /** Takes it apart, also when this thread is interrupted. */
    @Override
    public void close() throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            Program.require("losetup", REMEDY).run("--detach", node.toString());
        } finally {
            Files.deleteIfExists(file);
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
