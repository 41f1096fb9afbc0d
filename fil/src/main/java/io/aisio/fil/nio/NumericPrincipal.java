package io.aisio.fil.nio;

import java.nio.file.attribute.GroupPrincipal;

/**
 * An owner or group by its number. Its name is the number: who has it is known on the machine that wrote the file system,
 * which need not be this one.
 *
 * @param id user or group ID, 0 to 2^32 - 1
 */
record NumericPrincipal(long id) implements GroupPrincipal {
    @Override
    public String getName() {
        return Long.toString(id);
    }

    @Override
    public String toString() {
        return getName();
    }
}
