package io.aisio.linux;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Instructions of eBPF, put together one by one ({@code struct bpf_insn} of {@code linux/bpf.h}; RFC 9669). Arithmetic
 * is of 64 bits. Jumps go to labels, forward or back, which are bound once.
 *
 * <p>What the program may do, the kernel's verifier decides when it is loaded; here only what has no encoding is
 * refused.
 */
public final class BpfCode {
    /** The registers: R0 has results, R1 to R5 arguments, R6 to R9 survive calls, R10 is the top of the stack. */
    public enum Register {
        /** What a helper or the program returns. */
        R0(0),
        /** First argument; at the begin, the program's context. */
        R1(1),
        /** Second argument. */
        R2(2),
        /** Third argument. */
        R3(3),
        /** Fourth argument. */
        R4(4),
        /** Fifth argument. */
        R5(5),
        /** Kept by helpers. */
        R6(6),
        /** Kept by helpers. */
        R7(7),
        /** Kept by helpers. */
        R8(8),
        /** Kept by helpers. */
        R9(9),
        /** End of the stack of 512 bytes, which lies below; read only. */
        R10(10);

        private final int number;

        Register(int number) {
            this.number = number;
        }
    }

    /** How much is loaded or stored. */
    public enum Size {
        /** Four bytes. */
        WORD(0x00),
        /** Two bytes. */
        HALF(0x08),
        /** One byte. */
        BYTE(0x10),
        /** Eight bytes. */
        DOUBLE(0x18);

        private final int bits;

        Size(int bits) {
            this.bits = bits;
        }
    }

    /** When a jump is taken; numbers are compared without sign. */
    public enum When {
        /** Both are equal. */
        EQUAL(0x10),
        /** The register is at least the number. */
        AT_LEAST(0x30),
        /** They have a bit in common. */
        ANY_BIT(0x40),
        /** They are not equal. */
        NOT_EQUAL(0x50);

        private final int bits;

        When(int bits) {
            this.bits = bits;
        }
    }

    /** A place in the program that jumps go to. */
    public static final class Label {
        private int at = -1;
        private final List<Integer> jumps = new ArrayList<>();

        /** A label that is nowhere yet. */
        public Label() {}
    }

    /** Classes of instructions. */
    private static final int LD = 0x00;

    private static final int LDX = 0x01;
    private static final int ST = 0x02;
    private static final int STX = 0x03;
    private static final int JMP = 0x05;
    private static final int JMP32 = 0x06;
    private static final int ALU64 = 0x07;

    private static final int MEM = 0x60;
    private static final int ATOMIC = 0xC0;
    /** Of an operand that is a register. */
    private static final int X = 0x08;

    private static final int ADD = 0x00;
    private static final int AND = 0x50;
    private static final int LSH = 0x60;
    private static final int MOV = 0xB0;
    private static final int JA = 0x00;
    private static final int CALL = 0x80;
    private static final int EXIT = 0x90;

    /** What a 64-bit constant is: BPF_PSEUDO_MAP_FD and BPF_PSEUDO_MAP_VALUE, as source register. */
    private static final int MAP_FD = 1;

    private static final int MAP_VALUE = 2;

    private long[] words = new long[64];
    private int count;
    private final List<Label> open = new ArrayList<>();

    /** An empty program. */
    public BpfCode() {}

    /** {@code to = *(size *)(from + offset)}. */
    public BpfCode load(Size size, Register to, Register from, int offset) {
        return add(LDX | MEM | size.bits, to.number, from.number, offset, 0);
    }

    /** {@code *(size *)(to + offset) = from}. */
    public BpfCode store(Size size, Register to, int offset, Register from) {
        return add(STX | MEM | size.bits, to.number, from.number, offset, 0);
    }

    /** {@code *(size *)(to + offset) = value}, its sign extended. */
    public BpfCode store(Size size, Register to, int offset, int value) {
        return add(ST | MEM | size.bits, to.number, 0, offset, value);
    }

    /** {@code *(u64 *)(to + offset) += from}, as one. */
    public BpfCode atomicAdd(Register to, int offset, Register from) {
        return add(STX | ATOMIC | Size.DOUBLE.bits, to.number, from.number, offset, ADD);
    }

    /** {@code to = from}. */
    public BpfCode move(Register to, Register from) {
        return add(ALU64 | MOV | X, to.number, from.number, 0, 0);
    }

    /** {@code to = value}, its sign extended. */
    public BpfCode move(Register to, int value) {
        return add(ALU64 | MOV, to.number, 0, 0, value);
    }

    /** {@code to += from}. */
    public BpfCode add(Register to, Register from) {
        return add(ALU64 | ADD | X, to.number, from.number, 0, 0);
    }

    /** {@code to += value}. */
    public BpfCode add(Register to, int value) {
        return add(ALU64 | ADD, to.number, 0, 0, value);
    }

    /** {@code to &= value}, its sign extended. */
    public BpfCode and(Register to, int value) {
        return add(ALU64 | AND, to.number, 0, 0, value);
    }

    /** {@code to <<= bits}. */
    public BpfCode shiftLeft(Register to, int bits) {
        return add(ALU64 | LSH, to.number, 0, 0, bits);
    }

    /** {@code to} = the ring, as helpers take it. */
    public BpfCode loadRing(Register to, BpfRing ring) {
        return wide(to, MAP_FD, ring.descriptor(), 0);
    }

    /** {@code to} = the address of a counter. */
    public BpfCode loadCounter(Register to, BpfCounters counters, int index) {
        return wide(to, MAP_VALUE, counters.descriptor(), index * Long.BYTES);
    }

    /** Goes on at a label. */
    public BpfCode jump(Label label) {
        return jump(JMP | JA, 0, 0, label);
    }

    /** Goes on at a label if the register, of 64 bits, is so to a value, whose sign is extended. */
    public BpfCode jumpIf(When when, Register register, int value, Label label) {
        return jump(JMP | when.bits, register.number, value, label);
    }

    /** Goes on at a label if the lower 32 bits of the register are so to a value. */
    public BpfCode jumpIf32(When when, Register register, int value, Label label) {
        return jump(JMP32 | when.bits, register.number, value, label);
    }

    /** Puts a label here. */
    public BpfCode bind(Label label) {
        if (label.at >= 0) {
            throw new IllegalStateException("a label is bound twice, to " + label.at + " and " + count);
        }
        label.at = count;
        label.jumps.forEach(jump -> words[jump] |= distance(jump, count));
        open.remove(label);
        return this;
    }

    /** {@code R0 = helper(R1, …)}, by its number in {@code linux/bpf.h}. */
    public BpfCode call(int helper) {
        return add(JMP | CALL, 0, 0, 0, helper);
    }

    /** Ends the program, which returns R0. */
    public BpfCode exit() {
        return add(JMP | EXIT, 0, 0, 0, 0);
    }

    /**
     * The program.
     *
     * @return a word of eight bytes, little-endian, for each instruction
     * @throws IllegalStateException if a jump goes to a label that is not bound
     */
    public long[] words() {
        if (!open.isEmpty()) {
            throw new IllegalStateException(open.size() + " labels are jumped to and not bound");
        }
        return Arrays.copyOf(words, count);
    }

    private BpfCode wide(Register to, int kind, int first, int second) {
        add(LD | Size.DOUBLE.bits, to.number, kind, 0, first);
        return add(0, 0, 0, 0, second);
    }

    private BpfCode jump(int code, int register, int value, Label label) {
        long distance = 0;
        if (label.at >= 0) {
            distance = distance(count, label.at);
        } else {
            label.jumps.add(count);
            if (!open.contains(label)) {
                open.add(label);
            }
        }
        add(code, register, 0, 0, value);
        words[count - 1] |= distance;
        return this;
    }

    /** From behind a jump to an instruction, in instructions, where the jump has it. */
    private static long distance(int jump, int to) {
        return (offset(to - jump - 1) & 0xFFFFL) << 16;
    }

    private static int offset(int offset) {
        if (offset != (short) offset) {
            throw new IllegalArgumentException("an offset of " + offset + " does not fit into 16 bits");
        }
        return offset;
    }

    /** Code, two registers of 4 bits each, an offset of 16 and a value of 32. */
    private BpfCode add(int code, int to, int from, int offset, int value) {
        if (count == words.length) {
            words = Arrays.copyOf(words, 2 * count);
        }
        words[count++] = code | to << 8 | from << 12 | (offset(offset) & 0xFFFFL) << 16 | (long) value << 32;
        return this;
    }
}
