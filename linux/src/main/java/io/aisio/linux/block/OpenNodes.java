package io.aisio.linux.block;

import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Which processes have device nodes open ({@code /proc/PID/fd}), as far as this user may know.
 *
 * @param processes by the node's path: number and name of each process but this
 * @param unseen number and name of each process that runs, and may not be looked into
 */
public record OpenNodes(Map<String, Set<String>> processes, List<String> unseen) {
    /** Looks at this machine. */
    public static OpenNodes read() throws IOException {
        return read(Path.of("/proc"));
    }

    static OpenNodes read(Path proc) throws IOException {
        Map<String, Set<String>> processes = new HashMap<>();
        List<String> unseen = new ArrayList<>();
        String self = Long.toString(ProcessHandle.current().pid());
        for (Path process : Sysfs.list(proc)) {
            String number = String.valueOf(process.getFileName());
            if (number.equals(self) || !number.chars().allMatch(c -> c >= '0' && c <= '9')) {
                continue;
            }
            try {
                read(process, number, processes);
            } catch (AccessDeniedException _) {
                // A link in fd of a process that has just ended is refused like one of somebody else's.
                if (MountTables.runs(process)) {
                    unseen.add(number + " (" + MountTables.command(process) + ")");
                }
            }
        }
        return new OpenNodes(processes, List.copyOf(unseen));
    }

    private static void read(Path process, String number, Map<String, Set<String>> processes) throws IOException {
        for (Path descriptor : Sysfs.list(process.resolve("fd"))) {
            try {
                String target = Files.readSymbolicLink(descriptor).toString();
                if (target.startsWith("/dev/")) {
                    processes
                            .computeIfAbsent(target, _ -> new LinkedHashSet<>())
                            .add(number + " (" + MountTables.command(process) + ")");
                }
            } catch (NoSuchFileException _) {
                // It was closed meanwhile.
            }
        }
    }

    /** Who has a node open, such as {@code /dev/vfio/5}. */
    public Set<String> of(String path) {
        return processes.getOrDefault(path, Set.of());
    }
}
