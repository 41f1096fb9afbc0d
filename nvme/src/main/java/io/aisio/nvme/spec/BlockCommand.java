package io.aisio.nvme.spec;

/** Bits of command dword 12 of the commands on logical blocks (NVM Command Set 1.0, section 3.2). */
public final class BlockCommand {
    /** What was written is durable when the command completes (FUA). */
    public static final int FORCE_UNIT_ACCESS = 1 << 30;
    /** Write Zeroes: the blocks may be deallocated (DEAC). */
    public static final int DEALLOCATE = 1 << 25;

    private BlockCommand() {}
}
