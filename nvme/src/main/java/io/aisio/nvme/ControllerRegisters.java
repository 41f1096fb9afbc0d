package io.aisio.nvme;

import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.Bar;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntPredicate;

/**
 * A controller's registers, and the state machine that the specification drives through them: disable, enable, shut down
 * (sections 3.1.5, 3.1.6, 7.6). Every wait has a deadline and notices a fatal error and a device that is gone.
 */
final class ControllerRegisters {
    /** How long a wait sleeps between two looks. */
    private static final long POLL_NANOS = 20_000;
    /** What enabling and disabling may take when CAP.TO says 0. */
    private static final Duration LEAST_READY_TIMEOUT = Duration.ofMillis(500);

    private final String name;
    private final Bar bar;
    private final long cap;

    /**
     * Reads the capabilities.
     *
     * @throws NvmeException if this driver cannot work with them, or the device is gone
     */
    ControllerRegisters(String name, Bar bar) throws NvmeException {
        this.name = name;
        this.bar = bar;
        cap = bar.read64(Registers.CAP);
        if (cap == -1L) {
            throw gone();
        }
        if (!Registers.supportsNvmCommandSet(cap) && !Registers.supportsCommandSets(cap)) {
            throw new NvmeException("%s: no NVM command set (CAP 0x%016x)".formatted(name, cap));
        }
        if (maxQueueEntries() < 2) {
            throw new NvmeException("%s: queues of one entry (CAP.MQES 0)".formatted(name));
        }
        if (minPageSize() > Prp.PAGE) {
            throw new NvmeException("%s: memory pages of at least %d bytes (CAP.MPSMIN); this driver uses pages of %d"
                    .formatted(name, minPageSize(), Prp.PAGE));
        }
        if (doorbellRoom() < 0) {
            throw new NvmeException("%s: BAR 0 of %d bytes ends before the admin doorbells (CAP.DSTRD %d)"
                    .formatted(name, bar.size(), doorbellStride()));
        }
    }

    Bar bar() {
        return bar;
    }

    int maxQueueEntries() {
        return Registers.maxQueueEntries(cap);
    }

    long minPageSize() {
        return Registers.minPageSize(cap);
    }

    int doorbellStride() {
        return Registers.doorbellStride(cap);
    }

    /** Whether namespaces are of different command sets, so that each must be asked for its own. */
    boolean hasCommandSets() {
        return Registers.supportsCommandSets(cap);
    }

    /** The largest queue identifier whose doorbells are within the BAR; negative if not even the admin queue's are. */
    long doorbellRoom() {
        return (bar.size() - Registers.DOORBELLS) / (8L << doorbellStride()) - 1;
    }

    /** Disables a controller in whatever state it was left: one that is becoming ready is waited for (section 3.1.5). */
    void disable() throws NvmeException {
        int cc = bar.read32(Registers.CC);
        if (cc == Registers.ALL_ONES) {
            throw gone();
        }
        if ((cc & Registers.CC_EN) != 0) {
            // One that fails meanwhile, or takes for ever, is disabled all the same.
            waitFor(csts -> (csts & (Registers.CSTS_RDY | Registers.CSTS_CFS)) != 0, readyTimeout());
        }
        stop();
    }

    /** Clears EN and waits until the controller is disabled: whatever it was doing, it leaves memory alone afterwards. */
    void stop() throws NvmeException {
        int cc = bar.read32(Registers.CC);
        if (cc == Registers.ALL_ONES) {
            throw gone();
        }
        bar.write32(Registers.CC, cc & ~Registers.CC_EN & ~Registers.CC_SHN_MASK);
        await(Registers.CSTS_RDY, 0, readyTimeout(), "become disabled");
    }

    /**
     * Enables a disabled controller and waits until it is ready.
     *
     * @param entries of both admin queues
     * @param asq where the device finds the admin submission queue
     * @param acq where the device finds the admin completion queue
     */
    void enable(int entries, long asq, long acq) throws NvmeException {
        bar.write32(Registers.AQA, Registers.adminQueueAttributes(entries));
        bar.write64(Registers.ASQ, asq);
        bar.write64(Registers.ACQ, acq);
        int cc = Registers.configuration(Prp.PAGE) | (hasCommandSets() ? Registers.CC_CSS_ALL : 0);
        bar.write32(Registers.CC, cc);
        bar.write32(Registers.CC, cc | Registers.CC_EN);
        await(Registers.CSTS_RDY, Registers.CSTS_RDY, readyTimeout(), "become ready");
    }

    /** Announces a normal shutdown, waits until the controller has written what it cached, and disables it. */
    void shutDown(Duration limit) throws NvmeException {
        int cc = bar.read32(Registers.CC);
        if (cc == Registers.ALL_ONES) {
            throw gone();
        }
        bar.write32(Registers.CC, (cc & ~Registers.CC_SHN_MASK) | Registers.CC_SHN_NORMAL);
        await(Registers.CSTS_SHST_MASK, Registers.CSTS_SHST_COMPLETE, limit, "shut down");
        stop();
    }

    /** Throws if the controller, which has been enabled, reports a fatal error, is not ready any more, or is gone. */
    void requireAlive() throws NvmeException {
        int csts = bar.read32(Registers.CSTS);
        if (csts == Registers.ALL_ONES) {
            throw gone();
        }
        if ((csts & Registers.CSTS_CFS) != 0) {
            throw fatal(csts);
        }
        if ((csts & Registers.CSTS_RDY) == 0) {
            throw new NvmeException(
                    "%s: the controller is not ready any more (CSTS 0x%08x): somebody reset it, or it is gone"
                            .formatted(name, csts));
        }
    }

    /** Whether the device is gone from the bus. */
    boolean areGone() {
        return bar.read32(Registers.CSTS) == Registers.ALL_ONES;
    }

    private Duration readyTimeout() {
        Duration told = Duration.ofMillis(Registers.timeoutMillis(cap));
        return told.compareTo(LEAST_READY_TIMEOUT) < 0 ? LEAST_READY_TIMEOUT : told;
    }

    private void await(int mask, int value, Duration limit, String what) throws NvmeException {
        // A controller that is being disabled clears CFS with RDY; one that should rise will not any more.
        int fatal = value == 0 ? 0 : Registers.CSTS_CFS;
        int csts = waitFor(seen -> (seen & mask) == value || (seen & fatal) != 0, limit);
        if ((csts & mask) == value) {
            return;
        }
        if ((csts & fatal) != 0) {
            throw fatal(csts);
        }
        throw new NvmeException(
                "%s: did not %s within %d ms (CSTS 0x%08x)".formatted(name, what, limit.toMillis(), csts));
    }

    /** Looks at CSTS until it is as wanted or the time is over; returns the last that was seen. */
    private int waitFor(IntPredicate wanted, Duration limit) throws NvmeException {
        long deadline = System.nanoTime() + limit.toNanos();
        while (true) {
            int csts = bar.read32(Registers.CSTS);
            if (csts == Registers.ALL_ONES) {
                throw gone();
            }
            if (wanted.test(csts) || System.nanoTime() - deadline > 0) {
                return csts;
            }
            LockSupport.parkNanos(POLL_NANOS);
        }
    }

    private NvmeException gone() {
        return new NvmeException(name + ": the device is gone: its registers read all ones");
    }

    private NvmeException fatal(int csts) {
        return new NvmeException(
                "%s: the controller reports a fatal error (CSTS.CFS, CSTS 0x%08x)".formatted(name, csts));
    }
}
