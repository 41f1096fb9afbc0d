package io.aisio.xal.xfs;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;

/** The bytes of a name as a string, so that no two names become the same string. */
final class FileName {
    /** What a byte outside of UTF-8 is added to: it becomes a low surrogate without a high one. */
    private static final char ESCAPE = '\uDC00';

    private FileName() {}

    static String decode(byte[] name) {
        ByteBuffer in = ByteBuffer.wrap(name);
        CharBuffer out = CharBuffer.allocate(name.length);
        CharsetDecoder decoder = UTF_8.newDecoder();
        while (decoder.decode(in, out, true).isError()) {
            out.put((char) (ESCAPE + (in.get() & 0xFF)));
        }
        return out.flip().toString();
    }
}
