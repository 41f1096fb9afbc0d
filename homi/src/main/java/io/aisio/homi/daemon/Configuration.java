package io.aisio.homi.daemon;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What a daemon does, as its file has it ({@link #read}); {@code examples/homid.toml} shows all of it.
 *
 * @param socket where it listens
 * @param group whose members may connect too; null for the folder's owner and root alone
 * @param connections of all users together
 * @param timeouts how long it waits
 * @param client what one client may have
 * @param user what all clients of a user may have
 * @param devices what it owns
 * @param users who may what; if it is empty, whoever can connect may write
 * @param exports what it serves from its start on
 * @param fileSystems whose extents it tells
 * @param dashboard where its page is: {@code 127.0.0.1:PORT} or {@code [::1]:PORT}; null for nowhere
 * @param functions virtual functions that it leases whole
 */
public record Configuration(
        Path socket,
        @Nullable String group,
        int connections,
        Timeouts timeouts,
        Quota client,
        Quota user,
        List<Device> devices,
        List<User> users,
        List<Export.Request> exports,
        List<FileSystem> fileSystems,
        @Nullable String dashboard,
        List<FunctionLeases.Offer> functions) {
    private static final Pattern PAGE = Pattern.compile("(127\\.0\\.0\\.1|\\[::1]):(\\d{1,5})");

    /** Copies the lists, and checks that names are there once, and that what they name is there. */
    public Configuration {
        devices = List.copyOf(devices);
        users = List.copyOf(users);
        exports = List.copyOf(exports);
        fileSystems = List.copyOf(fileSystems);
        functions = List.copyOf(functions);
        List<String> names = devices.stream().map(Device::name).toList();
        List<String> leased = Stream.concat(names.stream(), functions.stream().map(FunctionLeases.Offer::name))
                .toList();
        requireOnce("device", leased);
        requireOnce("export", exports.stream().map(Export.Request::name).toList());
        requireOnce("user", users.stream().map(u -> String.valueOf(u.uid())).toList());
        exports.forEach(e -> requireDevice("export '" + e.name() + "'", e.device(), names));
        fileSystems.forEach(f -> requireDevice("extents of '" + f.mount() + "'", f.device(), leased));
        users.forEach(u -> u.devices().forEach(d -> requireDevice("user '" + u.name() + "'", d, leased)));
    }

    private static void requireOnce(String what, List<String> names) {
        for (int i = 0; i < names.size(); i++) {
            if (names.indexOf(names.get(i)) != i) {
                throw new IllegalArgumentException(what + " '" + names.get(i) + "' is there twice");
            }
        }
    }

    private static void requireDevice(String what, String name, List<String> names) {
        if (!names.contains(name)) {
            throw new IllegalArgumentException(what + " names the device '" + name + "'; there is " + names);
        }
    }

    /** One with these devices, and all else by default: for a program that is a daemon of its own. */
    public static Configuration of(Path socket, List<Device> devices) {
        return new Configuration(
                socket,
                null,
                128,
                Timeouts.DEFAULT,
                Quota.CLIENT,
                Quota.USER,
                devices,
                List.of(),
                List.of(),
                List.of(),
                null,
                List.of());
    }

    /**
     * Reads a file (TOML).
     *
     * @param socket where it listens, whatever the file says; null for where the file says
     * @throws IllegalArgumentException if something in it makes no sense: the message has each such place, by line and column
     * @throws IOException if it cannot be read
     */
    public static Configuration read(Path file, @Nullable Path socket) throws IOException {
        return new ConfigurationFile(file).read(socket);
    }

    /**
     * Where the page is, as {@link #dashboard} has it: on loopback alone.
     *
     * @throws IllegalArgumentException if it is none; one sentence
     */
    public static InetSocketAddress pageAddress(String text) {
        Matcher address = PAGE.matcher(text);
        if (!address.matches() || Integer.parseInt(address.group(2)) > 65535) {
            throw new IllegalArgumentException("the dashboard is at 127.0.0.1:PORT or [::1]:PORT, not at '" + text
                    + "': nobody but this machine may reach it");
        }
        byte[] bytes = address.group(1).startsWith("1") ? new byte[] {127, 0, 0, 1} : new byte[16];
        if (bytes.length == 16) {
            bytes[15] = 1;
        }
        try {
            return new InetSocketAddress(InetAddress.getByAddress(bytes), Integer.parseInt(address.group(2)));
        } catch (IOException e) {
            throw new IllegalArgumentException("the dashboard cannot be at '" + text + "': " + e.getMessage(), e);
        }
    }

    /**
     * How long the daemon waits for a client, at most.
     *
     * @param hello for the first request after it connected
     * @param message for the rest of a request that has begun, and for an answer to be taken
     * @param drain for clients to leave by themselves, when the daemon ends
     */
    public record Timeouts(Duration hello, Duration message, Duration drain) {
        /** 10 s for the first request, 5 s for a message; nobody is waited for at the end. */
        public static final Timeouts DEFAULT =
                new Timeouts(Duration.ofSeconds(10), Duration.ofSeconds(5), Duration.ZERO);
    }

    /**
     * A device.
     *
     * @param name by which clients ask for it, without {@code /} and {@code ?}
     * @param uri what it is, as {@link io.aisio.xnvme.Device#open} takes it
     * @param trusted whether its queue pairs are leased though it does not keep its users apart: whoever has one then reaches all
     *     memory that the device does, and all that it holds
     */
    public record Device(String name, String uri, boolean trusted) {
        /** One whose users need not trust one another. */
        public Device(String name, String uri) {
            this(name, uri, false);
        }

        /** Checks the name. */
        public Device {
            if (!name.matches("[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")) {
                throw new IllegalArgumentException(
                        "'" + name + "' is no device's name: letters, digits and _ . : - make one, at most 64");
            }
        }
    }

    /** What a user may do with devices. */
    public enum Rights {
        /** Nothing. */
        NONE,
        /** Read. */
        READ,
        /** Read and write. */
        WRITE
    }

    /**
     * A user.
     *
     * @param uid of the system; −1 for all who are not named
     * @param name for people
     * @param rights what he may do
     * @param devices with which; empty for all
     * @param control whether he may drain, shut down, export
     * @param quota what all his clients may have
     */
    public record User(int uid, String name, Rights rights, Set<String> devices, boolean control, Quota quota) {
        /** Copies the set. */
        public User {
            devices = Set.copyOf(devices);
        }

        /** Whether he may open a device. */
        public boolean mayOpen(String device, boolean write) {
            return rights.compareTo(write ? Rights.WRITE : Rights.READ) >= 0
                    && (devices.isEmpty() || devices.contains(device));
        }
    }

    /**
     * A mounted file system whose extents clients are told.
     *
     * @param mount where it is mounted
     * @param device that it is on, by its name here
     * @param nsid namespace
     */
    public record FileSystem(String mount, String device, int nsid) {}

    /**
     * What a user may do.
     *
     * @param uid who it is, by the kernel's word
     * @param daemon who runs the daemon; he and root may do everything
     */
    User user(int uid, int daemon) {
        boolean own = uid == 0 || uid == daemon;
        for (User named : users) {
            if (named.uid == uid) {
                return own ? new User(uid, named.name, Rights.WRITE, Set.of(), true, named.quota) : named;
            }
        }
        if (own) {
            return new User(uid, uid == 0 ? "root" : "the daemon's user", Rights.WRITE, Set.of(), true, user);
        }
        for (User others : users) {
            if (others.uid == -1) {
                return new User(uid, others.name, others.rights, others.devices, others.control, others.quota);
            }
        }
        return new User(uid, "uid " + uid, users.isEmpty() ? Rights.WRITE : Rights.NONE, Set.of(), false, user);
    }
}
