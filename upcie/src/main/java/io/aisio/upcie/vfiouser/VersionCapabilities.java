package io.aisio.upcie.vfiouser;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * What an end says of itself in VERSION, as JSON: {@code {"capabilities":{"max_msg_fds":8,…}}}. What is not said has the
 * protocol's default; what is not known is passed over.
 *
 * @param maxFiles {@code max_msg_fds}: descriptors that it takes with one message
 * @param maxTransfer {@code max_data_xfer_size}: data that it takes in one access, in bytes
 * @param maxMaps {@code max_dma_maps}: regions of memory that it takes
 */
public record VersionCapabilities(int maxFiles, int maxTransfer, int maxMaps) {
    /** Of an end that says nothing. */
    public static final VersionCapabilities DEFAULT = new VersionCapabilities(1, VfioUser.DEFAULT_TRANSFER, 65_535);

    /** What is longer or deeper is not read: chosen far above what an end has to say. */
    private static final int LONGEST = 4096;

    private static final int DEEPEST = 16;

    private static final String MAX_FILES = "capabilities/max_msg_fds";
    private static final String MAX_TRANSFER = "capabilities/max_data_xfer_size";
    private static final String MAX_MAPS = "capabilities/max_dma_maps";
    private static final Set<String> KNOWN = Set.of(MAX_FILES, MAX_TRANSFER, MAX_MAPS);

    /** A VERSION message's payload: the version that is spoken here, the JSON, and its NUL. */
    public byte[] payload() {
        byte[] json = "{\"capabilities\":{\"max_msg_fds\":%d,\"max_data_xfer_size\":%d,\"max_dma_maps\":%d}}"
                .formatted(maxFiles, maxTransfer, maxMaps)
                .getBytes(StandardCharsets.UTF_8);
        byte[] payload = new byte[VfioUser.VERSION_BYTES + json.length + 1];
        MemorySegment segment = MemorySegment.ofArray(payload);
        VfioUser.u16(segment, 0, VfioUser.MAJOR);
        VfioUser.u16(segment, VfioUser.VERSION_MINOR, VfioUser.MINOR);
        System.arraycopy(json, 0, payload, VfioUser.VERSION_BYTES, json.length);
        return payload;
    }

    /**
     * Reads a VERSION message's payload.
     *
     * @throws MessageException if it is too short or longer than 4096 bytes, of another major version, or its JSON is none
     *     or has no NUL
     */
    public static VersionCapabilities parse(MemorySegment payload) throws MessageException {
        if (payload.byteSize() < VfioUser.VERSION_BYTES || payload.byteSize() > LONGEST) {
            throw new MessageException("a VERSION of " + payload.byteSize() + " bytes");
        }
        if (VfioUser.u16(payload, 0) != VfioUser.MAJOR) {
            throw new MessageException(
                    "major version " + VfioUser.u16(payload, 0) + "; only " + VfioUser.MAJOR + " is spoken here");
        }
        if (payload.byteSize() == VfioUser.VERSION_BYTES) {
            return DEFAULT;
        }
        byte[] bytes = payload.asSlice(VfioUser.VERSION_BYTES).toArray(ValueLayout.JAVA_BYTE);
        if (bytes[bytes.length - 1] != 0) {
            throw new MessageException("capabilities without a NUL at their end");
        }
        String json;
        try {
            json = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes, 0, bytes.length - 1))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new MessageException("capabilities that are not UTF-8");
        }
        if (json.isBlank()) {
            return DEFAULT;
        }
        Map<String, Long> told = new Json(json).numbers();
        return new VersionCapabilities(
                number(told, MAX_FILES, DEFAULT.maxFiles, 253),
                number(told, MAX_TRANSFER, DEFAULT.maxTransfer, VfioUser.DEFAULT_TRANSFER),
                number(told, MAX_MAPS, DEFAULT.maxMaps, Integer.MAX_VALUE));
    }

    private static int number(Map<String, Long> told, String name, int otherwise, int most) throws MessageException {
        Long value = told.get(name);
        if (value == null) {
            return otherwise;
        }
        if (value < 0) {
            throw new MessageException("capability " + name + " of " + value);
        }
        return (int) Math.min(value, most);
    }

    /** Takes JSON (RFC 8259) apart, for the whole numbers in it that are known, by the path of their names. */
    private static final class Json {
        private final String text;
        private final Map<String, Long> numbers = new HashMap<>();
        private int at;

        Json(String text) {
            this.text = text;
        }

        Map<String, Long> numbers() throws MessageException {
            value("", 0);
            if (peek() != 0) {
                throw wrong();
            }
            return numbers;
        }

        private void value(String path, int depth) throws MessageException {
            if (depth > DEEPEST) {
                throw new MessageException("capabilities nested deeper than " + DEEPEST);
            }
            switch (peek()) {
                case '{' -> members(path, depth);
                case '[' -> elements(path, depth);
                case '"' -> string();
                default -> scalar(path);
            }
        }

        private void members(String path, int depth) throws MessageException {
            at++;
            if (peek() == '}') {
                at++;
                return;
            }
            while (true) {
                if (peek() != '"') {
                    throw wrong();
                }
                String name = string();
                take(':');
                value(path.isEmpty() ? name : path + "/" + name, depth + 1);
                if (peek() != ',') {
                    take('}');
                    return;
                }
                at++;
            }
        }

        private void elements(String path, int depth) throws MessageException {
            at++;
            if (peek() == ']') {
                at++;
                return;
            }
            while (true) {
                value(path + "[]", depth + 1);
                if (peek() != ',') {
                    take(']');
                    return;
                }
                at++;
            }
        }

        /** The characters between the quotes; escapes stay as they are, as no name that is known has one. */
        private String string() throws MessageException {
            int start = ++at;
            while (at < text.length() && text.charAt(at) != '"') {
                at += text.charAt(at) == '\\' ? 2 : 1;
            }
            if (at >= text.length()) {
                throw wrong();
            }
            return text.substring(start, at++);
        }

        private void scalar(String path) throws MessageException {
            int start = at;
            while (at < text.length()
                    && (Character.isLetterOrDigit(text.charAt(at)) || "+-.".indexOf(text.charAt(at)) >= 0)) {
                at++;
            }
            String word = text.substring(start, at);
            if (word.matches("-?\\d{1,18}")) {
                if (KNOWN.contains(path)) {
                    numbers.put(path, Long.valueOf(word));
                }
            } else if (!word.matches("true|false|null|-?\\d+(\\.\\d+)?([eE][+-]?\\d+)?")) {
                throw wrong();
            }
        }

        private char peek() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
            return at < text.length() ? text.charAt(at) : 0;
        }

        private void take(char expected) throws MessageException {
            if (peek() != expected) {
                throw wrong();
            }
            at++;
        }

        private MessageException wrong() {
            return new MessageException("capabilities that are no JSON at character " + at);
        }
    }
}
