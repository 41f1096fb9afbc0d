package io.aisio.emu;

import io.aisio.nvme.spec.Opcode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * When a fault happens: at which commands, and at which of these. As text {@code [TERM[.TERM]…][:WHEN]}: terms are
 *
 * <ul>
 *   <li>{@code io}, {@code admin}, or a command: {@code read}, {@code write}, {@code identify}, …, {@code io0x7e},
 *       {@code admin0x7e}
 *   <li>{@code q2}: of submission queue 2; {@code ns1}: of namespace 1; {@code lba77}: that touches this block
 *   <li>{@code sub0x10}: whose CDW10 ends with this byte: Identify's CNS, a feature's or a log page's number
 * </ul>
 *
 * and WHEN is {@code 3} (the third), {@code 3-} (from the third on), {@code 3-7}, or {@code %100} (every hundredth).
 *
 * @param scope what is counted
 * @param opcode the command, or {@value #ANY}
 * @param sub bits 7:0 of CDW10, or {@value #ANY}
 * @param queue the submission queue, or {@value #ANY}
 * @param nsid the namespace, or {@value #ANY}
 * @param lba the block, or {@value #ANY}
 * @param first the first that is meant, from 1
 * @param last the last that is meant
 * @param step how many further the next is
 */
public record Selector(
        Scope scope, int opcode, int sub, int queue, int nsid, long lba, long first, long last, long step) {
    /** Whatever it is. */
    public static final int ANY = -1;

    private static final Pattern TERM = Pattern.compile("([a-z]+)(?:(0x[0-9a-f]{1,2})|(\\d{1,18}))?");
    private static final Pattern WHEN = Pattern.compile("(\\d{1,18})(-)?(\\d{1,18})?(?:%(\\d{1,18}))?|%(\\d{1,18})");

    /** What is counted. */
    public enum Scope {
        /** Commands of I/O queues. */
        IO,
        /** Commands of the admin queue. */
        ADMIN,
        /** CC.EN set to 1. */
        ENABLING,
        /** CC.EN set to 0. */
        DISABLING
    }

    private static final Map<String, Integer> IO_NAMES = new TreeMap<>(Map.of(
            "flush", Opcode.FLUSH,
            "write", Opcode.WRITE,
            "read", Opcode.READ,
            "compare", Opcode.COMPARE,
            "writezeroes", Opcode.WRITE_ZEROES,
            "dsm", Opcode.DATASET_MANAGEMENT,
            "verify", Opcode.VERIFY));

    private static final Map<String, Integer> ADMIN_NAMES = new TreeMap<>(Map.ofEntries(
            Map.entry("deletesq", Opcode.DELETE_IO_SQ),
            Map.entry("createsq", Opcode.CREATE_IO_SQ),
            Map.entry("getlog", Opcode.GET_LOG_PAGE),
            Map.entry("deletecq", Opcode.DELETE_IO_CQ),
            Map.entry("createcq", Opcode.CREATE_IO_CQ),
            Map.entry("identify", Opcode.IDENTIFY),
            Map.entry("abort", Opcode.ABORT),
            Map.entry("setfeatures", Opcode.SET_FEATURES),
            Map.entry("getfeatures", Opcode.GET_FEATURES),
            Map.entry("aer", Opcode.ASYNC_EVENT_REQUEST),
            Map.entry("format", Opcode.FORMAT_NVM)));

    /** Checks the numbers. */
    public Selector {
        require("opcode", opcode, ANY, 0xFF);
        require("low byte of CDW10", sub, ANY, 0xFF);
        require("queue", queue, ANY, 0xFFFF);
        require("namespace", nsid, ANY, Integer.MAX_VALUE);
        require("block", lba, ANY, Long.MAX_VALUE);
        require("first command", first, 1, Long.MAX_VALUE);
        require("last command", last, first, Long.MAX_VALUE);
        require("step", step, 1, Long.MAX_VALUE);
    }

    private static void require(String what, long value, long least, long most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException("a fault's " + what + " of " + value);
        }
    }

    private static Selector of(Scope scope, int opcode) {
        return new Selector(scope, opcode, ANY, ANY, ANY, ANY, 1, Long.MAX_VALUE, 1);
    }

    /** Every I/O command. */
    public static Selector io() {
        return of(Scope.IO, ANY);
    }

    /** Every Read. */
    public static Selector reads() {
        return io(Opcode.READ);
    }

    /** Every Write. */
    public static Selector writes() {
        return io(Opcode.WRITE);
    }

    /** Every I/O command with this opcode. */
    public static Selector io(int opcode) {
        return of(Scope.IO, opcode);
    }

    /** Every admin command. */
    public static Selector admin() {
        return of(Scope.ADMIN, ANY);
    }

    /** Every admin command with this opcode. */
    public static Selector admin(int opcode) {
        return of(Scope.ADMIN, opcode);
    }

    /** Every time that the driver enables the controller. */
    public static Selector enabling() {
        return of(Scope.ENABLING, ANY);
    }

    /** Every time that the driver disables the controller. */
    public static Selector disabling() {
        return of(Scope.DISABLING, ANY);
    }

    /** Of these, those of a submission queue. */
    public Selector queue(int id) {
        return new Selector(scope, opcode, sub, id, nsid, lba, first, last, step);
    }

    /** Of these, those that name a namespace. */
    public Selector namespace(int id) {
        return new Selector(scope, opcode, sub, queue, id, lba, first, last, step);
    }

    /** Of these, those whose blocks include this one. */
    public Selector lba(long block) {
        return new Selector(scope, opcode, sub, queue, nsid, block, first, last, step);
    }

    /** Of these, those whose CDW10 ends with this byte: Identify's CNS, a feature's or a log page's number. */
    public Selector sub(int low) {
        return new Selector(scope, opcode, low, queue, nsid, lba, first, last, step);
    }

    /** Of these, the nth alone, counted from 1. */
    public Selector nth(long n) {
        return between(n, n);
    }

    /** Of these, the nth and all after it. */
    public Selector from(long n) {
        return between(n, Long.MAX_VALUE);
    }

    /** Of these, from one to another, both counted from 1. */
    public Selector between(long from, long to) {
        return new Selector(scope, opcode, sub, queue, nsid, lba, from, to, 1);
    }

    /** Of these, every nth. */
    public Selector every(long n) {
        return new Selector(scope, opcode, sub, queue, nsid, lba, n, Long.MAX_VALUE, n);
    }

    /** Whether the nth is meant, counted from 1. */
    boolean meansNth(long n) {
        return n >= first && n <= last && (n - first) % step == 0;
    }

    /** The text with which {@code otherwise} becomes this one: empty, if it is. */
    String difference(Selector otherwise) {
        String terms = terms();
        return (terms.equals(otherwise.terms()) ? "" : "@" + terms) + when();
    }

    private String terms() {
        List<String> terms = new ArrayList<>();
        if (scope == Scope.IO || scope == Scope.ADMIN) {
            terms.add(command());
        }
        add(terms, "sub0x%x", sub);
        add(terms, "q%d", queue);
        add(terms, "ns%d", nsid);
        add(terms, "lba%d", lba);
        return String.join(".", terms);
    }

    private static void add(List<String> terms, String form, long value) {
        if (value != ANY) {
            terms.add(form.formatted(value));
        }
    }

    private String command() {
        String word = scope == Scope.IO ? "io" : "admin";
        if (opcode == ANY) {
            return word;
        }
        for (Map.Entry<String, Integer> name : (scope == Scope.IO ? IO_NAMES : ADMIN_NAMES).entrySet()) {
            if (name.getValue() == opcode) {
                return name.getKey();
            }
        }
        return "%s0x%x".formatted(word, opcode);
    }

    private String when() {
        if (first == step && step > 1 && last == Long.MAX_VALUE) {
            return ":%" + step;
        }
        if (first == last) {
            return ":" + first;
        }
        boolean all = first == 1 && last == Long.MAX_VALUE;
        return all && step == 1
                ? ""
                : ":" + first + "-" + (last == Long.MAX_VALUE ? "" : last) + (step == 1 ? "" : "%" + step);
    }

    /** Takes over what a text says, {@code TERM.TERM} and {@code WHEN}, either of them empty for nothing. */
    Selector with(String terms, String when) {
        Selector selector = this;
        if (!terms.isEmpty()) {
            if (scope != Scope.IO && scope != Scope.ADMIN) {
                throw new IllegalArgumentException("it happens to the controller, not to commands such as " + terms);
            }
            for (String term : terms.split("\\.", -1)) {
                selector = selector.withTerm(term);
            }
        }
        return when.isEmpty() ? selector : selector.withWhen(when);
    }

    private Selector withTerm(String term) {
        Matcher m = TERM.matcher(term);
        if (m.matches()) {
            String word = m.group(1);
            boolean hex = m.group(2) != null;
            boolean decimal = m.group(3) != null;
            long number = hex ? Long.decode(m.group(2)) : decimal ? Long.parseLong(m.group(3)) : ANY;
            if (!decimal && word.equals("io")) {
                return command(Scope.IO, (int) number);
            } else if (!decimal && word.equals("admin")) {
                return command(Scope.ADMIN, (int) number);
            } else if (number == ANY && IO_NAMES.containsKey(word)) {
                return command(Scope.IO, IO_NAMES.get(word));
            } else if (number == ANY && ADMIN_NAMES.containsKey(word)) {
                return command(Scope.ADMIN, ADMIN_NAMES.get(word));
            } else if (number != ANY && word.equals("lba")) {
                return lba(number);
            } else if (number != ANY && number <= Integer.MAX_VALUE) {
                switch (word) {
                    case "q" -> {
                        return queue((int) number);
                    }
                    case "ns" -> {
                        return namespace((int) number);
                    }
                    case "sub" -> {
                        return sub((int) number);
                    }
                    default -> {}
                }
            }
        }
        throw new IllegalArgumentException("no commands '" + term + "'; there is io, admin, "
                + String.join(", ", IO_NAMES.keySet()) + ", " + String.join(", ", ADMIN_NAMES.keySet())
                + ", io0xOPCODE, admin0xOPCODE, qN, nsN, lbaN and subN");
    }

    private Selector command(Scope newScope, int newOpcode) {
        return new Selector(newScope, newOpcode, sub, queue, nsid, lba, first, last, step);
    }

    private Selector withWhen(String text) {
        Matcher m = WHEN.matcher(text);
        if (m.matches()) {
            if (m.group(5) != null) {
                return every(Long.parseLong(m.group(5)));
            }
            long from = Long.parseLong(m.group(1));
            boolean range = m.group(2) != null;
            if (range || (m.group(3) == null && m.group(4) == null)) {
                long to = !range ? from : m.group(3) == null ? Long.MAX_VALUE : Long.parseLong(m.group(3));
                long by = m.group(4) == null ? 1 : Long.parseLong(m.group(4));
                return new Selector(scope, opcode, sub, queue, nsid, lba, from, to, by);
            }
        }
        throw new IllegalArgumentException("no time '" + text
                + "'; there is N for the Nth, counted from 1, N- from it on, N-M, and %N for every Nth");
    }
}
