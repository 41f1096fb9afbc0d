package io.aisio.fil.spi;

import io.aisio.cuda.Gpu;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** One way to read whole files, by its name. Providers are found by {@link java.util.ServiceLoader}. */
public interface Backend {
    /** How it is asked for, such as {@code aisio-cpu}. */
    String name();

    /** What a place is to it and how data goes, in some words: for lists of backends. */
    String description();

    /**
     * Opens a place that holds files.
     *
     * @param place a device's name or a folder, as the backend has it
     * @throws IllegalArgumentException if the place makes no sense; one sentence for the person who typed it
     * @throws IOException if it cannot be opened, or with {@link Settings#require()} not in the way that was asked for
     */
    FileSource open(String place, Settings settings) throws IOException;

    /** How cuFile is called. */
    enum CuFileCalls {
        /** One call a read, which returns when it is done ({@code cuFileRead}). */
        ONE_BY_ONE,
        /** Many reads a call ({@code cuFileBatchIOSubmit}). */
        BATCHES,
        /** Reads in the order of a stream of the GPU ({@code cuFileReadAsync}). */
        STREAM
    }

    /**
     * Into which memory of a GPU files go.
     *
     * @param gpu whose memory it is; it stays the caller's, to be closed last
     * @param calls how cuFile is called, where that reads
     * @param registered whether cuFile is told of the memory before it reads ({@code cuFileBufRegister}), where that reads;
     *     always on a stream, where it must be
     */
    record Target(Gpu gpu, CuFileCalls calls, boolean registered) {
        /** As above. */
        public Target {
            registered |= calls == CuFileCalls.STREAM;
        }

        /** Into memory of this GPU, in the plainest way. */
        public static Target of(Gpu gpu) {
            return new Target(gpu, CuFileCalls.ONE_BY_ONE, false);
        }
    }

    /**
     * How files are to be read.
     *
     * @param require whether to refuse a place that cannot be read in exactly this way, rather than read it in the next best
     * @param buffered whether the kernel's page cache may hold data, where the kernel reads
     * @param queues queues per place, at least 1
     * @param queueDepth commands in flight per queue at most, at least 1; what a device cannot hold is cut to what it can
     * @param ioBytes bytes of one command at most, 0 for the most that the place takes
     * @param target a GPU into whose memory files go; null for the host's memory
     */
    record Settings(
            boolean require,
            boolean buffered,
            int queues,
            int queueDepth,
            int ioBytes,
            @Nullable Target target) {
        /** The next best way will do, past the page cache; one queue of 128 commands, as large as they may be. */
        public static final Settings DEFAULT = new Settings(false, false, 1, 128, 0);

        /** Checks the numbers. */
        public Settings {
            if (queues < 1 || queueDepth < 1) {
                throw new IllegalArgumentException(
                        queues + " queues of depth " + queueDepth + ": there is at least 1 of depth 1");
            }
            if (ioBytes < 0) {
                throw new IllegalArgumentException(ioBytes + " bytes in one command: 0 for the most, or more");
            }
        }

        /** The same into the host's memory. */
        public Settings(boolean require, boolean buffered, int queues, int queueDepth, int ioBytes) {
            this(require, buffered, queues, queueDepth, ioBytes, null);
        }

        /** The same into memory of a GPU; null for the host's. */
        public Settings into(@Nullable Target where) {
            return new Settings(require, buffered, queues, queueDepth, ioBytes, where);
        }

        /**
         * For a backend that reads into the host's memory alone.
         *
         * @throws IllegalArgumentException if another is asked for
         */
        public void requireHost(String backend) {
            if (target != null) {
                throw new IllegalArgumentException(
                        backend
                                + " reads into the host's memory alone; into a GPU's read aisio-p2p, aisio-gpu, cufile, posix and io_uring");
            }
        }

        /**
         * For a backend that reads into a GPU's memory alone.
         *
         * @throws IllegalArgumentException if none is named
         */
        public Target requireGpu(String backend) {
            if (target == null) {
                throw new IllegalArgumentException(backend + " reads into the memory of a GPU: name one (--gpu-id 0)");
            }
            return target;
        }
    }
}
