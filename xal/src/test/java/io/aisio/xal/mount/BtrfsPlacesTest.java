package io.aisio.xal.mount;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.linux.Beneath;
import io.aisio.linux.Btrfs.Chunk;
import io.aisio.linux.Btrfs.Stripe;
import io.aisio.linux.FileExtent;
import io.aisio.linux.FileStatus;
import io.aisio.xal.Extent;
import io.aisio.xal.LoopMount;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsImage;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BtrfsPlacesTest {
    private static final int DATA = 1;
    private static final int DUP = 0x20;

    private static List<Extent> locate(FileExtent extent, Chunk... chunks) throws IOException {
        TreeMap<Long, Chunk> map = new TreeMap<>();
        for (Chunk chunk : chunks) {
            map.put(chunk.logical(), chunk);
        }
        return BtrfsPlaces.locate(1, map, List.of(extent), "/file");
    }

    private static Chunk chunk(long logical, long length, int type, long device, long position) {
        return new Chunk(
                logical, length, type, List.of(new Stripe(device, position), new Stripe(device, position + 999)));
    }

    @Test
    void cutsWhatLiesInTwoChunks() throws IOException {
        assertThat(locate(
                        new FileExtent(4096, 19_000, 3_000, Extent.SHARED),
                        chunk(10_000, 10_000, DATA, 1, 500_000),
                        chunk(20_000, 10_000, DATA | DUP, 1, 100_000)))
                .containsExactly(
                        new Extent(4096, 509_000, 1_000, Extent.SHARED),
                        new Extent(5096, 100_000, 2_000, Extent.SHARED));
    }

    @Test
    void leavesAloneWhatTheDeviceDoesNotHoldAsItIs() throws IOException {
        assertThat(locate(new FileExtent(0, 77, 4096, Extent.ENCODED)))
                .containsExactly(new Extent(0, 77, 4096, Extent.ENCODED));
    }

    @ParameterizedTest
    @CsvSource({
        "9999, 1, 1, in no chunk",
        "20000, 1, 1, in no chunk",
        "10000, 9, 1, spread as RAID0",
        "10000, 17, 1, spread as RAID1",
        "10000, 257, 1, spread as RAID6",
        "10000, 1, 2, a seed device"
    })
    void refusesWhatHasNoOnePlaceOnTheDevice(long address, int type, long device, String reason) {
        assertThatThrownBy(() -> locate(new FileExtent(0, address, 512, 0), chunk(10_000, 10_000, type, device, 0)))
                .isInstanceOf(IOException.class)
                .hasMessageContainingAll("/file", reason);
    }

    @TempDir
    private Path folder;

    /** Counts how often a map is asked for, and has no chunk for it the first times. */
    private final class Moving implements MountedTree.Mapping {
        final int without;
        int asked;

        Moving(int without) {
            this.without = without;
        }

        @Override
        public List<Extent> extents(FileStatus status) throws IOException {
            asked++;
            FileExtent told = new FileExtent(0, 10_000, 512, 0);
            return asked <= without ? locate(told) : locate(told, chunk(10_000, 10_000, DATA, 1, 500_000));
        }

        MountedTree.Map map() throws IOException {
            try (Beneath directory = Beneath.directory(folder)) {
                return MountedTree.steady(directory::status, this, "/file", 8);
            }
        }
    }

    @Test
    void mapsAFileAgainWhoseChunkWasMovedMeanwhile() throws IOException {
        Moving moving = new Moving(3);
        assertThat(moving.map().extents()).containsExactly(new Extent(0, 500_000, 512, 0));
        assertThat(moving.asked).isEqualTo(5);
    }

    @Test
    void tellsAnAddressThatStaysInNoChunkForAFaultNotForAChange() {
        Moving moving = new Moving(Integer.MAX_VALUE);
        assertThatThrownBy(moving::map)
                .isExactlyInstanceOf(IOException.class)
                .hasMessageContainingAll("/file", "address 10000 lies in no chunk", "8 times");
        assertThat(moving.asked).isEqualTo(8);
    }

    @Test
    @Tag("root")
    void refusesAFileSystemOfTwoDevices() throws Exception {
        LoopMount.needsLoopDevices();
        List<String> devices = new ArrayList<>();
        Path mount = Files.createDirectory(folder.resolve("mount"));
        try {
            for (String name : List.of("a", "b")) {
                Path image = folder.resolve(name);
                try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
                    file.setLength(200 << 20);
                }
                devices.add(XfsImage.run(List.of("losetup", "-f", "--show", image.toString()))
                        .strip());
            }
            XfsImage.run(List.of("mkfs.btrfs", "-q", "-d", "raid0", devices.get(0), devices.get(1)));
            XfsImage.run(List.of("mount", devices.get(0), mount.toString()));
            try {
                assertThatThrownBy(() -> Xal.mounted(mount, true))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("btrfs with 2 devices");
            } finally {
                XfsImage.run(List.of("umount", mount.toString()));
            }
        } finally {
            for (String device : devices) {
                XfsImage.run(List.of("losetup", "-d", device));
            }
        }
    }
}
