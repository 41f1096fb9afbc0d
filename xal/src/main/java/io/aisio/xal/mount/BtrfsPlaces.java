package io.aisio.xal.mount;

import io.aisio.linux.Beneath;
import io.aisio.linux.Btrfs;
import io.aisio.linux.Errno;
import io.aisio.linux.FileExtent;
import io.aisio.linux.FileStatus;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.xal.Extent;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * Where the one device of a btrfs holds what btrfs tells in addresses of its own.
 *
 * <pre>
 *   FIEMAP: address ──► chunk that holds it (chunk tree) ──► its first stripe on the device + how far into the chunk
 * </pre>
 *
 * <p>Chunks that lie in one piece are read so (single), and those of which the device holds two copies (DUP, of which the
 * first is told). What is spread over devices is refused: an address then has no one place. A file system may move its
 * chunks while it is mounted (balance), so they are asked for with each map.
 */
final class BtrfsPlaces {
    /** BTRFS_BLOCK_GROUP_PROFILE_MASK, and the profile DUP. */
    private static final long PROFILES = 0x7F8;

    private static final long DUP = 0x20;
    private static final String[] PROFILE_NAMES = {
        "RAID0", "RAID1", "DUP", "RAID10", "RAID5", "RAID6", "RAID1C3", "RAID1C4"
    };
    /**
     * Features with which an address lies where its chunk says: the first 13, up to ZONED, and SIMPLE_QUOTA. Not
     * RAID_STRIPE_TREE, which has places of its own, nor what came later.
     */
    private static final long KNOWN_FEATURES = 0x1FFF | 1 << 16;

    private final long device;
    private final FileStatus.Device number;

    private BtrfsPlaces(long device, FileStatus.Device number) {
        this.device = device;
        this.number = number;
    }

    /**
     * Looks at a mounted file system.
     *
     * @throws IOException if it has several devices or features that are not known here, or may not be asked
     */
    static BtrfsPlaces of(Beneath top, Path path) throws IOException {
        long devices = Btrfs.devices(top);
        if (devices != 1) {
            throw new IOException(path + " is on btrfs with " + devices + " devices: a file's bytes lie on several of"
                    + " them; keep the files on a btrfs of one device, XFS or ext4");
        }
        long unknown = Btrfs.features(top) & ~KNOWN_FEATURES;
        if (unknown != 0) {
            throw new IOException(
                    "%s is on btrfs with features 0x%x, with which it is not known where bytes lie; keep the"
                                    .formatted(path, unknown)
                            + " files on XFS or ext4");
        }
        long device =
                chunks(top, path).firstEntry().getValue().stripes().getFirst().device();
        Path node = Path.of(Btrfs.devicePath(top, device));
        try (OpenFile opened = OpenFile.open(node, OpenFile.Access.READ_ONLY)) {
            FileStatus status = opened.status();
            if (!status.isBlockDevice()) {
                throw new IOException(path + " is on btrfs, whose device " + node + " is no block device here");
            }
            return new BtrfsPlaces(device, status.represents());
        }
    }

    private static NavigableMap<Long, Btrfs.Chunk> chunks(Beneath top, Object shown) throws IOException {
        try {
            NavigableMap<Long, Btrfs.Chunk> chunks = new TreeMap<>();
            for (Btrfs.Chunk chunk : Btrfs.chunks(top)) {
                chunks.put(chunk.logical(), chunk);
            }
            if (chunks.isEmpty()) {
                throw new IOException(shown + " is on btrfs, which tells of no chunks");
            }
            return chunks;
        } catch (LinuxException e) {
            if (e.errno() == Errno.EPERM) {
                throw new IOException(
                        shown + " is on btrfs, which tells where its chunks lie to root alone; run as root", e);
            }
            throw e;
        }
    }

    /** The device. */
    FileStatus.Device number() {
        return number;
    }

    /**
     * Where what a file's map tells lies on the device, cut where chunks end.
     *
     * @throws FileChangedException if a part lies in no chunk, from which it may have been moved meanwhile
     * @throws IOException if a part lies in several places
     */
    List<Extent> locate(Beneath top, List<FileExtent> map, String shown) throws IOException {
        return locate(device, chunks(top, shown), map, shown);
    }

    static List<Extent> locate(long device, NavigableMap<Long, Btrfs.Chunk> chunks, List<FileExtent> map, String shown)
            throws IOException {
        List<Extent> extents = new ArrayList<>();
        for (FileExtent told : map) {
            Extent whole = new Extent(told.offset(), told.position(), told.length(), told.flags());
            if (!whole.located()) {
                extents.add(whole);
                continue;
            }
            for (long done = 0; done < told.length(); ) {
                long address = told.position() + done;
                Map.Entry<Long, Btrfs.Chunk> entry = chunks.floorEntry(address);
                if (entry == null
                        || address - entry.getKey() >= entry.getValue().length()) {
                    throw new FileChangedException(shown + ": its address " + address + " lies in no chunk");
                }
                Btrfs.Chunk chunk = entry.getValue();
                long length = Math.min(told.length() - done, chunk.logical() + chunk.length() - address);
                extents.add(new Extent(
                        told.offset() + done,
                        position(device, chunk, shown) + (address - chunk.logical()),
                        length,
                        told.flags()));
                done += length;
            }
        }
        return extents;
    }

    private static long position(long device, Btrfs.Chunk chunk, String shown) throws IOException {
        long profile = chunk.type() & PROFILES;
        if (profile != 0 && profile != DUP) {
            throw new IOException(shown + ": its bytes are spread as "
                    + PROFILE_NAMES[Long.numberOfTrailingZeros(profile) - 3]
                    + ", so that they lie in no one place; convert them with btrfs balance -dconvert=single");
        }
        Btrfs.Stripe stripe = chunk.stripes().getFirst();
        if (stripe.device() != device) {
            throw new IOException(shown + ": its bytes lie on the device " + stripe.device()
                    + " of the file system, not on " + device + ": a seed device is not read");
        }
        return stripe.position();
    }
}
