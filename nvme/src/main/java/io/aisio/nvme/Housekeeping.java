package io.aisio.nvme;

import io.aisio.nvme.spec.AsyncEvent;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.LogPage;
import io.aisio.nvme.spec.Wire;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The thread that a controller has for itself: takes its events, tells the listener, and notices trouble while nobody else
 * looks. Between two ticks it sleeps, so that a flood of events costs no more than a few a tick.
 */
final class Housekeeping {
    /** Between two looks: as often as a waiting queue's owner looks. */
    private static final long TICK_NANOS = 100_000_000;
    /** The entries of the Changed Namespace List's page, when it cannot tell which. */
    private static final int TOO_MANY = -1;

    private final NvmeController controller;
    private final ConcurrentLinkedQueue<ControllerEvent> untold = new ConcurrentLinkedQueue<>();
    private volatile Consumer<? super ControllerEvent> listener = event -> {};
    private volatile boolean stopped;
    private @Nullable Thread thread;

    Housekeeping(NvmeController controller) {
        this.controller = controller;
    }

    void listener(Consumer<? super ControllerEvent> who) {
        listener = who;
    }

    /** Something happened; the listener is told by the thread, soon. */
    void tell(ControllerEvent event) {
        untold.add(event);
        Thread started = thread;
        if (started != null) {
            LockSupport.unpark(started);
        }
    }

    void start() {
        thread = Thread.ofPlatform()
                .daemon()
                .name(controller.name() + " housekeeping")
                .start(this::run);
    }

    /** Ends the thread, and waits for that unless it is the thread itself that calls. */
    void stop() {
        stopped = true;
        Thread started = thread;
        if (started == null || started == Thread.currentThread()) {
            return;
        }
        LockSupport.unpark(started);
        boolean interrupted = false;
        while (started.isAlive()) {
            try {
                started.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        while (!stopped) {
            tellAll();
            if (controller.failure() == null) {
                tick();
                tellAll();
            }
            if (untold.isEmpty()) {
                LockSupport.parkNanos(this, TICK_NANOS);
            }
        }
        tellAll();
    }

    private void tellAll() {
        for (ControllerEvent event = untold.poll(); event != null; event = untold.poll()) {
            try {
                listener.accept(event);
            } catch (RuntimeException e) {
                // The listener's own fault is its own: the controller needs the thread.
                Thread self = Thread.currentThread();
                self.getUncaughtExceptionHandler().uncaughtException(self, e);
            }
        }
    }

    private void tick() {
        Recovery recovery = controller.recovery();
        int epoch = recovery.epoch();
        recovery.look(epoch);
        AdminQueue admin = controller.admin();
        admin.poll();
        for (Integer event = admin.takeEvent(); event != null && !stopped; event = admin.takeEvent()) {
            try {
                take(event);
            } catch (IOException e) {
                // Reset meanwhile, or no such log page: the event without what it is about.
                tell(new ControllerEvent.Other(
                        AsyncEvent.type(event), AsyncEvent.information(event), AsyncEvent.logPage(event)));
            } catch (IllegalStateException e) {
                if (!controller.isClosed()) {
                    throw e;
                }
                // Closed meanwhile, which is what it waits for this thread with: nobody asks any more.
                return;
            }
        }
        if (!stopped) {
            admin.requestEvents(controller.eventRequests());
            keepAlive();
        }
    }

    private void keepAlive() {
        try {
            controller.keepAlive(System.nanoTime());
        } catch (IOException e) {
            // The controller hears nothing of us, or was reset: what follows from that shows by itself.
            tell(new ControllerEvent.KeepAliveFailed(String.valueOf(e.getMessage())));
        }
    }

    /** Reads what the event is about, which lets the controller tell of the next one of its kind. */
    private void take(int event) throws IOException {
        int type = AsyncEvent.type(event);
        int information = AsyncEvent.information(event);
        switch (type) {
            case AsyncEvent.TYPE_ERROR -> tell(new ControllerEvent.ErrorReported(information, controller.errorLog()));
            case AsyncEvent.TYPE_SMART -> {
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment log = read(arena, LogPage.SMART, LogPage.SMART_BYTES);
                    tell(new ControllerEvent.Health(information, Wire.u8(log, LogPage.SMART_CRITICAL_WARNING)));
                }
            }
            case AsyncEvent.TYPE_NOTICE -> notice(event, information);
            default -> tell(new ControllerEvent.Other(type, information, AsyncEvent.logPage(event)));
        }
    }

    private void notice(int event, int information) throws IOException {
        switch (information) {
            case AsyncEvent.NOTICE_NAMESPACE_ATTRIBUTE -> {
                // The list first: what changes after it was read is told by another event.
                Set<Integer> changed = changedNamespaces();
                controller.readNamespaces();
                tell(new ControllerEvent.NamespacesChanged(changed));
            }
            case AsyncEvent.NOTICE_FIRMWARE_ACTIVATION -> {
                try (Arena arena = Arena.ofConfined()) {
                    read(arena, LogPage.FIRMWARE_SLOT, LogPage.FIRMWARE_BYTES);
                }
                tell(new ControllerEvent.FirmwareActivation());
            }
            default -> tell(new ControllerEvent.Other(AsyncEvent.TYPE_NOTICE, information, AsyncEvent.logPage(event)));
        }
    }

    private Set<Integer> changedNamespaces() throws IOException {
        Set<Integer> changed = new TreeSet<>();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment list = read(arena, LogPage.CHANGED_NAMESPACES, Identify.BYTES);
            for (long at = 0; at < Identify.BYTES; at += Integer.BYTES) {
                int nsid = Wire.i32(list, at);
                if (nsid == 0 || nsid == TOO_MANY) {
                    break;
                }
                changed.add(nsid);
            }
        }
        return changed;
    }

    private MemorySegment read(Arena arena, int logPage, long bytes) throws IOException {
        MemorySegment data = arena.allocate(bytes, Long.BYTES);
        controller.execute(NvmeController.logPage(logPage, bytes), data);
        return data;
    }
}
