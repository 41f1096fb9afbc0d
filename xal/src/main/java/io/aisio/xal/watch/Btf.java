package io.aisio.xal.watch;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The types of a running kernel, BTF as in {@code /sys/kernel/btf/vmlinux} (Documentation/bpf/btf.rst,
 * {@code linux/btf.h}): where a structure's members lie, which arguments a tracepoint has, and which number a
 * type has for bpf(2).
 *
 * <p>Whatever is wrong with the bytes is an {@link IllegalArgumentException} that names the type and what is wrong.
 */
final class Btf {
    /** Kinds of types, {@code BTF_KIND_*}. */
    static final int STRUCT = 4;

    static final int TYPEDEF = 8;

    private static final int MAGIC = 0xEB9F;
    /** {@code struct btf_header}: magic, version, flags, hdr_len, type_off, type_len, str_off, str_len. */
    private static final int HEADER_BYTES = 24;
    /** {@code struct btf_type}: name_off, info, size or type. */
    private static final int TYPE_BYTES = 12;

    private static final int MEMBER_BYTES = 12;
    private static final int PARAMETER_BYTES = 8;
    private static final int POINTER = 2;
    private static final int FUNCTION = 13;
    private static final int VOLATILE = 9;
    private static final int CONST = 10;
    private static final int RESTRICT = 11;
    private static final int TYPE_TAG = 18;
    private static final int UNION = 5;
    /** How deep structures may lie in one another and types may be named anew: more than any kernel has. */
    private static final int MAX_DEPTH = 32;

    private final ByteBuffer bytes;
    private final int strings;
    private final int stringsEnd;
    private int[] at = new int[1024];
    private int types = 1;
    private final Map<String, Integer> named = new HashMap<>();

    /**
     * A member of a structure.
     *
     * @param offset in bytes
     * @param type its number
     */
    record Member(int offset, int type) {}

    /** Where in its bytes the types and the strings of BTF lie. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Parts(byte[] content, int types, int typesEnd, int strings, int stringsEnd) {
        static Parts of(byte[] content) {
            ByteBuffer bytes = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
            check(content.length >= HEADER_BYTES, "BTF of " + content.length + " bytes has no header");
            check(bytes.getChar(0) == MAGIC, "BTF begins with 0x%x, not 0x%x".formatted((int) bytes.getChar(0), MAGIC));
            check(bytes.get(2) == 1, "BTF of version " + bytes.get(2) + ", known is 1");
            long header = Integer.toUnsignedLong(bytes.getInt(4));
            long first = header + Integer.toUnsignedLong(bytes.getInt(8));
            long end = first + Integer.toUnsignedLong(bytes.getInt(12));
            long text = header + Integer.toUnsignedLong(bytes.getInt(16));
            long textEnd = text + Integer.toUnsignedLong(bytes.getInt(20));
            check(
                    header >= HEADER_BYTES && end <= content.length && textEnd <= content.length,
                    "BTF of " + content.length + " bytes has types up to " + end + " and strings up to " + textEnd);
            return new Parts(content, (int) first, (int) end, (int) text, (int) textEnd);
        }
    }

    /** Reads all types. */
    Btf(byte[] content) {
        Parts parts = Parts.of(content);
        bytes = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
        strings = parts.strings;
        stringsEnd = parts.stringsEnd;
        readTypes(parts.types, parts.typesEnd);
    }

    /**
     * Reads all types of the kernel and, behind them, of a module: as in {@code /sys/kernel/btf/xfs}, whose numbers of
     * types and places of names count on from those of the kernel.
     */
    static Btf ofModule(byte[] kernel, byte[] module) {
        List<Parts> both = List.of(Parts.of(kernel), Parts.of(module));
        int types = both.stream().mapToInt(part -> part.typesEnd - part.types).reduce(0, Math::addExact);
        int text =
                both.stream().mapToInt(part -> part.stringsEnd - part.strings).reduce(0, Math::addExact);
        ByteBuffer all =
                ByteBuffer.allocate(Math.addExact(HEADER_BYTES + types, text)).order(ByteOrder.LITTLE_ENDIAN);
        all.putChar((char) MAGIC).put((byte) 1).put((byte) 0).putInt(HEADER_BYTES);
        all.putInt(0).putInt(types).putInt(types).putInt(text);
        both.forEach(part -> all.put(part.content, part.types, part.typesEnd - part.types));
        both.forEach(part -> all.put(part.content, part.strings, part.stringsEnd - part.strings));
        return new Btf(all.array());
    }

    private void readTypes(int first, int end) {
        int next = first;
        while (next < end) {
            check(end - next >= TYPE_BYTES, "BTF type " + types + " is cut off");
            if (types == at.length) {
                at = Arrays.copyOf(at, 2 * types);
            }
            at[types] = next;
            long length = TYPE_BYTES + trailing(types);
            check(length <= end - next, "BTF type " + types + " reaches beyond the types");
            if (kind(types) == STRUCT || kind(types) == TYPEDEF) {
                named.putIfAbsent(kind(types) + " " + name(bytes.getInt(next)), types);
            }
            types++;
            next += (int) length;
        }
    }

    /** Bytes that follow a type's head: {@code linux/btf.h} says after each kind what. */
    private long trailing(int type) {
        long count = bytes.getInt(at[type] + 4) & 0xFFFF;
        int kind = kind(type);
        return switch (kind) {
            case 1, 14, 17 -> 4;
            case 3 -> 12;
            case STRUCT, UNION, 15, 19 -> count * MEMBER_BYTES;
            case 6 -> count * 8;
            case FUNCTION -> count * PARAMETER_BYTES;
            case POINTER, 7, TYPEDEF, VOLATILE, CONST, RESTRICT, 12, 16, TYPE_TAG -> 0;
            default -> throw new IllegalArgumentException("BTF type " + type + " is of kind " + kind + ", not known");
        };
    }

    /**
     * The number of a type.
     *
     * @param kind {@link #STRUCT} or {@link #TYPEDEF}
     * @return 0 if there is none of this name
     */
    int find(int kind, String name) {
        return named.getOrDefault(kind + " " + name, 0);
    }

    /**
     * Where a member lies in a structure, those of its structures too.
     *
     * @param path the names of members, each in the one before
     * @throws IllegalArgumentException if there is no such structure or member
     */
    int offset(String structure, String... path) {
        int type = find(STRUCT, structure);
        check(type != 0, "the kernel has no struct " + structure);
        int offset = 0;
        for (String name : path) {
            Member member = member(type, name, 0);
            if (member == null) {
                throw new IllegalArgumentException(
                        "the kernel's struct " + structure + " has no member " + String.join(".", path));
            }
            offset += member.offset;
            type = member.type;
        }
        return offset;
    }

    private @Nullable Member member(int type, String name, int depth) {
        check(depth < MAX_DEPTH, "BTF type " + type + " lies too deep");
        int structure = resolve(type);
        int head = at[structure];
        int count = bytes.getInt(head + 4) & 0xFFFF;
        for (int i = 0; kind(structure) != TYPEDEF && i < count; i++) {
            int member = head + TYPE_BYTES + i * MEMBER_BYTES;
            // With kind_flag, the upper 8 bits are the size of a bit field.
            int bits = bytes.getInt(member + 8) & (bytes.getInt(head + 4) < 0 ? 0xFF_FFFF : -1);
            String called = name(bytes.getInt(member));
            int memberType = bytes.getInt(member + 4);
            if (called.equals(name)) {
                return new Member(bits >>> 3, memberType);
            }
            if (called.isEmpty() && isStructure(memberType)) {
                Member inner = member(memberType, name, depth + 1);
                if (inner != null) {
                    return new Member((bits >>> 3) + inner.offset, inner.type);
                }
            }
        }
        return null;
    }

    private boolean isStructure(int type) {
        return isType(type) && (kind(type) == STRUCT || kind(type) == UNION);
    }

    /**
     * The arguments of a tracepoint: what its program gets, without the pointer that only the kernel uses.
     *
     * @param typedef the name of the pointer to its function, {@code btf_trace_…}
     * @return for each one the structure that it points to, such as {@code struct inode *}; else empty
     * @throws IllegalArgumentException if there is no such typedef, or it is no pointer to a function
     */
    List<String> arguments(String typedef) {
        int type = find(TYPEDEF, typedef);
        check(type != 0, "the kernel has no typedef " + typedef);
        int function = target(target(type, TYPEDEF), POINTER);
        check(isType(function) && kind(function) == FUNCTION, "the kernel's " + typedef + " is no function's");
        List<String> arguments = new ArrayList<>();
        int count = bytes.getInt(at[function] + 4) & 0xFFFF;
        for (int i = 1; i < count; i++) {
            arguments.add(structure(bytes.getInt(at[function] + TYPE_BYTES + i * PARAMETER_BYTES + 4)));
        }
        return arguments;
    }

    /** The structure that a pointer points to; empty for another type. */
    private String structure(int pointer) {
        int type = isType(pointer) && kind(pointer) == POINTER ? target(pointer, POINTER) : 0;
        if (isType(type) && kind(type) == CONST) {
            type = target(type, CONST);
        }
        return isType(type) && kind(type) == STRUCT ? "struct " + name(bytes.getInt(at[type])) + " *" : "";
    }

    private int target(int type, int kind) {
        check(isType(type) && kind(type) == kind, "BTF type " + type + " is not of kind " + kind);
        return bytes.getInt(at[type] + 8);
    }

    private boolean isType(int type) {
        return type > 0 && type < types;
    }

    /** The structure that stands behind names and qualifiers. */
    private int resolve(int type) {
        int resolved = type;
        for (int depth = 0; depth < MAX_DEPTH; depth++) {
            check(isType(resolved), "BTF type " + resolved + " of " + types);
            switch (kind(resolved)) {
                case STRUCT, UNION -> {
                    return resolved;
                }
                case TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG -> resolved = bytes.getInt(at[resolved] + 8);
                default -> throw new IllegalArgumentException("BTF type " + resolved + " is no structure");
            }
        }
        throw new IllegalArgumentException("BTF type " + type + " is named anew in a loop");
    }

    private int kind(int type) {
        return bytes.getInt(at[type] + 4) >>> 24 & 0x1F;
    }

    private String name(int offset) {
        check(
                offset >= 0 && offset < stringsEnd - strings,
                "BTF name at " + offset + " of " + (stringsEnd - strings) + " bytes");
        int end = strings + offset;
        while (end < stringsEnd && bytes.get(end) != 0) {
            end++;
        }
        return new String(bytes.array(), strings + offset, end - strings - offset, StandardCharsets.UTF_8);
    }

    private static void check(boolean right, String problem) {
        if (!right) {
            throw new IllegalArgumentException(problem);
        }
    }
}
