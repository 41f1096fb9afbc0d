package io.aisio.xnvme.spi;

import io.aisio.nvme.MappedQueuePair;
import io.aisio.nvme.QueueSource;
import java.io.IOException;

/**
 * A namespace of a controller that another process has, and that lends queue pairs: blocks move by queues of this process's
 * own, everything else goes by that one.
 */
public final class LeasedDevice extends NamespaceDevice {
    private final QueueSource source;

    private LeasedDevice(QueueSource source, int nsid, String name, String path) throws IOException {
        super(name, path, source, nsid, false);
        this.source = source;
    }

    /** Opens a queue pair for somebody else to drive: {@link QueueSource#mapQueuePair}. It is closed before the device. */
    public MappedQueuePair mapQueuePair(int depth) throws IOException {
        requireBlocks();
        return source.mapQueuePair(depth);
    }

    /**
     * A device over a lease.
     *
     * @param source where queue pairs and memory come from. It becomes the device's: it is closed with it, and if this fails
     * @param nsid the namespace
     * @param name the device's name as the user gave it
     * @param path which way the data takes, for people
     * @throws IOException if the lease has no such namespace, or moves less than a block of it
     */
    public static LeasedDevice over(QueueSource source, int nsid, String name, String path) throws IOException {
        try {
            return new LeasedDevice(source, nsid, name, path);
        } catch (IOException | RuntimeException e) {
            try {
                source.close();
            } catch (IOException onClose) {
                e.addSuppressed(onClose);
            }
            throw e;
        }
    }
}
