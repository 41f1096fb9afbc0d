package io.aisio.emu;

import io.aisio.nvme.spec.Feature;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * One thing that a controller does wrong, and when. {@code toString} gives what {@link FaultPlan#parse} takes.
 *
 * @param kind what happens
 * @param value with what, as {@link Kind#form} has it; empty if there is nothing to say
 * @param selector when
 */
public record Fault(Kind kind, String value, Selector selector) {
    private static final Pattern DURATION = Pattern.compile("(\\d{1,12})(ns|us|ms|s)");
    private static final Pattern COUNT = Pattern.compile("\\d{1,18}");
    private static final Pattern STATUS = Pattern.compile("([0-7])/([0-9a-f]{1,2})(?:/crd([1-3]))?(/dnr)?");
    /** Command Retry Delay, its lowest bit in a status. */
    private static final int CRD_SHIFT = 11;

    private static final Pattern BYTES = Pattern.compile("(\\d{1,4})/((?:[0-9a-f]{2}){1,64})");

    /** How a fault's value is written. */
    public enum Form {
        /** There is none. */
        NOTHING(""),
        /** {@code 80us}, {@code 20ms}. */
        DURATION("80us"),
        /** A duration, or nothing for at once. */
        OPTIONAL_DURATION("[80us]"),
        /**
         * SCT and SC in hexadecimal, {@code 2/81}, {@code 2/81/dnr} for one that is not to be retried, {@code 2/81/crd1} for
         * one that is after the first of the controller's delays (CRDT1).
         */
        OPTIONAL_STATUS("[2/81[/crd1][/dnr]]"),
        /** A number. */
        COUNT("N"),
        /** Where in the data, and which bytes in hexadecimal: {@code 130/09}. */
        BYTES("OFFSET/HEX");

        private final String example;

        Form(String example) {
            this.example = example;
        }
    }

    /** What happens. */
    public enum Kind {
        /** The command is executed, and not completed unless it is aborted. */
        DROP(Form.NOTHING),
        /** The command is not executed, and not completed unless it is aborted. */
        STALL(Form.NOTHING),
        /** The command is executed that much later, unless it is aborted before. */
        DELAY(Form.DURATION),
        /** The command is executed; its completion comes only after an Abort, which says that it did not abort it. */
        LATE(Form.OPTIONAL_DURATION),
        /** The command stalls; after it was aborted, and completed as such, it completes once more, as if done. */
        STALE(Form.OPTIONAL_DURATION),
        /** The completion is posted twice. */
        DUPLICATE(Form.NOTHING),
        /** The completion carries a CID that is not the command's: bit 15 is another. */
        WRONGCID(Form.NOTHING),
        /** The completion's phase tag is the old one, so that a driver never sees it. */
        WRONGPHASE(Form.NOTHING),
        /** The completion's SQ head is beyond the queue. */
        WRONGSQHD(Form.NOTHING),
        /** The completion names a submission queue that it is not of: the next one. */
        WRONGSQID(Form.NOTHING),
        /** The command is not executed, and completes with this status: by itself, Unrecovered Read Error. */
        ERROR(Form.OPTIONAL_STATUS),
        /** One bit of what a command delivers is flipped, in the selector's block if it has one; the medium keeps its own. */
        CORRUPT(Form.NOTHING),
        /** The second half of what a command delivers is zeroes. */
        TORN(Form.NOTHING),
        /** What a command delivers is noise, made from this seed. */
        GARBAGE(Form.COUNT),
        /** These bytes stand at this offset of what a command delivers. */
        PUT(Form.BYTES),
        /** At the command the controller stops, with CSTS.CFS, until it is reset. */
        FATAL(Form.NOTHING),
        /** At the command the function leaves the bus: its registers read as all ones from then on. */
        VANISH(Form.NOTHING),
        /** CSTS.RDY is not set. */
        NEVERREADY(Form.NOTHING),
        /** CSTS.RDY is set that much later. */
        SLOWREADY(Form.DURATION),
        /** CSTS.RDY is not cleared when the controller is disabled. */
        STAYSREADY(Form.NOTHING),
        /** Number of Queues says that so many were granted, of each kind; for 0 it fails. */
        QUEUES(Form.COUNT),
        /** Before the command, so many notices of changed namespaces are raised, none masked. */
        EVENTS(Form.COUNT),
        /** Before the command, its namespace is resized to so many blocks, at most what its medium holds. */
        RESIZE(Form.COUNT),
        /** Before the command, its namespace is removed. */
        REMOVE(Form.NOTHING),
        /** Abort says that it did not abort, and does not. */
        ABORTREFUSED(Form.NOTHING);

        private final Form form;

        Kind(Form form) {
            this.form = form;
        }

        /** How its value is written. */
        public Form form() {
            return form;
        }

        /** Its name in a plan's text. */
        public String word() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** When it happens if nothing is said: always; to I/O commands, where it is a command's. */
        public Selector usually() {
            return switch (this) {
                case NEVERREADY, SLOWREADY -> Selector.enabling();
                case STAYSREADY -> Selector.disabling();
                case QUEUES -> Selector.admin(Opcode.SET_FEATURES).sub(Feature.NUMBER_OF_QUEUES);
                case ABORTREFUSED -> Selector.admin(Opcode.ABORT);
                case CORRUPT -> Selector.reads();
                default -> Selector.io();
            };
        }
    }

    /** Checks the value, and that the selector counts what can have such a fault. */
    public Fault {
        boolean fits = switch (kind.form) {
            case NOTHING -> value.isEmpty();
            case DURATION -> DURATION.matcher(value).matches();
            case OPTIONAL_DURATION -> value.isEmpty() || DURATION.matcher(value).matches();
            case OPTIONAL_STATUS -> value.isEmpty() || STATUS.matcher(value).matches();
            case COUNT -> COUNT.matcher(value).matches();
            case BYTES -> BYTES.matcher(value).matches();
        };
        if (!fits) {
            throw new IllegalArgumentException("'" + kind.word() + "' is written "
                    + (kind.form == Form.NOTHING ? "without a value" : "with " + kind.form.example) + ", not with '"
                    + value + "'");
        }
        boolean ofCommands = isOfCommands(selector);
        boolean same = ofCommands
                ? isOfCommands(kind.usually())
                : selector.scope() == kind.usually().scope();
        if (!same) {
            throw new IllegalArgumentException("'" + kind.word() + "' does not happen at " + selector.scope());
        }
    }

    private static boolean isOfCommands(Selector selector) {
        return selector.scope() == Selector.Scope.IO || selector.scope() == Selector.Scope.ADMIN;
    }

    private static Fault of(Kind kind, String value) {
        return new Fault(kind, value, kind.usually());
    }

    /** {@link Kind#DROP}. */
    public static Fault drop() {
        return of(Kind.DROP, "");
    }

    /** {@link Kind#STALL}. */
    public static Fault stall() {
        return of(Kind.STALL, "");
    }

    /** {@link Kind#DELAY}. */
    public static Fault delay(Duration duration) {
        return of(Kind.DELAY, FaultPlan.spell(duration));
    }

    /** {@link Kind#LATE}, that long after the Abort. */
    public static Fault late(Duration duration) {
        return of(Kind.LATE, FaultPlan.spell(duration));
    }

    /** {@link Kind#STALE}, that long after the Abort. */
    public static Fault stale(Duration duration) {
        return of(Kind.STALE, FaultPlan.spell(duration));
    }

    /** {@link Kind#DUPLICATE}. */
    public static Fault duplicate() {
        return of(Kind.DUPLICATE, "");
    }

    /** {@link Kind#WRONGCID}. */
    public static Fault wrongCid() {
        return of(Kind.WRONGCID, "");
    }

    /** {@link Kind#WRONGPHASE}. */
    public static Fault wrongPhase() {
        return of(Kind.WRONGPHASE, "");
    }

    /** {@link Kind#WRONGSQHD}. */
    public static Fault wrongSqHead() {
        return of(Kind.WRONGSQHD, "");
    }

    /** {@link Kind#WRONGSQID}. */
    public static Fault wrongSqId() {
        return of(Kind.WRONGSQID, "");
    }

    /** {@link Kind#ERROR}: status as {@link Status} has it, SCT, SC and perhaps CRD and {@link Status#DNR_BIT}. */
    public static Fault error(int status) {
        int delay = new Status(status).crd();
        return of(
                Kind.ERROR,
                "%x/%x%s%s"
                        .formatted(
                                status >>> 8 & 7,
                                status & 0xFF,
                                delay == 0 ? "" : "/crd" + delay,
                                (status & Status.DNR_BIT) == 0 ? "" : "/dnr"));
    }

    /** {@link Kind#CORRUPT}. */
    public static Fault corrupt() {
        return of(Kind.CORRUPT, "");
    }

    /** {@link Kind#TORN}. */
    public static Fault torn() {
        return of(Kind.TORN, "");
    }

    /** {@link Kind#GARBAGE}. */
    public static Fault garbage(long seed) {
        return of(Kind.GARBAGE, Long.toString(seed));
    }

    /** {@link Kind#PUT}: 1 to 64 bytes. */
    public static Fault put(int offset, byte... bytes) {
        return of(Kind.PUT, offset + "/" + HexFormat.of().formatHex(bytes));
    }

    /** {@link Kind#FATAL}. */
    public static Fault fatal() {
        return of(Kind.FATAL, "");
    }

    /** {@link Kind#VANISH}. */
    public static Fault vanish() {
        return of(Kind.VANISH, "");
    }

    /** {@link Kind#NEVERREADY}. */
    public static Fault neverReady() {
        return of(Kind.NEVERREADY, "");
    }

    /** {@link Kind#SLOWREADY}. */
    public static Fault slowReady(Duration duration) {
        return of(Kind.SLOWREADY, FaultPlan.spell(duration));
    }

    /** {@link Kind#STAYSREADY}. */
    public static Fault staysReady() {
        return of(Kind.STAYSREADY, "");
    }

    /** {@link Kind#QUEUES}. */
    public static Fault queues(int granted) {
        return of(Kind.QUEUES, Integer.toString(granted));
    }

    /** {@link Kind#EVENTS}. */
    public static Fault events(int count) {
        return of(Kind.EVENTS, Integer.toString(count));
    }

    /** {@link Kind#RESIZE}. */
    public static Fault resize(long blocks) {
        return of(Kind.RESIZE, Long.toString(blocks));
    }

    /** {@link Kind#REMOVE}. */
    public static Fault remove() {
        return of(Kind.REMOVE, "");
    }

    /** {@link Kind#ABORTREFUSED}. */
    public static Fault abortRefused() {
        return of(Kind.ABORTREFUSED, "");
    }

    /**
     * The same at another time.
     *
     * @throws IllegalArgumentException if such a thing has no such fault
     */
    public Fault on(Selector when) {
        return new Fault(kind, value, when);
    }

    /** The value as a number: nanoseconds of a duration, 0 for none; a status, a count. */
    long number() {
        Matcher duration = DURATION.matcher(value);
        if (duration.matches()) {
            long number = Long.parseLong(duration.group(1));
            return switch (duration.group(2)) {
                case "ns" -> number;
                case "us" -> number * 1000;
                case "ms" -> number * 1_000_000;
                // 12 digits of seconds would not fit.
                default -> Math.min(number, Integer.MAX_VALUE) * 1_000_000_000;
            };
        }
        if (kind.form == Form.OPTIONAL_STATUS) {
            Matcher status = STATUS.matcher(value);
            return !status.matches()
                    ? Status.UNRECOVERED_READ_ERROR
                    : Integer.parseInt(status.group(1)) << 8
                            | Integer.parseInt(status.group(2), 16)
                            | (status.group(3) == null ? 0 : Integer.parseInt(status.group(3)) << CRD_SHIFT)
                            | (status.group(4) == null ? 0 : Status.DNR_BIT);
        }
        return kind.form == Form.COUNT ? Long.parseLong(value) : 0;
    }

    /** Where {@link #bytes} go. */
    int offset() {
        Matcher m = BYTES.matcher(value);
        return m.matches() ? Integer.parseInt(m.group(1)) : 0;
    }

    /** The bytes of a {@link Kind#PUT}. */
    byte[] bytes() {
        Matcher m = BYTES.matcher(value);
        return m.matches() ? HexFormat.of().parseHex(m.group(2)) : new byte[0];
    }

    /** Parses {@code KIND[=VALUE][@TERMS][:WHEN]}. */
    static Fault parse(String text) {
        int colon = text.indexOf(':');
        String when = colon < 0 ? "" : text.substring(colon + 1);
        String left = colon < 0 ? text : text.substring(0, colon);
        int at = left.indexOf('@');
        String terms = at < 0 ? "" : left.substring(at + 1);
        left = at < 0 ? left : left.substring(0, at);
        int equals = left.indexOf('=');
        String word = equals < 0 ? left : left.substring(0, equals);
        String value = equals < 0 ? "" : left.substring(equals + 1);
        for (Kind kind : Kind.values()) {
            if (kind.word().equals(word)) {
                try {
                    boolean empty = (colon >= 0 && when.isEmpty()) || (at >= 0 && terms.isEmpty());
                    if (empty) {
                        throw new IllegalArgumentException("nothing stands after its '@' or ':'");
                    }
                    return new Fault(kind, value, kind.usually().with(terms, when));
                } catch (IllegalArgumentException e) {
                    throw new IllegalArgumentException("fault '" + text + "': " + e.getMessage(), e);
                }
            }
        }
        throw new IllegalArgumentException("no fault '" + text + "'; there is " + kinds()
                + ", each with @WHICH (read, q2, lba77, …) and :WHEN (3, 3-, %100) after it");
    }

    private static String kinds() {
        List<Kind> kinds = Arrays.asList(Kind.values());
        return kinds.stream()
                .map(kind -> kind.word() + (kind.form == Form.NOTHING ? "" : "=" + kind.form.example))
                .collect(Collectors.joining(", "));
    }

    /** What {@link FaultPlan#parse} takes. */
    @Override
    public String toString() {
        return kind.word() + (value.isEmpty() ? "" : "=" + value) + selector.difference(kind.usually());
    }
}
