package io.aisio.cli;

import io.aisio.upcie.BoundBefore;
import io.aisio.upcie.PciAddress;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What {@code devbind} remembers, for a listing, which does not fail because of it.
 *
 * @param all what each function had
 * @param notes why that is not known
 */
record DevbindMemory(Map<PciAddress, BoundBefore.Binding> all, List<String> notes) {
    /** Reads it; it is root's, and anybody else knows nothing. */
    static DevbindMemory read() {
        if (!Root.is()) {
            return new DevbindMemory(Map.of(), List.of());
        }
        try {
            return new DevbindMemory(new BoundBefore(BoundBefore.FILE).all(), List.of());
        } catch (IOException e) {
            return new DevbindMemory(Map.of(), List.of(String.valueOf(e.getMessage())));
        }
    }

    /** What a function had; null if nothing is remembered. */
    BoundBefore.@Nullable Binding of(PciAddress address) {
        return all.get(address);
    }
}
