package io.aisio.upcie;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HugePagesTest {
    private static final long SMALL = 2L << 20;

    @TempDir
    Path root;

    private Path sysfs;

    @BeforeEach
    void twoSizesAndTwoNodes() throws IOException {
        sysfs = root.resolve("sys");
        pool("kernel/mm/hugepages/hugepages-2048kB", "64");
        SysfsTree.write(sysfs.resolve("kernel/mm/hugepages/hugepages-2048kB/resv_hugepages"), "3");
        pool("kernel/mm/hugepages/hugepages-1048576kB", "0");
        pool("devices/system/node/node0/hugepages/hugepages-2048kB", "64");
        pool("devices/system/node/node10/hugepages/hugepages-2048kB", "0");
    }

    private void pool(String folder, String count) throws IOException {
        SysfsTree.write(sysfs.resolve(folder).resolve("nr_hugepages"), count);
        SysfsTree.write(sysfs.resolve(folder).resolve("free_hugepages"), count);
        SysfsTree.write(sysfs.resolve(folder).resolve("surplus_hugepages"), "0");
    }

    @Test
    void tellsEveryPool() throws IOException {
        Files.createDirectory(sysfs.resolve("kernel/mm/hugepages/hugepages-odd"));
        assertThat(new HugePages(root).pools())
                .containsExactly(
                        new HugePages.Pool(1L << 30, -1, 0, 0, 0, 0),
                        new HugePages.Pool(SMALL, -1, 64, 64, 3, 0),
                        new HugePages.Pool(SMALL, 0, 64, 64, 0, 0),
                        new HugePages.Pool(SMALL, 10, 0, 0, 0, 0));
        assertThat(new HugePages(root.resolve("nowhere")).pools()).isEmpty();
    }

    @Test
    void setsUpWhatTheKernelFinds() throws IOException {
        HugePages pages = new HugePages(root);
        assertThat(pages.setUp(SMALL, 10, 8).total()).isEqualTo(8);
        assertThat(Files.readString(pages.attribute(SMALL, 10))).startsWith("8");
    }

    @Test
    void doesNotDriveMemoryOutForPagesThatDoNotFit() throws IOException {
        SysfsTree.write(root.resolve("proc/meminfo"), "MemTotal:  99999999 kB\nMemAvailable:     20480 kB");
        SysfsTree.write(
                sysfs.resolve("devices/system/node/node10/meminfo"),
                "Node 10 MemTotal: 9 kB\nNode 10 MemFree:  4096 kB");
        HugePages pages = new HugePages(root);
        assertThatThrownBy(() -> pages.setUp(SMALL, -1, 75))
                .hasMessage(
                        "75 huge pages of 2097152 bytes do not fit: 20 MiB of memory are available, which is room for"
                                + " 10 more");
        assertThatThrownBy(() -> pages.setUp(SMALL, 10, Long.MAX_VALUE))
                .hasMessageContaining("available on NUMA node 10");
        assertThat(Files.readString(pages.attribute(SMALL, -1))).startsWith("64");
        assertThat(pages.setUp(SMALL, -1, 74).total()).isEqualTo(74);
        assertThat(pages.setUp(SMALL, 10, 2).total()).isEqualTo(2);
    }

    @Test
    void saysWhichSizesAndNodesThereAre() {
        HugePages pages = new HugePages(root);
        assertThatThrownBy(() -> pages.pool(4096, -1))
                .hasMessage("huge pages of 4096 bytes: this machine has those of 2097152, 1073741824 bytes");
        assertThatThrownBy(() -> pages.pool(SMALL, 3)).hasMessage("NUMA node 3: this machine has nodes [0, 10]");
        assertThatThrownBy(() -> new HugePages(root.resolve("nowhere")).pool(SMALL, -1))
                .hasMessageContaining("this kernel has no huge pages");
    }

    @Test
    void refusesNumbersThatMakeNoSense() throws IOException {
        SysfsTree.write(sysfs.resolve("kernel/mm/hugepages/hugepages-2048kB/free_hugepages"), "many");
        assertThatThrownBy(() -> new HugePages(root).pools()).hasMessageContaining("'many' is no number");
        SysfsTree.write(sysfs.resolve("kernel/mm/hugepages/hugepages-2048kB/free_hugepages"), "-4");
        assertThatThrownBy(() -> new HugePages(root).pools()).hasMessageContaining("-4 pages");
    }

    @Test
    void readsThisMachines() throws IOException {
        assertThat(new HugePages().pools())
                .allSatisfy(pool -> assertThat(pool.free()).isLessThanOrEqualTo(pool.total()));
    }
}
