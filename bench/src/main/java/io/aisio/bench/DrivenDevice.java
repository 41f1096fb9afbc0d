package io.aisio.bench;

import io.aisio.cuda.DataSlots;
import io.aisio.cuda.Gpu;
import io.aisio.cuda.GpuQueuePair;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A device, queue pairs of it that a kernel drives, and memory of the GPU for their data. One thread's. */
final class DrivenDevice implements AutoCloseable {
    private final Opened opened = new Opened();
    private final Device device;
    private final GpuQueuePair.Placement placement;
    private final DataSlots data;
    private final List<GpuQueuePair> pairs = new ArrayList<>();

    /**
     * Opens it.
     *
     * @param depth commands in flight on each queue pair
     * @param ioBytes of a command
     * @param queues how many queue pairs
     * @param dataBytes memory for the data of each command: {@code ioBytes}, or less if the device moves no data
     * @throws IllegalArgumentException if that does not fit the device; one sentence
     * @throws IOException if the device cannot be opened, has no queue pairs that the GPU could drive, or does not reach its
     *     memory
     */
    static DrivenDevice open(
            Gpu gpu, String name, CudaQueues driving, int depth, long ioBytes, int queues, long dataBytes)
            throws IOException {
        return new DrivenDevice(gpu, name, driving, depth, ioBytes, queues, dataBytes);
    }

    private DrivenDevice(Gpu gpu, String name, CudaQueues driving, int depth, long ioBytes, int queues, long dataBytes)
            throws IOException {
        try {
            device = opened.keep(Device.open(name));
            Fit.check(device, depth, ioBytes, queues);
            placement = placement(device, driving);
            int bytes = Math.toIntExact(Math.max(dataBytes, device.geometry().lbaBytes()));
            // Before the queue pairs: once a kernel serves them, allocating may take long.
            data = opened.keep(DataSlots.allocate(device, gpu, queues, depth, bytes));
            for (int i = 0; i < queues; i++) {
                pairs.add(opened.keep(GpuQueuePair.open(device, gpu, depth, placement)));
            }
        } catch (UnsupportedOperationException e) {
            try (opened) {
                throw new IOException(Failures.text(e), e);
            }
        } catch (Throwable t) {
            try (opened) {
                throw t;
            }
        }
    }

    private static GpuQueuePair.Placement placement(Device device, CudaQueues driving) {
        CudaQueues.Memory memory = driving.memory();
        if (memory == null) {
            return GpuQueuePair.placement(device);
        }
        return memory == CudaQueues.Memory.DEVICE ? GpuQueuePair.Placement.DEVICE : GpuQueuePair.Placement.HOST;
    }

    Device device() {
        return device;
    }

    /** Where the rings are. */
    CudaQueues.Memory memory() {
        return placement == GpuQueuePair.Placement.DEVICE ? CudaQueues.Memory.DEVICE : CudaQueues.Memory.HOST;
    }

    List<GpuQueuePair> pairs() {
        return List.copyOf(pairs);
    }

    DataSlots data() {
        return data;
    }

    /** I/Os of so many bytes that the device holds. */
    long holds(long ioBytes) {
        return device.geometry().bytes() / ioBytes;
    }

    /** Logical blocks of so many bytes. */
    int blocks(long ioBytes) {
        return (int) (ioBytes / device.geometry().lbaBytes());
    }

    /** Closes queue pairs, memory and device, in that order. No kernel may run that drives them. */
    @Override
    public void close() throws IOException {
        try {
            for (GpuQueuePair pair : pairs) {
                pair.close();
            }
        } catch (IOException e) {
            // Its commands may still write to the memory of the data: that goes with the process.
            opened.abandon();
            throw e;
        }
        opened.close();
    }
}
