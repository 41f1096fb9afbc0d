package io.aisio.homi.rpc;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The parameters of a request, taken one by one, each within its bounds. What nobody takes is refused. */
public final class Params {
    private final String method;
    private final JsonNode object;

    /**
     * @param params an object, or nothing
     * @throws RpcException if it is anything else
     */
    public Params(String method, @Nullable JsonNode params) throws RpcException {
        this.method = method;
        if (params != null && !params.isObject()) {
            throw new RpcException(RpcException.INVALID_PARAMS, method + ": params is an object, by name", null);
        }
        object = params == null ? JsonNodeFactory.instance.objectNode() : params;
    }

    /** Refuses what is not among these names: a misspelt one would else be ignored. */
    public void allow(String... names) throws RpcException {
        List<String> known = Arrays.asList(names);
        for (String name : ((ObjectNode) object).propertyNames()) {
            if (!known.contains(name)) {
                throw new RpcException(
                        RpcException.INVALID_PARAMS,
                        method + ": no parameter '" + name + "'",
                        known.isEmpty() ? "leave it out" : "there is " + String.join(", ", known));
            }
        }
    }

    /** Whether it is given. */
    public boolean has(String name) {
        return object.get(name) != null;
    }

    /** A whole number that must be given. */
    public long number(String name, long least, long most) throws RpcException {
        JsonNode value = object.get(name);
        if (value == null || !value.isIntegralNumber() || !value.canConvertToLong()) {
            throw new RpcException(RpcException.INVALID_PARAMS, method + ": '" + name + "' is a whole number", null);
        }
        long number = value.longValue();
        if (number < least || number > most) {
            throw new RpcException(
                    RpcException.INVALID_PARAMS,
                    "%s: '%s' is %d to %d, not %d".formatted(method, name, least, most, number),
                    null);
        }
        return number;
    }

    /** A whole number, or another if it is not given. */
    public long number(String name, long least, long most, long otherwise) throws RpcException {
        return has(name) ? number(name, least, most) : otherwise;
    }

    /** Text that must be given, without control characters. */
    public String text(String name, int longest) throws RpcException {
        JsonNode value = object.get(name);
        if (value == null || !value.isString()) {
            throw new RpcException(RpcException.INVALID_PARAMS, method + ": '" + name + "' is text", null);
        }
        String text = value.stringValue();
        if (text.isEmpty() || text.length() > longest || text.chars().anyMatch(Character::isISOControl)) {
            throw new RpcException(
                    RpcException.INVALID_PARAMS,
                    method + ": '" + name + "' is 1 to " + longest + " printable characters",
                    null);
        }
        return text;
    }

    /** Text, or another if it is not given. */
    public String text(String name, int longest, String otherwise) throws RpcException {
        return has(name) ? text(name, longest) : otherwise;
    }

    /** One of a few words, or the first if it is not given. */
    public String word(String name, String... words) throws RpcException {
        String word = text(name, 32, words[0]);
        if (!Arrays.asList(words).contains(word)) {
            throw new RpcException(
                    RpcException.INVALID_PARAMS, method + ": '" + name + "' is " + String.join(" or ", words), null);
        }
        return word;
    }

    /** Yes or no; no if it is not given. */
    public boolean flag(String name) throws RpcException {
        JsonNode value = object.get(name);
        if (value == null) {
            return false;
        }
        if (!value.isBoolean()) {
            throw new RpcException(RpcException.INVALID_PARAMS, method + ": '" + name + "' is true or false", null);
        }
        return value.booleanValue();
    }
}
