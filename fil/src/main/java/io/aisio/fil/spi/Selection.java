package io.aisio.fil.spi;

import java.util.List;
import java.util.function.Predicate;

/** Which files of a place are wanted. */
public sealed interface Selection {
    /**
     * All regular files beneath a folder that have a path that is wanted.
     *
     * @param root from the root of the place, beginning with {@code /}
     * @param wanted asked with each file's path from the root of the place
     */
    record Folder(String root, Predicate<String> wanted) implements Selection {}

    /**
     * Files by their paths, each a regular one.
     *
     * @param paths from the root of the place, beginning with {@code /}
     */
    record Paths(List<String> paths) implements Selection {
        /** Copies the list. */
        public Paths {
            paths = List.copyOf(paths);
        }
    }
}
