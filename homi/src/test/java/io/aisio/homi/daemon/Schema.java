package io.aisio.homi.daemon;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The published schema of the protocol, and what of JSON Schema it uses. */
final class Schema {
    private static final Set<String> KNOWN = Set.of(
            "$schema",
            "$defs",
            "$ref",
            "title",
            "description",
            "type",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "prefixItems",
            "minItems",
            "maxItems",
            "enum",
            "const",
            "minimum",
            "maximum",
            "minLength",
            "maxLength",
            "oneOf");

    private final JsonNode root;

    private Schema(JsonNode root) {
        this.root = root;
    }

    /** Where it is in the sources; it may be missing where there are none. */
    static Path path() {
        String basedir = System.getProperty("basedir", ".");
        return Path.of(basedir).resolve("../docs/homi-protocol.schema.json");
    }

    static Schema read() throws IOException {
        Schema schema = new Schema(JsonMapper.builder().build().readTree(Files.readString(path())));
        schema.requireKnown(schema.root);
        return schema;
    }

    /** A keyword that this does not know would pass whatever it forbids. */
    private void requireKnown(JsonNode schema) {
        if (!schema.isObject()) {
            return;
        }
        for (String key : schema.propertyNames()) {
            if (!KNOWN.contains(key)) {
                throw new AssertionError("the schema uses '" + key + "'");
            }
            JsonNode value = schema.get(key);
            switch (key) {
                case "properties", "$defs" -> value.forEach(this::requireKnown);
                case "items" -> requireKnown(value);
                case "oneOf", "prefixItems" -> value.forEach(this::requireKnown);
                default -> {
                    // A plain value.
                }
            }
        }
    }

    /** Methods that it has. */
    Set<String> methods() {
        Set<String> methods = new TreeSet<>();
        for (String name : root.get("$defs").propertyNames()) {
            if (name.endsWith(".params")) {
                methods.add(name.substring(0, name.length() - ".params".length()));
            }
        }
        return methods;
    }

    boolean has(String definition) {
        return root.get("$defs").has(definition);
    }

    /** What is wrong with a whole line; empty if nothing is. */
    List<String> faultsOfLine(JsonNode value) {
        List<String> faults = new ArrayList<>();
        check(root, value, "line", faults);
        return faults;
    }

    /** What is wrong with a part; empty if nothing is. */
    List<String> faults(String definition, JsonNode value) {
        List<String> faults = new ArrayList<>();
        JsonNode schema = root.get("$defs").get(definition);
        if (schema == null) {
            faults.add("there is no " + definition);
        } else {
            check(schema, value, definition, faults);
        }
        return faults;
    }

    private void check(JsonNode schema, JsonNode value, String at, List<String> faults) {
        JsonNode reference = schema.get("$ref");
        if (reference != null) {
            check(root.get("$defs").get(reference.stringValue().substring("#/$defs/".length())), value, at, faults);
        }
        JsonNode one = schema.get("oneOf");
        if (one != null) {
            int fit = 0;
            List<String> why = new ArrayList<>();
            for (JsonNode choice : one) {
                List<String> its = new ArrayList<>();
                check(choice, value, at, its);
                fit += its.isEmpty() ? 1 : 0;
                why.addAll(its);
            }
            if (fit != 1) {
                faults.add(at + " fits " + fit + " of the choices: " + why);
            }
        }
        if (schema.has("const") && !schema.get("const").equals(value)) {
            faults.add(at + " is not " + schema.get("const"));
        }
        if (schema.has("enum") && !contains(schema.get("enum"), value)) {
            faults.add(at + " is " + value + ", not of " + schema.get("enum"));
        }
        JsonNode type = schema.get("type");
        if (type != null && !(type.isArray() ? anyType(type, value) : isType(type.stringValue(), value))) {
            faults.add(at + " is no " + type + ": " + value);
            return;
        }
        if (value.isObject()) {
            checkObject(schema, value, at, faults);
        } else if (value.isArray()) {
            checkArray(schema, value, at, faults);
        } else if (value.isIntegralNumber()) {
            if (schema.has("minimum")
                            && value.longValue() < schema.get("minimum").longValue()
                    || schema.has("maximum")
                            && value.longValue() > schema.get("maximum").longValue()) {
                faults.add(at + " is out of range: " + value);
            }
        } else if (value.isString()) {
            int length = value.stringValue().length();
            if (schema.has("minLength") && length < schema.get("minLength").intValue()
                    || schema.has("maxLength")
                            && length > schema.get("maxLength").intValue()) {
                faults.add(at + " is too short or long: " + value);
            }
        }
    }

    private void checkObject(JsonNode schema, JsonNode value, String at, List<String> faults) {
        JsonNode properties = schema.get("properties");
        if (properties != null) {
            for (String name : value.propertyNames()) {
                if (properties.has(name)) {
                    check(properties.get(name), value.get(name), at + "." + name, faults);
                } else if (schema.has("additionalProperties")) {
                    faults.add(at + " has '" + name + "'");
                }
            }
        }
        for (JsonNode name : schema.path("required")) {
            if (!value.has(name.stringValue())) {
                faults.add(at + " has no '" + name.stringValue() + "'");
            }
        }
    }

    private void checkArray(JsonNode schema, JsonNode value, String at, List<String> faults) {
        if (schema.has("minItems") && value.size() < schema.get("minItems").intValue()
                || schema.has("maxItems")
                        && value.size() > schema.get("maxItems").intValue()) {
            faults.add(at + " has " + value.size() + " items");
        }
        JsonNode first = schema.path("prefixItems");
        for (int i = 0; i < value.size(); i++) {
            JsonNode item = i < first.size() ? first.get(i) : schema.get("items");
            if (item != null) {
                check(item, value.get(i), at + "[" + i + "]", faults);
            }
        }
    }

    private static boolean contains(JsonNode values, JsonNode value) {
        for (JsonNode one : values) {
            if (one.equals(value)
                    || one.isIntegralNumber() && value.isIntegralNumber() && one.longValue() == value.longValue()) {
                return true;
            }
        }
        return false;
    }

    private static boolean anyType(JsonNode types, JsonNode value) {
        for (JsonNode type : types) {
            if (isType(type.stringValue(), value)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isType(String type, JsonNode value) {
        return switch (type) {
            case "object" -> value.isObject();
            case "array" -> value.isArray();
            case "string" -> value.isString();
            case "integer" -> value.isIntegralNumber();
            case "boolean" -> value.isBoolean();
            case "null" -> value.isNull();
            default -> throw new AssertionError("the schema has the type '" + type + "'");
        };
    }
}
