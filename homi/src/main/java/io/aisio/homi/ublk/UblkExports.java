package io.aisio.homi.ublk;

import io.aisio.homi.daemon.Events;
import io.aisio.homi.daemon.Export;
import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.linux.UblkControl;
import io.aisio.linux.UblkInfo;
import io.aisio.linux.UblkQueue;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Makes exports as block devices of the kernel, through ublk. Nothing is written down of them elsewhere: the kernel keeps
 * with each device a mark of the namespace, by which the next daemon knows it again.
 */
public final class UblkExports implements Export.Maker {
    private static final int MOST_QUEUES = 4096;
    /** What the kernel may take for a step with a device that nobody serves any more: it waits for nothing then. */
    private static final Duration LIMIT = Duration.ofSeconds(10);

    /** One that makes them here. */
    public UblkExports() {}

    @Override
    public String kind() {
        return "ublk";
    }

    /**
     * A block device that a process of ours made.
     *
     * @param id the N of {@code /dev/ublkbN}
     * @param state {@code live}, {@code quiesced}, {@code dead} or {@code failing}
     * @param pid of the process that serves it, or did
     * @param orphaned whether no process serves it
     * @param used whether a file system or another device has it for itself
     */
    public record Found(int id, String state, int pid, boolean orphaned, boolean used) {}

    /**
     * All that there are, whoever serves them; none without ublk.
     *
     * @throws IOException if the kernel does not tell
     */
    public static List<Found> list() throws IOException {
        List<Found> found = new ArrayList<>();
        if (!UblkControl.isThere()) {
            return found;
        }
        for (UblkInfo info : ours()) {
            found.add(new Found(info.id(), info.stateName(), info.pid(), isOrphaned(info), isUsed(info.id())));
        }
        return found;
    }

    private static List<UblkInfo> ours() throws IOException {
        List<UblkInfo> found = new ArrayList<>();
        for (int id : UblkControl.devices()) {
            try {
                UblkInfo info = Bounded.within(
                        LIMIT,
                        "asking the kernel for " + UblkQueue.path(id),
                        "dmesg tells what ublk_drv waits for; a restart of the machine ends it",
                        () -> {
                            try (UblkControl control = UblkControl.open()) {
                                return control.info(id);
                            }
                        });
                if (Shape.isOurs(info.serverFlags())) {
                    found.add(info);
                }
            } catch (LinuxException e) {
                // It went meanwhile.
                if (e.errno() != Errno.ENODEV) {
                    throw e;
                }
            }
        }
        return found;
    }

    /** Whether its server is no more: the kernel may not have noticed yet. */
    private static boolean isOrphaned(UblkInfo info) {
        return (info.state() != UblkInfo.LIVE && info.state() != UblkInfo.DEAD)
                || info.pid() <= 0
                || ProcessHandle.of(info.pid()).isEmpty();
    }

    private static boolean isUsed(int id) throws IOException {
        Path device = UblkQueue.blockDevice(id);
        if (!Files.exists(device)) {
            return false;
        }
        try {
            return Bounded.within(
                    LIMIT,
                    "opening " + device,
                    "dmesg tells what it waits for; end who serves it (fuser " + UblkQueue.path(id) + ")",
                    () -> {
                        try (OpenFile _ = OpenFile.openAlone(device)) {
                            return false;
                        }
                    });
        } catch (LinuxException e) {
            if (e.errno() == Errno.EBUSY) {
                return true;
            }
            // Of a device that is being taken away.
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ENODEV || e.errno() == Errno.ENXIO) {
                return false;
            }
            throw e;
        }
    }

    @Override
    public Export start(Export.Request request, NvmeDevice device, Events events) throws IOException {
        if (request.queues() < 1 || request.queues() > MOST_QUEUES) {
            throw new IllegalArgumentException(
                    "an export with %d queues; next: 1 to %d".formatted(request.queues(), MOST_QUEUES));
        }
        int most = Math.min(UblkQueue.MAX_DEPTH, device.controller().maxDepth());
        if (request.depth() < 1 || request.depth() > most) {
            throw new IllegalArgumentException(
                    "an export with %d commands in flight a queue; next: 1 to %d".formatted(request.depth(), most));
        }
        Shape shape = Shape.of(device, request.nsid(), request.readOnly());
        UblkControl control = open();
        try {
            Optional<UblkInfo> left = find(shape, request.id());
            return left.isEmpty()
                    ? UblkExport.start(control, request, device, shape, events)
                    : UblkExport.recover(control, left.get(), request, device, shape, events);
        } catch (IOException | RuntimeException e) {
            control.close();
            throw e;
        }
    }

    private static UblkControl open() throws IOException {
        try {
            return UblkControl.open();
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                throw new UnsupportedOperationException(
                        "the kernel has no ublk here (/dev/ublk-control); next: modprobe ublk_drv, with Linux 6.1 or newer",
                        e);
            }
            if (e.errno() == Errno.EACCES) {
                throw new IOException("/dev/ublk-control may not be opened; next: run as root", e);
            }
            throw e;
        }
    }

    /** What a dead daemon left of this namespace, to be taken over; what it had not even started is deleted. */
    private static Optional<UblkInfo> find(Shape shape, int id) throws IOException {
        for (UblkInfo info : ours()) {
            if (info.serverFlags() != shape.mark() || (id != UblkInfo.ANY && info.id() != id)) {
                continue;
            }
            if (!isOrphaned(info)) {
                throw new IOException("namespace %d is %s already, served by process %d; next: homi unexport there"
                        .formatted(shape.nsid(), UblkQueue.blockDevice(info.id()), info.pid()));
            }
            if (info.state() != UblkInfo.DEAD && info.has(UblkInfo.USER_RECOVERY)) {
                return Optional.of(info);
            }
            remove(info.id());
        }
        return Optional.empty();
    }

    /**
     * Has the kernel take a device away. Each step has the control device for itself, so that one that does not end holds up
     * nobody.
     *
     * @throws IOException if the kernel refuses, or does not get done
     */
    static void remove(int id) throws IOException {
        Path device = UblkQueue.blockDevice(id);
        Path channel = UblkQueue.path(id);
        boolean _ = Bounded.within(
                LIMIT,
                "stopping " + device,
                "end who serves it (fuser -v " + channel + "); if nobody does, dmesg tells what it waits for",
                () -> {
                    try (UblkControl control = UblkControl.open()) {
                        control.stop(id);
                        return true;
                    }
                });
        boolean _ = Bounded.within(
                LIMIT,
                "deleting " + device,
                "it goes when who has it open lets go of it (fuser -v %s %s)".formatted(device, channel),
                () -> {
                    try (UblkControl control = UblkControl.open()) {
                        control.delete(id);
                        return true;
                    }
                });
    }

    /**
     * Deletes what was left by processes that died, but for what a file system is mounted on.
     *
     * @throws IOException if something stays, which the message names
     */
    @Override
    public void clean() throws IOException {
        if (!UblkControl.isThere()) {
            return;
        }
        List<String> used = new ArrayList<>();
        List<String> stay = new ArrayList<>();
        @Nullable IOException failed = null;
        for (UblkInfo info : ours()) {
            if (!isOrphaned(info)) {
                continue;
            }
            try {
                if (isUsed(info.id())) {
                    used.add(UblkQueue.blockDevice(info.id()).toString());
                } else {
                    remove(info.id());
                }
            } catch (IOException e) {
                stay.add(String.valueOf(e.getMessage()));
                failed = e;
            }
        }
        if (!used.isEmpty()) {
            stay.addFirst(
                    "%s was left by a daemon that ended, is no export any more and is in use; next: umount it, or export its namespace again"
                            .formatted(String.join(", ", used)));
        }
        if (!stay.isEmpty()) {
            throw new IOException(String.join("; ", stay), failed);
        }
    }
}
