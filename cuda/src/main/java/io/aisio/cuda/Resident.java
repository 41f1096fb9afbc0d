package io.aisio.cuda;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * That a kernel runs without end on a GPU: while one of these is open, nothing is freed there, because the driver would
 * wait for the kernel. It is opened before the kernel is launched, and closed after it has ended.
 */
public final class Resident implements AutoCloseable {
    private final Gpu gpu;
    private final AtomicBoolean closed = new AtomicBoolean();

    Resident(Gpu gpu) {
        this.gpu = gpu;
    }

    /** Frees what was put off, if this is the last. Closing again does nothing. */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            try {
                gpu.context().closeResident();
            } finally {
                gpu.forget(this);
            }
        }
    }
}
