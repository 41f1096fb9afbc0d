package io.aisio.linux;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Files of sysfs and procfs: short texts, and links whose last name says something ({@code sysfs(5)}). What they stand
 * for may vanish at any time, so that what is not there is an answer, and no error.
 */
public final class Sysfs {
    /** Where the kernel has it. */
    public static final Path ROOT = Path.of("/sys");

    /** What an attribute may have: a page, of which aarch64 has 64 KiB at most ({@code Documentation/filesystems/sysfs}). */
    private static final int MOST_BYTES = 64 << 10;

    /** {@code asm-generic/errno-base.h}: the process is gone. */
    private static final int ESRCH = 3;

    private Sysfs() {}

    /**
     * What an attribute says, without white space around it; null if there is none, or its device or process is gone.
     *
     * @throws IOException if it cannot be read, or is no regular file of at most 64 KiB
     */
    public static @Nullable String text(Path attribute) throws IOException {
        if (!Files.exists(attribute, LinkOption.NOFOLLOW_LINKS)) {
            return null;
        }
        if (!Files.isRegularFile(attribute, LinkOption.NOFOLLOW_LINKS)) {
            if (!Files.exists(attribute, LinkOption.NOFOLLOW_LINKS)) {
                return null;
            }
            throw new IOException(attribute + ": no regular file");
        }
        try (OpenFile file = OpenFile.openItself(attribute, OpenFile.Access.READ_ONLY);
                Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(MOST_BYTES);
            long length = file.read(bytes, 0);
            if (length == MOST_BYTES) {
                throw new IOException(attribute + ": longer than an attribute can be");
            }
            return new String(bytes.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8).strip();
        } catch (LinuxException e) {
            // ESRCH is what a file of procfs says whose process ended after it was opened.
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ENODEV || e.errno() == ESRCH) {
                return null;
            }
            throw e;
        }
    }

    /**
     * What an attribute says as a number: decimal, or hexadecimal after {@code 0x}.
     *
     * @param absent what it is where there is none
     * @throws IOException if it cannot be read, or is no number of 64 bits
     */
    public static long number(Path attribute, long absent) throws IOException {
        String text = text(attribute);
        return text == null ? absent : number(attribute, text);
    }

    /**
     * A text of an attribute as a number.
     *
     * @throws IOException if it is none
     */
    public static long number(Path attribute, String text) throws IOException {
        try {
            return text.startsWith("0x") ? Long.parseUnsignedLong(text, 2, text.length(), 16) : Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new IOException(attribute + ": '" + text + "' is no number", e);
        }
    }

    /**
     * What an attribute says as a number between two others.
     *
     * @param absent what it is where there is none
     * @throws IOException if it cannot be read, or is no number from {@code least} to {@code most}
     */
    public static int number(Path attribute, int absent, int least, int most) throws IOException {
        long number = number(attribute, (long) absent);
        if (number != absent && (number < least || number > most)) {
            throw new IOException(attribute + ": " + number + " is not from " + least + " to " + most);
        }
        return (int) number;
    }

    /**
     * The last name of what a link leads to, such as a driver's; null if there is no such link.
     *
     * @throws IOException if it cannot be read
     */
    public static @Nullable String link(Path link) throws IOException {
        if (!Files.isSymbolicLink(link)) {
            return null;
        }
        try {
            Path name = Files.readSymbolicLink(link).getFileName();
            return name == null ? null : name.toString();
        } catch (NoSuchFileException _) {
            return null;
        }
    }

    /**
     * What a folder has, by name; nothing if it is none, or vanishes meanwhile.
     *
     * @throws IOException if it cannot be read
     */
    public static List<Path> list(Path folder) throws IOException {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            entries.forEach(found::add);
        } catch (NoSuchFileException | NotDirectoryException _) {
            return List.of();
        } catch (DirectoryIteratorException e) {
            if (e.getCause() instanceof NoSuchFileException) {
                return List.of();
            }
            throw e.getCause();
        }
        found.sort(null);
        return found;
    }

    /**
     * Writes to an attribute, at once, as the kernel wants it.
     *
     * @throws LinuxException with what the kernel answered ({@code ENODEV}, {@code EBUSY}, {@code EINVAL}, …)
     */
    public static void write(Path attribute, String text) throws LinuxException {
        try (OpenFile file = OpenFile.openItself(attribute, OpenFile.Access.WRITE_ONLY);
                Arena arena = Arena.ofConfined()) {
            file.write(arena.allocateFrom(ValueLayout.JAVA_BYTE, text.getBytes(StandardCharsets.UTF_8)), 0);
        }
    }
}
