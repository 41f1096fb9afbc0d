package io.aisio.nvme;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Whoever carries single commands to a controller and waits for each: this driver, or the kernel's that holds the
 * controller. What command sets are built on; any thread may call it. For speed there are queues.
 */
public interface Passthrough extends AdminCommands {
    /** Nothing to transfer. */
    MemorySegment NOTHING = MemorySegment.NULL;

    /** How messages name it. */
    String name();

    /** The namespace that I/O commands go to unless they name another; 0 if there is none. */
    int nsid();

    /**
     * Executes an I/O command and waits.
     *
     * @param command its namespace is {@link #nsid()} where it names 0
     * @param data what it transfers, to or from the controller as the opcode's bits 1:0 say; empty for nothing; heap or
     *     native memory
     * @param metadata metadata in a buffer of its own, in the same direction; empty for none
     * @throws NvmeException if the controller completes it with an error, or does not in time
     * @throws IOException if it does not get there
     * @throws IllegalArgumentException if it is more than one command transfers; nothing is sent then
     */
    Completion executeIo(Command command, MemorySegment data, MemorySegment metadata) throws IOException;

    /** The same without metadata. */
    default Completion executeIo(Command command, MemorySegment data) throws IOException {
        return executeIo(command, data, NOTHING);
    }
}
