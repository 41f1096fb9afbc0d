package io.aisio.bench;

import io.aisio.linux.FileStatus;
import io.aisio.xal.Comparison;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.Placement;
import io.aisio.xal.Xal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * Compares two ways to find a file system's files and their bytes: its blocks and its kernel.
 *
 * <pre>
 *                      names, inodes, maps                     bytes
 *   kernel, mounted    walk, FIEMAP ─┐                         read(2) ─┐
 *                                    ├ alike? (XFS)                     ├ alike?
 *   image or device    its blocks ───┘                 blocks of a map ─┘
 * </pre>
 */
public final class VolumeVerify {
    private final Comparison maps;
    private final Comparison bytes;
    private String mapsNotCompared = "";
    private String device = "";

    private VolumeVerify(Comparison.Listener listener) {
        maps = new Comparison(listener);
        bytes = new Comparison(listener);
    }

    /**
     * What was compared.
     *
     * @param maps names, inodes and maps
     * @param mapsNotCompared why those were not compared; empty if they were
     * @param bytes the bytes of regular files
     * @param device whose blocks were read, and how
     */
    public record Report(Comparison.Counts maps, String mapsNotCompared, Comparison.Counts bytes, String device) {
        /** Whether something was compared, all of it was alike, and nothing was left undecided. */
        public boolean ok() {
            return differences() + damaged() + maps.unsettled() == 0 && !nothingCompared();
        }

        /** Whether there are files with bytes, and neither those nor maps could be compared: compressed, inline, encrypted. */
        public boolean nothingCompared() {
            return !mapsNotCompared.isEmpty() && bytes.bytes() > 0 && bytes.elsewhere() == bytes.bytes();
        }

        /** What differs. */
        public long differences() {
            return maps.differences() + bytes.differences();
        }

        /** What could not be read. */
        public long damaged() {
            return maps.damaged() + bytes.damaged();
        }
    }

    /**
     * Compares all files of an image, which is mounted to read for that, or beneath a directory of a file system that is
     * mounted. It takes root.
     *
     * @param freeze whether nobody may write to the mounted file system meanwhile; of a directory only
     * @param listener is told each difference
     * @throws IOException if nothing can be compared
     */
    public static Report run(Path where, boolean freeze, Comparison.Listener listener) throws IOException {
        if (Files.notExists(where)) {
            throw new NoSuchFileException(where.toString());
        }
        boolean directory = Files.isDirectory(where);
        if (!directory && !Files.isRegularFile(where)) {
            throw new IOException(where + ": name an image of a file system, or a directory of one that is mounted");
        }
        if (freeze && !directory) {
            throw new IOException(where + " is an image, which is mounted to read, so that nothing writes to it:"
                    + " --freeze is for a directory");
        }
        if (FileStatus.effectiveUser() != 0) {
            throw new IOException("comparing " + where + " with its blocks needs root, to "
                    + (directory ? "read the device that it lies on" : "mount it") + "; next: as root");
        }
        VolumeVerify verify = new VolumeVerify(listener);
        if (directory) {
            if (freeze) {
                try (Freeze _ = Freeze.of(where)) {
                    verify.mounted(where, true);
                }
            } else {
                verify.mounted(where, false);
            }
        } else {
            verify.image(where);
        }
        return new Report(verify.maps.counts(), verify.mapsNotCompared, verify.bytes.counts(), verify.device);
    }

    private void mounted(Path directory, boolean frozen) throws IOException {
        try (Xal mounted = Xal.mounted(directory, true);
                FileBlocks blocks =
                        FileBlocks.open(Path.of("/dev", Placement.of(mounted).device()))) {
            device = blocks.name() + ", " + blocks.path();
            if (isXfs(mounted)) {
                maps.maps(mounted, blocks, frozen);
            }
            bytes.bytes(mounted, blocks, frozen);
        }
    }

    private void image(Path image) throws IOException {
        try (LoopMount mount = LoopMount.toRead(image);
                Xal mounted = Xal.mounted(mount.folder(), true);
                FileBlocks blocks = FileBlocks.open(image)) {
            device = blocks.name() + ", " + blocks.path();
            if (isXfs(mounted)) {
                try (Xal onDisk = Xal.open(blocks)) {
                    maps.maps(onDisk, mounted);
                }
            }
            bytes.bytes(mounted, blocks);
        }
    }

    private boolean isXfs(Xal mounted) {
        String type = mounted.volume().type();
        if (!type.equals("xfs")) {
            mapsNotCompared = "of " + type + " they are known from the kernel only, XFS alone is read from its blocks";
        }
        return mapsNotCompared.isEmpty();
    }
}
