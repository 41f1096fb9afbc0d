package io.aisio.nvme;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Whoever carries admin commands to a controller: this driver, or the kernel's that holds the controller. */
@FunctionalInterface
public interface AdminCommands {
    /**
     * Executes an admin command and waits.
     *
     * @param data what it transfers, to or from the controller as the opcode's bits 1:0 say; empty for nothing; heap or
     *     native memory
     * @throws NvmeException if the controller completes it with an error, or does not in time
     * @throws IOException if it does not get there
     * @throws IllegalArgumentException if it is more data than one command transfers; nothing is sent then
     */
    Completion execute(Command command, MemorySegment data) throws IOException;
}
