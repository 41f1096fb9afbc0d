package io.aisio.rig;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;

/** The guest that a case runs in: its modules, drivers, sysfs, programs. What fails, fails the case, with what was said. */
final class Machine {
    /** How long a condition is waited for; machines were seen five times as slow as usual. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private static final long PAUSE_MILLIS = 20;
    private static final Path PCI = Path.of("/sys/bus/pci");

    private Machine() {}

    /** Loads kernel modules, with what they need. */
    static void load(String... modules) {
        for (String module : modules) {
            run("modprobe", module);
        }
    }

    /** Runs a program to its end, which is a success, and returns its standard output without white space around it. */
    static String run(String... command) {
        return finish(start(command), String.join(" ", command));
    }

    /** Starts a program; its errors go where its output goes. */
    static Process start(String... command) {
        return start(List.of(command));
    }

    /**
     * Starts a JVM with the classes that this one has, quickly; for cases in which one process dies. {@code main} has a
     * {@code main(String[])}.
     */
    static Process startJava(Class<?> main, String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xint",
                "-XX:+UseSerialGC",
                "-ea",
                "-Daisio.checked=true",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                main.getName()));
        Collections.addAll(command, arguments);
        return start(command);
    }

    /**
     * What a program said until it ended.
     *
     * @param exit its exit code
     * @param text its output and its errors
     */
    record Said(int exit, String text) {}

    /** Runs {@code ./aisio}, as it was built on the host. */
    static Said aisio(String... arguments) {
        // The project's folder is the current one, and the guest has the variables that it needs.
        List<String> command = new ArrayList<>(List.of("./aisio"));
        Collections.addAll(command, arguments);
        return said(command.toArray(String[]::new));
    }

    private static Said said(String... command) {
        Process process = start(command);
        String text = output(process);
        return new Said(process.exitValue(), text);
    }

    private static Process start(List<String> command) {
        try {
            return new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectInput(Path.of("/dev/null").toFile())
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** All that a program says until it ends, in time, whatever its exit code. */
    static String output(Process process) {
        try {
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new AssertionError("it still runs after " + PATIENCE.toSeconds() + " s; it said: " + said);
            }
            return said;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            process.destroyForcibly();
            throw new AssertionError("interrupted", e);
        }
    }

    private static String finish(Process process, String command) {
        try {
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new AssertionError(
                        command + ": still runs after " + PATIENCE.toSeconds() + " s; it said: " + said);
            }
            if (process.exitValue() != 0) {
                throw new AssertionError(command + ": exit code " + process.exitValue() + "; it said: " + said);
            }
            return said;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            process.destroyForcibly();
            throw new AssertionError(command + ": interrupted", e);
        }
    }

    /** A file's text, such as an attribute in sysfs, without white space around it. */
    static String read(Path file) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Writes an attribute in sysfs or procfs. */
    static void write(Path file, String text) {
        try {
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException("writing '" + text.strip() + "' to " + file, e);
        }
    }

    /** What lies in a directory, in the order of names; nothing if there is none. */
    static List<Path> list(Path directory) {
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Waits until something holds; fails with {@code what} if it does not in time. */
    static void await(String what, BooleanSupplier holds) {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!holds.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("not within " + PATIENCE.toSeconds() + " s: " + what);
            }
            try {
                Thread.sleep(PAUSE_MILLIS);
            } catch (InterruptedException e) {
                throw new AssertionError("interrupted while waiting: " + what, e);
            }
        }
    }

    /**
     * Unmounts. A daemon that follows the file system has a directory or a file of it open for a moment, whenever something
     * was changed: it is tried until that is over.
     */
    static void unmount(Path mount) {
        Said[] last = new Said[1];
        try {
            await("unmounted: " + mount, () -> {
                last[0] = said("umount", mount.toString());
                return last[0].exit() == 0;
            });
        } catch (AssertionError e) {
            Said open = said("sh", "-c", "ls -l /proc/[0-9]*/fd 2>/dev/null | grep -F " + mount);
            throw new AssertionError(last[0] + "; open there: " + open.text(), e);
        }
    }

    /** A PCI function's directory in sysfs. */
    static Path function(String address) {
        return PCI.resolve("devices").resolve(address);
    }

    /** The driver that a PCI function has; empty if none. */
    static String driverOf(String address) {
        Path link = function(address).resolve("driver");
        try {
            return Files.exists(link) ? link.toRealPath().getFileName().toString() : "";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Gives a PCI function to a driver that is loaded. What it had before gets it back on close. */
    static BoundFunction bind(String address, String driver) {
        String before = driverOf(address);
        rebind(address, driver);
        return new BoundFunction(address, before);
    }

    private static void rebind(String address, String driver) {
        if (!driverOf(address).isEmpty()) {
            write(function(address).resolve("driver/unbind"), address);
        }
        write(function(address).resolve("driver_override"), driver + "\n");
        write(PCI.resolve("drivers_probe"), address);
        if (!driver.isEmpty()) {
            await(address + " has driver " + driver, () -> driverOf(address).equals(driver));
        }
    }

    /** The kernel's block devices of the controller at a PCI address, in the order of their namespaces. */
    static List<KernelNamespace> namespacesAt(String address) {
        return list(Path.of("/sys/block")).stream()
                .filter(block -> block.getFileName().toString().matches("nvme\\d+n\\d+"))
                .map(KernelNamespace::new)
                .filter(namespace -> namespace.address().equals(address))
                .sorted((one, other) -> Integer.compare(one.nsid(), other.nsid()))
                .toList();
    }

    /** Waits until the kernel shows so many namespaces of the controller at a PCI address. */
    static List<KernelNamespace> awaitNamespacesAt(String address, int count) {
        await(count + " namespaces at " + address, () -> namespacesAt(address).size() == count);
        return namespacesAt(address);
    }

    /** Has the host take a controller away, as if it were pulled: by the name in the description of the devices. */
    static void pull(String controller) {
        write(Path.of("/run/rig/host"), "remove " + controller + "\n");
    }

    /**
     * Has the host put another controller where one was that was {@linkplain #pull pulled}: of the serial number {@code AGAIN},
     * with one namespace.
     */
    static void plug(String controller) {
        write(Path.of("/run/rig/host"), "add " + controller + "\n");
    }

    /**
     * A PCI function that has a driver for a while.
     *
     * @param address such as {@code 0000:01:00.0}
     * @param before the driver that it had; empty if none
     */
    record BoundFunction(String address, String before) implements AutoCloseable {
        /** Its IOMMU group, or -1. */
        int iommuGroup() {
            Path link = function(address).resolve("iommu_group");
            try {
                return Files.exists(link)
                        ? Integer.parseInt(link.toRealPath().getFileName().toString())
                        : -1;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        /** Gives it back. */
        @Override
        public void close() {
            if (!driverOf(address).isEmpty()) {
                write(function(address).resolve("driver/unbind"), address);
            }
            write(function(address).resolve("driver_override"), "\n");
            if (!before.isEmpty()) {
                write(PCI.resolve("drivers_probe"), address);
                await(
                        address + " has driver " + before + " again",
                        () -> driverOf(address).equals(before));
            }
        }
    }

    /**
     * A namespace as the kernel's driver shows it. The number in its name is not its identifier: the kernel counts in the
     * order in which it found them.
     *
     * @param block its directory in {@code /sys/block}
     */
    record KernelNamespace(Path block) {
        /** The namespace's identifier. */
        int nsid() {
            return Integer.parseInt(read(block.resolve("nsid")));
        }

        /** Bytes of a logical block. */
        int blockSize() {
            return Integer.parseInt(read(block.resolve("queue/logical_block_size")));
        }

        /** Bytes in all; 0 if the kernel cannot read and write it. */
        long bytes() {
            // In units of 512 bytes, whatever the size of a block.
            return Long.parseLong(read(block.resolve("size"))) * 512;
        }

        /** An attribute by its path beneath the block device. */
        String attribute(String path) {
            return read(block.resolve(path));
        }

        /** The PCI address of its controller; of the first one if there are several paths to it. */
        String address() {
            Path controller = block.resolve("device");
            if (Files.exists(controller.resolve("address"))) {
                return read(controller.resolve("address"));
            }
            return list(controller).stream()
                    .filter(path -> path.getFileName().toString().matches("nvme\\d+"))
                    .map(path -> read(path.resolve("address")))
                    .sorted()
                    .findFirst()
                    .orElse("");
        }
    }
}
