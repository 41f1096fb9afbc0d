package io.aisio.cuda;

/** A point in the work of a stream: that it was passed can be asked and waited for, and its time is taken. Any thread may call. */
public final class GpuEvent implements AutoCloseable {
    private final Gpu gpu;
    private final long handle;
    private final Liveness liveness;

    private GpuEvent(Gpu gpu, long handle) {
        this.gpu = gpu;
        this.handle = handle;
        liveness = new Liveness("an event of GPU " + gpu.id());
    }

    static GpuEvent open(Gpu gpu) throws CudaException {
        // A thread that waits for it sleeps.
        return new GpuEvent(gpu, gpu.context().ask(driver -> driver.eventCreate(CudaDriver.EVENT_BLOCKING_SYNC)));
    }

    /** Sets the point behind all that is on the stream now. */
    public void record(GpuStream stream) throws CudaException {
        stream.use(onStream -> run(driver -> driver.eventRecord(handle, onStream)));
    }

    /** What is put on the stream from now on waits for the point. */
    public void holdUp(GpuStream stream) throws CudaException {
        stream.use(onStream -> run(driver -> driver.streamWaitEvent(onStream, handle)));
    }

    /** Whether the point was passed; true if none was set. */
    public boolean isDone() throws CudaException {
        liveness.enter();
        try {
            return gpu.context().ask(driver -> driver.eventIsDone(handle));
        } finally {
            liveness.leave();
        }
    }

    /** Waits, asleep, until the point was passed. */
    public void synchronize() throws CudaException {
        run(driver -> driver.eventSynchronize(handle));
    }

    /**
     * Milliseconds from another point to this one, both of which were passed; to half a microsecond.
     *
     * @throws CudaException {@code CUDA_ERROR_NOT_READY} if one was not passed yet, {@code CUDA_ERROR_INVALID_HANDLE} if one
     *     was not set
     */
    public float millisecondsSince(GpuEvent earlier) throws CudaException {
        earlier.liveness.enter();
        try {
            liveness.enter();
            try {
                return gpu.context().ask(driver -> driver.eventElapsed(earlier.handle, handle));
            } finally {
                liveness.leave();
            }
        } finally {
            earlier.liveness.leave();
        }
    }

    private void run(CudaContext.Action action) throws CudaException {
        liveness.enter();
        try {
            gpu.context().run(action);
        } finally {
            liveness.leave();
        }
    }

    /** Closing again does nothing. */
    @Override
    public void close() {
        liveness.close(() -> {
            gpu.context().free(driver -> driver.eventDestroy(handle));
            gpu.forget(this);
        });
    }

    @Override
    public String toString() {
        return liveness.toString();
    }
}
