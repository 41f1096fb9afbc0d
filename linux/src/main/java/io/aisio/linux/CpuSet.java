package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.stream.Collectors;

/**
 * A set of processors by their kernel numbers, at most {@value #MAX_CPUS}, as {@code sched_setaffinity(2)} takes it.
 *
 * @param cpus the processors; not changed after construction
 */
public record CpuSet(BitSet cpus) {
    /** The size of glibc's {@code cpu_set_t}, in processors. */
    public static final int MAX_CPUS = 1024;

    /** Copies the set and checks it: at least one processor, none beyond the limit. */
    public CpuSet {
        cpus = (BitSet) cpus.clone();
        if (cpus.isEmpty()) {
            throw new IllegalArgumentException("an empty set of processors");
        }
        if (cpus.length() > MAX_CPUS) {
            throw new IllegalArgumentException(
                    "processor " + (cpus.length() - 1) + " is beyond the last possible one, " + (MAX_CPUS - 1));
        }
    }

    /**
     * Parses a hexadecimal mask such as {@code 0x3}, the lowest bit being processor 0.
     *
     * @throws IllegalArgumentException if it is no such mask, or names no processor
     */
    public static CpuSet ofMask(String mask) {
        String digits = mask.startsWith("0x") || mask.startsWith("0X") ? mask.substring(2) : mask;
        if (digits.isEmpty() || digits.length() > MAX_CPUS / 4) {
            throw new IllegalArgumentException("'" + mask + "' is no hexadecimal processor mask");
        }
        BitSet cpus = new BitSet();
        for (int i = 0; i < digits.length(); i++) {
            int nibble = Character.digit(digits.charAt(digits.length() - 1 - i), 16);
            if (nibble < 0) {
                throw new IllegalArgumentException("'" + mask + "' is no hexadecimal processor mask");
            }
            for (int bit = 0; bit < 4; bit++) {
                if ((nibble >> bit & 1) != 0) {
                    cpus.set(i * 4 + bit);
                }
            }
        }
        if (cpus.isEmpty()) {
            throw new IllegalArgumentException("the processor mask '" + mask + "' names no processor");
        }
        return new CpuSet(cpus);
    }

    /**
     * Parses a list such as {@code 0-3,8}.
     *
     * @throws IllegalArgumentException if it is no such list
     */
    public static CpuSet ofList(String list) {
        BitSet cpus = new BitSet();
        for (String part : list.split(",", -1)) {
            String[] ends = part.split("-", -1);
            try {
                int first = Integer.parseInt(ends[0].trim());
                int last = ends.length == 1 ? first : Integer.parseInt(ends[1].trim());
                if (ends.length > 2 || first < 0 || last < first || last >= MAX_CPUS) {
                    throw new NumberFormatException();
                }
                cpus.set(first, last + 1);
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException("'" + list + "' is no list of processors such as 0-3,8", e);
            }
        }
        return new CpuSet(cpus);
    }

    /** The processors that the calling thread may run on. */
    public static CpuSet ofCurrentThread() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment mask = arena.allocate(MAX_CPUS / 8);
            // glibc's wrapper returns 0 on success, whatever the raw call returns.
            if (Libc.schedGetAffinity(mask) < 0) {
                throw new LinuxException("sched_getaffinity", "this thread", Libc.errno());
            }
            return new CpuSet(BitSet.valueOf(mask.toArray(JAVA_BYTE)));
        }
    }

    /**
     * Binds the calling platform thread to these processors.
     *
     * @throws LinuxException {@code EINVAL} if the machine has none of them
     */
    public void pinCurrentThread() throws LinuxException {
        if (Thread.currentThread().isVirtual()) {
            throw new IllegalStateException("a virtual thread cannot be pinned to a processor");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment mask = arena.allocate(MAX_CPUS / 8);
            MemorySegment.copy(MemorySegment.ofArray(cpus.toByteArray()), 0, mask, 0, cpus.toByteArray().length);
            if (Libc.schedSetAffinity(mask) != 0) {
                throw new LinuxException("sched_setaffinity", "processors " + this, Libc.errno());
            }
        }
    }

    /** How many processors are in the set. */
    public int size() {
        return cpus.cardinality();
    }

    /** The processors' numbers, ascending. */
    public int[] toArray() {
        return cpus.stream().toArray();
    }

    /** The numbers, ascending, with commas between. */
    @Override
    public String toString() {
        return cpus.stream().mapToObj(Integer::toString).collect(Collectors.joining(","));
    }
}
