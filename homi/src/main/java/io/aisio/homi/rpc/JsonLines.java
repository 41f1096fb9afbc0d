package io.aisio.homi.rpc;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.linux.UnixConnection;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A connection that carries one JSON object a line, and descriptors beside them, from somebody who is not believed.
 *
 * <p>A line has at most {@value #MOST_BYTES} bytes of UTF-8, an object no more than {@value #MOST_DEPTH} levels, and
 * {@value #MOST_FILES} descriptors go with it at most. They are sent with the line's first byte. The kernel does not tell
 * which byte it was, only that what it gave out ends with the piece that was sent with them: so they belong to the last line
 * of which something came with them.
 *
 * <p>One thread receives; any may {@link #send}, or {@link #shutDown}.
 */
public final class JsonLines implements AutoCloseable {
    /** Bytes of a line at most, without its end. */
    public static final int MOST_BYTES = 64 << 10;
    /** Levels of objects and arrays at most. */
    public static final int MOST_DEPTH = 16;
    /** Descriptors with a line at most. */
    public static final int MOST_FILES = 8;
    /** Longest name and longest number: longer ones mean nothing here, and cost to take apart. */
    private static final int LONGEST_NAME = 64;

    private static final int LONGEST_NUMBER = 40;
    /** A wait for one that may be silent as long as he likes is made of such. */
    private static final Duration LONG_SILENCE = Duration.ofHours(1);

    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

    /** Reads and writes what is sent. */
    public static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(MOST_DEPTH)
                            .maxStringLength(MOST_BYTES)
                            .maxNameLength(LONGEST_NAME)
                            .maxNumberLength(LONGEST_NUMBER)
                            .maxDocumentLength(MOST_BYTES)
                            .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final UnixConnection connection;
    private final Duration patience;
    private final Arena arena = Arena.ofAuto();
    private final MemorySegment incoming = arena.allocate(MOST_BYTES);
    /** Received and not taken yet: one byte more than a line, for its end. */
    private final byte[] buffer = new byte[MOST_BYTES + 1];

    private int filled;
    /** How much of {@link #buffer} has been searched for the end of a line. */
    private int searched;
    /** Of all bytes that were ever received, the number of the first in {@link #buffer}. */
    private long base;
    /** Descriptors of lines that were not taken yet. */
    private final List<Passed> passed = new ArrayList<>();

    /** Descriptors, and the number of the first byte of the line that they belong to. */
    private record Passed(long line, List<OpenFile> files, boolean incomplete) {}

    /**
     * A line.
     *
     * @param object what it holds; null if it is none that can be read
     * @param refusal why not; null if it can be read
     * @param files that came with it; who takes the line closes them
     * @param incomplete whether more came than can be; the kernel has closed them
     */
    public record Line(
            @Nullable ObjectNode object, @Nullable RpcException refusal, List<OpenFile> files, boolean incomplete) {
        /** Copies the list. */
        public Line {
            files = List.copyOf(files);
        }

        /** Closes all that came with it. */
        public void closeFiles() {
            files.forEach(OpenFile::close);
        }
    }

    /**
     * @param connection becomes this one's
     * @param patience how long the rest of a line may take once it has begun, and how long a line may take to be sent
     */
    public JsonLines(UnixConnection connection, Duration patience) {
        this.connection = connection;
        this.patience = patience;
    }

    /**
     * Takes the next line.
     *
     * @param silence how long it may take until one begins; null for as long as it takes
     * @return null if the other end has left between two lines
     * @throws RpcException if what comes cannot be lines any more: one is too long, ends in the middle, or comes too slowly,
     *     or more descriptors come with it than ever can; or nothing came within {@code silence}. Nothing more is to be
     *     received
     * @throws IOException if the connection is lost
     */
    public @Nullable Line receive(@Nullable Duration silence) throws IOException {
        long until = silence == null ? Long.MAX_VALUE : System.nanoTime() + silence.toNanos();
        boolean begun = filled != 0;
        if (begun) {
            until = System.nanoTime() + patience.toNanos();
        }
        while (true) {
            Line line = takeLine();
            if (line != null) {
                return line;
            }
            if (filled > MOST_BYTES) {
                throw new RpcException(
                        RpcException.INVALID_REQUEST, "a line of more than " + MOST_BYTES + " bytes", null);
            }
            int got = fill(until, begun);
            if (got == 0) {
                if (filled == 0 && passed.isEmpty()) {
                    return null;
                }
                throw new RpcException(RpcException.INVALID_REQUEST, "a line without an end", null);
            }
            if (!begun) {
                begun = true;
                until = System.nanoTime() + patience.toNanos();
            }
        }
    }

    /** Receives something; 0 if the other end has left. */
    private int fill(long until, boolean begun) throws IOException {
        UnixConnection.Received received = null;
        while (received == null) {
            Duration limit =
                    until == Long.MAX_VALUE ? LONG_SILENCE : Duration.ofNanos(Math.max(0, until - System.nanoTime()));
            try {
                received = connection.receive(
                        incoming.asSlice(0, Math.min(MOST_BYTES, buffer.length - filled)), MOST_FILES, limit);
            } catch (LinuxException e) {
                if (e.errno() != Errno.ETIMEDOUT) {
                    throw e;
                }
                if (until != Long.MAX_VALUE) {
                    throw new RpcException(
                            RpcException.INVALID_REQUEST,
                            begun
                                    ? "a line that took longer than " + patience.toMillis() + " ms"
                                    : "nothing within the time that the first request may take",
                            null);
                }
            }
        }
        int n = received.bytes();
        MemorySegment.copy(incoming, BYTE, 0, buffer, filled, n);
        if (!received.files().isEmpty() || received.incomplete()) {
            passed.add(new Passed(base + lastLine(filled, filled + n), received.files(), received.incomplete()));
            if (passed.stream().mapToInt(p -> p.files.size()).sum() > MOST_FILES) {
                throw new RpcException(
                        RpcException.INVALID_REQUEST, "more than " + MOST_FILES + " descriptors with a line", null);
            }
        }
        filled += n;
        return n;
    }

    /** Where the last line begins of which something is in a range of the buffer. */
    private int lastLine(int from, int to) {
        int at = Math.max(from, to - 1);
        while (at > 0 && buffer[at - 1] != '\n') {
            at--;
        }
        return at;
    }

    private @Nullable Line takeLine() {
        for (; searched < filled; searched++) {
            if (buffer[searched] == '\n') {
                int length = searched;
                List<OpenFile> files = new ArrayList<>();
                boolean incomplete = false;
                while (!passed.isEmpty() && passed.getFirst().line <= base + length) {
                    Passed first = passed.removeFirst();
                    files.addAll(first.files);
                    incomplete |= first.incomplete;
                }
                Line line = parse(length, files, incomplete);
                filled -= length + 1;
                base += length + 1;
                searched = 0;
                System.arraycopy(buffer, length + 1, buffer, 0, filled);
                return line;
            }
        }
        return null;
    }

    private Line parse(int length, List<OpenFile> files, boolean incomplete) {
        try {
            return new Line(parse(ByteBuffer.wrap(buffer, 0, length)), null, files, incomplete);
        } catch (RpcException e) {
            return new Line(null, e, files, incomplete);
        }
    }

    /**
     * Takes an object apart.
     *
     * @param utf8 a line without its end
     * @throws RpcException if it is no UTF-8, no JSON, or no object, or nested too deeply
     */
    public static ObjectNode parse(ByteBuffer utf8) throws RpcException {
        JsonNode node;
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(utf8)
                    .toString();
            node = JSON.readTree(text);
        } catch (CharacterCodingException e) {
            throw new RpcException(RpcException.PARSE_ERROR, "a line that is no UTF-8", null, e);
        } catch (JacksonException e) {
            throw new RpcException(
                    RpcException.PARSE_ERROR, "a line that is no JSON: " + firstLine(e.getOriginalMessage()), null, e);
        }
        if (node instanceof ObjectNode object) {
            return object;
        }
        throw new RpcException(
                RpcException.INVALID_REQUEST, "a line that is no object; requests come one by one", null);
    }

    private static String firstLine(@Nullable String message) {
        String text = String.valueOf(message);
        int end = text.indexOf('\n');
        return text.substring(0, Math.min(end < 0 ? text.length() : end, 200));
    }

    /**
     * Sends a line.
     *
     * @param files whose descriptors go with it, {@value #MOST_FILES} at most; they stay the caller's
     * @throws IllegalArgumentException if it is too long; nothing is sent then
     * @throws IOException if the other end does not take it in time, or has left: a part may be sent, so that nothing more
     *     can be
     */
    public void send(ObjectNode object, List<OpenFile> files) throws IOException {
        byte[] bytes = JSON.writeValueAsBytes(object);
        if (bytes.length > MOST_BYTES) {
            throw new IllegalArgumentException("a line of " + bytes.length + " bytes");
        }
        try (Arena line = Arena.ofConfined()) {
            MemorySegment outgoing = line.allocate(bytes.length + 1L);
            MemorySegment.copy(bytes, 0, outgoing, BYTE, 0, bytes.length);
            outgoing.set(BYTE, bytes.length, (byte) '\n');
            connection.send(outgoing, files, patience);
        }
    }

    /** Who is at the other end. */
    public UnixConnection.Peer peer() throws LinuxException {
        return connection.peer();
    }

    /** Ends the connection, so that who receives from it or sends on it stops. */
    public void shutDown() {
        connection.shutDown();
    }

    /** Ends it, and closes descriptors that nobody took. The thread that receives does. Closing again does nothing. */
    @Override
    public void close() {
        passed.forEach(p -> p.files.forEach(OpenFile::close));
        passed.clear();
        connection.close();
    }
}
