package io.aisio.linux.block;

import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Which processes have device nodes open ({@code /proc/PID/fd}), as far as this user may know.
 *
 * @param processes by the node's path: number and name of each process but this
 */
record OpenNodes(Map<String, Set<String>> processes) {
    static OpenNodes read(Path proc) throws IOException {
        Map<String, Set<String>> processes = new HashMap<>();
        String self = Long.toString(ProcessHandle.current().pid());
        for (Path process : Sysfs.list(proc)) {
            String number = String.valueOf(process.getFileName());
            if (!number.equals(self) && number.chars().allMatch(c -> c >= '0' && c <= '9')) {
                read(process, number, processes);
            }
        }
        return new OpenNodes(processes);
    }

    private static void read(Path process, String number, Map<String, Set<String>> processes) throws IOException {
        List<Path> descriptors;
        try {
            descriptors = Sysfs.list(process.resolve("fd"));
        } catch (AccessDeniedException _) {
            return;
        }
        for (Path descriptor : descriptors) {
            try {
                String target = Files.readSymbolicLink(descriptor).toString();
                if (target.startsWith("/dev/")) {
                    processes
                            .computeIfAbsent(target, _ -> new LinkedHashSet<>())
                            .add(number + " (" + MountTables.command(process) + ")");
                }
            } catch (FileSystemException _) {
                // It was closed meanwhile.
            }
        }
    }

    /** Who has a node open. */
    Set<String> of(String path) {
        return processes.getOrDefault(path, Set.of());
    }
}
