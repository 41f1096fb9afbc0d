package io.aisio.cli;

import io.aisio.fil.DeviceBlocks;
import io.aisio.linux.Terminal;
import io.aisio.xal.BlockSource;
import io.aisio.xal.Entry;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsException;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.DeviceUri;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JsonGenerator;

/**
 * The file system on a device of any name, to read only.
 *
 * <pre>
 *   a directory                    the kernel's FIEMAP
 *   /path/to/image, /dev/nvme0n1   FileBlocks, through the kernel
 *   any other name                 Device ── DeviceBlocks, through its queue pair
 * </pre>
 */
final class XalVolume implements AutoCloseable {
    private static final String MOUNTED = "kernel, FIEMAP";

    private final String device;
    private final Deque<Closing> open = new ArrayDeque<>();
    private final String path;
    private final Xal xal;

    private XalVolume(String name, boolean ignoreLog) throws IOException {
        device = name;
        try {
            DeviceUri uri = DeviceUri.parse(name);
            Path local = uri.scheme().equals("file") ? Path.of(uri.target()) : null;
            if (local != null && Files.isDirectory(local)) {
                uri.requireOptions();
                if (ignoreLog) {
                    throw new IOException(name + " is a directory, whose kernel is asked and has no log to ignore:"
                            + " --ignore-log is for an image or a device");
                }
                path = MOUNTED;
                xal = Xal.mounted(local, true);
            } else {
                BlockSource blocks;
                if (local != null) {
                    uri.requireOptions("readonly");
                    if (Files.notExists(local)) {
                        throw new IOException(local + ": no such file; name an image or a device that mkfs.xfs made,"
                                + " or a directory of a mounted file system");
                    }
                    FileBlocks file = FileBlocks.open(local);
                    open.push(file::close);
                    blocks = file;
                    path = file.path();
                } else {
                    Device opened = Device.open(readOnly(uri));
                    open.push(opened::close);
                    DeviceBlocks deviceBlocks = DeviceBlocks.open(opened);
                    open.push(deviceBlocks::close);
                    blocks = deviceBlocks;
                    path = opened.path();
                }
                xal = ignoreLog ? Xal.openUnrecovered(blocks) : Xal.open(blocks);
            }
            open.push(xal::close);
        } catch (IOException | RuntimeException e) {
            try {
                close();
            } catch (IOException closing) {
                e.addSuppressed(closing);
            }
            throw e;
        }
    }

    /**
     * Opens it, and reads on although its log holds changes if {@code ignoreLog} says so. On a terminal, standard error tells which way the data takes.
     *
     * @throws IOException if the device cannot be opened, or holds no XFS that can be read
     */
    static XalVolume open(String device, boolean ignoreLog) throws IOException {
        XalVolume volume = new XalVolume(device, ignoreLog);
        if (Terminal.onStandardError()) {
            System.err.println("note: " + Printable.of(device) + " is read by: " + volume.path());
        }
        return volume;
    }

    /** A software controller's image is opened so that nothing can be written to it. */
    private static String readOnly(DeviceUri uri) {
        if (!uri.scheme().equals("emu") || uri.options().containsKey("readonly")) {
            return uri.text();
        }
        return uri.text() + (uri.options().isEmpty() ? "?" : "&") + "readonly";
    }

    /** The device's name as it was given. */
    String device() {
        return device;
    }

    /** Which way the data takes, for people. */
    String path() {
        return path;
    }

    /** Size of a block of the file system in bytes. */
    int blockBytes() {
        return xal.volume().blockBytes();
    }

    /** Whether it is mounted, and its kernel is asked. */
    boolean isMounted() {
        return path.equals(MOUNTED);
    }

    Xal xal() {
        return xal;
    }

    /** Begins a JSON document: its schema, and what was read how. */
    void writeHead(JsonGenerator json, String schema) {
        json.writeStartObject();
        json.writeStringProperty("schema", schema);
        json.writeStringProperty("device", device);
        json.writeStringProperty("path", path);
    }

    /**
     * What is at a path.
     *
     * @throws IOException if there is none, in one sentence, or if it is damaged
     */
    Entry lookup(String name) throws IOException {
        if (!name.startsWith("/")) {
            throw new IOException("'" + name + "': a path in a file system begins with /; try '/" + name + "'");
        }
        try {
            return xal.lookup(name);
        } catch (NoSuchFileException e) {
            throw new IOException(
                    device + " holds no " + e.getFile() + "; './aisio xal find " + device + "' lists what it holds", e);
        } catch (NotDirectoryException e) {
            throw new IOException(device + ": " + e.getFile() + " is no directory, so there is no " + name, e);
        }
    }

    /**
     * Reads what can be read of files and prints it, says what cannot, and returns that: paths and what is wrong there.
     *
     * @throws IOException if what was read cannot be printed
     */
    Map<String, String> each(List<String> paths, Reading reading) throws IOException {
        Map<String, String> failures = new LinkedHashMap<>();
        for (String path : paths) {
            XalOptions.stopIfInterrupted();
            Printing printing;
            try {
                printing = reading.read(lookup(path));
            } catch (IOException | IllegalArgumentException e) {
                XalOptions.stopIfInterrupted();
                String damage = e instanceof XfsException ? path + ": " : "";
                System.err.println(Failures.line(damage + Failures.message(e)));
                failures.put(path, Failures.message(e));
                continue;
            }
            printing.print();
        }
        return failures;
    }

    /** Reads what is wanted of one file. */
    interface Reading {
        /**
         * Reads it.
         *
         * @return what prints it
         * @throws IOException if it cannot be read
         * @throws IllegalArgumentException if it is none of the files that this can be done with
         */
        Printing read(Entry file) throws IOException;
    }

    /** Prints what was read: an error here is none of the file's. */
    interface Printing {
        void print() throws IOException;
    }

    /** Closes the device and all that was opened on it. Closing again does nothing. */
    @Override
    public void close() throws IOException {
        while (!open.isEmpty()) {
            open.pop().close();
        }
    }

    private interface Closing {
        void close() throws IOException;
    }
}
