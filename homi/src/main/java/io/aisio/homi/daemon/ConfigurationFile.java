package io.aisio.homi.daemon;

import io.aisio.homi.HomiSocket;
import io.aisio.upcie.PciAddress;
import io.aisio.xnvme.ByteSize;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.tomlj.Toml;
import org.tomlj.TomlArray;
import org.tomlj.TomlParseResult;
import org.tomlj.TomlPosition;
import org.tomlj.TomlTable;

/** A configuration's file: each value within its bounds, each name one that is known, and all that is wrong told at once. */
final class ConfigurationFile {
    /** Bytes of a file at most: far more than anybody writes. */
    private static final long MOST_BYTES = 1 << 20;

    private static final Pattern TIME = Pattern.compile("(\\d{1,7})(ms|s|m)");

    private final Path file;
    private final List<String> faults = new ArrayList<>();

    ConfigurationFile(Path file) {
        this.file = file;
    }

    Configuration read(@Nullable Path listening) throws IOException {
        if (Files.size(file) > MOST_BYTES) {
            throw new IllegalArgumentException(file + ": more than " + MOST_BYTES + " bytes");
        }
        TomlParseResult toml = Toml.parse(Files.readString(file));
        toml.errors().forEach(e -> fault(e.position(), String.valueOf(e.getMessage())));
        requireNoFault();
        Table root = new Table("", toml);
        root.allow(
                "socket",
                "group",
                "connections",
                "dashboard",
                "timeouts",
                "client",
                "user_quota",
                "device",
                "user",
                "export",
                "extents",
                "functions");
        String socket = root.text("socket", "");
        Table together = root.table("user_quota");
        together.allow("queues", "depth", "memory", "connections");
        Quota user = quantities(together, Quota.USER);
        List<Configuration.Device> devices = new ArrayList<>();
        for (Table device : root.tables("device")) {
            device.allow("name", "uri", "trusted");
            String name = device.required("name");
            String uri = device.required("uri");
            boolean trusted = device.flag("trusted");
            device.check("name", () -> devices.add(new Configuration.Device(name, uri, trusted)));
            if (!uri.isEmpty()) {
                device.check("uri", () -> Device.check(uri));
            }
        }
        List<Configuration.User> users = new ArrayList<>();
        for (Table named : root.tables("user")) {
            users.add(user(named, user));
        }
        List<Export.Request> exports = new ArrayList<>();
        for (Table export : root.tables("export")) {
            export.allow("name", "device", "nsid", "kind", "queues", "depth", "readonly", "id");
            exports.add(new Export.Request(
                    export.required("name"),
                    export.required("device"),
                    export.number("nsid", 1, Integer.MAX_VALUE, 1),
                    export.text("kind", "ublk"),
                    export.number("queues", 1, 4096, 1),
                    export.number("depth", 1, 4096, 128),
                    export.flag("readonly"),
                    export.number("id", -1, 1 << 20, -1)));
        }
        List<Configuration.FileSystem> fileSystems = new ArrayList<>();
        for (Table mount : root.tables("extents")) {
            mount.allow("mount", "device", "nsid");
            fileSystems.add(new Configuration.FileSystem(
                    mount.required("mount"), mount.required("device"), mount.number("nsid", 1, Integer.MAX_VALUE, 1)));
        }
        List<FunctionLeases.Offer> functions = new ArrayList<>();
        for (Table offer : root.tables("functions")) {
            offer.allow("name", "physical", "count", "queues", "interrupts");
            String name = offer.required("name");
            String physical = offer.required("physical");
            int count = offer.number("count", 1, 0xFFFF, 1);
            int queues = offer.number("queues", 2, 0xFFFF, 4);
            int interrupts = offer.number("interrupts", 1, 0xFFFF, 2);
            offer.check(
                    "physical",
                    () -> functions.add(
                            new FunctionLeases.Offer(name, PciAddress.parse(physical), count, queues, interrupts)));
        }
        Table time = root.table("timeouts");
        time.allow("hello", "message", "drain");
        Configuration.Timeouts usual = Configuration.Timeouts.DEFAULT;
        Configuration.Timeouts timeouts = new Configuration.Timeouts(
                time.time("hello", usual.hello()),
                time.time("message", usual.message()),
                time.time("drain", usual.drain()));
        String group = root.text("group", "");
        String dashboard = root.text("dashboard", "");
        if (!dashboard.isEmpty()) {
            root.check("dashboard", () -> {
                InetSocketAddress _ = Configuration.pageAddress(dashboard);
            });
        }
        int connections = root.number("connections", 1, 1024, 128);
        Table each = root.table("client");
        each.allow("queues", "depth", "memory");
        Quota client = quantities(each, Quota.CLIENT);
        requireNoFault();
        try {
            return new Configuration(
                    listening != null ? listening : socket.isEmpty() ? HomiSocket.ofDaemon() : Path.of(socket),
                    group.isEmpty() ? null : group,
                    connections,
                    timeouts,
                    client,
                    user,
                    devices,
                    users,
                    exports,
                    fileSystems,
                    dashboard.isEmpty() ? null : dashboard,
                    functions);
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException(file + ": '" + socket + "' is no path: " + e.getReason(), e);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    private Configuration.User user(Table named, Quota quota) throws IOException {
        named.allow("name", "uid", "access", "devices", "control", "queues", "depth", "memory", "connections");
        String name = named.text("name", "");
        int uid = named.number("uid", 0, Integer.MAX_VALUE, -2);
        if (uid == -2) {
            uid = name.equals("*") ? -1 : uid(named, name);
        }
        String access = named.text("access", "write");
        Configuration.Rights rights = switch (access) {
            case "none" -> Configuration.Rights.NONE;
            case "read" -> Configuration.Rights.READ;
            case "write" -> Configuration.Rights.WRITE;
            default -> {
                named.fault("access", "is none, read or write, not '" + access + "'");
                yield Configuration.Rights.NONE;
            }
        };
        return new Configuration.User(
                uid,
                name.isEmpty() ? "uid " + uid : name,
                rights,
                named.texts("devices"),
                named.flag("control"),
                quantities(named, quota));
    }

    /** From {@code passwd(5)}, as the daemon runs on the machine whose users these are. */
    private int uid(Table named, String name) throws IOException {
        if (name.isEmpty()) {
            named.fault("name", "or uid is needed; '*' is everybody else");
            return -2;
        }
        for (String line : Files.readAllLines(Path.of("/etc/passwd"))) {
            String[] fields = line.split(":", -1);
            if (fields.length > 2 && fields[0].equals(name) && fields[2].matches("\\d{1,9}")) {
                return Integer.parseInt(fields[2]);
            }
        }
        named.fault("name", "there is no user '" + name + "' in /etc/passwd; next: give uid = NUMBER");
        return -2;
    }

    private static Quota quantities(Table table, Quota otherwise) {
        return new Quota(
                table.number("queues", 0, Quota.MOST.queues(), otherwise.queues()),
                table.number("depth", 1, Quota.MOST.depth(), otherwise.depth()),
                table.bytes("memory", otherwise.memoryBytes()),
                table.number("connections", 0, Quota.MOST.connections(), otherwise.connections()));
    }

    private void fault(@Nullable TomlPosition at, String text) {
        faults.add(file + (at == null ? "" : ":" + at.line() + ":" + at.column()) + ": " + text);
    }

    private void requireNoFault() {
        if (!faults.isEmpty()) {
            throw new IllegalArgumentException(String.join("\n", faults));
        }
    }

    /** A table of the file, or an empty one. */
    private final class Table {
        private final String name;
        private final TomlTable toml;

        Table(String name, TomlTable toml) {
            this.name = name;
            this.toml = toml;
        }

        void fault(String key, String text) {
            ConfigurationFile.this.fault(
                    toml.inputPositionOf(List.of(key)), (name.isEmpty() ? "" : "[" + name + "] ") + key + " " + text);
        }

        void allow(String... names) {
            for (String key : toml.keySet()) {
                if (!List.of(names).contains(key)) {
                    fault(key, "is nothing here; there is " + String.join(", ", names));
                }
            }
        }

        void check(String key, Runnable what) {
            try {
                what.run();
            } catch (IllegalArgumentException e) {
                fault(key, "cannot be: " + e.getMessage());
            }
        }

        Table table(String key) {
            Object value = toml.get(List.of(key));
            if (value instanceof TomlTable table) {
                return new Table(key, table);
            }
            if (value != null) {
                fault(key, "is a table, [" + key + "]");
            }
            return new Table(key, Toml.parse(""));
        }

        List<Table> tables(String key) {
            Object value = toml.get(List.of(key));
            List<Table> tables = new ArrayList<>();
            if (value instanceof TomlArray array) {
                for (int i = 0; i < array.size(); i++) {
                    if (array.get(i) instanceof TomlTable table) {
                        tables.add(new Table(key, table));
                    } else {
                        fault(key, "holds tables, [[" + key + "]]");
                    }
                }
            } else if (value != null) {
                fault(key, "is a list of tables, [[" + key + "]]");
            }
            return tables;
        }

        String text(String key, String otherwise) {
            Object value = toml.get(List.of(key));
            if (value == null) {
                return otherwise;
            }
            if (value instanceof String text) {
                return text;
            }
            fault(key, "is text, in quotation marks");
            return otherwise;
        }

        String required(String key) {
            String text = text(key, "");
            if (text.isEmpty()) {
                fault(key, "is needed");
            }
            return text;
        }

        Set<String> texts(String key) {
            Set<String> texts = new HashSet<>();
            Object value = toml.get(List.of(key));
            if (value instanceof TomlArray array) {
                for (int i = 0; i < array.size(); i++) {
                    if (array.get(i) instanceof String text) {
                        texts.add(text);
                    } else {
                        fault(key, "holds texts");
                    }
                }
            } else if (value != null) {
                fault(key, "is a list of texts");
            }
            return texts;
        }

        boolean flag(String key) {
            Object value = toml.get(List.of(key));
            if (value == null || value instanceof Boolean) {
                return Boolean.TRUE.equals(value);
            }
            fault(key, "is true or false");
            return false;
        }

        int number(String key, int least, int most, int otherwise) {
            Object value = toml.get(List.of(key));
            if (value == null) {
                return otherwise;
            }
            if (value instanceof Long number && number >= least && number <= most) {
                return number.intValue();
            }
            fault(key, "is a whole number, " + least + " to " + most);
            return otherwise;
        }

        long bytes(String key, long otherwise) {
            Object value = toml.get(List.of(key));
            if (value == null) {
                return otherwise;
            }
            try {
                long bytes = value instanceof Long number ? number : ByteSize.parse(String.valueOf(value));
                if (bytes >= 0 && bytes <= Quota.MOST.memoryBytes()) {
                    return bytes;
                }
            } catch (IllegalArgumentException e) {
                // Said below.
            }
            fault(key, "is a size such as \"512MiB\"");
            return otherwise;
        }

        Duration time(String key, Duration otherwise) {
            Object value = toml.get(List.of(key));
            if (value == null) {
                return otherwise;
            }
            Matcher time = TIME.matcher(String.valueOf(value));
            if (!time.matches()) {
                fault(key, "is a time such as \"500ms\", \"5s\" or \"2m\"");
                return otherwise;
            }
            long number = Long.parseLong(time.group(1));
            return switch (time.group(2)) {
                case "ms" -> Duration.ofMillis(number);
                case "s" -> Duration.ofSeconds(number);
                default -> Duration.ofMinutes(number);
            };
        }
    }
}
