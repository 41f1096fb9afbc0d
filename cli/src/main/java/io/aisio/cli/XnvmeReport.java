package io.aisio.cli;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonGenerator;

/**
 * What a command of {@code xnvme} tells: names and values, which are texts, numbers, truths, lists, or names and values
 * again. It is printed in one of three forms of the same content.
 *
 * <pre>
 *   json    one object; the first key is its schema. A key may be added to a version, none is removed or changed
 *   yaml    the same as a YAML document
 *   text    for people: a line a value, a table for a list of the like
 * </pre>
 */
final class XnvmeReport {
    /** Who reads it. */
    enum Format {
        /** People. */
        text,
        /** Programs and people. */
        yaml,
        /** Programs. */
        json
    }

    private static final String SCHEMA = "schema";
    /** Words that are written in capitals for people. */
    private static final Set<String> SHORT = Set.of(
            "acq", "aqa", "asq", "cap", "cc", "cdw10", "cdw11", "cdw12", "cdw13", "cid", "cns", "csi", "csts", "eui64",
            "id", "io", "lba", "mdts", "nguid", "nsid", "nvm", "pci", "sgl", "sqid", "vs");

    private static final String INDENT = "  ";

    private final Map<String, @Nullable Object> fields = new LinkedHashMap<>();

    /** @param verb whose report it is: the schema is {@code aisio.xnvme.VERB/1} */
    XnvmeReport(String verb) {
        this("xnvme", verb);
    }

    private XnvmeReport(String group, String verb) {
        fields.put(SCHEMA, "aisio." + group + "." + verb + "/1");
    }

    /** One of another group of commands: the schema is {@code aisio.GROUP.VERB/1}. */
    static XnvmeReport of(String group, String verb) {
        return new XnvmeReport(group, verb);
    }

    /** Adds a value, or replaces the one of that name in its place; a record becomes its components. */
    XnvmeReport put(String name, @Nullable Object value) {
        fields.put(name, plain(value));
        return this;
    }

    /** Adds each component of a record. */
    XnvmeReport putAll(Record values) {
        fields.putAll(components(values));
        return this;
    }

    /** A number of bits as the specification writes it: {@code 0x0010}. */
    static String hex(long value, int bytes) {
        return String.format(
                Locale.ROOT, "0x%0" + 2 * bytes + "x", bytes == 8 ? value : value & ((1L << (8 * bytes)) - 1));
    }

    /** A record's components by their names, {@code likeThis} as {@code like_this}. */
    static Map<String, @Nullable Object> components(Record values) {
        Map<String, @Nullable Object> all = new LinkedHashMap<>();
        for (RecordComponent component : values.getClass().getRecordComponents()) {
            try {
                all.put(
                        snake(component.getName()),
                        plain(component.getAccessor().invoke(values)));
            } catch (IllegalAccessException | InvocationTargetException e) {
                throw new IllegalStateException(component + " of " + values.getClass() + " cannot be read", e);
            }
        }
        return all;
    }

    private static String snake(String name) {
        return name.replaceAll("([a-z0-9])([A-Z])", "$1_$2").toLowerCase(Locale.ROOT);
    }

    /** What the three forms know: texts, numbers, truths, null, lists and maps. */
    private static @Nullable Object plain(@Nullable Object value) {
        return switch (value) {
            case null -> null;
            case String text -> text;
            case Number number -> number;
            case Boolean truth -> truth;
            case Enum<?> constant -> constant.name().toLowerCase(Locale.ROOT).replace('_', ' ');
            case Optional<?> optional -> plain(optional.orElse(null));
            case Record values when values.getClass().isAnonymousClass() -> values.toString();
            case Record values -> components(values);
            case Map<?, ?> map -> {
                Map<String, @Nullable Object> named = new LinkedHashMap<>();
                map.forEach((key, of) -> named.put(String.valueOf(key), plain(of)));
                yield named;
            }
            case Collection<?> list -> {
                List<@Nullable Object> all = new ArrayList<>();
                list.forEach(one -> all.add(plain(one)));
                yield all;
            }
            default -> value.toString();
        };
    }

    /**
     * Prints it to standard output.
     *
     * @throws IOException if nobody can read it
     */
    void print(Format format) throws IOException {
        if (format == Format.json) {
            try (JsonGenerator json = StandardOutput.json()) {
                json(json, fields);
                json.writeRaw('\n');
            }
            return;
        }
        try (StandardOutput out = new StandardOutput()) {
            if (format == Format.yaml) {
                yaml(out, fields, "");
            } else {
                Map<String, @Nullable Object> shown = new LinkedHashMap<>(fields);
                shown.remove(SCHEMA);
                text(out, shown, "");
            }
        }
    }

    private static void json(JsonGenerator json, @Nullable Object value) {
        switch (value) {
            case null -> json.writeNull();
            case Map<?, ?> map -> {
                json.writeStartObject();
                map.forEach((name, of) -> {
                    json.writeName(String.valueOf(name));
                    json(json, of);
                });
                json.writeEndObject();
            }
            case List<?> list -> {
                json.writeStartArray();
                list.forEach(one -> json(json, one));
                json.writeEndArray();
            }
            case Boolean truth -> json.writeBoolean(truth);
            case BigInteger number -> json.writeNumber(number);
            case Double number -> json.writeNumber(number);
            case Number number -> json.writeNumber(number.longValue());
            default -> json.writeString(value.toString());
        }
    }

    /** Names are plain; texts are quoted as JSON does, which YAML reads. */
    private static void yaml(StandardOutput out, Map<?, ?> map, String indent) throws IOException {
        String first = indent;
        for (Map.Entry<?, ?> field : map.entrySet()) {
            Object value = field.getValue();
            String name = key(String.valueOf(field.getKey()));
            if (value instanceof Map<?, ?> inner && !inner.isEmpty()) {
                out.line(first + name + ":");
                yaml(out, inner, blank(indent) + INDENT);
            } else if (value instanceof List<?> list && !list.isEmpty()) {
                out.line(first + name + ":");
                for (Object one : list) {
                    if (one instanceof Map<?, ?> inner && !inner.isEmpty()) {
                        yaml(out, inner, blank(indent) + "- ");
                    } else {
                        out.line(blank(indent) + "- " + scalar(one));
                    }
                }
            } else {
                out.line(first + name + ": " + scalar(value));
            }
            first = blank(indent);
        }
    }

    private static String blank(String indent) {
        return indent.replace('-', ' ');
    }

    private static String key(String name) {
        return name.matches("[A-Za-z_][A-Za-z0-9_]*") ? name : StandardOutput.quoted(name);
    }

    private static String scalar(@Nullable Object value) {
        return switch (value) {
            case null -> "null";
            case Map<?, ?> _ -> "{}";
            case List<?> _ -> "[]";
            case Number number -> number.toString();
            case Boolean truth -> truth.toString();
            default -> StandardOutput.quoted(value.toString());
        };
    }

    private static void text(StandardOutput out, Map<?, ?> map, String indent) throws IOException {
        int width = 0;
        for (Map.Entry<?, ?> field : map.entrySet()) {
            if (isLine(field.getValue())) {
                width = Math.max(width, label(field.getKey()).length());
            }
        }
        for (Map.Entry<?, ?> field : map.entrySet()) {
            String name = label(field.getKey());
            Object value = field.getValue();
            if (isLine(value)) {
                String[] lines = line(value).split("\n", -1);
                for (int i = 0; i < lines.length; i++) {
                    String before = i == 0 ? name : "";
                    out.line((indent + before + " ".repeat(width - before.length() + 2) + lines[i]).stripTrailing());
                }
            }
        }
        for (Map.Entry<?, ?> field : map.entrySet()) {
            String name = label(field.getKey());
            Object value = field.getValue();
            if (isLine(value)) {
                continue;
            }
            if (value instanceof Map<?, ?> inner) {
                out.line("");
                out.line(indent + name);
                text(out, inner, indent + INDENT);
            } else if (value instanceof List<?> list) {
                out.line("");
                out.line(indent + name);
                table(list).print(out);
            }
        }
    }

    /** Whether it stands behind its name, rather than beneath. */
    private static boolean isLine(@Nullable Object value) {
        return !(value instanceof Map<?, ?> map && !map.isEmpty())
                && !(value instanceof List<?> list && list.stream().anyMatch(Map.class::isInstance));
    }

    private static String label(@Nullable Object name) {
        StringBuilder text = new StringBuilder();
        for (String word : String.valueOf(name).split("_", -1)) {
            text.append(text.isEmpty() ? "" : " ").append(SHORT.contains(word) ? word.toUpperCase(Locale.ROOT) : word);
        }
        if (!text.isEmpty()) {
            text.setCharAt(0, Character.toUpperCase(text.charAt(0)));
        }
        return text.toString();
    }

    private static String line(@Nullable Object value) {
        return switch (value) {
            case null -> "-";
            case Boolean truth -> truth ? "yes" : "no";
            case List<?> list when list.isEmpty() -> "none";
            case List<?> list ->
                String.join(", ", list.stream().map(XnvmeReport::line).toList());
            case Map<?, ?> map ->
                map.isEmpty()
                        ? "none"
                        : String.join(
                                ", ",
                                map.entrySet().stream()
                                        .map(field -> label(field.getKey()).toLowerCase(Locale.ROOT) + " "
                                                + line(field.getValue()))
                                        .toList());
            default -> value.toString().isEmpty() ? "-" : value.toString();
        };
    }

    /** A column for each name that any of them has, in the order of the first. */
    private static TextTable table(List<?> rows) {
        List<String> names = new ArrayList<>();
        for (Object row : rows) {
            for (Object name : row instanceof Map<?, ?> map ? map.keySet() : new TreeSet<>()) {
                if (!names.contains(String.valueOf(name))) {
                    names.add(String.valueOf(name));
                }
            }
        }
        TextTable table = new TextTable(
                names.stream().map(name -> label(name).toUpperCase(Locale.ROOT)).toArray(String[]::new));
        for (Object row : rows) {
            table.add(names.stream()
                    .map(name -> row instanceof Map<?, ?> map ? line(map.get(name)) : line(row))
                    .toArray(String[]::new));
        }
        return table;
    }
}
