package io.aisio.homi.ublk;

import io.aisio.homi.daemon.Events;
import io.aisio.homi.daemon.Export;
import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.linux.UblkControl;
import io.aisio.linux.UblkInfo;
import io.aisio.linux.UblkParameters;
import io.aisio.linux.UblkQueue;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A namespace as {@code /dev/ublkbN}: made, served by a thread a queue, and taken away again, or left to the next process
 * that serves the same namespace.
 *
 * <pre>
 *   start    add, set parameters, queues fetch, START_DEV
 *   recover  START_USER_RECOVERY, queues fetch, END_USER_RECOVERY
 *   stop     nobody uses it: STOP_DEV while queues serve on, queues end, DEL_DEV
 *   failed   the same, whoever uses it: the kernel fails what he asks for, until he lets go of it
 *   close    stop; where somebody uses it, queues end, and the kernel keeps requests for the next server
 * </pre>
 */
final class UblkExport implements Export {
    /** How long udev may take to make a node and let go of it, and the kernel to be done with a dead server. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    /** How long requests under way may take when it is closed. */
    private static final Duration STOP_LIMIT = Duration.ofSeconds(10);
    /** How long a queue's thread may take to end: longer than it waits for commands, and than a controller's reset. */
    private static final Duration JOIN_LIMIT = Duration.ofSeconds(60);

    private final Request request;
    private final Events events;
    private final Shape shape;
    private final UblkControl control;
    private final UblkInfo info;
    private final OpenFile channel;
    private final List<ExportedQueue> queues;
    private final List<Thread> threads = new ArrayList<>();
    private final Instant created = Instant.now();
    private volatile String state = "starting";
    private boolean over;

    private UblkExport(
            Request request,
            Events events,
            Shape shape,
            UblkControl control,
            UblkInfo info,
            OpenFile channel,
            List<ExportedQueue> queues) {
        this.request = request;
        this.events = events;
        this.shape = shape;
        this.control = control;
        this.info = info;
        this.channel = channel;
        this.queues = queues;
    }

    /**
     * Makes a block device and serves it.
     *
     * @param control becomes the export's, if this succeeds
     * @throws IOException if the kernel or the controller refuses; nothing is left then
     */
    static UblkExport start(UblkControl control, Request request, NvmeDevice device, Shape shape, Events events)
            throws IOException {
        long wanted = UblkInfo.CMD_IOCTL_ENCODE | UblkInfo.USER_RECOVERY | UblkInfo.USER_RECOVERY_REISSUE;
        long known = control.features();
        // A kernel that does not tell has recovery since 6.1, and clears what it does not know.
        long flags = known == 0 ? wanted : wanted & (known | UblkInfo.CMD_IOCTL_ENCODE);
        if ((flags & UblkInfo.USER_RECOVERY) == 0) {
            flags &= ~UblkInfo.USER_RECOVERY_REISSUE;
        }
        UblkInfo made;
        try {
            made = control.add(new UblkInfo(
                    request.id(),
                    request.queues(),
                    request.depth(),
                    UblkInfo.DEAD,
                    shape.maxIoBytes(),
                    0,
                    flags,
                    shape.mark()));
        } catch (LinuxException e) {
            throw explained(e, request.id());
        }
        try {
            control.setParameters(made.id(), shape.parameters());
            UblkExport export = open(control, request, device, shape, made, events);
            try {
                export.begin();
                control.start(made.id());
            } catch (IOException | RuntimeException e) {
                export.abandon(e);
                throw e;
            }
            export.state = "working";
            return export;
        } catch (IOException | RuntimeException e) {
            try {
                UblkExports.remove(made.id());
            } catch (IOException onDelete) {
                e.addSuppressed(onDelete);
            }
            throw e;
        }
    }

    private static IOException explained(LinuxException e, int id) {
        return switch (e.errno()) {
            case Errno.EEXIST ->
                new IOException(
                        "%s is there already, and is no export of this namespace; next: another id, or none"
                                .formatted(UblkQueue.blockDevice(id)),
                        e);
            case Errno.EPERM ->
                new IOException("a block device can be made by root alone (CAP_SYS_ADMIN); next: run as root", e);
            default -> e;
        };
    }

    /**
     * Takes a block device over whose server has died: requests that wait go on.
     *
     * @param found of this namespace
     * @throws IOException if it does not look like the namespace any more, or the kernel refuses; it is then as it was
     */
    static UblkExport recover(
            UblkControl control, UblkInfo found, Request request, NvmeDevice device, Shape shape, Events events)
            throws IOException {
        UblkParameters was = control.parameters(found.id());
        UblkParameters is = shape.parameters();
        if (was.blockBytes() != is.blockBytes() || was.sectors() != is.sectors()) {
            throw new IOException(
                    "%s was left with %d sectors and blocks of %d bytes, and the namespace has %d and %d; next: unmount it, and homi unexport"
                            .formatted(
                                    UblkQueue.blockDevice(found.id()),
                                    was.sectors(),
                                    was.blockBytes(),
                                    is.sectors(),
                                    is.blockBytes()));
        }
        // It goes on with the limits that it was made with.
        Shape same = shape.withMaxIoBytes(found.maxIoBytes());
        beginRecovery(control, found);
        UblkExport export = open(control, request, device, same, found, events);
        try {
            export.begin();
            control.endRecovery(found.id());
        } catch (IOException | RuntimeException e) {
            export.abandon(e);
            throw e;
        }
        export.state = "working";
        events.add("recovered", request.device(), export + " goes on, which process " + found.pid() + " served");
        return export;
    }

    private static void beginRecovery(UblkControl control, UblkInfo found) throws IOException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            try {
                control.startRecovery(found.id());
                return;
            } catch (LinuxException e) {
                if (e.errno() != Errno.EBUSY || System.nanoTime() - end >= 0) {
                    throw e;
                }
            }
            pause();
        }
    }

    private static void pause() throws InterruptedIOException {
        LockSupport.parkNanos(PAUSE_NANOS);
        if (Thread.interrupted()) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted");
        }
    }

    /** Opens its queues; no thread serves them yet. */
    private static UblkExport open(
            UblkControl control, Request request, NvmeDevice device, Shape shape, UblkInfo info, Events events)
            throws IOException {
        OpenFile channel = openChannel(info.id());
        List<ExportedQueue> queues = new ArrayList<>();
        try {
            String name = UblkQueue.blockDevice(info.id()).toString();
            for (int queue = 0; queue < info.queues(); queue++) {
                queues.add(ExportedQueue.open(device, name, shape, channel, queue, info.depth()));
            }
            return new UblkExport(request, events, shape, control, info, channel, queues);
        } catch (IOException | RuntimeException e) {
            for (ExportedQueue queue : queues) {
                // It has been asked for nothing, and gives everything back.
                queue.quit();
                queue.serve();
            }
            channel.close();
            throw e;
        }
    }

    /** The node may be made late, and others may look at it for a moment. */
    private static OpenFile openChannel(int id) throws IOException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            try {
                return OpenFile.open(UblkQueue.path(id), OpenFile.Access.READ_WRITE);
            } catch (LinuxException e) {
                boolean soon = e.errno() == Errno.ENOENT || e.errno() == Errno.EBUSY || e.errno() == Errno.EACCES;
                if (!soon || System.nanoTime() - end >= 0) {
                    throw e;
                }
            }
            pause();
        }
    }

    /** Starts its threads, until each queue has asked the kernel for requests. */
    private void begin() throws IOException {
        for (ExportedQueue queue : queues) {
            threads.add(Thread.ofPlatform().daemon().name(queue.toString()).start(() -> serve(queue)));
        }
        try {
            for (ExportedQueue queue : queues) {
                if (!queue.awaitFetched(PATIENCE)) {
                    throw new IOException(queue + " does not serve", queue.failure());
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted");
        }
    }

    private void serve(ExportedQueue queue) {
        queue.serve();
        Throwable why = queue.failure();
        if (why != null) {
            state = "failed";
            events.add("failed", request.device(), queue + " ended: " + why);
        }
    }

    @Override
    public Request request() {
        return request;
    }

    /** The block device's number. */
    int id() {
        return info.id();
    }

    @Override
    public Row row() {
        Counters counters = new Counters(false, 0, 0, 0, 0, 0, 0, 0);
        for (ExportedQueue queue : queues) {
            counters = queue.counts().plus(counters);
        }
        return new Row(
                "ublkb" + info.id(),
                request.device(),
                shape.nsid(),
                Path.KERNEL,
                new Owner(0, 0, "kernel"),
                0,
                queues.size() == 1 ? queues.getFirst().qid() : 0,
                info.queues() * info.depth(),
                info.queues(),
                shape.readOnly(),
                created,
                state,
                counters,
                toString());
    }

    /** The block device goes, as that of a card that is pulled: who has it mounted sees errors from now on. */
    @Override
    public boolean deviceFailed(String why) {
        state = "failed";
        events.add("failed-export", request.device(), this + " is taken away: " + why);
        end(true);
        state = "failed";
        return over();
    }

    private synchronized boolean over() {
        return over;
    }

    @Override
    public synchronized void stop() throws IOException {
        if (over) {
            return;
        }
        try (OpenFile _ = openAlone()) {
            // Nobody can mount it as long as this is open.
            control.stop(info.id());
        }
        join();
        finish();
        @Nullable IOException[] refused = new IOException[1];
        Thread deletion = delete(null, e -> refused[0] = e);
        if (!Bounded.joined(deletion, STOP_LIMIT)) {
            throw new IOException(this + " is stopped, and goes when who has opened it meanwhile lets go of it");
        }
        if (refused[0] != null) {
            throw refused[0];
        }
    }

    /**
     * Has the kernel delete it. It does so at once, but answers only when nobody has the block device open any more, such as a
     * file system that is still mounted.
     *
     * @param first ends before it begins
     * @param refused told if it fails
     */
    private Thread delete(@Nullable Thread first, Consumer<IOException> refused) {
        return Thread.ofPlatform().daemon().name("deletion of " + this).start(() -> {
            try (control) {
                if (first != null) {
                    first.join();
                }
                control.delete(info.id());
            } catch (IOException e) {
                refused.accept(e);
            } catch (InterruptedException e) {
                throw new IllegalStateException("nobody has this thread to interrupt it", e);
            }
        });
    }

    private OpenFile openAlone() throws IOException {
        try {
            return OpenFile.openAlone(UblkQueue.blockDevice(info.id()));
        } catch (LinuxException e) {
            if (e.errno() == Errno.EBUSY) {
                throw new IOException(
                        "%s is in use, as a mounted file system or part of another device; next: umount it (lsblk %s)"
                                .formatted(this, this),
                        e);
            }
            throw e;
        }
    }

    @Override
    public void close() {
        end(false);
    }

    private synchronized void end(boolean whoeverUsesIt) {
        if (over) {
            return;
        }
        @Nullable IOException[] refused = new IOException[1];
        Thread stopper = Thread.ofPlatform().daemon().name("stop of " + this).start(() -> {
            try (OpenFile _ = whoeverUsesIt ? null : openAlone()) {
                control.stop(info.id());
            } catch (IOException e) {
                refused[0] = e;
            }
        });
        // Who has it mounted writes what he can before it goes, and learns of each request that it has failed.
        boolean stopped = Bounded.joined(stopper, whoeverUsesIt ? JOIN_LIMIT : STOP_LIMIT) && refused[0] == null;
        queues.forEach(ExportedQueue::quit);
        try {
            join();
            finish();
            if (stopped || whoeverUsesIt) {
                Thread deletion = delete(stopper, this::failed);
                // Who uses it is not waited for.
                boolean _ = whoeverUsesIt || Bounded.joined(deletion, STOP_LIMIT);
            } else {
                control.close();
                events.add("left", request.device(), this + " is left to the next daemon: it is in use");
            }
        } catch (IOException e) {
            control.close();
            failed(e);
        }
    }

    private void failed(IOException e) {
        events.add("failed", request.device(), this + ": " + e.getMessage());
    }

    /** After a start that failed: ends the threads, so that the device can be deleted. */
    private void abandon(Exception why) {
        queues.forEach(ExportedQueue::quit);
        try {
            if (threads.isEmpty()) {
                queues.forEach(ExportedQueue::serve);
            }
            join();
        } catch (IOException e) {
            why.addSuppressed(e);
        } finally {
            finish();
        }
    }

    private void join() throws IOException {
        for (Thread thread : threads) {
            if (!Bounded.joined(thread, JOIN_LIMIT)) {
                throw new IOException(thread.getName() + " does not end");
            }
        }
    }

    private void finish() {
        over = true;
        state = "stopped";
        channel.close();
    }

    /** Its path. */
    @Override
    public String toString() {
        return UblkQueue.blockDevice(info.id()).toString();
    }
}
