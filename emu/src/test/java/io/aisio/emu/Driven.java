package io.aisio.emu;

import io.aisio.nvme.NvmeController;
import io.aisio.nvme.Timeouts;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.PciFunction;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

/** A software controller with the real driver on it, and a count of the memory that the driver holds. */
final class Driven implements AutoCloseable {
    /** For tests that wait for a timeout: so short that they do not wait for long, too short for those that expect none. */
    static final Timeouts SHORT =
            new Timeouts(Duration.ofMillis(400), Duration.ofMillis(400), Duration.ofSeconds(1), Duration.ofSeconds(2));

    /** Faults that the completion of a command tells of, its data or an event: nobody waits for a timeout. */
    private static final Set<Fault.Kind> TOLD = EnumSet.of(
            Fault.Kind.ERROR,
            Fault.Kind.CORRUPT,
            Fault.Kind.TORN,
            Fault.Kind.PUT,
            Fault.Kind.QUEUES,
            Fault.Kind.EVENTS,
            Fault.Kind.RESIZE,
            Fault.Kind.REMOVE);

    /** The usual timeouts where no fault of a plan is one that only a timeout tells of, else {@link #SHORT}. */
    static Timeouts timeouts(FaultPlan plan) {
        boolean told = plan.faults().stream().allMatch(fault -> TOLD.contains(fault.kind()));
        return told && !plan.isEmpty() ? Timeouts.DEFAULT : SHORT;
    }

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
