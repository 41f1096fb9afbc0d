package io.aisio.emu;

import io.aisio.linux.Mapping;
import io.aisio.nvme.spec.AsyncEvent;
import io.aisio.nvme.spec.LogPage;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.PciFunction;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An NVMe 1.4 controller in software. A driver gets {@link #function()}; somebody must run the controller: its own thread,
 * from {@link #start()} on, or the caller with {@link #step()}. {@link #stop()} changes from the first to the second.
 *
 * <pre>{@code
 * try (EmuController controller = EmuController.open("emu", EmuConfiguration.memory(1L << 30))) {
 *     controller.start();
 *     driver.open(controller.function());
 * }
 * }</pre>
 */
public final class EmuController implements AutoCloseable {
    /** CAP.TO: more than the controller ever takes, even where its thread waits for a processor. */
    private static final int READY_TIMEOUT_MILLIS = 2500;

    /** Steps without work after which the registers and doorbells that rarely change are looked at, and then again. */
    private static final int SWEEP_FIRST = 16;

    private static final int SWEEP_EVERY = 128;
    /** Steps with work after which they are looked at. */
    private static final int SWEEP_BUSY = 1 << 16;

    private final String name;
    private final EmuConfiguration configuration;
    private final IovaSpace space = new IovaSpace();
    private final RegisterFile registers;
    private final QueueTable queues;
    private final Namespace[] namespaces;
    private final Features features;
    private final Logs logs;
    private final AsyncEvents events = new AsyncEvents();
    private final Dispatcher dispatcher;
    private final EmuFunction function;
    private final EmuThread thread;
    private final boolean neverReady;

    /** CC as it was last acted on. */
    private int configured;

    private boolean vanished;
    private int idleSteps;
    private int busySteps;
    private boolean closed;

    private EmuController(
            String name, EmuConfiguration configuration, List<Namespace> media, @Nullable Mapping registerMemory)
            throws IOException {
        this.name = name;
        this.configuration = configuration;
        namespaces = media.toArray(Namespace[]::new);
        int pairs = configuration.queuePairs();
        long capabilities =
                Registers.capabilities(configuration.entries(), READY_TIMEOUT_MILLIS, configuration.doorbellStride());
        registers = registerMemory == null
                ? new RegisterFile(capabilities, pairs + 1)
                : new RegisterFile(capabilities, registerMemory);
        queues = new QueueTable(registers, space, pairs, configuration.isPaced());
        features = new Features(pairs, namespaces.length);
        Counters counters = new Counters();
        logs = new Logs(counters, features);
        long maxTransfer = (long) PrpWalk.PAGE << configuration.mdts();
        PrpWalk prps = new PrpWalk(space, maxTransfer);
        NvmCommands nvm = new NvmCommands(namespaces, prps, maxTransfer, features, counters);
        AdminCommands admin = new AdminCommands(
                configuration, registers, queues, prps, namespaces, features, logs, events, maxTransfer);
        Pace pace = configuration.isPaced()
                ? new Pace(configuration.latency().toNanos(), configuration.iops(), configuration.bytesPerSecond())
                : null;
        FaultInjector faults = configuration.faults().isEmpty() ? null : new FaultInjector(configuration.faults());
        neverReady = faults != null && faults.neverReady();
        dispatcher = new Dispatcher(admin, nvm, prps, logs, events, pace, faults);
        function = new EmuFunction(this, name, registers.bar(), space);
        thread = new EmuThread(this);
    }

    /**
     * Makes a controller, and opens its media. Nothing runs it yet.
     *
     * @param name how messages name it
     * @throws IOException if the medium cannot be opened; one sentence with the next step
     */
    public static EmuController open(String name, EmuConfiguration configuration) throws IOException {
        return open(name, configuration, null);
    }

    /** The same, with its registers in memory that somebody else has too: of {@link #registerBytes}, zeroed. */
    static EmuController open(String name, EmuConfiguration configuration, @Nullable Mapping registerMemory)
            throws IOException {
        List<Namespace> namespaces = new ArrayList<>();
        try {
            for (int id = 1; id <= configuration.namespaces(); id++) {
                Media media = openMedia(configuration);
                namespaces.add(new Namespace(id, media, configuration.readOnly(), configuration.lbaBytes()));
            }
            return new EmuController(name, configuration, namespaces, registerMemory);
        } catch (IOException | RuntimeException e) {
            namespaces.forEach(namespace -> namespace.media.close());
            throw e;
        }
    }

    private static Media openMedia(EmuConfiguration configuration) throws IOException {
        return switch (configuration.medium()) {
            case EmuConfiguration.Medium.Nothing(long bytes) -> new NullMedia(bytes);
            case EmuConfiguration.Medium.Memory(long bytes) -> new MemoryMedia(bytes);
            case EmuConfiguration.Medium.Image(var path) ->
                FileMedia.open(path, configuration.readOnly(), configuration.lbaBytes());
        };
    }

    /** How messages name it. */
    public String name() {
        return name;
    }

    /** What it was made from. */
    public EmuConfiguration configuration() {
        return configuration;
    }

    /** What its namespaces are kept on, for people: {@code memory media}. */
    public String media() {
        return namespaces[0].media.describe();
    }

    /** What a driver holds. Closing it closes the controller. */
    public PciFunction function() {
        return function;
    }

    /**
     * Starts the controller's own thread, a daemon.
     *
     * @throws IllegalStateException if it runs already, or the controller is closed
     */
    public void start() {
        thread.start();
    }

    /** Stops the controller's own thread, between two steps; registers and queues stay. Does nothing if none runs. */
    public void stop() {
        thread.stop();
    }

    /**
     * Does what there is to do now: a change of CC, every command that is in a queue or due. One thread at a time.
     *
     * @return how much it did, 0 if there was nothing
     * @throws IllegalStateException if the controller's own thread runs, or the controller is closed
     */
    public int step() {
        thread.requireCaller();
        return doStep();
    }

    /** Stops the thread, then frees registers, memory and media. Closing again does nothing. */
    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        thread.close();
        for (Namespace namespace : namespaces) {
            namespace.media.close();
        }
        space.close();
        registers.close();
    }

    /** Bytes of the registers and doorbells of such a controller. */
    static long registerBytes(EmuConfiguration configuration) {
        return RegisterFile.bytes(configuration.queuePairs() + 1, configuration.doorbellStride());
    }

    /** The memory that it reaches, for who says which that is. */
    IovaSpace space() {
        return space;
    }

    /** Memory was given: perhaps that of queues, once more. By the thread that steps. */
    void memoryGiven() {
        queues.findAgain();
    }

    /** Takes in what was stored to a register, by the thread that steps. */
    void registerWritten() {
        int ignored = step();
        if (!vanished) {
            registers.restore();
        }
    }

    /** Resets the function, by the thread that steps: queues and registers are as at the beginning. */
    void resetFunction() {
        if (!vanished) {
            registers.bar().write32(Registers.CC, 0);
            int ignored = step();
            reset();
            registers.resetFunction();
        }
    }

    /** One step, on whatever thread runs the controller. */
    int doStep() {
        if (vanished) {
            registers.vanish();
            return 0;
        }
        int done = 0;
        int cc = registers.configuration();
        if (cc != configured) {
            configure(cc);
            done++;
        }
        registers.keepStatus();
        if (isRunning()) {
            done += serve();
        }
        sweep(done);
        return done;
    }

    /** When the next delayed command is due, by {@link System#nanoTime}, or {@code otherwise} if none waits. */
    long nextDue(long otherwise) {
        long next = otherwise;
        for (SubmissionQueue queue : queues.io()) {
            DelayLine delayed = queue.delayed;
            if (delayed != null && !delayed.isEmpty() && delayed.due() - next < 0) {
                next = delayed.due();
            }
        }
        return next;
    }

    /** The controller's thread has failed, by a fault of ours: the driver is told as hardware would tell it. */
    void fail() {
        registers.status(registers.status() | Registers.CSTS_CFS);
    }

    private boolean isRunning() {
        return (registers.status() & (Registers.CSTS_RDY | Registers.CSTS_CFS | Registers.CSTS_SHST_MASK))
                == Registers.CSTS_RDY;
    }

    private int serve() {
        int done = 0;
        SubmissionQueue current = queues.submission(0);
        try {
            if (current != null) {
                done += dispatcher.serveAdmin(current);
            }
            for (SubmissionQueue queue : queues.io()) {
                current = queue;
                done += dispatcher.serve(queue);
            }
            done += deliverEvents();
        } catch (IllegalStateException e) {
            // A queue's memory was freed, so that nothing can be told through it. Anything else is a fault of ours.
            if (current == null || !isGone(current)) {
                throw e;
            }
            fail();
            return done + 1;
        }
        Dispatcher.End end = dispatcher.takeEnd();
        if (end == Dispatcher.End.FATAL) {
            fail();
        } else if (end == Dispatcher.End.VANISH) {
            vanished = true;
            registers.vanish();
        }
        return done;
    }

    private boolean isGone(SubmissionQueue queue) {
        SubmissionQueue admin = queues.submission(0);
        return isDead(queue) || (admin != null && isDead(admin));
    }

    private static boolean isDead(SubmissionQueue queue) {
        return !queue.ring.scope().isAlive() || !queue.completions.ring.scope().isAlive();
    }

    private int deliverEvents() {
        if (registers.takeInvalidRegister()) {
            invalidDoorbell(AsyncEvent.ERROR_INVALID_DOORBELL_REGISTER);
        }
        if (registers.takeInvalidValue()) {
            invalidDoorbell(AsyncEvent.ERROR_INVALID_DOORBELL_VALUE);
        }
        SubmissionQueue admin = queues.submission(0);
        return admin == null ? 0 : events.deliver(admin);
    }

    private void invalidDoorbell(int information) {
        logs.error(Status.INVALID_FIELD);
        events.raise(AsyncEvent.TYPE_ERROR, information, LogPage.ERROR_INFORMATION);
    }

    /** Looks at what drivers seldom write: soon after there is nothing else to do, and from time to time. */
    private void sweep(int done) {
        boolean due;
        if (done > 0) {
            idleSteps = 0;
            due = ++busySteps % SWEEP_BUSY == 0;
        } else {
            due = ++idleSteps % SWEEP_EVERY == SWEEP_FIRST;
        }
        if (due) {
            registers.restore();
            if (isRunning()) {
                queues.checkDoorbells();
            }
        }
    }

    /** CC has changed (section 3.1.5). A change of EN comes first, as it resets what else there is. */
    private void configure(int cc) {
        boolean wasEnabled = (configured & Registers.CC_EN) != 0;
        boolean enabled = (cc & Registers.CC_EN) != 0;
        boolean wasShutDown = (configured & Registers.CC_SHN_MASK) != 0;
        configured = cc;
        if (wasEnabled && !enabled) {
            reset();
        } else if (!wasEnabled && enabled) {
            enable(cc);
        }
        if (!wasShutDown && (cc & Registers.CC_SHN_MASK) != 0) {
            shutDown();
        }
    }

    /** Section 7.3.2: the queues go, the admin queue's registers stay, RDY tells at last that it is done. */
    private void reset() {
        queues.clear();
        events.reset();
        features.reset();
        registers.reset();
        registers.status(0);
    }

    /** Section 7.6.1: what the driver has set up is taken over, or CFS says that it makes no sense. */
    private void enable(int cc) {
        registers.clearDoorbells();
        int aqa = registers.adminQueueAttributes();
        int submissionEntries = Registers.adminSubmissionEntries(aqa);
        int completionEntries = Registers.adminCompletionEntries(aqa);
        boolean valid = Registers.pageSize(cc) == PrpWalk.PAGE
                && Registers.commandSet(cc) == 0
                && Registers.arbitration(cc) == 0
                && submissionEntries >= 2
                && completionEntries >= 2;
        CompletionQueue completions =
                valid ? queues.createCompletion(0, registers.adminCompletionQueue(), completionEntries) : null;
        if (completions == null
                || queues.createSubmission(0, registers.adminSubmissionQueue(), submissionEntries, completions)
                        == null) {
            fail();
        } else if (!neverReady) {
            registers.status(registers.status() | Registers.CSTS_RDY);
        }
    }

    /** Section 7.6.2. Commands are no longer fetched, from here to the next reset. */
    private void shutDown() {
        int rest = registers.status() & ~Registers.CSTS_SHST_MASK;
        registers.status(rest | Registers.CSTS_SHST_OCCURRING);
        boolean flushed = true;
        for (Namespace namespace : namespaces) {
            flushed &= namespace.media.flush() == Status.SUCCESS;
        }
        registers.status(rest | Registers.CSTS_SHST_COMPLETE | (flushed ? 0 : Registers.CSTS_CFS));
    }
}
