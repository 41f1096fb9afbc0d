package io.aisio.fil.nio;

import io.aisio.xal.FileName;
import io.aisio.xal.FileType;
import java.io.IOException;
import java.net.URI;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.ProviderMismatchException;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A path in an {@link XfsFileSystem}, with the algebra of paths on Linux: separated by slashes, without a second one in a
 * row and without one at the end; {@code .} and {@code ..} are names until {@link #normalize}. Relative paths begin at the
 * root. A name that is not UTF-8 is a string as {@link FileName} decodes it.
 */
final class XfsPath implements Path {
    private final XfsFileSystem fileSystem;
    private final String path;
    /** The names, without the root; one empty name for the empty path. */
    private final List<String> names;

    private XfsPath(XfsFileSystem fileSystem, String path, List<String> names) {
        this.fileSystem = fileSystem;
        this.path = path;
        this.names = names;
    }

    /**
     * Parses a path.
     *
     * @throws InvalidPathException if no file can have that name
     */
    static XfsPath parse(XfsFileSystem fileSystem, String text) {
        String input = checked(text);
        List<String> names = new ArrayList<>();
        for (int from = 0; from < input.length(); ) {
            int slash = input.indexOf('/', from);
            int to = slash < 0 ? input.length() : slash;
            if (to > from) {
                names.add(input.substring(from, to));
            }
            from = to + 1;
        }
        return of(fileSystem, input.startsWith("/"), names);
    }

    private static XfsPath of(XfsFileSystem fileSystem, boolean absolute, List<String> names) {
        if (!absolute && names.isEmpty()) {
            return new XfsPath(fileSystem, "", List.of(""));
        }
        return new XfsPath(fileSystem, (absolute ? "/" : "") + String.join("/", names), List.copyOf(names));
    }

    /** The text as it is if its bytes are; two spellings of the same bytes become one. */
    private static String checked(String text) {
        boolean escaped = false;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == 0) {
                throw new InvalidPathException(text, "Nul character not allowed", i);
            }
            if (Character.isSurrogate(c)) {
                if (Character.isHighSurrogate(c)
                        && i + 1 < text.length()
                        && Character.isLowSurrogate(text.charAt(i + 1))) {
                    i++;
                } else if (c >= '\uDC80' && c <= '\uDCFF') {
                    escaped = true;
                } else {
                    throw new InvalidPathException(text, "a surrogate alone, which is no character", i);
                }
            }
        }
        return escaped ? FileName.decode(FileName.encode(text)) : text;
    }

    /**
     * A path of this kind.
     *
     * @throws ProviderMismatchException if it is of another provider
     */
    static XfsPath of(Path path) {
        if (Objects.requireNonNull(path) instanceof XfsPath own) {
            return own;
        }
        throw new ProviderMismatchException(path + " is a path of " + path.getFileSystem());
    }

    /** The names from the root, whether or not the path begins there. */
    List<String> names() {
        return names;
    }

    private boolean isEmpty() {
        return path.isEmpty();
    }

    @Override
    public XfsFileSystem getFileSystem() {
        return fileSystem;
    }

    @Override
    public boolean isAbsolute() {
        return path.startsWith("/");
    }

    @Override
    public @Nullable XfsPath getRoot() {
        return isAbsolute() ? fileSystem.root() : null;
    }

    @Override
    public @Nullable XfsPath getFileName() {
        return names.isEmpty() ? null : relative(names.subList(names.size() - 1, names.size()));
    }

    @Override
    public @Nullable XfsPath getParent() {
        if (names.size() > 1) {
            return of(fileSystem, isAbsolute(), names.subList(0, names.size() - 1));
        }
        return names.isEmpty() ? null : getRoot();
    }

    @Override
    public int getNameCount() {
        return names.size();
    }

    @Override
    public XfsPath getName(int index) {
        if (index < 0 || index >= names.size()) {
            throw new IllegalArgumentException("name " + index + " of the " + names.size() + " in '" + path + "'");
        }
        return relative(names.subList(index, index + 1));
    }

    @Override
    public XfsPath subpath(int beginIndex, int endIndex) {
        if (beginIndex < 0 || endIndex > names.size() || beginIndex >= endIndex) {
            throw new IllegalArgumentException(
                    "names " + beginIndex + " to " + endIndex + " of the " + names.size() + " in '" + path + "'");
        }
        return relative(names.subList(beginIndex, endIndex));
    }

    private XfsPath relative(List<String> some) {
        return some.equals(List.of("")) ? of(fileSystem, false, List.of()) : of(fileSystem, false, some);
    }

    @Override
    public boolean startsWith(Path other) {
        return Objects.requireNonNull(other) instanceof XfsPath that
                && that.fileSystem == fileSystem
                && that.isAbsolute() == isAbsolute()
                && that.names.size() <= names.size()
                && that.names.equals(names.subList(0, that.names.size()));
    }

    @Override
    public boolean endsWith(Path other) {
        if (!(Objects.requireNonNull(other) instanceof XfsPath that) || that.fileSystem != fileSystem) {
            return false;
        }
        int more = names.size() - that.names.size();
        if (that.isAbsolute()) {
            return equals(that);
        }
        return more >= 0 && that.isEmpty() == isEmpty() && that.names.equals(names.subList(more, names.size()));
    }

    @Override
    public XfsPath normalize() {
        List<String> kept = new ArrayList<>(names.size());
        for (String name : names) {
            if (name.equals("..")) {
                if (!kept.isEmpty() && !kept.getLast().equals("..")) {
                    kept.removeLast();
                } else if (!isAbsolute()) {
                    kept.add(name);
                }
            } else if (!name.isEmpty() && !name.equals(".")) {
                kept.add(name);
            }
        }
        return kept.equals(names) ? this : of(fileSystem, isAbsolute(), kept);
    }

    @Override
    public XfsPath resolve(Path other) {
        XfsPath that = of(other);
        if (that.isAbsolute() || isEmpty()) {
            return that;
        }
        if (that.isEmpty()) {
            return this;
        }
        List<String> all = new ArrayList<>(names.size() + that.names.size());
        all.addAll(names);
        all.addAll(that.names);
        return of(fileSystem, isAbsolute(), all);
    }

    /** The path of a name in this directory. */
    XfsPath child(String name) {
        if (isEmpty()) {
            return relative(List.of(name));
        }
        List<String> all = new ArrayList<>(names.size() + 1);
        all.addAll(names);
        all.add(name);
        return new XfsPath(fileSystem, names.isEmpty() ? "/" + name : path + "/" + name, List.copyOf(all));
    }

    @Override
    public XfsPath relativize(Path other) {
        XfsPath that = of(other);
        if (that.equals(this)) {
            return of(fileSystem, false, List.of());
        }
        if (that.isAbsolute() != isAbsolute()) {
            throw new IllegalArgumentException(
                    "of '%s' and '%s', one is absolute and one is not".formatted(path, that));
        }
        if (isEmpty()) {
            return that;
        }
        XfsPath base = this;
        XfsPath child = that;
        if (base.hasDots() || child.hasDots()) {
            base = base.normalize();
            child = child.normalize();
        }
        List<String> from = base.isEmpty() ? List.of() : base.names;
        List<String> to = child.isEmpty() ? List.of() : child.names;
        int common = 0;
        while (common < Math.min(from.size(), to.size()) && from.get(common).equals(to.get(common))) {
            common++;
        }
        List<String> up = from.subList(common, from.size());
        if (up.contains("..")) {
            throw new IllegalArgumentException("from '%s' to '%s' no relative path leads".formatted(path, that));
        }
        List<String> result = new ArrayList<>();
        up.forEach(name -> result.add(".."));
        result.addAll(to.subList(common, to.size()));
        return of(fileSystem, false, result);
    }

    private boolean hasDots() {
        return names.contains(".") || names.contains("..");
    }

    @Override
    public URI toUri() {
        return new AisioUri(fileSystem.device(), toAbsolutePath().path).uri();
    }

    @Override
    public XfsPath toAbsolutePath() {
        return isAbsolute() ? this : fileSystem.root().resolve(this);
    }

    /** {@inheritDoc} Without following links, a {@code ..} behind a link stays: it leads elsewhere than back. */
    @Override
    public XfsPath toRealPath(LinkOption... options) throws IOException {
        if (!Arrays.asList(options).contains(LinkOption.NOFOLLOW_LINKS)) {
            return parse(fileSystem, fileSystem.find(this, true).path());
        }
        XfsPath real = fileSystem.root();
        for (String name : names) {
            if (name.equals("..") && !real.goesBackElsewhere()) {
                real = Objects.requireNonNullElse(real.getParent(), real);
            } else if (!name.isEmpty() && !name.equals(".")) {
                real = real.child(name);
            }
        }
        // The path as it was given must lead somewhere: what was left out of it too.
        fileSystem.find(this, false);
        return real;
    }

    /** Whether {@code ..} behind it is another directory than the one before it. */
    private boolean goesBackElsewhere() throws IOException {
        XfsPath last = getFileName();
        return last != null
                && (last.path.equals("..") || fileSystem.find(this, false).type() == FileType.SYMLINK);
    }

    /**
     * {@inheritDoc}
     *
     * @throws UnsupportedOperationException always: nobody changes what is read here
     */
    @Override
    public WatchKey register(WatchService watcher, WatchEvent.Kind<?>[] events, WatchEvent.Modifier... modifiers) {
        throw new UnsupportedOperationException("a file system that is read from its blocks does not change");
    }

    /** Compares as the bytes of the paths do, without sign. */
    @Override
    public int compareTo(Path other) {
        String that = ((XfsPath) other).path;
        int length = Math.min(path.length(), that.length());
        for (int i = 0; i < length; i++) {
            char a = path.charAt(i);
            char b = that.charAt(i);
            if (a != b) {
                // The bytes of what is not ASCII are all above it; among themselves UTF-16 may order otherwise.
                return a < 0x80 || b < 0x80
                        ? a - b
                        : Arrays.compareUnsigned(FileName.encode(path), FileName.encode(that));
            }
        }
        return path.length() - that.length();
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof XfsPath that && that.fileSystem == fileSystem && that.path.equals(path);
    }

    @Override
    public int hashCode() {
        return path.hashCode();
    }

    @Override
    public String toString() {
        return path;
    }
}
