package io.aisio.cli;

import io.aisio.linux.Mounts;
import io.aisio.upcie.HugePages;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code hugepages mount}: makes huge pages reachable as files. */
@Command(
        name = "mount",
        header = "Mounts hugetlbfs, so that programs share huge pages as files.",
        description = {
            "%nA folder that is not there is made. Where it is mounted already with pages of that size, nothing is done."
        },
        footer = {
            "  sudo ./aisio hugepages mount",
            "  sudo ./aisio hugepages mount --size 1GiB --mountpoint /dev/hugepages1G"
        })
final class HugepagesMount implements Callable<Integer> {
    @Option(
            names = "--mountpoint",
            defaultValue = "/dev/hugepages",
            paramLabel = "PATH",
            description = "Where (/dev/hugepages).")
    @SuppressWarnings("NullAway.Init")
    private Path point;

    @Option(
            names = "--size",
            defaultValue = "2MiB",
            paramLabel = "SIZE",
            converter = XnvmeperfOptions.Bytes.class,
            description = "Size of a page, 2MiB or 1GiB (2MiB).")
    private long pageBytes;

    @Option(names = "--dry-run", description = "Print what would be done.")
    private boolean dryRun;

    @Override
    public Integer call() throws IOException {
        new HugePages().pool(pageBytes, -1);
        Path folder = Files.exists(point)
                ? point.toRealPath()
                : point.toAbsolutePath().normalize();
        // As systemd mounts it: any member of root's group makes files, and removes only its own.
        String options = "mode=1770,pagesize=" + (pageBytes >> 10) + "K";
        Mounts.Mount there = mountAt(folder);
        if (there != null) {
            if (!there.type().equals("hugetlbfs") || !pageSize(there).equals(shown(pageBytes))) {
                throw new IOException(folder + ": " + there.type()
                        + (there.type().equals("hugetlbfs") ? " with pages of " + pageSize(there) : "")
                        + " is mounted there already; unmount it, or choose another --mountpoint");
            }
            System.out.println(Printable.of(folder + ": mounted already, pages of " + pageSize(there)));
            return Exit.DONE;
        }
        if (dryRun) {
            if (!Files.isDirectory(folder)) {
                System.out.println("mkdir -p " + folder);
            }
            System.out.println("mount -t hugetlbfs -o nosuid,nodev,noexec," + options + " hugetlbfs " + folder);
            return Exit.DONE;
        }
        Root.require("mounting");
        Files.createDirectories(folder);
        Mounts.mount("hugetlbfs", folder, options);
        System.out.println(Printable.of(folder + ": mounted, pages of " + shown(pageBytes)));
        return Exit.DONE;
    }

    private static Mounts.@Nullable Mount mountAt(Path folder) throws IOException {
        // Of several at one place, the last covers the others.
        return Mounts.read().all().stream()
                .filter(mount -> mount.point().equals(folder.toString()))
                .reduce((_, last) -> last)
                .orElse(null);
    }

    /** As the kernel tells it: {@code 2M}, {@code 1024M} ({@code hugetlbfs_show_options}). */
    private static String pageSize(Mounts.Mount mount) {
        String told = mount.option("pagesize");
        return told == null ? "the default size" : told.toUpperCase(Locale.ROOT);
    }

    private static String shown(long bytes) {
        return bytes < 1 << 20 ? (bytes >> 10) + "K" : (bytes >> 20) + "M";
    }
}
