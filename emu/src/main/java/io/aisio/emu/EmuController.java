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
import java.util.concurrent.ConcurrentLinkedQueue;
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
    private final Sanitizer sanitizer;
    private final AsyncEvents events = new AsyncEvents();
    private final Dispatcher dispatcher;
    private final EmuFunction function;
    private final EmuThread thread;
    private final @Nullable FaultInjector faults;
    private final AdminCommands admin;

    /** What other threads want done, between two steps. */
    private final ConcurrentLinkedQueue<Runnable> wishes = new ConcurrentLinkedQueue<>();
    /** Whether {@link #wishes} may hold any: cheaper to look at. */
    private volatile boolean wished;

    /** When RDY is to be set, by {@link System#nanoTime}, if {@link #readyIsDue}. */
    private long readyDue;

    private boolean readyIsDue;
    /** CC as it was last acted on. */
    private int configured;

    /** Who is told of completions; null where all queues are polled. */
    private @Nullable InterruptVectors interrupts;

    private boolean vanished;
    /** Whose memory the controller's thread looks at, to know whose fault it is if that is not there. */
    private @Nullable SubmissionQueue serving;
    /** The last queue of a domain that was served, as long as what its memory did may still be told late. */
    private @Nullable SubmissionQueue suspect;
    /** The place, among the I/O queues, of the one that is served first. */
    private int first;

    private int idleSteps;
    private int busySteps;
    /** The link that it shares with others; null for none. */
    private final @Nullable SharedLink uplink;
    /** Held while it is closed. */
    private final Object closing = new Object();
    /** Whether it was closed, and has left the link that it shares. */
    private boolean left;

    private EmuController(
            String name,
            EmuConfiguration configuration,
            List<Namespace> media,
            @Nullable SharedLink uplink,
            @Nullable Mapping registerMemory)
            throws IOException {
        this.uplink = uplink;
        this.name = name;
        this.configuration = configuration;
        namespaces = media.toArray(Namespace[]::new);
        int pairs = configuration.queuePairs();
        long capabilities =
                Registers.capabilities(configuration.entries(), READY_TIMEOUT_MILLIS, configuration.doorbellStride())
                        | (configuration.hasCommandSets() ? Registers.CAP_CSS_ALL : 0);
        registers = registerMemory == null
                ? new RegisterFile(capabilities, pairs + 1)
                : new RegisterFile(capabilities, registerMemory);
        queues = new QueueTable(registers, space, pairs, configuration.isPaced());
        EmuConfiguration.Placement placed = configuration.placement();
        PlacementTable placement = placed == null ? null : new PlacementTable(placed);
        features = new Features(pairs, namespaces.length, placement);
        Counters counters = new Counters();
        sanitizer = new Sanitizer(namespaces, counters);
        logs = new Logs(counters, features, sanitizer, placement);
        long maxTransfer = (long) PrpWalk.PAGE << configuration.mdts();
        PrpWalk prps = new PrpWalk(space, maxTransfer);
        NvmCommands nvm = new NvmCommands(namespaces, prps, maxTransfer, features, counters, sanitizer, placement);
        admin = new AdminCommands(
                configuration, registers, queues, prps, namespaces, features, logs, events, sanitizer, maxTransfer);
        Pace pace = configuration.isPaced()
                ? new Pace(
                        configuration.latency().toNanos(),
                        configuration.iops(),
                        configuration.bytesPerSecond(),
                        configuration.link(),
                        uplink)
                : null;
        faults = configuration.faults().isEmpty() ? null : new FaultInjector(configuration.faults());
        dispatcher = new Dispatcher(admin, nvm, queues, prps, logs, events, pace, configuration.sgl(), faults);
        function = new EmuFunction(this, name, registers.bar(), space);
        thread = new EmuThread(this);
    }

    /**
     * Makes a controller, and opens its media. Nothing runs it yet.
     *
     * @param name how messages name it
     * @throws IOException if the medium cannot be opened; one sentence with the next step
     * @throws IllegalArgumentException if other controllers have an uplink of that name that is another link
     */
    public static EmuController open(String name, EmuConfiguration configuration) throws IOException {
        return open(name, configuration, null);
    }

    /** The same, with its registers in memory that somebody else has too: of {@link #registerBytes}, zeroed. */
    static EmuController open(String name, EmuConfiguration configuration, @Nullable Mapping registerMemory)
            throws IOException {
        List<Namespace> namespaces = new ArrayList<>();
        EmuConfiguration.Uplink wanted = configuration.uplink();
        SharedLink uplink = wanted == null ? null : SharedLink.join(wanted);
        try {
            for (int id = 1; id <= configuration.namespaces(); id++) {
                Media media = openMedia(configuration);
                namespaces.add(namespace(id, media, configuration));
            }
            return new EmuController(name, configuration, namespaces, uplink, registerMemory);
        } catch (IOException | RuntimeException e) {
            namespaces.forEach(Namespace::close);
            if (uplink != null) {
                uplink.leave();
            }
            throw e;
        }
    }

    private static Namespace namespace(int id, Media media, EmuConfiguration configuration) throws IOException {
        try {
            return new Namespace(id, media, configuration);
        } catch (IOException e) {
            media.close();
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

    /**
     * Stops the thread, then frees registers, memory and media. Closing again does nothing, but for what was left to do: that
     * memory was gone may be told late, in the middle of this.
     */
    @Override
    public void close() {
        synchronized (closing) {
            thread.close();
            for (Namespace namespace : namespaces) {
                namespace.close();
            }
            if (uplink != null && !left) {
                uplink.leave();
                left = true;
            }
            space.close();
            registers.close();
        }
    }

    /**
     * Resizes a namespace; the driver is told by an event, if it asked for it. Any thread.
     *
     * @param nsid 1 to the number of namespaces
     * @param blocks its size from now on, at most what its medium holds
     */
    public void resizeNamespace(int nsid, long blocks) {
        Namespace namespace = requireNamespace(nsid);
        if (blocks < 0) {
            throw new IllegalArgumentException(name + ": a namespace of " + blocks + " blocks");
        }
        wish(() -> admin.resize(namespace, blocks));
    }

    /** Removes a namespace; the driver is told by an event, if it asked for it. Any thread. */
    public void removeNamespace(int nsid) {
        Namespace namespace = requireNamespace(nsid);
        wish(() -> admin.remove(namespace));
    }

    /** Brings a namespace back that was removed, with the data that it had; the driver is told by an event. Any thread. */
    public void attachNamespace(int nsid) {
        Namespace namespace = requireNamespace(nsid);
        wish(() -> admin.attach(namespace));
    }

    /** The function leaves the bus, as if somebody pulled it: its registers read as all ones from now on. Any thread. */
    public void vanish() {
        wish(this::goAway);
    }

    private void goAway() {
        vanished = true;
        queues.clear();
        registers.vanish();
    }

    private Namespace requireNamespace(int nsid) {
        if (nsid < 1 || nsid > namespaces.length) {
            throw new IllegalArgumentException(name + ": no namespace " + nsid + "; 1 to " + namespaces.length);
        }
        return namespaces[nsid - 1];
    }

    /** Has something done between two steps. */
    private void wish(Runnable what) {
        wishes.add(what);
        wished = true;
    }

    private int grantWishes() {
        wished = false;
        int done = 0;
        Runnable wish = wishes.poll();
        while (wish != null) {
            wish.run();
            done++;
            wish = wishes.poll();
        }
        return done;
    }

    /** Bytes of the registers and doorbells of such a controller. */
    static long registerBytes(EmuConfiguration configuration) {
        return RegisterFile.bytes(configuration.queuePairs() + 1, configuration.doorbellStride());
    }

    /** Its registers and doorbells. */
    RegisterFile registers() {
        return registers;
    }

    /** The memory that it reaches, for who says which that is. */
    IovaSpace space() {
        return space;
    }

    /** From now on completions are told of by interrupts, too; the vectors stay the caller's. By the thread that steps. */
    void interrupts(InterruptVectors vectors) {
        interrupts = vectors;
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
        if (sanitizer.isRunning()) {
            sanitize();
            done++;
        }
        if (readyIsDue && readyDue - System.nanoTime() <= 0) {
            readyIsDue = false;
            registers.status(registers.status() | Registers.CSTS_RDY);
            done++;
        }
        if (wished) {
            done += grantWishes();
        }
        registers.keepStatus();
        if (isRunning()) {
            done += serve();
        }
        sweep(done);
        if (interrupts != null && (done > 0 || interrupts.takeChanged())) {
            queues.interrupt(interrupts);
        }
        return done;
    }

    /** When the next delayed command is due, by {@link System#nanoTime}, or {@code otherwise} if none waits. */
    long nextDue(long otherwise) {
        long next = dispatcher.nextDue(otherwise);
        if (readyIsDue && readyDue - next < 0) {
            next = readyDue;
        }
        for (SubmissionQueue queue : queues.io()) {
            DelayLine delayed = queue.delayed;
            // Who takes no completions is not waited for awake.
            if (delayed != null
                    && !delayed.isEmpty()
                    && delayed.due() - next < 0
                    && !queue.broken
                    && queue.completions.hasRoom()) {
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

    /**
     * The controller's thread met memory that is not there, or found none.
     *
     * @return whether that is one user's affair, whose queue is served no more: a file in memory can lose its pages, and there
     *     may be none for it when they are touched next
     */
    boolean endures() {
        SubmissionQueue queue = serving == null ? queues.looking() : serving;
        serving = null;
        if (queue == null || queue.domain == null) {
            // Told late: an owner's own memory does not go.
            queue = suspect;
        }
        suspect = null;
        if (queue == null || queue.domain == null || queue.broken) {
            return false;
        }
        queue.broken = true;
        return true;
    }

    /** The controller's thread has ended by a fault of ours: the driver is told, and nobody's memory is used any more. */
    void die() {
        fail();
        queues.clear();
    }

    private int serve() {
        int done = 0;
        SubmissionQueue current = queues.submission(0);
        serving = current;
        try {
            if (current != null) {
                if (suspect != null && current.head != current.tail()) {
                    settle(suspect);
                    serving = current;
                }
                done += dispatcher.serveAdmin(current);
            }
            dispatcher.beginStep();
            SubmissionQueue[] io = queues.io();
            int at = first < io.length ? first : 0;
            for (int i = 0; i < io.length && dispatcher.mayGoOn(); i++) {
                current = io[at];
                serving = current;
                int served = dispatcher.serve(current);
                if (served > 0 && current.domain != null) {
                    suspect = current;
                }
                done += served;
                at = at + 1 < io.length ? at + 1 : 0;
            }
            first = at;
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
            goAway();
        }
        return done;
    }

    /** Has the virtual machine tell what it has of a queue's memory: an admin command would be lost in it. */
    private void settle(SubmissionQueue queue) {
        serving = queue;
        // It tells when a thread comes back from the system at the latest.
        Thread.yield();
        suspect = null;
    }

    private boolean isGone(SubmissionQueue queue) {
        SubmissionQueue admin = queues.submission(0);
        return isDead(queue) || (admin != null && isDead(admin)) || queues.lostShadow();
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

    private void sanitize() {
        if (sanitizer.step()) {
            events.raise(AsyncEvent.TYPE_IO_COMMAND_SET, AsyncEvent.IO_SANITIZE_COMPLETED, LogPage.SANITIZE_STATUS);
        }
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
                checkDoorbells();
            }
        }
    }

    private void checkDoorbells() {
        serving = null;
        try {
            queues.checkDoorbells();
        } catch (IllegalStateException e) {
            // The shadow doorbells' memory was taken away while there is nothing to do. It may be given again before
            // there is; else the next command fails the controller.
            if (!queues.lostShadow()) {
                throw e;
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
        dispatcher.reset();
        readyIsDue = false;
        boolean stays = faults != null && faults.has(faults.next(Selector.Scope.DISABLING), Fault.Kind.STAYSREADY);
        registers.status(stays ? Registers.CSTS_RDY : 0);
    }

    /** Section 7.6.1: what the driver has set up is taken over, or CFS says that it makes no sense. */
    private void enable(int cc) {
        registers.clearDoorbells();
        int aqa = registers.adminQueueAttributes();
        int submissionEntries = Registers.adminSubmissionEntries(aqa);
        int completionEntries = Registers.adminCompletionEntries(aqa);
        boolean valid = Registers.pageSize(cc) == PrpWalk.PAGE
                && (Registers.commandSet(cc) == 0
                        || (configuration.hasCommandSets() && (cc & Registers.CC_CSS_ALL) == Registers.CC_CSS_ALL))
                && Registers.arbitration(cc) == 0
                && submissionEntries >= 2
                && completionEntries >= 2;
        CompletionQueue completions =
                valid ? queues.createCompletion(0, registers.adminCompletionQueue(), completionEntries, 0) : null;
        if (completions == null
                || queues.createSubmission(0, registers.adminSubmissionQueue(), submissionEntries, completions)
                        == null) {
            fail();
        } else if (faults == null) {
            registers.status(registers.status() | Registers.CSTS_RDY);
        } else {
            ready(faults);
        }
    }

    /** Sets RDY, now or later or never. */
    private void ready(FaultInjector injector) {
        long hits = injector.next(Selector.Scope.ENABLING);
        if (!injector.has(hits, Fault.Kind.NEVERREADY)) {
            readyIsDue = true;
            readyDue = System.nanoTime() + injector.number(hits, Fault.Kind.SLOWREADY);
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
