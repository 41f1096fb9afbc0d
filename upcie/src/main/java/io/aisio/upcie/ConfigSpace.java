package io.aisio.upcie;

import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A function's configuration space, as far as it is needed: the command register (PCI Local Bus 3.0, section 6.2.2). */
final class ConfigSpace {
    private static final long COMMAND = 4;
    /** Whether the function decodes its memory BARs. */
    static final int MEMORY_SPACE = 1 << 1;
    /** Whether the function may access memory, and raise message-signalled interrupts. */
    static final int BUS_MASTER = 1 << 2;
    /** Whether the function is kept from asserting INTx. */
    static final int INTX_DISABLE = 1 << 10;

    /** A way to some bytes of it. */
    interface Access {
        void transfer(MemorySegment bytes, long offset) throws IOException;
    }

    private final Access read;
    private final Access write;

    ConfigSpace(Access read, Access write) {
        this.read = read;
        this.write = write;
    }

    /** Sets some bits of the command register and clears others; the rest stays as it is. */
    synchronized void command(int set, int clear) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment word = arena.allocate(JAVA_SHORT_UNALIGNED);
            read.transfer(word, COMMAND);
            int value = word.get(JAVA_SHORT_UNALIGNED, 0) & 0xFFFF;
            word.set(JAVA_SHORT_UNALIGNED, 0, (short) ((value & ~clear) | set));
            write.transfer(word, COMMAND);
        }
    }
}
