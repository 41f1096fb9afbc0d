package io.aisio.nvme.command;

import io.aisio.nvme.Command;
import io.aisio.nvme.spec.Opcode;

/**
 * A sanitize operation (section 5.24), which makes the data of the whole NVM subsystem unrecoverable.
 *
 * @param action what is done
 * @param unrestrictedExit whether one that failed may be left without another that succeeds
 * @param passes of an overwrite, 1 to 16; 1 of the others
 * @param invert whether the pattern of an overwrite is inverted from pass to pass
 * @param noDeallocate whether blocks stay allocated
 * @param pattern of an overwrite
 */
public record Sanitize(
        Action action, boolean unrestrictedExit, int passes, boolean invert, boolean noDeallocate, int pattern) {
    /** What is done. */
    public enum Action {
        /** A failed one is left behind. */
        EXIT_FAILURE(1),
        /** The media are erased. */
        BLOCK_ERASE(2),
        /** The media are overwritten with a pattern. */
        OVERWRITE(3),
        /** The keys that the data were encrypted with are erased. */
        CRYPTO_ERASE(4);

        private final int sanact;

        Action(int sanact) {
            this.sanact = sanact;
        }

        /** SANACT in command dword 10. */
        public int code() {
            return sanact;
        }
    }

    /** Checks that the fields hold the values. */
    public Sanitize {
        if (passes < 1 || passes > 16) {
            throw new IllegalArgumentException(passes + " passes of an overwrite; 1 to 16 are possible");
        }
    }

    /** One of its kind, restricted if it fails, without anything else. */
    public static Sanitize of(Action action) {
        return new Sanitize(action, false, 1, false, false, 0);
    }

    /** An overwrite. */
    public static Sanitize overwrite(int passes, int pattern) {
        return new Sanitize(Action.OVERWRITE, false, passes, false, false, pattern);
    }

    /** The command. */
    public Command command() {
        // OWPASS: 16 passes are 0.
        int dword10 = action.sanact
                | (unrestrictedExit ? 1 << 3 : 0)
                | (action == Action.OVERWRITE ? (passes & 0xF) << 4 : 0)
                | (invert ? 1 << 8 : 0)
                | (noDeallocate ? 1 << 9 : 0);
        return Command.of(Opcode.SANITIZE, 0, dword10, action == Action.OVERWRITE ? pattern : 0);
    }
}
