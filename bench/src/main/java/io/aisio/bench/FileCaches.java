package io.aisio.bench;

import io.aisio.linux.FileStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the kernel keeps of files in memory. */
final class FileCaches {
    private static final Path DROP = Path.of("/proc/sys/vm/drop_caches");

    private FileCaches() {}

    /**
     * Has all of it written out and forgotten, with directories and inodes.
     *
     * @throws IOException if the user is not root, or the kernel refuses
     */
    static void drop() throws IOException {
        if (FileStatus.effectiveUser() != 0) {
            throw new IOException("--drop-caches takes root; put sudo before the command, or leave the option out");
        }
        Program.require("sync", "apt-get install coreutils").run();
        // 3: data, and what is known of names and inodes (the kernel's Documentation/admin-guide/sysctl/vm.rst).
        Files.writeString(DROP, "3\n");
    }
}
