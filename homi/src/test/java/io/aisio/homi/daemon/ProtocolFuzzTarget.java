package io.aisio.homi.daemon;

import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * What a client may send, made of any bytes: lines of nonsense, and requests whose parameters are nearly right, some with
 * descriptors. Whatever it is, the daemon must be there afterwards, with nothing left of the client, and must not have met a
 * fault of its own.
 */
public final class ProtocolFuzzTarget {
    private static final long GIVE_UP_NANOS = 20_000_000_000L;
    private static final int MOST_REQUESTS = 24;

    /** Methods, each with the parameters that it takes. */
    private static final String[][] METHODS = {
        {"hello", "version", "name"},
        {"status", "from"},
        {"device.open", "device", "nsid", "access"},
        {"device.close", "lease"},
        {"queue.create", "lease", "depth", "path"},
        {"queue.recreate", "queue"},
        {"queue.delete", "queue", "keep"},
        {"queue.abort", "queue", "cid"},
        {"memory.allocate", "lease", "bytes"},
        {"memory.register", "lease", "bytes", "fds"},
        {"memory.release", "memory"},
        {"admin", "lease", "opcode", "nsid", "cdw10", "cdw11", "cdw12", "bytes"},
        {"export.add", "name", "device", "kind", "queues"},
        {"export.remove", "name"},
        {"export.list", "from"},
        {"events.subscribe", "since"},
    };

    private static @Nullable Daemon daemon;
    private static @Nullable Path socket;
    private static @Nullable OpenFile memory;

    private ProtocolFuzzTarget() {}

    /** The bytes, taken one by one; zeros after their end. */
    private static final class Bytes {
        private final byte[] data;
        private int at;

        Bytes(byte[] data) {
            this.data = data;
        }

        boolean isEmpty() {
            return at >= data.length;
        }

        int next() {
            return at < data.length ? data[at++] & 0xFF : 0;
        }

        byte[] take(int most) {
            int n = Math.min(most, data.length - at);
            byte[] taken = java.util.Arrays.copyOfRange(data, at, at + n);
            at += n;
            return taken;
        }
    }

    /** What Jazzer calls. */
    public static void fuzzerTestOneInput(byte[] data) throws Exception {
        Daemon running = running();
        long before = running.events().last();
        Bytes bytes = new Bytes(data);
        try (RawClient client = RawClient.greeted(running.socket())) {
            for (int i = 0; i < MOST_REQUESTS && !bytes.isEmpty(); i++) {
                one(client, bytes);
            }
        } catch (IOException e) {
            // It was sent away, as is right.
        }
        long until = System.nanoTime() + GIVE_UP_NANOS;
        while (!running.holdsNothing()) {
            if (System.nanoTime() - until > 0) {
                throw new AssertionError("something is left: " + running.status());
            }
            LockSupport.parkNanos(20_000);
        }
        for (Events.Event event : running.events().since(before, Events.KEPT)) {
            if (event.kind().equals("error") || event.text().contains("a fault of the daemon's own")) {
                throw new AssertionError(event.toString());
            }
        }
    }

    private static void one(RawClient client, Bytes bytes) throws IOException {
        int kind = bytes.next();
        if (kind >= 224) {
            byte[] raw = bytes.take(bytes.next());
            client.send(raw);
            client.send("\n");
            return;
        }
        String[] method = METHODS[kind % METHODS.length];
        StringBuilder params = new StringBuilder("{");
        for (int i = 1; i < method.length; i++) {
            String value = value(method[i], bytes);
            if (!value.isEmpty()) {
                params.append(params.length() == 1 ? "" : ",")
                        .append('"')
                        .append(method[i])
                        .append("\":")
                        .append(value);
            }
        }
        params.append('}');
        int files = method[0].equals("memory.register") ? 1 : bytes.next() > 240 ? bytes.next() % 12 : 0;
        OpenFile[] passed = new OpenFile[files];
        java.util.Arrays.fill(passed, memory);
        client.request(method[0], params.toString(), passed);
    }

    /** A value that is mostly one that could be right. */
    private static String value(String name, Bytes bytes) {
        int kind = bytes.next();
        return switch (kind & 15) {
            case 0 -> "";
            case 1 -> "null";
            case 2 -> "\"" + text(bytes.take(8)) + "\"";
            case 3 -> Long.toString(bytes.next() - 128L << (bytes.next() & 63));
            case 4 -> "[" + bytes.next() + "]";
            case 5 -> "true";
            default ->
                switch (name) {
                    case "device" -> "\"nvme0\"";
                    case "access" -> (kind & 16) == 0 ? "\"write\"" : "\"read\"";
                    case "name" -> "\"n\"";
                    case "path" -> "\"gpu\"";
                    case "kind" -> "\"ublk\"";
                    case "keep" -> (kind & 16) == 0 ? "true" : "false";
                    case "version", "nsid", "fds" -> "1";
                    case "opcode" -> (kind & 16) == 0 ? "6" : "2";
                    case "bytes" -> Integer.toString(4096 << (kind >> 6));
                    case "depth" -> Integer.toString(1 + (kind >> 4) * 5);
                    default -> Integer.toString(1 + (kind >> 4));
                };
        };
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.ISO_8859_1)
                .replace("\\", "\\\\")
                .replace("\"", "\\\"")
                .replace('\n', ' ');
    }

    /** The daemon, a new one if a client has ended or drained the last. */
    private static Daemon running() throws IOException {
        Daemon there = daemon;
        if (there != null) {
            if (there.status().ready()) {
                return there;
            }
            there.close();
        }
        Path at = socket;
        if (at == null) {
            at = Files.createTempDirectory(
                            "homi-fuzz",
                            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")))
                    .resolve("homi.sock");
            at.getParent().toFile().deleteOnExit();
            socket = at;
            memory = OpenFile.inMemory("aisio-fuzz", 64 << 10);
        }
        Daemon made = Daemon.open(
                Configuration.of(at, List.of(new Configuration.Device("nvme0", "emu:1MiB?shared&qpairs=8"))));
        Thread _ = Thread.ofPlatform().daemon().start(made::serve);
        daemon = made;
        return made;
    }

    /** Ends the daemon, if there is one. */
    static void end() throws IOException {
        Daemon there = daemon;
        if (there != null) {
            daemon = null;
            there.close();
        }
    }
}
