package io.aisio.nvme.command;

import io.aisio.nvme.AdminCommands;
import io.aisio.nvme.Command;
import io.aisio.nvme.Format;
import io.aisio.nvme.spec.Directive;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.SelfTestLog;
import io.aisio.nvme.spec.Wire;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Admin commands that change a controller or its namespaces: Format NVM, Sanitize, Device Self-test, directives. */
public final class AdminCommandSet {
    private final AdminCommands admin;

    /** Over a path. */
    public AdminCommandSet(AdminCommands admin) {
        this.admin = admin;
    }

    /**
     * Formats a namespace: all its data is gone.
     *
     * @param nsid the namespace, {@link Identify#ALL_NAMESPACES} for every one
     * @throws IllegalStateException if queues of this driver are open
     */
    public void format(int nsid, Format format) throws IOException {
        admin.execute(format.command(nsid), MemorySegment.NULL);
    }

    /**
     * Starts a sanitize operation, or leaves a failed one: all data of the NVM subsystem is gone. It goes on after this
     * returns, and over resets; {@link LogPages#sanitizeStatus()} tells how far it is.
     */
    public void sanitize(Sanitize sanitize) throws IOException {
        admin.execute(sanitize.command(), MemorySegment.NULL);
    }

    /**
     * Starts a device self-test; {@link LogPages#selfTests()} tells how it ends.
     *
     * @param nsid a namespace, 0 for the controller alone, {@link Identify#ALL_NAMESPACES} for every one
     * @param extended whether all is tested, which may take hours, not only what takes two minutes
     */
    public void startSelfTest(int nsid, boolean extended) throws IOException {
        admin.execute(
                Command.of(Opcode.DEVICE_SELF_TEST, nsid, extended ? SelfTestLog.EXTENDED : SelfTestLog.SHORT),
                MemorySegment.NULL);
    }

    /** Ends a device self-test. */
    public void abortSelfTest() throws IOException {
        admin.execute(Command.of(Opcode.DEVICE_SELF_TEST, 0, SelfTestLog.ABORT), MemorySegment.NULL);
    }

    /**
     * Directives of a namespace (section 9.2), by {@link Directive}'s {@code TYPE_…}.
     *
     * @param supported those that there are
     * @param enabled those that are on
     */
    public record Directives(List<Integer> supported, List<Integer> enabled) {
        /** Copies both. */
        public Directives {
            supported = List.copyOf(supported);
            enabled = List.copyOf(enabled);
        }
    }

    /** Directives of a namespace. */
    public Directives directives(int nsid) throws IOException {
        MemorySegment data = MemorySegment.ofArray(new byte[Directive.PARAMETERS_BYTES]);
        receive(nsid, Directive.TYPE_IDENTIFY, Directive.RECEIVE_PARAMETERS, 0, 0, data);
        return new Directives(bits(data, Directive.SUPPORTED), bits(data, Directive.ENABLED));
    }

    private static List<Integer> bits(MemorySegment data, long at) {
        List<Integer> set = new ArrayList<>();
        for (int i = 0; i < 256; i++) {
            if ((Wire.u8(data, at + i / 8) >>> i % 8 & 1) != 0) {
                set.add(i);
            }
        }
        return set;
    }

    /** Turns a directive of a namespace on or off. */
    public void enableDirective(int nsid, int type, boolean on) throws IOException {
        requireBytes(type, 0);
        send(
                nsid,
                Directive.TYPE_IDENTIFY,
                Directive.SEND_ENABLE,
                0,
                type << Directive.TYPE_SHIFT | (on ? 1 : 0),
                MemorySegment.NULL);
    }

    /**
     * Directive Receive.
     *
     * @param type directive type, 8 bits
     * @param operation of that type, 8 bits
     * @param specific directive specific, 16 bits
     * @param dword12 command dword 12
     * @param data what is received, a multiple of 4 bytes
     * @return dword 0 of the completion
     */
    public int receive(int nsid, int type, int operation, int specific, int dword12, MemorySegment data)
            throws IOException {
        return directive(Opcode.DIRECTIVE_RECEIVE, nsid, type, operation, specific, dword12, data);
    }

    /** Directive Send; the parameters are those of {@link #receive}. */
    public int send(int nsid, int type, int operation, int specific, int dword12, MemorySegment data)
            throws IOException {
        return directive(Opcode.DIRECTIVE_SEND, nsid, type, operation, specific, dword12, data);
    }

    private int directive(int opcode, int nsid, int type, int operation, int specific, int dword12, MemorySegment data)
            throws IOException {
        requireBytes(type, operation);
        if (specific >>> 16 != 0 || (data.byteSize() & 3) != 0) {
            throw new IllegalArgumentException("directive specific 0x%x of 16 bits, %d bytes, a multiple of 4"
                    .formatted(specific, data.byteSize()));
        }
        int dwords = data.byteSize() == 0 ? 0 : (int) (data.byteSize() / 4) - 1;
        int dword11 = operation | type << Directive.TYPE_SHIFT | specific << 16;
        long cdw10 = (dwords & 0xFFFF_FFFFL) | (long) dword11 << 32;
        return admin.execute(new Command(opcode, nsid, cdw10, dword12 & 0xFFFF_FFFFL, 0), data)
                .result();
    }

    private static void requireBytes(int type, int operation) {
        if (type >>> 8 != 0 || operation >>> 8 != 0) {
            throw new IllegalArgumentException(
                    "directive type 0x%x and operation 0x%x; both have 8 bits".formatted(type, operation));
        }
    }
}
