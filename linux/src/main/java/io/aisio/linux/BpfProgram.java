package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A program in the kernel that runs at a tracepoint, whose arguments it gets with their types
 * ({@code BPF_TRACE_RAW_TP}, as libbpf's section {@code tp_btf}). One thread uses and closes it; when its process ends,
 * the kernel takes it away.
 */
public final class BpfProgram implements AutoCloseable {
    private static final int TRACING = 26;
    private static final int TRACE_RAW_TP = 23;

    /** Of {@code union bpf_attr} for BPF_PROG_LOAD. */
    private static final long INSN_CNT = 4;

    private static final long INSNS = 8;
    private static final long LICENSE = 16;
    private static final long LOG_LEVEL = 24;
    private static final long LOG_SIZE = 28;
    private static final long LOG_BUF = 32;
    private static final long PROG_NAME = 48;
    private static final long EXPECTED_ATTACH_TYPE = 68;
    private static final long ATTACH_BTF_ID = 108;
    private static final long ATTACH_BTF_OBJ_FD = 112;
    /** For BPF_RAW_TRACEPOINT_OPEN. */
    private static final long PROG_FD = 8;
    /** For BPF_OBJ_GET_INFO_BY_FD. */
    private static final long INFO_LEN = 4;

    private static final long INFO = 8;
    /** {@code struct bpf_prog_info}, since Linux 5.12. */
    private static final long RECURSION_MISSES = 208;

    private static final int INFO_BYTES = 216;

    /** Bytes for what the verifier has to say: chosen for programs of a hundred instructions. */
    private static final int LOG_BYTES = 256 << 10;
    /** How many of its last lines are kept: chosen to show the instruction and the registers before it. */
    private static final int LOG_LINES = 12;

    private final String name;
    private final int fd;
    private int link = -1;
    private boolean closed;

    private BpfProgram(String name, int fd) {
        this.name = name;
        this.fd = fd;
    }

    /**
     * Loads a program, under a licence that lets it call all helpers.
     *
     * @param name at most 15 letters, digits and underscores, by which tools show it
     * @param code returns 0
     * @param type the number, in the kernel's BTF, of the typedef {@code btf_trace_…} of the tracepoint
     * @param module whose BTF that is; null if it is the kernel's own
     * @throws LinuxException if the kernel refuses: {@code EPERM} where root, or CAP_BPF and CAP_PERFMON, is needed;
     *     else with the last line of the verifier's log, and more of it as a suppressed exception
     */
    public static BpfProgram load(String name, BpfCode code, int type, @Nullable BpfTypes module)
            throws LinuxException {
        long[] words = code.words();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attributes = Bpf.attributes(arena);
            attributes.set(JAVA_INT, 0, TRACING);
            attributes.set(JAVA_INT, INSN_CNT, words.length);
            attributes.set(
                    JAVA_LONG, INSNS, arena.allocateFrom(JAVA_LONG, words).address());
            attributes.set(
                    JAVA_LONG, LICENSE, arena.allocateFrom("Dual BSD/GPL").address());
            Bpf.setName(attributes, PROG_NAME, name);
            attributes.set(JAVA_INT, EXPECTED_ATTACH_TYPE, TRACE_RAW_TP);
            attributes.set(JAVA_INT, ATTACH_BTF_ID, type);
            attributes.set(JAVA_INT, ATTACH_BTF_OBJ_FD, module == null ? 0 : module.descriptor());
            long fd = Libc.bpf(Bpf.PROG_LOAD, attributes);
            if (fd < 0) {
                throw refused(arena, attributes, name, Libc.errno());
            }
            return new BpfProgram(name, (int) fd);
        }
    }

    /** Loads once more to hear why not. */
    private static LinuxException refused(Arena arena, MemorySegment attributes, String name, int errno) {
        MemorySegment log = arena.allocate(LOG_BYTES);
        attributes.set(JAVA_INT, LOG_LEVEL, 1);
        attributes.set(JAVA_INT, LOG_SIZE, LOG_BYTES);
        attributes.set(JAVA_LONG, LOG_BUF, log.address());
        long fd = Libc.bpf(Bpf.PROG_LOAD, attributes);
        if (fd >= 0) {
            int _ = Libc.close((int) fd);
        }
        // Zeroed, and the kernel ends it with a zero.
        String text = log.getString(0);
        String[] lines = text.strip()
                .lines()
                .filter(line -> !line.startsWith("processed ") && !line.startsWith("verification time"))
                .toArray(String[]::new);
        String subject = "the program " + name;
        if (lines.length > 0) {
            subject += " (" + lines[lines.length - 1].strip() + ")";
        }
        LinuxException refused = new LinuxException("bpf", subject, errno);
        if (lines.length > 1) {
            int from = Math.max(0, lines.length - LOG_LINES);
            refused.addSuppressed(new IOException("the verifier's last lines:\n"
                    + String.join("\n", Arrays.asList(lines).subList(from, lines.length))));
        }
        return refused;
    }

    /**
     * Lets it run at its tracepoint from now on, until it is closed.
     *
     * @throws LinuxException if the kernel refuses
     */
    public void attach() throws LinuxException {
        if (closed || link >= 0) {
            throw new IllegalStateException("the program " + name + (closed ? " is closed" : " is attached already"));
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attributes = Bpf.attributes(arena);
            attributes.set(JAVA_INT, PROG_FD, fd);
            long opened = Libc.bpf(Bpf.RAW_TRACEPOINT_OPEN, attributes);
            if (opened < 0) {
                throw new LinuxException("bpf", "attaching the program " + name, Libc.errno());
            }
            link = (int) opened;
        }
    }

    /**
     * How often it was to run and did not, because it ran on that processor already. Kernels before 5.12 do not tell
     * and give 0.
     *
     * @throws LinuxException if the kernel refuses
     */
    public long missed() throws LinuxException {
        if (closed) {
            throw new IllegalStateException("the program " + name + " is closed");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(INFO_BYTES, 8);
            MemorySegment attributes = Bpf.attributes(arena);
            attributes.set(JAVA_INT, 0, fd);
            attributes.set(JAVA_INT, INFO_LEN, INFO_BYTES);
            attributes.set(JAVA_LONG, INFO, info.address());
            if (Libc.bpf(Bpf.OBJ_GET_INFO_BY_FD, attributes) < 0) {
                throw new LinuxException("bpf", "asking about the program " + name, Libc.errno());
            }
            return info.get(JAVA_LONG, RECURSION_MISSES);
        }
    }

    /** Takes it from its tracepoint and gives it back. Closing again does nothing. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            if (link >= 0) {
                int _ = Libc.close(link);
            }
            int _ = Libc.close(fd);
        }
    }
}
