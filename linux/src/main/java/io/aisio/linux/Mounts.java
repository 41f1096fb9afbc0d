package io.aisio.linux;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is mounted where, as {@code /proc/self/mountinfo} tells this process ({@code proc(5)}).
 *
 * @param all in the kernel's order
 */
public record Mounts(List<Mount> all) {
    private static final Path TABLE = Path.of("/proc/self/mountinfo");

    // linux/mount.h.
    private static final long MS_NOSUID = 2;
    private static final long MS_NODEV = 4;
    private static final long MS_NOEXEC = 8;

    /** Fields before the optional ones. */
    private static final int FIXED = 6;

    /**
     * One mount.
     *
     * @param id its number
     * @param device of the file system; some have a made-up one
     * @param root which directory of the file system it shows, {@code /} unless it is a bind mount or a subvolume
     * @param point where it is mounted
     * @param options of this mount, with commas between
     * @param type of the file system, such as {@code ext4}
     * @param source what is mounted, such as {@code /dev/sda1}
     * @param superOptions of the file system, with commas between
     */
    public record Mount(
            long id,
            FileStatus.Device device,
            String root,
            String point,
            String options,
            String type,
            String source,
            String superOptions) {
        /** Whether the file system is mounted with an option, or with one that begins so and goes on behind a {@code =}. */
        public boolean has(String option) {
            return Arrays.stream(superOptions.split(",", -1))
                    .anyMatch(set -> set.equals(option) || set.startsWith(option + "="));
        }

        /** What an option of the file system is set to, behind a {@code =}; null if it is not there. */
        public @Nullable String option(String option) {
            return Arrays.stream(superOptions.split(",", -1))
                    .filter(set -> set.startsWith(option + "="))
                    .map(set -> unescape(set.substring(option.length() + 1)))
                    .findFirst()
                    .orElse(null);
        }
    }

    /**
     * Reads the table.
     *
     * @throws IOException if it cannot be read, or a line of it is not understood
     */
    public static Mounts read() throws IOException {
        return read(TABLE);
    }

    /**
     * Reads the table of another process, which may see other mounts.
     *
     * @param table its {@code mountinfo}
     * @throws IOException as {@link #read()}
     */
    public static Mounts read(Path table) throws IOException {
        List<Mount> all = new ArrayList<>();
        for (String line : new String(Files.readAllBytes(table), StandardCharsets.ISO_8859_1).split("\n", -1)) {
            if (!line.isEmpty()) {
                all.add(parse(line));
            }
        }
        return new Mounts(List.copyOf(all));
    }

    /**
     * Mounts a file system of the kernel's own making, which no program of it may be run from and no device be opened.
     *
     * @param type such as {@code hugetlbfs}
     * @param point an empty folder
     * @param options of the file system, with commas between
     * @throws LinuxException if the kernel refuses ({@code EPERM} unless this is root, {@code EINVAL} for an option)
     */
    public static void mount(String type, Path point, String options) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            int failed = Libc.mount(
                    arena.allocateFrom(type),
                    arena.allocateFrom(point.toString()),
                    arena.allocateFrom(type),
                    MS_NOSUID | MS_NODEV | MS_NOEXEC,
                    arena.allocateFrom(options));
            if (failed != 0) {
                throw new LinuxException("mount", point.toString(), Libc.errno());
            }
        }
    }

    /** The mount of a number, or null. */
    public @Nullable Mount of(long id) {
        return all.stream().filter(mount -> mount.id() == id).findFirst().orElse(null);
    }

    /** A line of the table, its bytes as characters: six fields, optional ones up to a dash, three more. */
    static Mount parse(String line) throws IOException {
        String[] fields = line.split(" ", -1);
        int dash = FIXED;
        while (dash < fields.length && !fields[dash].equals("-")) {
            dash++;
        }
        if (dash + 3 >= fields.length) {
            throw new IOException(TABLE + " has a line that is not understood: " + line);
        }
        String[] device = fields[2].split(":", -1);
        try {
            return new Mount(
                    Long.parseLong(fields[0]),
                    new FileStatus.Device(Integer.parseInt(device[0]), Integer.parseInt(device[device.length - 1])),
                    unescape(fields[3]),
                    unescape(fields[4]),
                    fields[5],
                    fields[dash + 1],
                    unescape(fields[dash + 2]),
                    fields[dash + 3]);
        } catch (NumberFormatException e) {
            throw new IOException(TABLE + " has a line that is not understood: " + line, e);
        }
    }

    /**
     * A field of a table of {@code /proc}: blanks, line ends and backslashes are written as a backslash and three octal
     * digits.
     *
     * @param field its bytes as characters
     */
    public static String unescape(String field) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int i = 0; i < field.length(); i++) {
            if (isOctal(field, i)) {
                bytes.write(Integer.parseInt(field.substring(i + 1, i + 4), 8));
                i += 3;
            } else {
                bytes.write(field.charAt(i));
            }
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    private static boolean isOctal(String field, int at) {
        return field.length() - at >= 4
                && field.charAt(at) == '\\'
                && field.substring(at + 1, at + 4).chars().allMatch(c -> c >= '0' && c <= '7');
    }
}
