package io.aisio.linux;

import java.io.IOException;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What this process may take of the machine, {@code /proc/self/limits} ({@code proc(5)}). */
public final class ResourceLimits {
    private static final Pattern MEMLOCK = Pattern.compile("Max locked memory\\s+(\\S+)\\s.*");

    private ResourceLimits() {}

    /**
     * The soft limit of memory that is locked, or pinned for devices (RLIMIT_MEMLOCK).
     *
     * @param proc where procfs is, {@code /proc} but in tests
     * @return a number of bytes, or {@code unlimited}
     * @throws IOException if the kernel does not tell
     */
    public static String lockedMemory(Path proc) throws IOException {
        Path limits = proc.resolve("self/limits");
        String text = Sysfs.text(limits);
        return (text == null ? "" : text)
                .lines()
                .map(MEMLOCK::matcher)
                .filter(Matcher::matches)
                .map(line -> line.group(1))
                .findFirst()
                .orElseThrow(() -> new IOException(limits + " has no 'Max locked memory'"));
    }
}
