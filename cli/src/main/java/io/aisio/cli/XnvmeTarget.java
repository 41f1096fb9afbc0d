package io.aisio.cli;

import io.aisio.bench.DataAtRisk;
import io.aisio.nvme.KernelPassthrough;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.Passthrough;
import io.aisio.xnvme.Capabilities;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.DeviceUri;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a command of {@code xnvme} talks to.
 *
 * <pre>
 *   /dev/nvme0, /dev/nvme0n1, /dev/ng0n1   the kernel's driver: ioctl
 *   any other name                         Device, and its Passthrough if it has one
 * </pre>
 */
final class XnvmeTarget implements AutoCloseable {
    private static final Pattern KERNEL = Pattern.compile("/dev/(nvme\\d+|nvme\\d+n\\d+|ng\\d+n\\d+)");
    private static final Pattern CONTROLLER = Pattern.compile("/dev/nvme\\d+");

    private final String name;
    private final @Nullable Device device;
    private final @Nullable KernelPassthrough kernel;

    private XnvmeTarget(String name, @Nullable Device device, @Nullable KernelPassthrough kernel) {
        this.name = name;
        this.device = device;
        this.kernel = kernel;
    }

    /**
     * Opens it for commands.
     *
     * @param writes whether it is to be written; if not, others may go on reading what it keeps
     * @throws IOException if it cannot be opened
     */
    static XnvmeTarget open(String name, boolean writes) throws IOException {
        if (KERNEL.matcher(name).matches()) {
            Path path = Path.of(name);
            return new XnvmeTarget(
                    name, null, writes ? KernelPassthrough.openToWrite(path) : KernelPassthrough.open(path));
        }
        return openDevice(name, writes);
    }

    /**
     * Opens it for blocks.
     *
     * @throws IOException if it cannot be opened, or has no blocks
     */
    static XnvmeTarget openDevice(String name, boolean writes) throws IOException {
        if (isKernelController(name)) {
            throw new IOException(
                    name + " is a controller, which has no blocks: name a namespace of it, such as " + name + "n1");
        }
        return new XnvmeTarget(name, Device.open(writes ? name : readOnly(name)), null);
    }

    private static String readOnly(String name) {
        DeviceUri uri = DeviceUri.parse(name);
        boolean takes = uri.scheme().equals("emu") || uri.scheme().equals("file");
        // Memory of a controller in software is nobody else's.
        if (!takes || uri.options().containsKey("readonly") || !DataAtRisk.keepsData(uri)) {
            return name;
        }
        return name + (uri.options().isEmpty() ? "?" : "&") + "readonly";
    }

    /** Whether a name is that of a controller that the kernel has, rather than of a namespace. */
    static boolean isKernelController(String name) {
        return CONTROLLER.matcher(name).matches();
    }

    /** Whether a name is that of a namespace that the kernel has. */
    static boolean isKernelNamespace(String name) {
        return KERNEL.matcher(name).matches() && !isKernelController(name);
    }

    /** Whether NVMe commands can be sent to it. */
    boolean takesCommands() {
        return kernel != null || (device != null && device.capabilities().has(Capabilities.Trait.NVME_COMMANDS));
    }

    /** Its name as it was given. */
    String name() {
        return name;
    }

    /** Which way commands and data take, for people. */
    String path() {
        if (device != null) {
            return device.path();
        }
        return "kernel, NVMe commands by ioctl";
    }

    /** The device, unless only commands go there. */
    @Nullable
    Device device() {
        return device;
    }

    /** The device, of one that was opened for blocks. */
    Device blocks() {
        if (device == null) {
            throw new IllegalStateException(name + " was opened for commands");
        }
        return device;
    }

    /**
     * Refuses blocks that the device has not.
     *
     * @throws IllegalArgumentException if there are none, or one is not there
     */
    void requireInside(long lba, long count) {
        requireInside(name, lba, count, blocks().geometry().lbaCount());
    }

    /** The same of a namespace of that many blocks. */
    static void requireInside(String name, long lba, long count, long size) {
        if (lba < 0 || count < 1 || lba >= size || count > size - lba) {
            throw new IllegalArgumentException(
                    "%s: %d blocks from LBA %d on; it has %d".formatted(name, count, lba, size));
        }
    }

    /**
     * Carries NVMe commands there.
     *
     * @throws IOException if it takes none, in one sentence
     */
    Passthrough commands() throws IOException {
        if (kernel != null) {
            return kernel;
        }
        try {
            if (device != null) {
                return device.passthrough();
            }
        } catch (UnsupportedOperationException e) {
            throw new IOException(e.getMessage(), e);
        }
        throw new IllegalStateException(name + " is closed");
    }

    /**
     * The controller, if it is driven from here.
     *
     * @param what is asked of it, for the message
     * @throws IOException if it is not
     */
    NvmeController controller(String what) throws IOException {
        if (device instanceof NvmeDevice driven) {
            return driven.controller();
        }
        throw new IOException(name + ": " + what + " takes a controller that is driven from here, such as emu:1GiB or"
                + " 0000:82:00.0; this one is reached through " + path());
    }

    /**
     * Begins a report on it.
     *
     * @param verb whose
     */
    XnvmeReport report(String verb) {
        return new XnvmeReport(verb).put("device", name).put("path", path());
    }

    @Override
    public void close() throws IOException {
        if (kernel != null) {
            kernel.close();
        }
        if (device != null) {
            device.close();
        }
    }
}
