package io.aisio.nvme;

import io.aisio.nvme.spec.Opcode;

/**
 * How Format NVM leaves a namespace (section 5.23).
 *
 * @param lbaFormat index of one of the namespace's LBA formats, 0 to 63
 * @param extendedLba whether metadata follows the data of each block in the same buffer
 * @param protectionType of protection information, 1 to 3, 0 for none
 * @param protectionFirst whether protection information is the first bytes of the metadata, not the last
 * @param erase what becomes of the data that was there
 */
public record Format(int lbaFormat, boolean extendedLba, int protectionType, boolean protectionFirst, Erase erase) {
    /** What becomes of the data that was there. */
    public enum Erase {
        /** That is not told. */
        NONE(0),
        /** It is erased. */
        USER_DATA(1),
        /** The key that it was encrypted with is. */
        CRYPTOGRAPHIC(2);

        private final int ses;

        Erase(int ses) {
            this.ses = ses;
        }
    }

    /** Checks that the fields hold the values. */
    public Format {
        if (lbaFormat < 0 || lbaFormat > 63 || protectionType < 0 || protectionType > 7) {
            throw new IllegalArgumentException(
                    "LBA format %d of 0 to 63, protection type %d of 0 to 7".formatted(lbaFormat, protectionType));
        }
    }

    /** A format without protection information; metadata, if there is any, in a buffer of its own. */
    public static Format of(int lbaFormat) {
        return new Format(lbaFormat, false, 0, false, Erase.NONE);
    }

    /** The command that gives it to a namespace. */
    public Command command(int nsid) {
        return Command.of(
                Opcode.FORMAT_NVM,
                nsid,
                (lbaFormat & 0xF)
                        | (extendedLba ? 1 << 4 : 0)
                        | protectionType << 5
                        | (protectionFirst ? 1 << 8 : 0)
                        | erase.ses << 9
                        | lbaFormat >>> 4 << 12);
    }
}
