package io.aisio.xal;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;

/** The bytes of a name as a string, so that no two names become the same string. */
public final class FileName {
    /** What a byte outside of UTF-8 is added to: it becomes a low surrogate without a high one. */
    private static final char ESCAPE = '\uDC00';

    private FileName() {}

    /** The string of a name. */
    public static String decode(byte[] name) {
        if (isAscii(name)) {
            return new String(name, ISO_8859_1);
        }
        ByteBuffer in = ByteBuffer.wrap(name);
        CharBuffer out = CharBuffer.allocate(name.length);
        CharsetDecoder decoder = UTF_8.newDecoder();
        while (decoder.decode(in, out, true).isError()) {
            out.put((char) (ESCAPE + (in.get() & 0xFF)));
        }
        return out.flip().toString();
    }

    /** The bytes of a string that {@link #decode} made, or of any other: then they are its UTF-8. */
    public static byte[] encode(CharSequence name) {
        if (isAscii(name)) {
            return name.toString().getBytes(ISO_8859_1);
        }
        ByteBuffer out = ByteBuffer.allocate(3 * name.length());
        for (int i = 0; i < name.length(); ) {
            int c = Character.codePointAt(name, i);
            if (c >>> 8 == ESCAPE >>> 8) {
                out.put((byte) c);
            } else {
                out.put(Character.toString(c).getBytes(UTF_8));
            }
            i += Character.charCount(c);
        }
        return java.util.Arrays.copyOf(out.array(), out.position());
    }

    /** Most names are, and there are many: the other way costs an object a character. */
    private static boolean isAscii(CharSequence name) {
        for (int i = 0; i < name.length(); i++) {
            if (name.charAt(i) >= 0x80) {
                return false;
            }
        }
        return true;
    }

    private static boolean isAscii(byte[] name) {
        for (byte each : name) {
            if (each < 0) {
                return false;
            }
        }
        return true;
    }
}
