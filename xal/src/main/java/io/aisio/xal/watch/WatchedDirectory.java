package io.aisio.xal.watch;

import io.aisio.xal.backend.Backend;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A directory that is watched, by where it hangs in the tree, so that its path stays right when one above is renamed. */
final class WatchedDirectory {
    private @Nullable WatchedDirectory parent;
    private String name;
    final int watch;
    final Map<String, WatchedDirectory> children = new HashMap<>();

    WatchedDirectory(@Nullable WatchedDirectory parent, String name, int watch) {
        this.parent = parent;
        this.name = name;
        this.watch = watch;
    }

    /** Hangs it into another directory, under another name. */
    void move(WatchedDirectory newParent, String newName) {
        if (parent != null) {
            parent.children.remove(name, this);
        }
        parent = newParent;
        name = newName;
        newParent.children.put(newName, this);
    }

    /** Takes it out of its directory. */
    void detach() {
        if (parent != null) {
            parent.children.remove(name, this);
        }
    }

    /** Whether it is another or below that. */
    boolean isBelow(WatchedDirectory other) {
        return this == other || (parent != null && parent.isBelow(other));
    }

    /** Its path from the root of what is watched. */
    String path() {
        return parent == null ? "/" : Backend.path(parent.path(), name);
    }

    /** The path of a name in it; of itself if the name is empty. */
    String path(String child) {
        return child.isEmpty() ? path() : Backend.path(path(), child);
    }
}
