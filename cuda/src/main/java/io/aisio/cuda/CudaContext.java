package io.aisio.cuda;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The primary context of a GPU, which all {@link Gpu}s of the same number share: what must be known of all of them is
 * here. Whether a kernel runs without end, and which frees wait for it; whether a kernel that went wrong has broken the
 * context, so that every call after it fails.
 *
 * <p>A call makes the context the calling thread's current one, and leaves it so.
 */
final class CudaContext {
    /** By the number of the GPU; guarded by itself. */
    private static final Map<Integer, CudaContext> OPEN = new HashMap<>();

    final int id;
    final CudaDriver driver;

    private final int device;
    private final long handle;
    /** Guarded by {@link #OPEN}. */
    private int users;

    private final Object frees = new Object();
    /** Kernels that run without end; guarded by {@link #frees}, as is what waits for them. */
    private int residents;

    private final List<Action> putOff = new ArrayList<>();

    /** Streams without work that nobody has; guarded by itself. */
    private final Deque<Long> idleStreams = new ArrayDeque<>();

    /** What closed streams may still use; guarded by itself. */
    private final List<Object> held = new ArrayList<>();

    private final Object loading = new Object();
    /** Guarded by {@link #loading}. */
    private @Nullable GpuKernels kernels;

    private volatile @Nullable CudaException broken;

    /**
     * Chosen: streams that there are at least when a kernel begins to run without end. To create one later may wait for that
     * kernel for ever, if the driver has none left to give again (seen with driver 580).
     */
    private static final int SPARE_STREAMS = 32;

    /** Something to do while the context is current. */
    @FunctionalInterface
    interface Call<T> {
        T of(CudaDriver driver) throws CudaException;
    }

    /** The same, without a result. */
    @FunctionalInterface
    interface Action {
        void on(CudaDriver driver) throws CudaException;
    }

    /** A copy, or a fill, on a stream that is then waited for. */
    @FunctionalInterface
    interface Copy {
        void on(CudaDriver driver, long stream) throws CudaException;
    }

    private CudaContext(int id, CudaDriver driver, int device, long handle) {
        this.id = id;
        this.driver = driver;
        this.device = device;
        this.handle = handle;
    }

    /** The context of a GPU, for one user more; each calls {@link #close()} once. */
    static CudaContext open(int id) throws CudaException {
        CudaDriver driver = CudaDriver.get();
        synchronized (OPEN) {
            CudaContext context = OPEN.get(id);
            if (context == null) {
                int device = driver.device(id);
                context = new CudaContext(id, driver, device, driver.retainPrimaryContext(device));
                OPEN.put(id, context);
            }
            context.users++;
            return context;
        }
    }

    void close() {
        synchronized (OPEN) {
            if (--users > 0) {
                return;
            }
            OPEN.remove(id, this);
            try {
                // With the context goes what is left in it: the module of kernels, the idle streams.
                driver.releasePrimaryContext(device);
            } catch (CudaException e) {
                if (broken == null && !CudaDriver.breaksContext(e.code())) {
                    throw new AssertionError("a context that was retained", e);
                }
            }
        }
    }

    int device() {
        return device;
    }

    <T> T ask(Call<T> call) throws CudaException {
        CudaException before = broken;
        if (before != null) {
            throw CudaException.after(before);
        }
        try {
            driver.setCurrent(handle);
            return call.of(driver);
        } catch (CudaException e) {
            if (CudaDriver.breaksContext(e.code())) {
                broken = e;
            }
            throw e;
        }
    }

    void run(Action action) throws CudaException {
        Boolean _ = ask(driver -> {
            action.on(driver);
            return Boolean.TRUE;
        });
    }

    /** Copies, and waits until it is done: not for anything else that runs on the GPU. */
    void copy(Copy copy) throws CudaException {
        run(driver -> {
            long stream = takeStream(driver);
            copy.on(driver, stream);
            driver.streamSynchronize(stream);
            giveStreamBack(stream);
        });
    }

    /**
     * A stream without work, whose taker has it alone.
     *
     * @throws CudaException if there is none while a kernel runs without end
     */
    long takeStream(CudaDriver current) throws CudaException {
        // Under the lock too: between a look at those that are idle and a look for residents, there may be one, and
        // many of those.
        synchronized (frees) {
            Long idle;
            synchronized (idleStreams) {
                idle = idleStreams.poll();
            }
            if (idle != null) {
                return idle;
            }
            if (residents > 0) {
                throw CudaException.absent(
                        "all streams of GPU " + id + " are in use, and no more can be opened while a kernel"
                                + " runs without end on it; next: close some, or open them before a queue pair of gpu: is opened");
            }
            return current.streamCreate();
        }
    }

    private void giveStreamBack(long stream) {
        synchronized (idleStreams) {
            idleStreams.push(stream);
        }
    }

    /** Takes a stream back that may still have work: it is given again only if it has none. */
    void closeStream(long stream) {
        boolean idle;
        try {
            idle = ask(current -> current.streamIsDone(stream));
        } catch (CudaException _) {
            // Its work went wrong, which broke the context: with that the stream goes.
            return;
        }
        if (idle) {
            giveStreamBack(stream);
        } else {
            free(current -> current.streamDestroy(stream));
        }
    }

    /**
     * Gives something back, at once or, while a kernel runs without end, when the last of those has ended: the driver
     * waits for all kernels before it frees.
     */
    void free(Action free) {
        synchronized (frees) {
            if (residents > 0) {
                putOff.add(free);
            } else {
                freeNow(free);
            }
        }
    }

    private void freeNow(Action free) {
        if (broken != null) {
            return;
        }
        try {
            run(free);
        } catch (CudaException e) {
            // A free tells too of a kernel that went wrong meanwhile; whoever asks for something next is told.
            if (broken == null) {
                throw new AssertionError("what was allocated could not be freed", e);
            }
        }
    }

    void openResident() throws CudaException {
        synchronized (frees) {
            if (residents == 0) {
                run(this::makeSpareStreams);
            }
            residents++;
        }
    }

    private void makeSpareStreams(CudaDriver current) throws CudaException {
        synchronized (idleStreams) {
            while (idleStreams.size() < SPARE_STREAMS) {
                idleStreams.add(current.streamCreate());
            }
        }
    }

    /** What loads code. */
    @FunctionalInterface
    interface Loading<T> {
        T load() throws CudaException;
    }

    /** Loads something. Loading waits until no kernel runs, which would be for ever (seen with driver 580): none begins meanwhile. */
    <T> T load(String what, Loading<T> loading) throws CudaException {
        synchronized (frees) {
            if (residents > 0) {
                throw CudaException.absent(what + " cannot be loaded while a kernel runs without end on the GPU; next:"
                        + " load them before a queue pair of gpu: is opened");
            }
            return loading.load();
        }
    }

    void closeResident() {
        synchronized (frees) {
            if (--residents > 0) {
                return;
            }
            List<Action> due = List.copyOf(putOff);
            putOff.clear();
            AssertionError first = null;
            for (Action one : due) {
                try {
                    freeNow(one);
                } catch (AssertionError e) {
                    first = first == null ? e : first;
                }
            }
            if (first != null) {
                throw first;
            }
        }
    }

    /** Keeps from the garbage collector, as long as the context lives, what a stream that is closed may still use. */
    void hold(Collection<Object> unfinished) {
        synchronized (held) {
            held.addAll(unfinished);
        }
    }

    /** How many frees wait for a kernel that runs without end. */
    int putOff() {
        synchronized (frees) {
            return putOff.size();
        }
    }

    GpuKernels kernels(Gpu gpu) throws CudaException {
        synchronized (loading) {
            if (kernels == null) {
                kernels = load("the project's kernels", () -> GpuKernels.load(gpu));
            }
            return kernels;
        }
    }
}
