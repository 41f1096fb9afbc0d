package io.aisio.xal.watch;

import io.aisio.xal.backend.Backend;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A directory that is watched, by where it hangs in the tree, so that its path stays right when one above is renamed.
 *
 * <p>Others decide how deep a tree is: nothing here calls itself.
 */
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
        for (WatchedDirectory above = this; above != null; above = above.parent) {
            if (above == other) {
                return true;
            }
        }
        return false;
    }

    /** Its path from the root of what is watched. */
    String path() {
        List<String> names = new ArrayList<>();
        for (WatchedDirectory above = this; above.parent != null; above = above.parent) {
            names.add(above.name);
        }
        return "/" + String.join("/", names.reversed());
    }

    /** The path of a name in it; of itself if the name is empty. */
    String path(String child) {
        return child.isEmpty() ? path() : Backend.path(path(), child);
    }
}
