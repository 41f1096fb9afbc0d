package io.aisio.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/** The kernel that {@code docs/gpu.md} shows: a copy of it lies among the tests' resources, which a test compares. */
final class DocumentedExample {
    private DocumentedExample() {}

    /** The copy, which is there wherever the tests are. */
    static String kernel() throws IOException {
        try (InputStream in = Objects.requireNonNull(DocumentedExample.class.getResourceAsStream("example.cu"))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** What the document has between its first {@code ```cpp} and the next {@code ```}. */
    static String inDocument(Path document) throws IOException {
        String text = Files.readString(document);
        int begin = text.indexOf("```cpp\n") + "```cpp\n".length();
        return text.substring(begin, text.indexOf("```", begin));
    }
}
