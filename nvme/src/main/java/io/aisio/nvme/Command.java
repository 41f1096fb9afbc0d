package io.aisio.nvme;

import io.aisio.nvme.spec.Opcode;

/**
 * A command but for its data and its identifier: opcode, namespace, and the command dwords as
 * {@link io.aisio.nvme.spec.Sqe} pairs them.
 *
 * @param opcode one of {@link Opcode}'s, or any other of 8 bits
 * @param nsid the namespace, 0 where the command uses none
 * @param cdw2 command dwords 2 (low half) and 3
 * @param cdw10 command dwords 10 (low half) and 11
 * @param cdw12 command dwords 12 (low half) and 13
 * @param cdw14 command dwords 14 (low half) and 15
 */
public record Command(int opcode, int nsid, long cdw2, long cdw10, long cdw12, long cdw14) {
    /** Checks that the opcode has 8 bits. */
    public Command {
        if (opcode < 0 || opcode > 0xFF) {
            throw new IllegalArgumentException("opcode 0x%x has more than 8 bits".formatted(opcode));
        }
    }

    /** A command without dwords 2 and 3, which few have. */
    public Command(int opcode, int nsid, long cdw10, long cdw12, long cdw14) {
        this(opcode, nsid, 0, cdw10, cdw12, cdw14);
    }

    /** A command with only command dword 10. */
    public static Command of(int opcode, int nsid, int cdw10) {
        return new Command(opcode, nsid, cdw10 & 0xFFFF_FFFFL, 0, 0);
    }

    /** A command with command dwords 10 and 11. */
    public static Command of(int opcode, int nsid, int cdw10, int cdw11) {
        return new Command(opcode, nsid, (cdw10 & 0xFFFF_FFFFL) | (long) cdw11 << 32, 0, 0);
    }

    /**
     * This command on blocks with protection information (section 8.3).
     *
     * @param prinfo what the controller does and checks: {@link io.aisio.nvme.spec.Protection}'s {@code ACTION} and
     *     {@code CHECK_…}
     * @param referenceTag the first block's; in a namespace of type 1 the low half of its LBA
     * @param applicationTag what each block's is compared with, or becomes
     * @param applicationTagMask which bits of it are compared
     */
    public Command withProtection(int prinfo, int referenceTag, int applicationTag, int applicationTagMask) {
        long tags =
                (referenceTag & 0xFFFF_FFFFL) | (applicationTag & 0xFFFFL) << 32 | (applicationTagMask & 0xFFFFL) << 48;
        return new Command(opcode, nsid, cdw2, cdw10, cdw12 | (prinfo & 0xFFFF_FFFFL), tags);
    }

    /**
     * A read, a write, or another command over a range of logical blocks.
     *
     * @param lba the first logical block
     * @param blocks how many, 1 to 65536
     */
    public static Command overBlocks(int opcode, int nsid, long lba, int blocks) {
        if (blocks < 1 || blocks > 0x1_0000) {
            throw new IllegalArgumentException(blocks + " logical blocks in one command; 1 to 65536 are possible");
        }
        return new Command(opcode, nsid, lba, blocks - 1, 0);
    }

    /** This command for another namespace. */
    public Command withNamespace(int namespace) {
        return new Command(opcode, namespace, cdw2, cdw10, cdw12, cdw14);
    }

    /** Command dwords 2, 3 and 10 to 15. */
    int[] dwords() {
        return new int[] {
            (int) cdw2,
            (int) (cdw2 >>> 32),
            (int) cdw10,
            (int) (cdw10 >>> 32),
            (int) cdw12,
            (int) (cdw12 >>> 32),
            (int) cdw14,
            (int) (cdw14 >>> 32)
        };
    }
}
