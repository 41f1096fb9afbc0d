package io.aisio.upcie;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.aisio.linux.Errno;
import io.aisio.linux.FileStatus;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which driver each function had before it was bound to another, in a file of this user's alone: what it says is done as
 * root. It lies where it is gone after a restart, as the bindings are.
 */
public final class BoundBefore {
    /** Where it is for root. */
    public static final Path FILE = Path.of("/run/aisio/devbind");

    /** Chosen for a thousand functions and more; a file that is longer is none of ours. */
    private static final int MOST_BYTES = 256 << 10;

    private static final Pattern LINE =
            Pattern.compile("(\\S+) ([0-9a-f]{4}):([0-9a-f]{4}) ([A-Za-z0-9_-]+|\\*) ([A-Za-z0-9_-]+|\\*)");
    /** A driver's name, as a line may have it. */
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_-]+");
    /** What others may not do: write. */
    private static final int WRITE_BY_OTHERS = 022;

    private final Path file;

    /** @param file which may not be there yet, nor its folder */
    public BoundBefore(Path file) {
        this.file = file;
    }

    /**
     * What a function had.
     *
     * @param vendor of the function that was there
     * @param device likewise
     * @param driver that was bound; null if none was
     * @param override of the driver; null if there was none
     */
    public record Binding(
            int vendor,
            int device,
            @Nullable String driver,
            @Nullable String override) {
        /** What a function has now. */
        static Binding of(PciDevice function) {
            return new Binding(function.vendor(), function.device(), function.driver(), function.driverOverride());
        }

        /** Whether the same function is at this place still. */
        boolean isOf(PciDevice function) {
            return vendor == function.vendor() && device == function.device();
        }
    }

    /** Where it is. */
    public Path file() {
        return file;
    }

    /**
     * All that is remembered.
     *
     * @throws IOException if the file is somebody else's, a link, or does not make sense
     */
    public Map<PciAddress, Binding> all() throws IOException {
        Map<PciAddress, Binding> all = new TreeMap<>();
        if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            return all;
        }
        for (String line : text().lines().toList()) {
            Matcher parts = LINE.matcher(line);
            if (!parts.matches() || !PciAddress.isAddress(parts.group(1))) {
                throw new IOException(file + ": '" + line + "' makes no sense; remove the file, and bind by hand");
            }
            all.put(
                    PciAddress.parse(parts.group(1)),
                    new Binding(
                            Integer.parseInt(parts.group(2), 16),
                            Integer.parseInt(parts.group(3), 16),
                            orNull(parts.group(4)),
                            orNull(parts.group(5))));
        }
        return all;
    }

    /**
     * Remembers what a function had, unless something is remembered of it.
     *
     * @throws IOException if it cannot be written, or its driver or {@code driver_override} has a name that could not be
     *     read again
     */
    void remember(PciDevice function) throws IOException {
        Map<PciAddress, Binding> all = all();
        Binding known = all.get(function.address());
        if (known == null || !known.isOf(function)) {
            requireName(function, "driver", function.driver());
            requireName(function, "driver_override", function.driverOverride());
            all.put(function.address(), Binding.of(function));
            write(all);
        }
    }

    /**
     * Forgets a function.
     *
     * @throws IOException if it cannot be written
     */
    void forget(PciAddress function) throws IOException {
        Map<PciAddress, Binding> all = all();
        if (all.remove(function) != null) {
            write(all);
        }
    }

    /**
     * Keeps everybody else who does as this from changing bindings until what is returned is closed.
     *
     * @throws IOException if somebody does so now
     */
    public OpenFile lock() throws IOException {
        Path lock = file.resolveSibling(file.getFileName() + ".lock");
        makeFolder();
        OpenFile open;
        try {
            open = OpenFile.create(lock, 0600);
        } catch (LinuxException e) {
            if (e.errno() != Errno.EEXIST) {
                throw e;
            }
            open = OpenFile.openItself(lock, OpenFile.Access.READ_WRITE);
        }
        try {
            open.claim();
            return open;
        } catch (LinuxException e) {
            open.close();
            throw e.errno() == Errno.EAGAIN
                    ? new IOException(
                            "another './aisio devbind' is at work (it holds " + lock + "); wait for its end", e)
                    : e;
        }
    }

    private static void requireName(PciDevice function, String attribute, @Nullable String name) throws IOException {
        if (name != null && !NAME.matcher(name).matches()) {
            throw new IOException(function.address() + ": its " + attribute + " is '" + name
                    + "', which is no driver's name and cannot be restored; bind by hand");
        }
    }

    private static @Nullable String orNull(String word) {
        return word.equals("*") ? null : word;
    }

    private String text() throws IOException {
        try (OpenFile open = OpenFile.openItself(file, OpenFile.Access.READ_ONLY);
                Arena arena = Arena.ofConfined()) {
            FileStatus status = open.status();
            if (!status.isRegular()
                    || status.owner() != FileStatus.effectiveUser()
                    || (status.mode() & WRITE_BY_OTHERS) != 0
                    || status.size() > MOST_BYTES) {
                throw new IOException(file + ": it is no file of this user's alone; what it says is not done");
            }
            MemorySegment bytes = arena.allocate(MOST_BYTES);
            long length = open.read(bytes, 0);
            return new String(bytes.asSlice(0, length).toArray(JAVA_BYTE), StandardCharsets.US_ASCII);
        }
    }

    /** The new content replaces the old one at once, so that neither a crash nor a full disk leaves half of it. */
    private void write(Map<PciAddress, Binding> all) throws IOException {
        List<String> lines = new ArrayList<>();
        all.forEach((address, was) -> lines.add("%s %04x:%04x %s %s\n"
                .formatted(
                        address,
                        was.vendor(),
                        was.device(),
                        was.driver() == null ? "*" : was.driver(),
                        was.override() == null ? "*" : was.override())));
        makeFolder();
        Path fresh = file.resolveSibling(file.getFileName() + ".new");
        Files.deleteIfExists(fresh);
        try (OpenFile open = OpenFile.create(fresh, 0600);
                Arena arena = Arena.ofConfined()) {
            byte[] bytes = String.join("", lines).getBytes(StandardCharsets.US_ASCII);
            if (bytes.length > 0) {
                open.write(arena.allocateFrom(JAVA_BYTE, bytes), 0);
            }
            open.flush();
        }
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private void makeFolder() throws IOException {
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null) {
            throw new IOException(file + ": not in a folder");
        }
        try {
            Files.createDirectory(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
        } catch (FileAlreadyExistsException _) {
            int mode = (int) Files.getAttribute(folder, "unix:mode", LinkOption.NOFOLLOW_LINKS);
            long owner = (int) Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS) & 0xFFFF_FFFFL;
            if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
                    || owner != FileStatus.effectiveUser()
                    || (mode & WRITE_BY_OTHERS) != 0) {
                throw new IOException(folder + ": it is no folder of this user's alone, so nothing is kept there");
            }
        }
    }
}
