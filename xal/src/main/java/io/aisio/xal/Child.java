package io.aisio.xal;

import org.jspecify.annotations.Nullable;

/**
 * A name as a directory holds it; the inode that it names was not looked at.
 *
 * @param name as {@link FileName} decodes it
 * @param inode the number that it names
 * @param type what the directory says that it is, or null if the directory does not know
 */
public record Child(String name, long inode, @Nullable FileType type) {
    /** Whether it names the directory itself or the one above. */
    public boolean isDot() {
        return name.equals(".") || name.equals("..");
    }
}
