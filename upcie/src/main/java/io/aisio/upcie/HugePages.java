package io.aisio.upcie;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Memory that the kernel holds in huge pages ({@code Documentation/admin-guide/mm/hugetlbpage.rst}): one piece of a device's
 * address space each, that is never moved.
 */
public final class HugePages {
    private static final Pattern SIZE = Pattern.compile("hugepages-(\\d{1,12})kB");
    private static final Pattern NODE = Pattern.compile("node(\\d{1,6})");

    /** A line of {@code /proc/meminfo}, or of a node's {@code meminfo}, in which its number stands before. */
    private static final Pattern MEMORY = Pattern.compile("(?:Node \\d+ )?(MemAvailable|MemFree): +(\\d{1,15}) kB");

    private final Path sysfs;
    private final Path proc;

    /** @param root where {@code sys} and {@code proc} are, {@code /} but in tests */
    public HugePages(Path root) {
        this.sysfs = root.resolve("sys");
        this.proc = root.resolve("proc");
    }

    /** Those of this machine. */
    public HugePages() {
        this(Path.of("/"));
    }

    /**
     * The pages of one size, of one NUMA node or of all.
     *
     * @param pageBytes size of a page
     * @param node which NUMA node's; -1 for those of the whole machine
     * @param total pages that there are
     * @param free of these, not in use
     * @param reserved of the free ones, promised already; 0 for a node, of which the kernel does not tell
     * @param surplus of these, beyond what was set up
     */
    public record Pool(long pageBytes, int node, long total, long free, long reserved, long surplus) {}

    /**
     * All pools: for each size the machine's, and then each node's.
     *
     * @throws IOException if sysfs cannot be read, or makes no sense
     */
    public List<Pool> pools() throws IOException {
        List<Pool> pools = new ArrayList<>();
        for (Path entry : Sysfs.list(sysfs.resolve("kernel/mm/hugepages"))) {
            Matcher size = SIZE.matcher(String.valueOf(entry.getFileName()));
            if (!size.matches()) {
                continue;
            }
            long bytes = Long.parseLong(size.group(1)) << 10;
            pools.add(pool(entry, bytes, -1));
            for (int node : nodes()) {
                Path folder = folder(bytes, node);
                if (Files.isDirectory(folder)) {
                    pools.add(pool(folder, bytes, node));
                }
            }
        }
        return List.copyOf(pools);
    }

    /**
     * The NUMA nodes of this machine; none if it has no notion of them.
     *
     * @throws IOException if sysfs cannot be read
     */
    public List<Integer> nodes() throws IOException {
        List<Integer> nodes = new ArrayList<>();
        for (Path entry : Sysfs.list(sysfs.resolve("devices/system/node"))) {
            Matcher node = NODE.matcher(String.valueOf(entry.getFileName()));
            if (node.matches()) {
                nodes.add(Integer.parseInt(node.group(1)));
            }
        }
        nodes.sort(null);
        return nodes;
    }

    /**
     * One pool.
     *
     * @param node of a NUMA node; -1 for the machine's
     * @throws IOException if there is none, and what there is
     */
    public Pool pool(long pageBytes, int node) throws IOException {
        Path folder = folder(pageBytes, node);
        if (!Files.isDirectory(folder)) {
            List<Long> sizes =
                    pools().stream().map(Pool::pageBytes).distinct().sorted().toList();
            if (sizes.isEmpty()) {
                throw new IOException("this kernel has no huge pages (" + sysfs.resolve("kernel/mm/hugepages") + ")");
            }
            if (!sizes.contains(pageBytes)) {
                throw new IOException("huge pages of " + pageBytes + " bytes: this machine has those of "
                        + String.join(", ", sizes.stream().map(String::valueOf).toList()) + " bytes");
            }
            throw new IOException(
                    "NUMA node " + node + ": this machine has " + (nodes().isEmpty() ? "none" : "nodes " + nodes()));
        }
        return pool(folder, pageBytes, node);
    }

    /** The attribute that is written to set pages up. */
    public Path attribute(long pageBytes, int node) {
        return folder(pageBytes, node).resolve("nr_hugepages");
    }

    /**
     * Asks the kernel for pages: so many in all, not so many more. It finds as many as it can.
     *
     * @return what there is now
     * @throws IOException if memory has no room for them, of which the kernel is not asked; if the kernel refuses; or if
     *     fewer pages came than were asked for, which then stay
     */
    public Pool setUp(long pageBytes, int node, long count) throws IOException {
        Pool before = pool(pageBytes, node);
        checkRoom(pageBytes, node, count);
        try {
            Sysfs.write(attribute(pageBytes, node), Long.toString(count));
        } catch (LinuxException e) {
            throw e.errno() == Errno.EACCES || e.errno() == Errno.EPERM || e.errno() == Errno.EROFS
                    ? new IOException("setting up huge pages takes root: " + e.getMessage(), e)
                    : e;
        }
        Pool now = pool(pageBytes, node);
        long came = now.total() - now.surplus();
        if (came < count) {
            throw new IOException("of " + count + " huge pages of " + pageBytes + " bytes the kernel found " + came
                    + " (before: " + before.total()
                    + "); memory is full or too scattered: free some, ask for fewer, or reserve them when the kernel"
                    + " starts (hugepagesz=" + (pageBytes >> 20) + "M hugepages=" + count + ")");
        }
        return now;
    }

    /**
     * Checks that pages fit into the memory that is available now, before the kernel is asked: it would drive out of
     * memory whatever it can, until it ends programs.
     *
     * @throws IOException if they do not
     */
    public void checkRoom(long pageBytes, int node, long count) throws IOException {
        long more = count - pool(pageBytes, node).total();
        long available = available(node);
        if (available >= 0 && more > available / pageBytes) {
            throw new IOException(count + " huge pages of " + pageBytes + " bytes do not fit: " + (available >> 20)
                    + " MiB of memory are available" + (node < 0 ? "" : " on NUMA node " + node)
                    + ", which is room for " + available / pageBytes + " more");
        }
    }

    /** Bytes; of a node, the kernel tells only what is free. -1 if it tells nothing. */
    private long available(int node) throws IOException {
        Path file = node < 0 ? proc.resolve("meminfo") : sysfs.resolve("devices/system/node/node" + node + "/meminfo");
        String wanted = node < 0 ? "MemAvailable" : "MemFree";
        String text = Sysfs.text(file);
        return (text == null ? "" : text)
                .lines()
                .map(MEMORY::matcher)
                .filter(line -> line.matches() && wanted.equals(line.group(1)))
                .mapToLong(line -> Long.parseLong(line.group(2)) << 10)
                .findFirst()
                .orElse(-1);
    }

    private Path folder(long pageBytes, int node) {
        Path base = node < 0 ? sysfs.resolve("kernel/mm") : sysfs.resolve("devices/system/node/node" + node);
        return base.resolve("hugepages/hugepages-" + (pageBytes >> 10) + "kB");
    }

    private static Pool pool(Path folder, long pageBytes, int node) throws IOException {
        return new Pool(
                pageBytes,
                node,
                count(folder.resolve("nr_hugepages")),
                count(folder.resolve("free_hugepages")),
                count(folder.resolve("resv_hugepages")),
                count(folder.resolve("surplus_hugepages")));
    }

    private static long count(Path attribute) throws IOException {
        @Nullable String text = Sysfs.text(attribute);
        long count = text == null ? 0 : Sysfs.number(attribute, text);
        if (count < 0) {
            throw new IOException(attribute + ": " + count + " pages");
        }
        return count;
    }
}
