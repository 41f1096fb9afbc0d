package io.aisio.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The project's kernels in CUDA C++: the folder {@code kernels}, whose file {@code list} names the others. Files {@code .cu}
 * together are one program, files {@code .cuh} are the headers that it, and a user's own kernels, include by those names.
 *
 * @param program what is compiled
 * @param headers by the names that they are included by
 * @param hash SHA-256 of all files, one after another as they are listed, in hexadecimal
 */
record KernelSources(String program, Map<String, String> headers, String hash) {
    private static final Pattern SHIPPED = Pattern.compile("// Of the kernels with SHA-256 ([0-9a-f]{64}),.*");

    /** Those that this program came with. */
    static KernelSources ours() {
        StringBuilder program = new StringBuilder();
        Map<String, String> headers = new LinkedHashMap<>();
        MessageDigest hash = sha256();
        List<String> names = text("kernels/list").lines().toList();
        for (String name : names) {
            String source = text("kernels/" + name);
            hash.update(source.getBytes(StandardCharsets.UTF_8));
            if (name.endsWith(".cu")) {
                program.append("#line 1 \"")
                        .append(name)
                        .append("\"\n")
                        .append(source)
                        .append('\n');
            } else {
                headers.put(name, source);
            }
        }
        return new KernelSources(program.toString(), headers, HexFormat.of().formatHex(hash.digest()));
    }

    /** The PTX that is shipped, made of these or of older ones. */
    static String shipped() {
        return text("aisio.ptx");
    }

    /** The hash of the sources that PTX was made of, as {@code cuda/make-ptx} wrote it; empty if it did not. */
    static String hashOf(String ptx) {
        Matcher first = SHIPPED.matcher(ptx.lines().findFirst().orElse(""));
        return first.matches() ? first.group(1) : "";
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has it", e);
        }
    }

    private static String text(String name) {
        try (InputStream file = KernelSources.class.getResourceAsStream(name)) {
            if (file == null) {
                throw new AssertionError("the resource " + name + " is not there");
            }
            return new String(file.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
