package io.aisio.linux.block;

import io.aisio.linux.Mounts;
import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
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
 */
record MountTables(List<Table> tables) {
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
        for (Path process : Sysfs.list(proc)) {
            String name = String.valueOf(process.getFileName());
            if (!name.chars().allMatch(c -> c >= '0' && c <= '9')) {
                continue;
            }
            String namespace = namespace(process);
            // The first process has what the system was started from, even if its namespace may not be known.
            if ((!namespace.isEmpty() || name.equals("1")) && seen.add(namespace)) {
                try {
                    String where = " in the mount namespace of process " + name + " (" + command(process) + ")";
                    tables.add(new Table(Mounts.read(process.resolve("mountinfo")), where, name.equals("1")));
                } catch (FileSystemException _) {
                    // It has ended, or is somebody else's.
                }
            }
        }
        return new MountTables(List.copyOf(tables));
    }

    /** What {@code ns/mnt} leads to, which names the namespace; empty if it may not be known. */
    private static String namespace(Path process) {
        try {
            return Files.readSymbolicLink(process.resolve("ns/mnt")).toString();
        } catch (IOException | UnsupportedOperationException _) {
            return "";
        }
    }

    /** A process's name. */
    static String command(Path process) throws IOException {
        String name = Sysfs.text(process.resolve("comm"));
        return name == null ? "gone" : name;
    }
}
