package io.aisio.upcie;

import java.io.IOException;

/** Loads modules of the kernel. */
@FunctionalInterface
public interface KernelModules {
    /**
     * Loads a module and what it needs.
     *
     * @param name letters, digits, {@code -} and {@code _}
     * @throws IOException if it cannot be loaded, with what modprobe(8) said
     */
    void load(String name) throws IOException;
}
