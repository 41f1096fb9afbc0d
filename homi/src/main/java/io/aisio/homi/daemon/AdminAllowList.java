package io.aisio.homi.daemon;

import io.aisio.homi.rpc.RpcException;
import io.aisio.nvme.Command;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import java.util.Set;

/** The admin commands that a client may have sent: those that only tell something. */
final class AdminAllowList {
    /** Bytes of data at most: four pages, in base 64 a third of a line. */
    static final int MOST_BYTES = 16 << 10;

    /** NVMe Base 1.4, figure 191: Retain Asynchronous Event. Without it a client would take an event from the driver. */
    private static final int RETAIN_EVENT = 1 << 15;
    /** NVMe Base 1.4, figure 196: Get Log Page's number of dwords, counted from 0: its low half here, its high one in dword 11. */
    private static final int NUMDL_SHIFT = 16;

    private static final long LOG_FIELDS = 0xFFFF_0000_0000_FFFFL;
    /** Features up to here are the base specification's and the command sets'; what follows is the vendor's. */
    private static final int LAST_STANDARD_FEATURE = 0xBF;
    /**
     * Log pages of the device as a whole, which reading leaves as they are: supported pages (00h), health (02h), firmware slots
     * (03h), commands supported and their effects (05h), self-tests (06h), endurance groups (09h), asymmetric namespace access
     * (0Ch), features (12h) and commands of the management interface (13h), data placement's configurations (20h), reclaim
     * unit handles (21h) and statistics (22h), sanitize status (81h). All others are refused: they tell of others' commands
     * (errors, 01h; data placement's events, 23h), are emptied by who reads them (namespaces and zones that changed, 04h and
     * BFh; reservations, 80h), start something (telemetry, persistent events), or are the vendor's.
     */
    private static final Set<Integer> LOG_PAGES =
            Set.of(0x00, 0x02, 0x03, 0x05, 0x06, 0x09, 0x0C, 0x12, 0x13, 0x20, 0x21, 0x22, 0x81);

    private AdminAllowList() {}

    /**
     * A command as it is sent.
     *
     * @param command which
     * @param bytes of the buffer that it is sent with: as many as the controller may write
     */
    record Permitted(Command command, int bytes) {}

    /**
     * The command as it is sent. How much the controller writes is the command's affair alone: what the client says that it
     * wants of it makes the buffer no smaller than that.
     *
     * @param bytes that the client wants
     * @throws RpcException if it is not on the list, or does not have so many bytes
     */
    static Permitted permitted(Command asked, int bytes) throws RpcException {
        return switch (asked.opcode()) {
            case Opcode.IDENTIFY -> page(asked, bytes);
            case Opcode.GET_FEATURES -> {
                int feature = (int) asked.cdw10() & 0xFF;
                if (feature > LAST_STANDARD_FEATURE) {
                    throw refused("Get Features of feature %02xh".formatted(feature));
                }
                yield page(asked, bytes);
            }
            case Opcode.GET_LOG_PAGE -> logPage(asked, bytes);
            default -> throw refused(Opcode.adminName(asked.opcode()));
        };
    }

    /** What writes a page, whole or in part. */
    private static Permitted page(Command asked, int bytes) throws RpcException {
        if (bytes > Identify.BYTES) {
            throw new RpcException(
                    RpcException.INVALID_PARAMS,
                    "%s has %d bytes at most, not %d"
                            .formatted(Opcode.adminName(asked.opcode()), Identify.BYTES, bytes),
                    null);
        }
        return new Permitted(asked, Identify.BYTES);
    }

    private static Permitted logPage(Command asked, int bytes) throws RpcException {
        if (bytes == 0 || bytes % Integer.BYTES != 0) {
            throw new RpcException(
                    RpcException.INVALID_PARAMS,
                    "Get Log Page of %d bytes: a multiple of 4 is possible, from 4 on".formatted(bytes),
                    null);
        }
        int page = (int) asked.cdw10() & 0xFF;
        if (!LOG_PAGES.contains(page)) {
            throw refused("Get Log Page of page %02xh".formatted(page));
        }
        // MOST_BYTES are fewer dwords than the low half of the number holds.
        long fields = (asked.cdw10() & LOG_FIELDS) | RETAIN_EVENT | (bytes / Integer.BYTES - 1L) << NUMDL_SHIFT;
        return new Permitted(
                new Command(asked.opcode(), asked.nsid(), asked.cdw2(), fields, asked.cdw12(), asked.cdw14()), bytes);
    }

    private static RpcException refused(String what) {
        return new RpcException(
                RpcException.NOT_PERMITTED,
                what + " is not for clients: Identify, Get Features and log pages of the device as a whole are",
                "send it with the daemon stopped, from the program that then has the controller");
    }
}
