package io.aisio.fil.nio;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.aisio.xal.FileName;
import java.io.ByteArrayOutputStream;
import java.net.URI;
import org.jspecify.annotations.Nullable;

/**
 * {@code aisio:DEVICE!/PATH}, taken apart. The device is a name that {@link io.aisio.xnvme.Device#open} takes, options and
 * all; what is behind the first {@code !/} is a path in its file system. A byte of either may be written {@code %XX}; a
 * {@code !} in a device's name, or in a path, must be.
 *
 * @param device its name
 * @param path absolute, names as {@link FileName} decodes them; null if the URI has none
 */
record AisioUri(String device, @Nullable String path) {
    static final String SCHEME = "aisio";

    /** What is not escaped: what RFC 2396 lets stand in an opaque URI, less the mark between device and path. */
    private static final String PLAIN =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + "-_.~'()*:@&=+$,/?";

    /**
     * Takes a URI apart.
     *
     * @throws IllegalArgumentException if it is none of these
     */
    static AisioUri parse(URI uri) {
        if (!SCHEME.equalsIgnoreCase(uri.getScheme())) {
            throw new IllegalArgumentException("'" + uri + "' is no URI of the scheme " + SCHEME);
        }
        if (uri.getRawFragment() != null) {
            throw new IllegalArgumentException("'" + uri + "' has a fragment: write '#' as %23");
        }
        String text = uri.getRawSchemeSpecificPart();
        int mark = text.indexOf("!/");
        String device = decode(mark < 0 ? text : text.substring(0, mark));
        if (device.isEmpty()) {
            throw new IllegalArgumentException("'" + uri + "' names no device: write aisio:DEVICE!/PATH");
        }
        return new AisioUri(device, mark < 0 ? null : decode(text.substring(mark + 1)));
    }

    /** The URI of a path. */
    URI uri() {
        return URI.create(SCHEME + ":" + encode(device) + "!" + encode(path == null ? "/" : path));
    }

    private static String decode(String raw) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(raw.length());
        for (int i = 0; i < raw.length(); ) {
            int c = raw.codePointAt(i);
            i += Character.charCount(c);
            if (c == '%') {
                // The class URI has checked that two hexadecimal digits follow.
                bytes.write(Integer.parseInt(raw, i, i + 2, 16));
                i += 2;
            } else {
                bytes.writeBytes(Character.toString(c).getBytes(UTF_8));
            }
        }
        return FileName.decode(bytes.toByteArray());
    }

    private static String encode(String text) {
        StringBuilder raw = new StringBuilder(text.length());
        for (byte b : FileName.encode(text)) {
            char c = (char) (b & 0xFF);
            if (PLAIN.indexOf(c) >= 0) {
                raw.append(c);
            } else {
                raw.append("%%%02X".formatted((int) c));
            }
        }
        return raw.toString();
    }
}
