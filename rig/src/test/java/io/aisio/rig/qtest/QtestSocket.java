package io.aisio.rig.qtest;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.EOFException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;

/**
 * QEMU's test protocol: a command is a line, and so is its answer, {@code OK}, {@code OK VALUE} or a complaint. Lines that
 * begin with {@code IRQ} come unasked and are skipped. Any thread may use it; commands go one at a time.
 */
final class QtestSocket implements AutoCloseable {
    /** Long enough for a machine that is busy with other tests. */
    private static final Duration LIMIT = Duration.ofSeconds(30);
    /** Reads that find nothing before the thread sleeps: most answers take less than a sleep does. */
    private static final int SPINS = 20;

    private final SocketChannel channel;
    private final Selector selector;
    private final ByteBuffer in = ByteBuffer.allocate(4096).flip();
    private final StringBuilder line = new StringBuilder();

    private QtestSocket(SocketChannel channel, Selector selector) {
        this.channel = channel;
        this.selector = selector;
    }

    /**
     * Connects to a QEMU that listens.
     *
     * @throws ConnectException if nobody does, yet
     */
    static QtestSocket connect(Path path) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            boolean connected = channel.connect(UnixDomainSocketAddress.of(path));
            if (!connected) {
                throw new ConnectException("not connected to " + path);
            }
            channel.configureBlocking(false);
            Selector selector = Selector.open();
            channel.register(selector, SelectionKey.OP_READ);
            return new QtestSocket(channel, selector);
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    /** Loads from an address of the machine. */
    long read(Width width, long address) throws IOException {
        String answer = command("read" + width.letter + " 0x" + Long.toHexString(address));
        if (!answer.startsWith("0x")) {
            throw new IOException("QEMU answered a read at 0x%x with '%s'".formatted(address, answer));
        }
        return Long.parseUnsignedLong(answer.substring(2), 16);
    }

    /** Stores to an address of the machine. */
    void write(Width width, long address, long value) throws IOException {
        command("write%s 0x%x 0x%x".formatted(width.letter, address, value));
    }

    /** Stores 32 bits to an I/O port. */
    void out32(int port, int value) throws IOException {
        command("outl 0x%x 0x%x".formatted(port, value));
    }

    /** Sends a line; what follows {@code OK} in its answer. */
    private synchronized String command(String command) throws IOException {
        ByteBuffer out = ByteBuffer.wrap((command + "\n").getBytes(US_ASCII));
        while (out.hasRemaining()) {
            channel.write(out);
        }
        String answer = readLine(command);
        while (answer.startsWith("IRQ")) {
            answer = readLine(command);
        }
        if (!answer.startsWith("OK")) {
            throw new IOException("QEMU answered '" + command + "' with '" + answer + "'");
        }
        return answer.substring(2).strip();
    }

    private String readLine(String command) throws IOException {
        line.setLength(0);
        while (true) {
            while (in.hasRemaining()) {
                char c = (char) in.get();
                if (c == '\n') {
                    return line.toString();
                }
                line.append(c);
            }
            fill(command);
        }
    }

    private void fill(String command) throws IOException {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        in.clear();
        int spins = 0;
        int n = channel.read(in);
        while (n == 0) {
            long left = (deadline - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                in.flip();
                throw new IOException("QEMU did not answer '%s' within %d s".formatted(command, LIMIT.toSeconds()));
            }
            if (++spins > SPINS) {
                selector.select(left);
                selector.selectedKeys().clear();
            }
            n = channel.read(in);
        }
        in.flip();
        if (n < 0) {
            throw new EOFException("QEMU ended at '" + command + "'");
        }
    }

    @Override
    public void close() throws IOException {
        selector.close();
        channel.close();
    }

    /** How much one access loads or stores. */
    enum Width {
        BITS_8("b"),
        BITS_16("w"),
        BITS_32("l"),
        BITS_64("q");

        final String letter;

        Width(String letter) {
            this.letter = letter;
        }
    }
}
