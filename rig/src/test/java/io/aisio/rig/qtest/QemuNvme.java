package io.aisio.rig.qtest;

import io.aisio.rig.qtest.QtestSocket.Width;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/**
 * A QEMU with NVMe controllers and nothing that runs on it, for one test:
 *
 * <pre>{@code
 *   try (QemuNvme qemu = QemuNvme.build().controller("mdts=0").namespace(16 << 20, "ms=8").start()) {
 *       QtestFunction function = qemu.function(0);
 *       …
 * }</pre>
 *
 * Its files lie in a folder of their own, in memory where there is /dev/shm, and go with it.
 */
final class QemuNvme implements AutoCloseable {
    private static final String PROGRAM = "qemu-system-x86_64";
    private static final Path IN_MEMORY = Path.of("/dev/shm");
    /** Where the first controller stands on the bus; the others follow. */
    private static final int FIRST_DEVICE = 4;

    private static final Duration START_LIMIT = Duration.ofSeconds(30);
    private static final int MEMORY_MIB = 64;
    private static final int BIOS_BYTES = 0x1_0000;

    /** Configuration space, where PCIEXBAR of the Q35 puts it, and the room for BARs behind it. */
    private static final long ECAM = 0xB000_0000L;

    /** The old way to configuration space, by which the new one is enabled: where PCIEXBAR of device 0 stands. */
    private static final int PCIEXBAR = 0x8000_0060;

    private static final int CONFIG_ADDRESS = 0xCF8;
    private static final int CONFIG_DATA = 0xCFC;

    private static final long FIRST_BAR = 0xC000_0000L;

    private final Path folder;
    private final Process process;
    private final Thread killer;
    private QtestSocket socket;
    private SharedMemory memory;
    private long nextBar = FIRST_BAR;

    private QemuNvme(Path folder, Process process) {
        this.folder = folder;
        this.process = process;
        killer = new Thread(this::endWithTheProgram);
        Runtime.getRuntime().addShutdownHook(killer);
    }

    /** Describes a machine, to be started. */
    static Builder build() {
        return new Builder();
    }

    /** A function of a controller: 0 for the first that was named, 1 for the second. */
    QtestFunction function(int controller) throws IOException {
        return new QtestFunction(this, FIRST_DEVICE + controller, 0);
    }

    /** The image of a namespace, by the order in which namespaces were named: 0 for the first. */
    Path image(int index) {
        return image(folder, index);
    }

    private static Path image(Path folder, int index) {
        return folder.resolve("image" + index);
    }

    /** QEMU's process. */
    Process process() {
        return process;
    }

    SharedMemory memory() {
        return memory;
    }

    long read(Width width, long address) throws IOException {
        try {
            return socket.read(width, address);
        } catch (IOException e) {
            throw explained(e);
        }
    }

    void write(Width width, long address, long value) throws IOException {
        try {
            socket.write(width, address, value);
        } catch (IOException e) {
            throw explained(e);
        }
    }

    /** Where a function's configuration space begins. */
    long config(int devfn) {
        return ECAM + ((long) devfn << 12);
    }

    /** A free place for registers, aligned to their size. */
    synchronized long placeBar(long size) {
        long address = Math.ceilDiv(nextBar, size) * size;
        nextBar = address + size;
        return address;
    }

    private void connect() throws IOException {
        long deadline = System.nanoTime() + START_LIMIT.toNanos();
        Path path = folder.resolve("socket");
        while (socket == null) {
            if (!process.isAlive()) {
                throw explained(new IOException(PROGRAM + " did not start"));
            }
            try {
                socket = QtestSocket.connect(path);
            } catch (IOException e) {
                if (System.nanoTime() - deadline > 0) {
                    throw explained(e);
                }
                LockSupport.parkNanos(2_000_000);
            }
        }
        try {
            socket.out32(CONFIG_ADDRESS, PCIEXBAR);
            socket.out32(CONFIG_DATA, (int) ECAM | 1);
        } catch (IOException e) {
            throw explained(e);
        }
        memory = new SharedMemory(folder.resolve("memory"), (long) MEMORY_MIB << 20);
    }

    /** An error with what QEMU said before: it is given the time to end, if that is what it is doing. */
    private IOException explained(IOException e) {
        String said;
        try {
            boolean ignored = process.waitFor(1, TimeUnit.SECONDS);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        try {
            said = Files.readString(folder.resolve("log")).strip();
        } catch (IOException onRead) {
            said = onRead.getMessage();
        }
        return said.isEmpty() ? e : new IOException(e.getMessage() + "; QEMU said: " + said, e);
    }

    /** Ends QEMU, and fails if the controllers wrote where they must not, or memory was not given back. */
    @Override
    public void close() throws IOException {
        try {
            if (memory != null) {
                end();
                memory.requireNoStrayWrites();
                if (memory.live() != 0) {
                    throw new AssertionError(memory.live() + " pieces of DMA memory were not given back");
                }
            }
        } finally {
            clear();
        }
    }

    private void end() {
        process.destroy();
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }

    /** For a program that ends without having closed this. */
    private void endWithTheProgram() {
        try {
            process.destroyForcibly().waitFor();
            delete(folder);
        } catch (InterruptedException | IOException e) {
            throw new IllegalStateException("left in " + folder, e);
        }
    }

    private void clear() throws IOException {
        end();
        Runtime.getRuntime().removeShutdownHook(killer);
        if (socket != null) {
            socket.close();
        }
        if (memory != null) {
            memory.close();
        }
        delete(folder);
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }

    /** A machine's description. Options are QEMU's own, as {@code -device nvme,help} lists them. */
    static final class Builder {
        private record Image(long bytes, String rules) {}

        private final List<String> arguments = new ArrayList<>();
        private final List<Image> images = new ArrayList<>();
        private int controllers;

        private Builder() {}

        /** Arguments as they are. */
        Builder arguments(String... more) {
            arguments.addAll(Arrays.asList(more));
            return this;
        }

        /** A controller with options of device {@code nvme}; namespaces that follow are its. */
        Builder controller(String options) {
            arguments(
                    "-device",
                    "nvme,id=nvme%d,bus=pcie.0,addr=%d%s%s"
                            .formatted(
                                    controllers,
                                    FIRST_DEVICE + controllers,
                                    options.contains("serial=") ? "" : ",serial=RIG" + controllers,
                                    options(options)));
            controllers++;
            return this;
        }

        /** A namespace of the last controller, on zeroes, with options of device {@code nvme-ns}. */
        Builder namespace(long bytes, String options) {
            return namespace(bytes, options, "");
        }

        /**
         * A namespace whose image fails as told.
         *
         * @param rules of QEMU's blkdebug driver, as its configuration file has them, empty for none
         */
        Builder namespace(long bytes, String options, String rules) {
            int index = images.size();
            images.add(new Image(bytes, rules));
            arguments(
                    "-drive",
                    "id=image%d,if=none,format=raw,discard=unmap,file=%sFOLDER/image%d"
                            .formatted(index, rules.isEmpty() ? "" : "blkdebug:FOLDER/rules" + index + ":", index));
            return arguments(
                    "-device",
                    "nvme-ns,drive=image%d,bus=nvme%d%s".formatted(index, controllers - 1, options(options)));
        }

        private static String options(String options) {
            return options.isEmpty() ? "" : "," + options;
        }

        /**
         * Starts it; a test is skipped where there is no QEMU.
         *
         * @throws IOException with what QEMU says, if it does not start
         */
        QemuNvme start() throws IOException {
            if (!isInstalled()) {
                Assumptions.abort("needs " + PROGRAM + " (apt-get install qemu-system-x86)");
            }
            Path folder = Files.isWritable(IN_MEMORY)
                    ? Files.createTempDirectory(IN_MEMORY, "aisio-qtest-")
                    : Files.createTempDirectory("aisio-qtest-");
            QemuNvme qemu;
            try {
                write(folder);
                qemu = new QemuNvme(
                        folder,
                        new ProcessBuilder(command(folder))
                                .redirectErrorStream(true)
                                .redirectOutput(folder.resolve("log").toFile())
                                .start());
            } catch (IOException e) {
                delete(folder);
                throw e;
            }
            try {
                qemu.connect();
                return qemu;
            } catch (IOException e) {
                qemu.clear();
                throw e;
            }
        }

        private static boolean isInstalled() {
            return Arrays.stream(System.getenv("PATH").split(":"))
                    .anyMatch(folder -> Files.isExecutable(Path.of(folder, PROGRAM)));
        }

        private void write(Path folder) throws IOException {
            Files.write(folder.resolve("bios"), bios());
            for (int i = 0; i < images.size(); i++) {
                Files.writeString(folder.resolve("rules" + i), images.get(i).rules);
                try (RandomAccessFile file =
                        new RandomAccessFile(image(folder, i).toFile(), "rw")) {
                    file.setLength(images.get(i).bytes);
                }
            }
        }

        /** At the reset vector, and wherever else the processor may come: CLI, HLT, and back. */
        private static byte[] bios() {
            byte[] bios = new byte[BIOS_BYTES];
            Arrays.fill(bios, (byte) 0xF4);
            byte[] reset = {(byte) 0xFA, (byte) 0xF4, (byte) 0xEB, (byte) 0xFD};
            System.arraycopy(reset, 0, bios, BIOS_BYTES - 16, reset.length);
            return bios;
        }

        private List<String> command(Path folder) {
            List<String> command = new ArrayList<>(List.of(
                    PROGRAM,
                    "-machine",
                    "q35,accel=tcg,memory-backend=ram",
                    "-bios",
                    folder + "/bios",
                    "-m",
                    String.valueOf(MEMORY_MIB),
                    "-object",
                    "memory-backend-file,id=ram,mem-path=%s/memory,size=%dM,share=on".formatted(folder, MEMORY_MIB),
                    "-nodefaults",
                    "-no-user-config",
                    "-display",
                    "none",
                    "-qtest",
                    "unix:" + folder + "/socket,server=on,wait=off"));
            for (String argument : arguments) {
                command.add(argument.replace("FOLDER", folder.toString()));
            }
            return command;
        }
    }
}
