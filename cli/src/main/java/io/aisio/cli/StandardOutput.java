package io.aisio.cli;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.aisio.linux.Terminal;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.StringWriter;
import java.util.function.Consumer;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.json.JsonWriteFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * Standard output for listings of any length: buffered, in bytes, and ending with an error once nobody reads it.
 * {@link System#out} alone would turn bytes that are not UTF-8 into question marks, and hide the error.
 */
final class StandardOutput implements AutoCloseable {
    /** What is said when it cannot be written; Java does not tell why. */
    static final String LOST = "standard output could not be written: its disk is full, or its reader has gone";

    /** Chosen so that a listing takes few system calls. */
    private static final int BUFFER_BYTES = 1 << 16;

    /** All that is not ASCII is escaped, as a byte that is not UTF-8 is half a surrogate pair. */
    private static final JsonMapper JSON =
            JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

    private final OutputStream out = new BufferedOutputStream(new Checked(), BUFFER_BYTES);
    private final boolean terminal = Terminal.onStandardOutput();

    /**
     * Prints a line that holds names from a file system: their bytes as they are, or {@link Printable} on a terminal.
     *
     * @throws IOException if nobody can read it
     */
    void line(String text) throws IOException {
        out.write(terminal ? Printable.of(text).getBytes(UTF_8) : bytes(text));
        out.write('\n');
    }

    /** Writes JSON. Closing the generator writes what is left. */
    static JsonGenerator json() {
        return JSON.writerWithDefaultPrettyPrinter()
                .createGenerator(
                        new OutputStreamWriter(new BufferedOutputStream(new Checked(), BUFFER_BYTES), US_ASCII));
    }

    /** One JSON object without line breaks, for output that is read as it comes. */
    static String jsonLine(Consumer<JsonGenerator> fields) {
        StringWriter line = new StringWriter();
        try (JsonGenerator json = JSON.createGenerator(line)) {
            json.writeStartObject();
            fields.accept(json);
            json.writeEndObject();
        }
        return line.toString();
    }

    /** Text as a JSON string in ASCII, which YAML reads too. */
    static String quoted(String text) {
        return JSON.writeValueAsString(text);
    }

    /** A name's bytes as they are on the device. */
    static byte[] bytes(String text) {
        if (text.codePoints().noneMatch(Printable::isByte)) {
            return text.getBytes(UTF_8);
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(text.length());
        text.codePoints().forEach(c -> {
            if (Printable.isByte(c)) {
                bytes.write(c & 0xFF);
            } else {
                bytes.writeBytes(Character.toString(c).getBytes(UTF_8));
            }
        });
        return bytes.toByteArray();
    }

    /**
     * Writes what was printed, for whoever waits for it.
     *
     * @throws IOException if nobody can read it
     */
    void flush() throws IOException {
        out.flush();
    }

    /** Writes what is left. Standard output stays open. */
    @Override
    public void close() throws IOException {
        out.close();
    }

    /** {@link System#out}, whose errors are exceptions. */
    private static final class Checked extends OutputStream {
        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            System.out.write(bytes, offset, length);
            flush();
        }

        @Override
        public void flush() throws IOException {
            if (System.out.checkError()) {
                throw new IOException(LOST);
            }
        }
    }
}
