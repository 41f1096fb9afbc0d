package io.aisio.bench.workflow;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;

/** A mapping of a workflow file. What is wrong with it is told with its place; keys that nobody asked for are wrong. */
final class YamlMapping {
    private final String file;
    private final @Nullable Node node;
    private final String within;
    private final String place;
    private final Map<String, Object> entries = new LinkedHashMap<>();
    private final Set<String> asked = new LinkedHashSet<>();

    private YamlMapping(String file, String within, Object value, @Nullable Node node) {
        this.file = file;
        this.within = within;
        this.node = node;
        this.place = file + line(node) + within;
        if (!(value instanceof Map<?, ?> map)) {
            throw new IllegalArgumentException(place + ": expected 'key: value' lines, found " + shown(value));
        }
        map.forEach((key, one) -> {
            if (!(key instanceof String name)) {
                throw new IllegalArgumentException(place + ": the key " + shown(key) + " is no word");
            }
            if (one != null) {
                entries.put(name, one);
            }
        });
    }

    /**
     * The mapping that a value is.
     *
     * @param place how errors name it
     */
    static YamlMapping of(String place, @Nullable Object value) {
        return new YamlMapping(place, "", value == null ? Map.of() : value, null);
    }

    /**
     * The mapping that a file holds.
     *
     * @param node what was read into the value, which knows the lines
     */
    static YamlMapping of(String file, @Nullable Object value, @Nullable Node node) {
        return new YamlMapping(file, "", value == null ? Map.of() : value, node);
    }

    private static String line(@Nullable Node node) {
        return node == null
                ? ""
                : node.getStartMark()
                        .map(mark -> ", line " + (mark.getLine() + 1))
                        .orElse("");
    }

    private String placeOf(String key) {
        Node at = nodeOf(key, true);
        return at == null ? place : file + line(at) + within;
    }

    /** What a key stands for, as it is in the file; null where that is not known. */
    private @Nullable Node nodeOf(String key, boolean ofKey) {
        if (node instanceof MappingNode mapping) {
            for (NodeTuple tuple : mapping.getValue()) {
                if (tuple.getKeyNode() instanceof ScalarNode name
                        && name.getValue().equals(key)) {
                    return ofKey ? tuple.getKeyNode() : tuple.getValueNode();
                }
            }
        }
        return null;
    }

    String place() {
        return place;
    }

    boolean has(String key) {
        return entries.containsKey(key);
    }

    /** What stands there, whatever it is. */
    @Nullable
    Object any(String key) {
        asked.add(key);
        return entries.get(key);
    }

    /** A text or number that must be there. */
    String text(String key) {
        String text = textOr(key, null);
        if (text == null) {
            throw new IllegalArgumentException(place + ": '" + key + "' is missing");
        }
        return text;
    }

    /** A text, or number as it is written, or what is taken without. */
    @Nullable
    String textOr(String key, @Nullable String otherwise) {
        Object value = any(key);
        if (value == null) {
            return otherwise;
        }
        if (value instanceof Map || value instanceof List) {
            throw wrong(key, "a text", value);
        }
        return value.toString().strip();
    }

    boolean flag(String key) {
        Object value = any(key);
        if (value == null) {
            return false;
        }
        if (!(value instanceof Boolean flag)) {
            throw wrong(key, "true or false", value);
        }
        return flag;
    }

    int number(String key, int otherwise) {
        Object value = any(key);
        if (value == null) {
            return otherwise;
        }
        if (!(value instanceof Integer number) || number < 1) {
            throw wrong(key, "a whole number from 1", value);
        }
        return number;
    }

    /** Words of a list, or the only one; none if nothing stands there. */
    List<String> words(String key) {
        Object value = any(key);
        if (value == null) {
            return List.of();
        }
        List<String> words = new ArrayList<>();
        for (Object word : value instanceof List<?> list ? list : List.of(value)) {
            if (word == null || word instanceof Map || word instanceof List) {
                throw wrong(key, "a list of words", word);
            }
            words.add(word.toString());
        }
        return Collections.unmodifiableList(words);
    }

    /** Named values: each a word or number, or a list of such. */
    Map<String, Object> values(String key) {
        YamlMapping mapping = mapping(key);
        Map<String, Object> values = new LinkedHashMap<>();
        for (String name : mapping.entries.keySet()) {
            if (!name.matches("[a-z][a-z0-9_]*")) {
                throw new IllegalArgumentException(
                        mapping.place + ": '" + name + "' is no name: small letters, digits and _");
            }
            Object value = mapping.entries.get(name);
            if (value instanceof Map) {
                throw mapping.wrong(name, "a word, a number or a list", value);
            }
            values.put(name, value instanceof List ? mapping.scalars(name) : value);
        }
        return Collections.unmodifiableMap(values);
    }

    private List<Object> scalars(String key) {
        List<Object> scalars = new ArrayList<>();
        for (Object one : (List<?>) entries.getOrDefault(key, List.of())) {
            if (one == null || one instanceof Map || one instanceof List) {
                throw wrong(key, "a list of words or numbers", one);
            }
            scalars.add(one);
        }
        return Collections.unmodifiableList(scalars);
    }

    /** A mapping within this one; empty if it is not there. */
    YamlMapping mapping(String key) {
        Object value = any(key);
        return new YamlMapping(file, within + ", " + key, value == null ? Map.of() : value, nodeOf(key, false));
    }

    /** A list of mappings; empty if it is not there. */
    List<YamlMapping> mappings(String key) {
        Object value = any(key);
        if (value == null) {
            return List.of();
        }
        if (!(value instanceof List<?> list)) {
            throw wrong(key, "a list", value);
        }
        List<YamlMapping> mappings = new ArrayList<>();
        for (Object one : list) {
            int index = mappings.size();
            mappings.add(new YamlMapping(
                    file,
                    within + ", " + key + " " + (index + 1),
                    one == null ? Map.of() : one,
                    nodeOf(key, false) instanceof SequenceNode all
                            ? all.getValue().get(index)
                            : null));
        }
        return mappings;
    }

    /** Refuses keys that were not asked for: a misspelt one would change nothing, and nobody would be told. */
    void refuseOthers() {
        for (String key : entries.keySet()) {
            if (!asked.contains(key)) {
                throw new IllegalArgumentException(
                        placeOf(key) + ": no key '" + key + "' is known here; there are " + String.join(", ", asked));
            }
        }
    }

    private IllegalArgumentException wrong(String key, String expected, @Nullable Object found) {
        return new IllegalArgumentException(
                placeOf(key) + ": '" + key + "' is " + shown(found) + "; expected " + expected);
    }

    private static String shown(@Nullable Object value) {
        return value == null ? "nothing" : "'" + value + "'";
    }
}
