package io.aisio.rig;

import io.aisio.fil.DeviceBlocks;
import io.aisio.homi.HomiControl;
import io.aisio.homi.HomiExtents;
import io.aisio.xal.Extent;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * Reads the files that a {@link FilesWriter} writes by their extents, past the kernel: {@code ExtentsReader SOCKET MOUNT DEVICE
 * FILES}. The daemon at the socket tells the extents and holds the files still; the blocks come through {@code DEVICE}. Says a
 * line for each file, with a checksum.
 *
 * <p>The first file stays pinned and is read once more after somebody has written over it and made {@value #OVERWRITTEN}. Then
 * this process waits to be killed.
 */
final class ExtentsReader {
    /** A file that says that the first one was written over. */
    static final String OVERWRITTEN = "overwritten";

    private static final int CONNECT_TRIES = 5;
    private static final long LOOK_NANOS = 20_000_000;

    private ExtentsReader() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        Path mount = Path.of(args[1]);
        try (HomiControl control = connect(Path.of(args[0]));
                HomiExtents extents = HomiExtents.open(control, args[1]);
                Device device = Device.open(args[2]);
                DeviceBlocks blocks = DeviceBlocks.open(device)) {
            say("ready");
            HomiExtents.Pinned first = pin(extents, mount, "file0");
            say("pinned " + checksum(read(blocks, first)));
            for (int i = 1; i < Integer.parseInt(args[3]); i++) {
                HomiExtents.Pinned file = pin(extents, mount, "file" + i);
                say("/file" + i + " " + checksum(read(blocks, file)));
                extents.unpin(file);
            }
            awaitFile(mount.resolve(OVERWRITTEN));
            say("still pinned " + checksum(read(blocks, first)));
            Thread.currentThread().join();
        }
    }

    /** The daemon, which may have to load half of its classes before it answers the first time. */
    private static HomiControl connect(Path socket) throws IOException {
        for (int tries = 1; ; tries++) {
            try {
                return HomiControl.open(socket, "reader of extents");
            } catch (IOException e) {
                if (tries == CONNECT_TRIES) {
                    throw e;
                }
            }
        }
    }

    private static HomiExtents.Pinned pin(HomiExtents extents, Path mount, String name) throws IOException {
        awaitFile(mount.resolve(name));
        return extents.pin("/" + name);
    }

    /** The kernel's view tells when it is there; what is in it comes through the device alone. */
    private static void awaitFile(Path file) {
        while (!Files.exists(file)) {
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }

    private static byte[] read(DeviceBlocks blocks, HomiExtents.Pinned file) throws IOException {
        byte[] content = new byte[(int) file.bytes()];
        try (Arena arena = Arena.ofConfined()) {
            for (Extent extent : file.extents()) {
                if (!extent.located() || extent.unwritten()) {
                    throw new IOException("an extent that is not on the device: " + extent.flagNames());
                }
                MemorySegment whole = arena.allocate(extent.length());
                blocks.read(extent.position(), whole);
                long bytes = Math.min(extent.length(), file.bytes() - extent.offset());
                MemorySegment.copy(whole, 0, MemorySegment.ofArray(content), extent.offset(), bytes);
            }
        }
        return content;
    }

    /** CRC-32C, which is quick also where nothing is compiled. */
    static String checksum(byte[] content) {
        CRC32C crc = new CRC32C();
        crc.update(content, 0, content.length);
        return HexFormat.of().toHexDigits((int) crc.getValue()) + "/" + content.length;
    }

    /** The checksums of all files {@code fileN} of a folder, as the kernel reads them from the device. */
    static Map<String, String> checksumsOf(Path folder) throws IOException {
        Machine.write(Path.of("/proc/sys/vm/drop_caches"), "3");
        Map<String, String> found = new TreeMap<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(path -> path.getFileName().toString().matches("file\\d+"))
                    .toList()) {
                found.put("/" + file.getFileName(), checksum(Files.readAllBytes(file)));
            }
        }
        return found;
    }

    /** Other bytes, as many. */
    static byte[] inverted(byte[] content) {
        byte[] other = Arrays.copyOf(content, content.length);
        for (int i = 0; i < other.length; i++) {
            other[i] = (byte) ~other[i];
        }
        return other;
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
