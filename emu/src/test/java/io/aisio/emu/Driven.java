package io.aisio.emu;

import io.aisio.nvme.NvmeController;
import io.aisio.nvme.Timeouts;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.PciFunction;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;

/** A software controller with the real driver on it, and a count of the memory that the driver holds. */
final class Driven implements AutoCloseable {
    /** So short that a test does not wait for long, so long that a busy machine does not reach it by accident. */
    static final Timeouts SHORT =
            new Timeouts(Duration.ofMillis(400), Duration.ofMillis(400), Duration.ofSeconds(1), Duration.ofSeconds(2));

    final EmuController emulator;
    final CountingFunction function;
    final NvmeController driver;

    Driven(EmuConfiguration configuration) throws IOException {
        this(configuration, Timeouts.DEFAULT);
    }

    Driven(EmuConfiguration configuration, Timeouts timeouts) throws IOException {
        emulator = EmuController.open("emu:driven", configuration);
        emulator.start();
        function = new CountingFunction(emulator.function());
        try {
            driver = NvmeController.open(function, timeouts);
        } catch (IOException | RuntimeException e) {
            function.close();
            throw e;
        }
    }

    @Override
    public void close() throws IOException {
        try {
            driver.close();
        } finally {
            function.close();
        }
    }

    /** Passes everything on, and counts what was allocated and not freed yet. */
    static final class CountingFunction implements PciFunction {
        private final PciFunction function;
        private final AtomicInteger live = new AtomicInteger();
        private volatile boolean closed;

        CountingFunction(PciFunction function) {
            this.function = function;
        }

        /** How many allocations were not freed yet. */
        int live() {
            return live.get();
        }

        boolean isClosed() {
            return closed;
        }

        @Override
        public String name() {
            return function.name();
        }

        @Override
        public Bar bar(int index) {
            return function.bar(index);
        }

        @Override
        public DmaMemory allocate(long bytes) throws IOException {
            DmaMemory memory = function.allocate(bytes);
            live.incrementAndGet();
            return new DmaMemory() {
                private boolean freed;

                @Override
                public MemorySegment segment() {
                    return memory.segment();
                }

                @Override
                public long iova(long offset) {
                    return memory.iova(offset);
                }

                @Override
                public void close() {
                    memory.close();
                    if (!freed) {
                        freed = true;
                        live.decrementAndGet();
                    }
                }
            };
        }

        @Override
        public void close() {
            closed = true;
            function.close();
        }
    }
}
