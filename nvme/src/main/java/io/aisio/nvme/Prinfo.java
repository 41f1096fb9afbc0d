package io.aisio.nvme;

import io.aisio.nvme.spec.Protection;

/**
 * What a command on blocks says of protection information (PRINFO and the tags, section 8.3).
 *
 * @param flags what the controller does and checks: {@link Protection}'s {@code ACTION} and {@code CHECK_…}
 * @param referenceTag of the command's first block; it counts up with each block, but not in a namespace of type 3
 * @param applicationTag what each block's is compared with, or becomes, 16 bits
 * @param applicationTagMask which bits of it are compared, 16 bits
 * @param storageTag what each block's is compared with, or becomes, 16 bits; of the 32-bit guard alone
 */
public record Prinfo(int flags, long referenceTag, int applicationTag, int applicationTagMask, int storageTag) {
    /** Nothing is made, taken off or checked. */
    public static final Prinfo NONE = new Prinfo(0, 0, 0, 0, 0);

    private static final int FLAGS = Protection.ACTION
            | Protection.CHECK_GUARD
            | Protection.CHECK_APPLICATION_TAG
            | Protection.CHECK_REFERENCE_TAG
            | Protection.CHECK_STORAGE_TAG;

    /** Checks that the fields hold the values. */
    public Prinfo {
        if ((flags & ~FLAGS) != 0 || (applicationTag | applicationTagMask | storageTag) >>> 16 != 0) {
            throw new IllegalArgumentException("flags 0x%x of 0x%x; tags 0x%x, 0x%x and 0x%x of 16 bits"
                    .formatted(flags, FLAGS, applicationTag, applicationTagMask, storageTag));
        }
    }

    /** Nothing made or taken off, guard and reference tag checked: what a namespace of type 1 or 2 is read with. */
    public static Prinfo checked(long referenceTag) {
        return new Prinfo(Protection.CHECK_GUARD | Protection.CHECK_REFERENCE_TAG, referenceTag, 0, 0, 0);
    }

    /** The same, but the controller makes protection information on a write and takes it off on a read. */
    public Prinfo withAction() {
        return new Prinfo(flags | Protection.ACTION, referenceTag, applicationTag, applicationTagMask, storageTag);
    }

    /** The same with an application tag of which every bit is checked. */
    public Prinfo withApplicationTag(int tag) {
        return new Prinfo(flags | Protection.CHECK_APPLICATION_TAG, referenceTag, tag, 0xFFFF, storageTag);
    }

    /** Whether the controller makes protection information, or takes it off. */
    public boolean action() {
        return (flags & Protection.ACTION) != 0;
    }

    /** A command with it. */
    public Command on(Command command) {
        Command with = command.withProtection(flags, (int) referenceTag, applicationTag, applicationTagMask);
        return new Command(
                with.opcode(),
                with.nsid(),
                (storageTag & 0xFFFFL) | (referenceTag & 0xFFFF_FFFF_0000_0000L),
                with.cdw10(),
                with.cdw12(),
                with.cdw14());
    }
}
