package io.aisio.linux.block;

import io.aisio.linux.Mounts;
import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What is mounted in every mount namespace that this user may look into: a container's mounts are nowhere in this
 * process's own table, and hold a device all the same.
 *
 * @param tables this process's first
 * @param unseen number and name of each process that runs, and whose mounts may not be known, and why
 */
record MountTables(List<Table> tables, List<String> unseen) {
    /** {@code linux/sched.h}: PF_KTHREAD, a thread of the kernel's own. */
    private static final long KERNEL_THREAD = 0x00200000;

    /**
     * The mounts of one namespace.
     *
     * @param mounts what its processes see
     * @param where a process that is in it, to be put behind a mount point; empty for this process's own
     * @param system whether its root is the system's own: this process's, and that of the first one
     */
    record Table(Mounts mounts, String where, boolean system) {}

    /**
     * Reads them.
     *
     * @param proc where procfs is
     * @throws IOException if this process's own cannot be read
     */
    static MountTables read(Path proc) throws IOException {
        List<Table> tables = new ArrayList<>();
        tables.add(new Table(Mounts.read(proc.resolve("self/mountinfo")), "", true));
        Set<String> seen = new HashSet<>();
        String own = namespace(proc.resolve("self"));
        if (!own.isEmpty()) {
            seen.add(own);
        }
        List<String> unseen = new ArrayList<>();
        for (Path process : Sysfs.list(proc)) {
            String name = String.valueOf(process.getFileName());
            if (!name.chars().allMatch(c -> c >= '0' && c <= '9')) {
                continue;
            }
            String namespace = "";
            try {
                namespace = namespace(process);
                // The first process has what the system was started from, even if its namespace may not be known.
                if ((!namespace.isEmpty() || name.equals("1")) && seen.add(namespace)) {
                    String where = " in the mount namespace of process " + name + " (" + command(process) + ")";
                    tables.add(new Table(Mounts.read(process.resolve("mountinfo")), where, name.equals("1")));
                }
            } catch (IOException e) {
                // Another process of the same namespace may tell.
                seen.remove(namespace);
                if (runs(process)) {
                    unseen.add(name + " (" + command(process) + "): " + e.getMessage());
                }
            }
        }
        return new MountTables(List.copyOf(tables), List.copyOf(unseen));
    }

    /** What {@code ns/mnt} leads to, which names the namespace; empty if there is none, or none any more. */
    private static String namespace(Path process) throws IOException {
        try {
            return Files.readSymbolicLink(process.resolve("ns/mnt")).toString();
        } catch (NoSuchFileException _) {
            return "";
        }
    }

    /**
     * Whether a process may have anything open or mounted: it is no thread of the kernel's, and has not ended
     * ({@code proc_pid_stat(5)}: the state and the flags, counted from behind the name, which may have anything in it).
     */
    static boolean runs(Path process) throws IOException {
        String stat = Sysfs.text(process.resolve("stat"));
        if (stat == null) {
            return false;
        }
        String[] words = stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ", -1);
        if (words.length < 7) {
            throw new IOException(process.resolve("stat") + ": '" + stat + "' makes no sense");
        }
        boolean ended = words[0].equals("Z") || words[0].equals("X");
        return !ended && (Sysfs.number(process.resolve("stat"), words[6]) & KERNEL_THREAD) == 0;
    }

    /** A process's name. */
    static String command(Path process) throws IOException {
        String name = Sysfs.text(process.resolve("comm"));
        return name == null ? "gone" : name;
    }
}
