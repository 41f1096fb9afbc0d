package io.aisio.cuda;

import io.aisio.linux.FileStatus;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Compiled kernels, kept in files that are named by a hash of all that they were made of. A file that is damaged, or of
 * something else, is as good as none; where nothing can be kept, nothing is.
 *
 * <pre>
 *   "AISIOGPU"    the key, 32 bytes    SHA-256 of the code    the code
 * </pre>
 *
 * The GPU runs what is in here, so that the folder is this user's alone (mode 0700): what others could have written is not
 * read.
 */
final class CodeCache {
    private static final byte[] MAGIC = "AISIOGPU".getBytes(StandardCharsets.US_ASCII);
    private static final int HASH_BYTES = 32;
    private static final int HEADER_BYTES = MAGIC.length + 2 * HASH_BYTES;

    /** Chosen: no code for a GPU that we make is nearly as large. */
    private static final long MOST_BYTES = 256L << 20;

    private final @Nullable Path folder;

    private CodeCache(@Nullable Path folder) {
        this.folder = folder;
    }

    /** In {@code $XDG_CACHE_HOME/aisio}, or {@code ~/.cache/aisio} (XDG Base Directory Specification). */
    static CodeCache ofUser() {
        String home = System.getenv("XDG_CACHE_HOME");
        if (home == null || !home.startsWith("/")) {
            home = System.getProperty("user.home", "/") + "/.cache";
        }
        return in(Path.of(home, "aisio"));
    }

    /** In a folder, which is made if it is not there; one that keeps nothing if that cannot be, or it is not this user's alone. */
    static CodeCache in(Path folder) {
        try {
            if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
                Path parent = folder.getParent();
                if (parent != null) {
                    Files.createDirectories(parent);
                }
                Files.createDirectory(
                        folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            }
            return new CodeCache(isOurs(folder) ? folder : null);
        } catch (IOException | UnsupportedOperationException | SecurityException _) {
            return new CodeCache(null);
        }
    }

    private static boolean isOurs(Path folder) throws IOException {
        PosixFileAttributes attributes =
                Files.readAttributes(folder, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        Set<PosixFilePermission> permissions = attributes.permissions();
        return attributes.isDirectory()
                && FileStatus.effectiveUser() == owner(folder)
                && !permissions.contains(PosixFilePermission.GROUP_WRITE)
                && !permissions.contains(PosixFilePermission.OTHERS_WRITE);
    }

    private static long owner(Path folder) throws IOException {
        return ((Number) Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS)).longValue() & 0xFFFF_FFFFL;
    }

    /** The folder; null if nothing can be kept. */
    @Nullable
    Path folder() {
        return folder;
    }

    /** A hash of all that code is made of, in hexadecimal. */
    static String key(
            String name, String source, Map<String, String> headers, Iterable<String> options, String compiler) {
        MessageDigest hash = KernelSources.sha256();
        add(hash, compiler);
        add(hash, name);
        add(hash, source);
        headers.forEach((header, text) -> {
            add(hash, header);
            add(hash, text);
        });
        options.forEach(option -> add(hash, option));
        return HexFormat.of().formatHex(hash.digest());
    }

    /** With its length, so that no two lists of texts are the same bytes. */
    private static void add(MessageDigest hash, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        hash.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, bytes.length));
        hash.update(bytes);
    }

    /** The code that was kept under a key; null if there is none that is whole. */
    byte @Nullable [] find(String key) {
        if (folder == null) {
            return null;
        }
        Path file = file(folder, key);
        try {
            if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) || Files.size(file) > MOST_BYTES) {
                return null;
            }
            byte[] all = Files.readAllBytes(file);
            if (all.length <= HEADER_BYTES
                    || !Arrays.equals(header(key, all, HEADER_BYTES), Arrays.copyOf(all, HEADER_BYTES))) {
                return null;
            }
            return Arrays.copyOfRange(all, HEADER_BYTES, all.length);
        } catch (IOException _) {
            return null;
        }
    }

    /** Keeps code under a key, if that can be; whoever looks meanwhile finds what was there before. */
    void keep(String key, byte[] code) {
        if (folder == null) {
            return;
        }
        Path made = null;
        try {
            made = Files.createTempFile(folder, key.substring(0, 8), ".new");
            byte[] all = Arrays.copyOf(header(key, code, 0), HEADER_BYTES + code.length);
            System.arraycopy(code, 0, all, HEADER_BYTES, code.length);
            Files.write(made, all);
            Files.move(made, file(folder, key), StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException _) {
            remove(made);
        }
    }

    private static void remove(@Nullable Path made) {
        try {
            if (made != null) {
                Files.deleteIfExists(made);
            }
        } catch (IOException _) {
            // Where nothing can be written, there is nothing to remove.
        }
    }

    private static byte[] header(String key, byte[] code, int from) {
        MessageDigest hash = KernelSources.sha256();
        hash.update(code, from, code.length - from);
        return ByteBuffer.allocate(HEADER_BYTES)
                .put(MAGIC)
                .put(HexFormat.of().parseHex(key))
                .put(hash.digest())
                .array();
    }

    private static Path file(Path folder, String key) {
        return folder.resolve(key + ".cubin");
    }
}
